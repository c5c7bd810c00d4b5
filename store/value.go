package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
)

// A value is kept as bytes in a canonical form, so that equal values are
// equal bytes:
//
//	scalar   the atom
//	set      each element: length (uvarint), atom; ascending
//	map      each pair: length, key, length, value; by key, ascending
//
// An atom is its text (integer: decimal; boolean: true or false; real: the
// shortest text) or, for a UUID, its 16 bytes. Integers and reals are ordered
// as numbers, everything else as bytes. A value that is its type's default
// (zero, false, "", the zero UUID, empty) is "".

func compare(a, b string) int { return strings.Compare(a, b) }

func compareAtoms(t atomType, a, b []byte) int {
	switch t {
	case integerAtom:
		x, _ := strconv.ParseInt(string(a), 10, 64)
		y, _ := strconv.ParseInt(string(b), 10, 64)
		return cmp.Compare(x, y)
	case realAtom:
		x, _ := strconv.ParseFloat(string(a), 64)
		y, _ := strconv.ParseFloat(string(b), 64)
		return cmp.Compare(x, y)
	}
	return bytes.Compare(a, b)
}

// element is a set's member, or a map's pair.
type element struct{ key, value []byte }

// elements collects a value's elements in a buffer of its own. It is reused
// from value to value.
type elements struct {
	text  []byte
	marks []mark
	list  []element
	out   []byte
}

type mark struct{ start, middle, end int }

func (e *elements) reset() { e.text, e.marks = e.text[:0], e.marks[:0] }

func (e *elements) begin() { n := len(e.text); e.marks = append(e.marks, mark{n, n, n}) }
func (e *elements) atKey() { m := &e.marks[len(e.marks)-1]; m.middle, m.end = len(e.text), len(e.text) }
func (e *elements) atEnd() { e.marks[len(e.marks)-1].end = len(e.text) }
func (e *elements) add(k, v []byte) {
	e.begin()
	e.text = append(e.text, k...)
	e.atKey()
	e.text = append(e.text, v...)
	e.atEnd()
}

// encode writes the elements in canonical form. The result lives until the
// next call.
func (e *elements) encode(t columnType) []byte {
	e.list = e.list[:0]
	for _, m := range e.marks {
		e.list = append(e.list, element{e.text[m.start:m.middle], e.text[m.middle:m.end]})
	}
	byKey := func(a, b element) int { return compareAtoms(t.key, a.key, b.key) }
	if !slices.IsSortedFunc(e.list, byKey) {
		slices.SortStableFunc(e.list, byKey)
	}
	e.out = e.out[:0]
	for i, el := range e.list {
		if i > 0 && bytes.Equal(el.key, e.list[i-1].key) {
			continue // a value has each key once; the first stands
		}
		e.out = appendAtom(e.out, el.key)
		if t.value != 0 {
			e.out = appendAtom(e.out, el.value)
		}
	}
	return e.out
}

func appendAtom(out, atom []byte) []byte {
	out = binary.AppendUvarint(out, uint64(len(atom)))
	return append(out, atom...)
}

// cutAtom takes the first atom off a set's or map's canonical form.
func cutAtom(s string) (atom, rest string) {
	var n, shift uint
	for i := 0; i < len(s) && shift < 64; i++ {
		n |= uint(s[i]&0x7f) << shift
		if s[i] < 0x80 {
			end := i + 1 + int(n)
			return s[i+1 : end], s[end:]
		}
		shift += 7
	}
	return "", ""
}

// applyDiff changes old by what a "_is_diff" transaction says of a column
// that may have several elements: an element in both is removed, or for a
// map with another value replaced; any other is added.
func (e *elements) applyDiff(t columnType, old, diff string) []byte {
	changed := make(map[string]string)
	var order []string
	for rest := diff; rest != ""; {
		var k, v string
		k, rest = cutAtom(rest)
		if t.value != 0 {
			v, rest = cutAtom(rest)
		}
		changed[k] = v
		order = append(order, k)
	}
	e.reset()
	for rest := old; rest != ""; {
		var k, v string
		k, rest = cutAtom(rest)
		if t.value != 0 {
			v, rest = cutAtom(rest)
		}
		nv, hit := changed[k]
		switch {
		case !hit:
			e.add([]byte(k), []byte(v))
		case t.value != 0 && nv != v:
			e.add([]byte(k), []byte(nv))
		}
		delete(changed, k)
	}
	for _, k := range order {
		if v, left := changed[k]; left {
			e.add([]byte(k), []byte(v))
		}
	}
	return e.encode(t)
}
