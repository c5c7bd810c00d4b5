package conntrack

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// Listing is the connections of one chassis' table, in the order of dumps. They may be a million: each is put
// together when it is written.
type Listing struct {
	Chassis string // one line
	table   *Table
	order   []uint32 // their numbers
}

// List lists a chassis' table; of zone alone, a number or what name calls it,
// unless that is "".
func List(t *Table, chassis, zone string, name func(zone uint16) string) Listing {
	order := slices.DeleteFunc(t.living(0), func(i uint32) bool {
		z := t.pool.at(i).zone
		return zone != "" && zone != strconv.Itoa(int(z)) && zone != name(z)
	})
	slices.SortStableFunc(order, func(i, j uint32) int {
		a, b := t.pool.at(i), t.pool.at(j)
		return compareTuples(a.zone, &a.tuple[0], b.zone, &b.tuple[0])
	})
	return Listing{chassis, t, order}
}

// WriteListings writes tables one after the other as dumps; several are told apart
// by a comment with the chassis' name.
func WriteListings(w io.Writer, list []Listing, f Format) error {
	list = slices.DeleteFunc(list, func(l Listing) bool { return len(l.order) == 0 })
	for _, l := range list {
		if len(list) > 1 {
			if _, err := fmt.Fprintf(w, "# chassis %s\n", l.Chassis); err != nil {
				return err
			}
		}
		if err := l.table.write(w, l.order, f); err != nil {
			return err
		}
	}
	return nil
}

// WriteDump writes the connections that live at now, oldest first, as WriteDump does those of a list.
func (t *Table) WriteDump(w io.Writer, now Time, f Format) error { return t.write(w, t.living(now), f) }

func (t *Table) write(w io.Writer, order []uint32, f Format) error {
	b := bufio.NewWriter(w)
	var line []byte
	for _, i := range order {
		e := t.entry(i, t.pool.at(i))
		line = append(AppendEntry(line[:0], &e, f), '\n')
		b.Write(line)
	}
	return b.Flush()
}
