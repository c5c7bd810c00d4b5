package store

import (
	"bytes"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Database is one database's rows.
type Database struct {
	Source  string // as given to Open
	Format  string // "standalone", "clustered", "dump", "server" …
	Name    string // OVN_Southbound
	Version string // of its schema

	Cluster string // of a cluster's member, the cluster's ID

	// Time and Comment are of the newest transaction; Transactions counts them.
	Time         time.Time
	Comment      string
	Transactions int
	Bytes        int64 // of the source, decompressed

	// Warnings tells what of the source was not used, in order.
	Warnings []error

	tables map[string]*Table
	values values
	index  uint64 // of a cluster's member, that of the newest entry used
}

// Table returns a table; a table the database lacks is empty, never nil.
func (db *Database) Table(name string) *Table {
	if t := db.tables[name]; t != nil {
		return t
	}
	return &Table{Name: name, db: db}
}

// Tables returns the database's tables by name.
func (db *Database) Tables() []*Table {
	list := make([]*Table, 0, len(db.tables))
	for _, t := range db.tables {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b *Table) int { return compare(a.Name, b.Name) })
	return list
}

// Clone returns the database as it is now. What is applied to db later does
// not reach it; rows are shared.
func (db *Database) Clone() *Database {
	c := *db
	c.Warnings = slices.Clone(db.Warnings)
	c.tables = make(map[string]*Table, len(db.tables))
	for name, t := range db.tables {
		ct := *t
		ct.db, ct.rows, ct.order = &c, maps.Clone(t.rows), nil
		c.tables[name] = &ct
	}
	return &c
}

// newDatabase makes an empty database of a schema.
func newDatabase(source, format string, s *schema) *Database {
	db := &Database{Source: source, Format: format, values: newValues()}
	db.adopt(s)
	return db
}

// adopt gives the database a schema, without rows.
func (db *Database) adopt(s *schema) {
	db.Name, db.Version = s.name, s.version
	db.tables = make(map[string]*Table, len(s.tables))
	for _, ts := range s.tables {
		t := &Table{Name: ts.name, db: db, columns: ts.columns, index: make(map[string]int, len(ts.columns)),
			rows: make(map[UUID]*Row)}
		for i, c := range ts.columns {
			t.index[c.name] = i
		}
		db.tables[ts.name] = t
	}
}

// Table is a table's rows.
type Table struct {
	Name string

	db      *Database
	columns []column
	index   map[string]int
	rows    map[UUID]*Row
	sorted  []*Row // nil when stale
	order   []int  // of columns, as the row read last had them
}

// Len is the number of rows.
func (t *Table) Len() int { return len(t.rows) }

// Row returns the row of that UUID, or nil.
func (t *Table) Row(u UUID) *Row { return t.rows[u] }

// Rows returns the rows by UUID. The slice is the table's own.
func (t *Table) Rows() []*Row {
	if t.sorted == nil && len(t.rows) > 0 {
		t.sorted = make([]*Row, 0, len(t.rows))
		for _, r := range t.rows {
			t.sorted = append(t.sorted, r)
		}
		slices.SortFunc(t.sorted, func(a, b *Row) int { return bytes.Compare(a.UUID[:], b.UUID[:]) })
	}
	return t.sorted
}

// Columns returns the names of the table's columns, sorted.
func (t *Table) Columns() []string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	return names
}

// HasColumn reports whether the database's schema has the column.
func (t *Table) HasColumn(name string) bool { _, ok := t.index[name]; return ok }

// column returns the number of a column, -1 if there is none. Names of few columns
// are sooner compared than hashed.
func (t *Table) column(name string) int {
	if len(t.columns) > 24 {
		if i, ok := t.index[name]; ok {
			return i
		}
		return -1
	}
	for i := range t.columns {
		if t.columns[i].name == name {
			return i
		}
	}
	return -1
}

// cell is a row's value in a column. Only values other than the column's
// default have one.
type cell struct {
	column uint16
	value  uint32
}

// Row is a row. It never changes: a transaction that modifies a row puts
// another in its place.
type Row struct {
	UUID UUID
	// Since counts the transactions before the one that inserted the row, as far
	// as the source tells them: 0 is the first, and all that was there then.
	Since int

	table *Table
	cells []cell // by column
}

// Keep makes a row that the database had be in it again, in place of what it has
// now under the same UUID.
func (db *Database) Keep(r *Row) {
	if t := db.tables[r.table.Name]; t != nil {
		t.rows[r.UUID], t.sorted = r, nil
	}
}

// Table is the row's table.
func (r *Row) Table() *Table { return r.table }

// raw finds a column's value in canonical form.
func (r *Row) raw(name string) (string, columnType) {
	i := r.table.column(name)
	if i < 0 {
		return "", columnType{}
	}
	return r.table.db.values.text[r.value(i)], r.table.columns[i].typ
}

// value returns the number of a column's value.
func (r *Row) value(column int) uint32 {
	for _, c := range r.cells {
		if int(c.column) == column {
			return c.value
		}
	}
	return 0
}

// first is the scalar, or the first element of a set.
func (r *Row) first(name string) (string, atomType) {
	s, t := r.raw(name)
	if s == "" || t.scalar() {
		return s, t.key
	}
	s, _ = cutAtom(s)
	return s, t.key
}

// Has reports whether the row has a value other than the column's default.
func (r *Row) Has(name string) bool { s, _ := r.raw(name); return s != "" }

// Text is a column's value as text; of a set, its first element; "" when
// absent. A UUID is in the form with dashes.
func (r *Row) Text(name string) string {
	s, t := r.first(name)
	switch {
	case t == uuidAtom:
		return uuidText(s)
	case s == "":
		return defaultText(r, name)
	}
	return s
}

// defaultText is how an absent scalar reads.
func defaultText(r *Row, name string) string {
	_, t := r.raw(name)
	if !t.scalar() {
		return ""
	}
	switch t.key {
	case integerAtom, realAtom:
		return "0"
	case booleanAtom:
		return "false"
	}
	return ""
}

func uuidText(atom string) string {
	if len(atom) != 16 {
		return ""
	}
	return UUID([]byte(atom)).String()
}

// Integer is a column's integer, 0 when absent; of a set, its first.
func (r *Row) Integer(name string) int64 {
	s, _ := r.first(name)
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

// Bool is a column's boolean, false when absent; of a set, its first.
func (r *Row) Bool(name string) bool { s, _ := r.first(name); return s == "true" }

// Ref is a column's UUID, of a set its first; ok tells whether there is one.
func (r *Row) Ref(name string) (u UUID, ok bool) {
	s, t := r.first(name)
	if t != uuidAtom || len(s) != 16 {
		return UUID{}, false
	}
	return UUID([]byte(s)), true
}

// Refs yields a column's UUIDs in ascending order.
func (r *Row) Refs(name string) iter.Seq[UUID] {
	return func(yield func(UUID) bool) {
		for s := range r.elements(name) {
			if len(s) == 16 && !yield(UUID([]byte(s))) {
				return
			}
		}
	}
}

// Set returns a column's elements as text, in ascending order; of a scalar,
// the one.
func (r *Row) Set(name string) []string {
	var list []string
	_, t := r.raw(name)
	for s := range r.elements(name) {
		if t.key == uuidAtom {
			s = uuidText(s)
		}
		list = append(list, s)
	}
	return list
}

// elements yields a set's atoms, a map's keys, or a scalar other than "".
func (r *Row) elements(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		s, t := r.raw(name)
		if t.scalar() {
			if s != "" {
				yield(s)
			}
			return
		}
		for s != "" {
			var k string
			k, s = cutAtom(s)
			if t.value != 0 {
				_, s = cutAtom(s)
			}
			if !yield(k) {
				return
			}
		}
	}
}

// Pairs yields a map column's keys and values as text, by key.
func (r *Row) Pairs(name string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		s, t := r.raw(name)
		if t.value == 0 {
			return
		}
		for s != "" {
			var k, v string
			k, s = cutAtom(s)
			v, s = cutAtom(s)
			if t.key == uuidAtom {
				k = uuidText(k)
			}
			if t.value == uuidAtom {
				v = uuidText(v)
			}
			if !yield(k, v) {
				return
			}
		}
	}
}

// Map returns a map column, nil when it is empty.
func (r *Row) Map(name string) map[string]string {
	var m map[string]string
	for k, v := range r.Pairs(name) {
		if m == nil {
			m = make(map[string]string)
		}
		m[k] = v
	}
	return m
}

// Get returns the value of a key of a map column, "" when absent.
func (r *Row) Get(name, key string) string {
	for k, v := range r.Pairs(name) {
		if k == key {
			return v
		}
	}
	return ""
}

// Display is a column's whole value as text, for people: a scalar as it is, a
// set as [a, b], a map as {k=v, l=w}; in those, an empty string is "".
func (r *Row) Display(name string) string {
	_, t := r.raw(name)
	if t.scalar() {
		return r.Text(name)
	}
	var parts []string
	if t.value != 0 {
		for k, v := range r.Pairs(name) {
			parts = append(parts, visible(k)+"="+visible(v))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	for _, s := range r.Set(name) {
		parts = append(parts, visible(s))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func visible(s string) string {
	if s == "" {
		return `""`
	}
	return s
}
