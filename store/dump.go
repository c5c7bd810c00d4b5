package store

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// dump is the output of "ovsdb-client -f json dump": for each table one
// object with a caption, the columns' names and the rows. It has no schema:
// which database it is, its tables tell; a column's type, its values.
type dump struct {
	tables []dumpedTable
	offset int64
	told   bool
}

type dumpedTable struct {
	name     string
	headings []string
	data     []byte // the rows' JSON
	body     int64  // offset of data
}

func (f *dump) open(h *History) error {
	in := h.in
	for {
		if _, err := in.next(); err == errEnd {
			break
		}
		f.offset = in.offset()
		t, err := f.table(in)
		if err != nil {
			return f.damage(h, err)
		}
		if slices.ContainsFunc(f.tables, func(o dumpedTable) bool { return o.name == t.name }) {
			return f.damage(h, fmt.Errorf("table %s comes twice", t.name))
		}
		f.tables = append(f.tables, t)
	}
	if in.readErr != nil && in.readErr != io.EOF {
		return f.damage(h, in.readErr)
	}
	s := &schema{name: f.database()}
	if s.name == "" {
		return f.unknown(h)
	}
	for _, t := range f.tables {
		ts, err := t.schema()
		if err != nil {
			return f.damage(h, err)
		}
		s.tables = append(s.tables, ts)
	}
	h.start("dump", s)
	return nil
}

// unknown says what JSON is that is of no database we know.
func (f *dump) unknown(h *History) error {
	e := &SourceError{Source: h.source, Problem: "is JSON, but not a dump of an OVSDB database",
		Advice: "what is read of a database is " + h.opts.forms()}
	switch {
	case len(f.tables) == 1 && f.tables[0].headings == nil:
	case len(f.tables) == 1 && f.tables[0].name == "":
		e.Problem = "is JSON of one table's rows, not of a whole database"
	default:
		e.Problem = fmt.Sprintf("is a dump of %s alone, not of a whole database",
			count(len(f.tables), "table", "tables"))
	}
	return e
}

func (f *dump) damage(h *History, err error) error {
	d := &DamageError{Source: h.source, Record: len(f.tables) + 1, Offset: h.in.offset(), Damage: BadJSON,
		Detail: err.Error()}
	if s, ok := err.(*syntaxError); ok {
		d.Offset = s.offset
	}
	if err == errEnd {
		d.Damage = Truncated
	}
	return d
}

// table reads a table's object.
func (f *dump) table(in *input) (t dumpedTable, err error) {
	if err := in.take('{'); err != nil {
		return t, err
	}
	for first := true; ; first = false {
		name, more, err := in.member(first)
		if err != nil || !more {
			return t, err
		}
		switch string(name) {
		case "caption":
			var text []byte
			text, err = in.text()
			t.name = strings.TrimSuffix(string(text), " table")
		case "headings":
			t.headings, err = texts(in)
		case "data":
			t.body = in.offset()
			t.data, err = in.raw()
		default:
			err = in.skip()
		}
		if err != nil {
			return t, err
		}
	}
}

func texts(in *input) (list []string, err error) {
	err = array(in, func() error {
		s, err := in.text()
		list = append(list, string(s))
		return err
	})
	return list, err
}

// array takes an array of what each takes.
func array(in *input, each func() error) error {
	if err := in.take('['); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := in.item(first)
		if err != nil || !more {
			return err
		}
		if err := each(); err != nil {
			return err
		}
	}
}

// database tells by its tables which database it is.
func (f *dump) database() string {
	for _, t := range f.tables {
		switch t.name {
		case "Datapath_Binding":
			return Southbound
		case "Logical_Switch":
			return "OVN_Northbound"
		case "Open_vSwitch":
			return "Open_vSwitch"
		}
	}
	return ""
}

// optionalBooleans are columns in which false is not the same as nothing, so
// a column that holds only single booleans must not be taken for a scalar.
var optionalBooleans = []string{"up", "enabled", "querier"}

// schema infers the columns' types from the rows.
func (t *dumpedTable) schema() (tableSchema, error) {
	if len(t.headings) > maxColumns {
		return tableSchema{}, fmt.Errorf("table %s has %d columns, more than %d", t.name, len(t.headings), maxColumns)
	}
	if names := slices.Sorted(slices.Values(t.headings)); len(slices.Compact(names)) < len(t.headings) {
		return tableSchema{}, fmt.Errorf("table %s has two columns of one name", t.name)
	}
	types := make([]columnType, len(t.headings))
	for i, name := range t.headings {
		types[i].min = 1
		if slices.Contains(optionalBooleans, name) {
			types[i].min = 0
		}
	}
	err := t.rows(func(in *input, i int) error { return inferType(in, &types[i]) })
	if err != nil {
		return tableSchema{}, err
	}
	ts := tableSchema{name: t.name}
	for i, name := range t.headings {
		if types[i].key == 0 {
			types[i].key, types[i].min, types[i].many = stringAtom, 0, true
		}
		if name != "_uuid" {
			ts.columns = append(ts.columns, column{name, types[i]})
		}
	}
	slices.SortFunc(ts.columns, func(a, b column) int { return compare(a.name, b.name) })
	return ts, nil
}

// rows calls each for every value of every row, with its column's number.
func (t *dumpedTable) rows(each func(in *input, column int) error) error {
	if t.data == nil {
		return nil
	}
	in := bytesInput(t.data, t.body)
	return array(in, func() error {
		i := 0
		err := array(in, func() error {
			if i == len(t.headings) {
				return in.errorf("a row of table %s with more values than the table has columns", t.name)
			}
			err := each(in, i)
			i++
			return err
		})
		if err == nil && i < len(t.headings) {
			err = in.errorf("a row of table %s with %d values for %d columns", t.name, i, len(t.headings))
		}
		return err
	})
}

// inferType reads a value and widens t to hold it.
func inferType(in *input, t *columnType) error {
	c, err := in.next()
	if err != nil {
		return err
	}
	if c != '[' {
		t.key, err = inferAtom(in, t.key)
		return err
	}
	in.pos++
	tag, err := in.text()
	if err != nil {
		return err
	}
	kind := string(tag)
	if err := in.take(','); err != nil {
		return err
	}
	switch kind {
	case "uuid":
		t.key = uuidAtom
		err = in.skip()
	case "set":
		t.min, t.many = 0, true
		err = array(in, func() (err error) { t.key, err = inferAtom(in, t.key); return err })
	case "map":
		t.min, t.many = 0, true
		if t.value == 0 {
			t.value = stringAtom
		}
		err = array(in, func() error { return inferPair(in, t) })
	default:
		err = in.errorf("[%q, …] is not a value", kind)
	}
	if err != nil {
		return err
	}
	return in.take(']')
}

func inferPair(in *input, t *columnType) (err error) {
	if err := in.take('['); err != nil {
		return err
	}
	if t.key, err = inferAtom(in, t.key); err != nil {
		return err
	}
	if err := in.take(','); err != nil {
		return err
	}
	if t.value, err = inferAtom(in, t.value); err != nil {
		return err
	}
	return in.take(']')
}

// inferAtom reads an atom. A column of integers and others is of reals.
func inferAtom(in *input, was atomType) (atomType, error) {
	c, err := in.next()
	if err != nil {
		return 0, err
	}
	switch {
	case c == '"':
		_, err = in.text()
		return stringAtom, err
	case c == 't' || c == 'f':
		_, err = in.word()
		return booleanAtom, err
	case c == '[':
		return uuidAtom, in.skip()
	}
	text, err := in.number()
	if err != nil {
		return 0, err
	}
	if _, ok := integer(text); ok && was != realAtom {
		return integerAtom, nil
	}
	return realAtom, nil
}

func (f *dump) read(h *History) (int, int64, error) {
	if f.told {
		return 0, 0, io.EOF
	}
	f.told = true
	for i, t := range f.tables {
		if err := t.decode(h.dec); err != nil {
			d := &DamageError{Source: h.source, Record: i + 1, Offset: t.body, Damage: BadJSON, Detail: err.Error()}
			if s, ok := err.(*syntaxError); ok {
				d.Offset = s.offset
			}
			return 0, 0, d
		}
		h.budget.keep(-len(t.data))
		f.tables[i].data = nil
	}
	return 1, 0, nil
}

// decode reads a table's rows as insertions.
func (t *dumpedTable) decode(d *decoder) error {
	table := d.db.tables[t.name]
	var u UUID
	return t.rows(func(in *input, i int) error {
		d.in = in
		if i == 0 {
			d.row, u = d.row[:0], UUID{}
		}
		if t.headings[i] == "_uuid" {
			d.elems.reset()
			if err := d.atom(uuidAtom); err != nil {
				return err
			}
			u = UUID(d.elems.text)
		} else {
			column := table.index[t.headings[i]]
			v, err := d.value(table.columns[column].typ)
			if err != nil {
				return err
			}
			if v != 0 {
				d.row = append(d.row, cell{uint16(column), v})
			}
		}
		if i < len(t.headings)-1 {
			return nil
		}
		if u.IsZero() {
			return in.errorf("a row of table %s without _uuid", t.name)
		}
		slices.SortFunc(d.row, func(a, b cell) int { return int(a.column) - int(b.column) })
		cells := d.cut()
		d.ops = append(d.ops, operation{table: table, uuid: u, cells: cells, insert: true})
		return d.db.values.budget.change(cells)
	})
}
