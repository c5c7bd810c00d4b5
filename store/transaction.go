package store

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// Transaction is one transaction of a database's log.
type Transaction struct {
	Record  int   // of the file, counted from 1
	Offset  int64 // of the record in the file once decompressed
	Time    time.Time
	Comment string
	Changes []Change // by table, then UUID
}

// Change is what a transaction did to a row: inserted it (Old is nil),
// deleted it (New is nil) or modified it.
type Change struct {
	Table    string
	UUID     UUID
	Old, New *Row
}

// operation is a change read, not yet made.
type operation struct {
	table  *Table
	uuid   UUID
	cells  []cell // those of a modification may hold value 0
	delete bool
	insert bool // the row was absent when read: cells is the new row's
}

// decoder reads transactions in the form of database files: an object from
// table names to objects from row UUIDs to rows.
type decoder struct {
	db    *Database
	in    *input
	elems elements
	row   []cell
	cells []cell // slab the rows' cells are cut from
	rows  []Row  // slab
	ops   []operation
	next  *Database // the tables of a new schema, until apply; nil for the present one

	diff    bool // "_is_diff"
	date    int64
	comment string
	warn    func(what string) // of a part ignored; the same one once
}

// read reads one transaction from in, changing nothing yet.
func (d *decoder) read(in *input) error {
	d.in, d.ops, d.diff, d.date, d.comment = in, d.ops[:0], false, 0, ""
	d.db.values.budget.applied()
	tables := d.db.tables
	if d.next != nil {
		tables = d.next.tables
	}
	if err := in.take('{'); err != nil {
		return err
	}
	for first := true; ; first = false {
		name, more, err := in.member(first)
		if err != nil || !more {
			return err
		}
		if len(name) > 0 && name[0] == '_' {
			err = d.annotation(string(name))
		} else if t := tables[string(name)]; t != nil {
			err = d.table(t)
		} else {
			d.warn(fmt.Sprintf("table %q is not in the schema and is ignored", name))
			err = in.skip()
		}
		if err != nil {
			return err
		}
	}
}

// annotation reads a member that is no table.
func (d *decoder) annotation(name string) error {
	switch name {
	case "_date":
		n, err := d.in.number()
		if err != nil {
			return err
		}
		var ok bool
		if d.date, ok = integer(n); !ok {
			return d.in.errorf("_date is not an integer")
		}
		return nil
	case "_is_diff":
		w, err := d.in.word()
		d.diff = w == "true"
		return err
	case "_comment":
		c, err := d.in.next()
		if err != nil {
			return err
		}
		if c != '"' {
			return d.in.skip()
		}
		s, err := d.in.text()
		d.comment = string(s)
		return err
	}
	return d.in.skip()
}

// table reads a table's rows.
func (d *decoder) table(t *Table) error {
	if err := d.in.take('{'); err != nil {
		return err
	}
	for first := true; ; first = false {
		name, more, err := d.in.member(first)
		if err != nil || !more {
			return err
		}
		u, ok := parseUUID(name)
		if !ok {
			return d.in.errorf("%q is not a UUID (table %s)", name, t.Name)
		}
		c, err := d.in.next()
		if err != nil {
			return err
		}
		op := operation{table: t, uuid: u}
		if c == 'n' {
			op.delete = true
			_, err = d.in.word()
		} else {
			op.insert = t.rows[u] == nil
			err = d.columns(t, op.insert)
			op.cells = d.cut()
		}
		if err != nil {
			return err
		}
		d.ops = append(d.ops, op)
		if err := d.db.values.budget.change(op.cells); err != nil {
			return err
		}
	}
}

// columns reads a row into d.row. With insert, default values are left out.
func (d *decoder) columns(t *Table, insert bool) error {
	d.row = d.row[:0]
	if err := d.in.take('{'); err != nil {
		return err
	}
	for n := 0; ; n++ {
		name, more, err := d.in.member(n == 0)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		i, ok := t.next(n, name)
		if !ok {
			d.warn(fmt.Sprintf("column %q of table %s is not in the schema and is ignored", name, t.Name))
			if err := d.in.skip(); err != nil {
				return err
			}
			continue
		}
		v, err := d.value(t.columns[i].typ)
		if err != nil {
			if s, ok := err.(*syntaxError); ok {
				s.detail = fmt.Sprintf("column %s of table %s: %s", t.columns[i].name, t.Name, s.detail)
			}
			return err
		}
		if v != 0 || !insert {
			d.row = append(d.row, cell{uint16(i), v})
		}
	}
	if byColumn := func(a, b cell) int { return int(a.column) - int(b.column) }; !slices.IsSortedFunc(d.row, byColumn) {
		slices.SortStableFunc(d.row, byColumn)
	}
	return nil
}

// next returns the number of the column that a row has as its nth: mostly the row
// before had the same there.
func (t *Table) next(n int, name []byte) (int, bool) {
	if n < len(t.order) && t.columns[t.order[n]].name == string(name) {
		return t.order[n], true
	}
	i, ok := t.index[string(name)]
	if ok && n <= len(t.order) && n < len(t.columns) {
		t.order = append(t.order[:n], i)
	}
	return i, ok
}

// cut copies d.row to where rows keep their cells.
func (d *decoder) cut() []cell {
	if len(d.cells) < len(d.row) {
		d.cells = make([]cell, max(1024, len(d.row)))
	}
	n := copy(d.cells, d.row)
	cut := d.cells[:n:n]
	d.cells = d.cells[n:]
	return cut
}

func (d *decoder) newRow(t *Table, u UUID, since int, cells []cell) *Row {
	if len(d.rows) == 0 {
		d.rows = make([]Row, 64)
	}
	r := &d.rows[0]
	d.rows = d.rows[1:]
	*r = Row{UUID: u, Since: since, table: t, cells: cells}
	d.db.values.budget.row(r, 1)
	return r
}

// check finds what makes the transaction read impossible to apply.
func (d *decoder) check() error {
	for _, op := range d.ops {
		if op.delete && op.table.rows[op.uuid] == nil {
			return fmt.Errorf("deletes row %s of table %s, which does not exist", op.uuid, op.table.Name)
		}
	}
	return nil
}

// apply makes the changes read. With record it tells what they were.
func (d *decoder) apply(record bool) []Change {
	var changes []Change
	b := d.db.values.budget
	if d.next != nil {
		d.db.takeOver(d.next)
		d.next = nil
		b.recount(d.db)
	}
	for _, op := range d.ops {
		t, old := op.table, op.table.rows[op.uuid]
		var row *Row
		switch {
		case op.delete:
			delete(t.rows, op.uuid)
		case old == nil:
			if !op.insert { // deleted earlier in this very transaction
				op.cells = slices.DeleteFunc(op.cells, func(c cell) bool { return c.value == 0 })
			}
			row = d.newRow(t, op.uuid, d.db.Transactions, op.cells)
			t.rows[op.uuid] = row
		default:
			row = d.newRow(t, op.uuid, old.Since, d.merge(old, op.cells))
			t.rows[op.uuid] = row
		}
		b.row(old, -1)
		t.sorted = nil
		if record {
			changes = append(changes, Change{t.Name, op.uuid, old, row})
		}
	}
	d.ops = d.ops[:0]
	b.applied()
	if len(changes) > 1 {
		slices.SortStableFunc(changes, func(a, b Change) int {
			if c := compare(a.Table, b.Table); c != 0 {
				return c
			}
			return bytes.Compare(a.UUID[:], b.UUID[:])
		})
	}
	d.db.Transactions++
	d.db.Comment = d.comment
	if d.date != 0 {
		d.db.Time = time.UnixMilli(d.date).UTC()
	}
	return changes
}

// merge gives old's cells with those of a modification in their place.
func (d *decoder) merge(old *Row, changed []cell) []cell {
	d.row = d.row[:0]
	i := 0
	for n, c := range changed {
		if n+1 < len(changed) && changed[n+1].column == c.column {
			continue // the last value of a column given twice stands
		}
		for ; i < len(old.cells) && old.cells[i].column < c.column; i++ {
			d.row = append(d.row, old.cells[i])
		}
		was := uint32(0)
		if i < len(old.cells) && old.cells[i].column == c.column {
			was = old.cells[i].value
			i++
		}
		if t := old.table.columns[c.column].typ; d.diff && t.many {
			text := d.db.values.text
			c.value = d.db.values.id(d.elems.applyDiff(t, text[was], text[c.value]))
		}
		if c.value != 0 {
			d.row = append(d.row, c)
		}
	}
	d.row = append(d.row, old.cells[i:]...)
	return d.cut()
}

// What is the kind of change: insert, modify or delete.
func (c Change) What() string {
	switch {
	case c.Old == nil:
		return "insert"
	case c.New == nil:
		return "delete"
	}
	return "modify"
}

// Columns names the columns whose values a modification changed.
func (c Change) Columns() []string {
	if c.Old == nil || c.New == nil {
		return nil
	}
	var names []string
	for _, name := range c.New.table.Columns() {
		// Across a change of schema, columns have other numbers.
		was, _ := c.Old.raw(name)
		if is, _ := c.New.raw(name); was != is {
			names = append(names, name)
		}
	}
	return names
}
