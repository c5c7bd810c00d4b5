package store

import (
	"math"
	"strconv"
)

// value reads a column's value (RFC 7047 section 5.1, <value>).
func (d *decoder) value(t columnType) (uint32, error) {
	d.elems.reset()
	c, err := d.in.next()
	if err != nil {
		return 0, err
	}
	if c == '[' {
		err = d.tagged(t)
	} else if t.value != 0 {
		err = d.in.errorf("a map was expected")
	} else {
		err = d.single(t)
	}
	if err != nil {
		return 0, err
	}
	if !t.scalar() {
		return d.db.values.id(d.elems.encode(t)), nil
	}
	if len(d.elems.marks) != 1 {
		return 0, d.in.errorf("a set of %d where one value was expected", len(d.elems.marks))
	}
	return d.db.values.id(scalarForm(t.key, d.elems.text)), nil
}

// scalarForm is an atom as a scalar column keeps it: "" for the default.
func scalarForm(t atomType, atom []byte) []byte {
	switch t {
	case integerAtom, realAtom:
		if string(atom) == "0" {
			return nil
		}
	case booleanAtom:
		if string(atom) == "false" {
			return nil
		}
	case uuidAtom:
		if UUID(atom).IsZero() {
			return nil
		}
	}
	return atom
}

// single reads one atom as a set of one.
func (d *decoder) single(t columnType) error {
	d.elems.begin()
	if err := d.atom(t.key); err != nil {
		return err
	}
	d.elems.atKey()
	return nil
}

// tagged reads ["uuid", …], ["set", …] or ["map", …].
func (d *decoder) tagged(t columnType) error {
	d.in.pos++
	tag, err := d.in.text()
	if err != nil {
		return err
	}
	switch {
	case string(tag) == "uuid" && t.key == uuidAtom && t.value == 0:
		d.elems.begin()
		if err := d.uuidTail(); err != nil {
			return err
		}
		d.elems.atKey()
		return nil
	case string(tag) == "set" && t.value == 0:
		err = d.list(func() error { return d.single(t) })
	case string(tag) == "map" && t.value != 0:
		err = d.list(func() error { return d.pair(t) })
	default:
		return d.in.errorf("[%q, …] is not a value of this column's type", tag)
	}
	if err != nil {
		return err
	}
	return d.in.take(']')
}

// list reads the comma after a tag and an array of what each reads.
func (d *decoder) list(each func() error) error {
	if err := d.in.take(','); err != nil {
		return err
	}
	if err := d.in.take('['); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := d.in.item(first)
		if err != nil || !more {
			return err
		}
		if err := each(); err != nil {
			return err
		}
		if len(d.elems.marks)%4096 == 0 { // a set may be as long as the file
			if err := d.db.values.budget.check(4*int64(len(d.elems.text)) + 100*int64(len(d.elems.marks))); err != nil {
				return err
			}
		}
	}
}

// pair reads a map's [key, value].
func (d *decoder) pair(t columnType) error {
	if err := d.in.take('['); err != nil {
		return err
	}
	d.elems.begin()
	if err := d.atom(t.key); err != nil {
		return err
	}
	d.elems.atKey()
	if err := d.in.take(','); err != nil {
		return err
	}
	if err := d.atom(t.value); err != nil {
		return err
	}
	d.elems.atEnd()
	return d.in.take(']')
}

// atom reads an atom and appends its canonical form to d.elems.text.
func (d *decoder) atom(t atomType) error {
	e := &d.elems
	c, err := d.in.next()
	if err != nil {
		return err
	}
	switch t {
	case stringAtom:
		s, err := d.in.text()
		e.text = append(e.text, s...)
		return err
	case booleanAtom:
		w, err := d.in.word()
		if err == nil && w == "null" {
			err = d.in.errorf("null where a boolean was expected")
		}
		e.text = append(e.text, w...)
		return err
	case uuidAtom:
		if c != '[' {
			return d.in.errorf("%q where a UUID was expected", c)
		}
		d.in.pos++
		tag, err := d.in.text()
		if err != nil {
			return err
		}
		if string(tag) != "uuid" {
			return d.in.errorf("[%q, …] where a UUID was expected", tag)
		}
		return d.uuidTail()
	}
	n, err := d.in.number()
	if err != nil {
		return err
	}
	if t == realAtom {
		f, err := strconv.ParseFloat(string(n), 64)
		if err != nil {
			return d.in.errorf("%q where a number was expected", n)
		}
		e.text = strconv.AppendFloat(e.text, f, 'g', -1, 64)
		return nil
	}
	i, ok := integer(n)
	if !ok {
		return d.in.errorf("%q where an integer was expected", n)
	}
	e.text = strconv.AppendInt(e.text, i, 10)
	return nil
}

// integer reads an integer, which JSON may write as 1e3 or 1000.0.
func integer(text []byte) (int64, bool) {
	if i, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return i, true
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<63 {
		return 0, false
	}
	return int64(f), true
}

// uuidTail reads the rest of ["uuid", TEXT].
func (d *decoder) uuidTail() error {
	if err := d.in.take(','); err != nil {
		return err
	}
	s, err := d.in.text()
	if err != nil {
		return err
	}
	u, ok := parseUUID(s)
	if !ok {
		return d.in.errorf("%q is not a UUID", s)
	}
	d.elems.text = append(d.elems.text, u[:]...)
	return d.in.take(']')
}
