package conntrack

import (
	"fmt"
	"io"
	"slices"
	"strconv"
)

// Listing is the connections of one chassis' table, in the order of dumps.
type Listing struct {
	Chassis string // one line
	Entries []Entry
}

// List lists a chassis' table; of zone alone, a number or what name calls it,
// unless that is "".
func List(t *Table, chassis, zone string, name func(zone uint16) string) Listing {
	entries := slices.DeleteFunc(t.Entries(0), func(e Entry) bool {
		return zone != "" && zone != strconv.Itoa(int(e.Zone)) && zone != name(e.Zone)
	})
	SortEntries(entries)
	return Listing{chassis, entries}
}

// WriteListings writes tables one after the other as dumps; several are told apart
// by a comment with the chassis' name.
func WriteListings(w io.Writer, list []Listing, f Format) error {
	list = slices.DeleteFunc(list, func(l Listing) bool { return len(l.Entries) == 0 })
	for _, l := range list {
		if len(list) > 1 {
			if _, err := fmt.Fprintf(w, "# chassis %s\n", l.Chassis); err != nil {
				return err
			}
		}
		if err := WriteDump(w, l.Entries, f); err != nil {
			return err
		}
	}
	return nil
}
