package inventory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/printable"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

// FormVersion is the version of the forms of this package in JSON. They call it
// form_version: the databases that some are about have a version of their own.
const FormVersion = 1

// Form begins each of them.
type Form struct {
	FormVersion int `json:"form_version"`
}

var form = Form{FormVersion}

// Item is a file that is of use in a directory or archive.
type Item struct {
	Form
	Detail string `json:"detail"` // of a database, its name
	Kind   string `json:"kind"`
	Path   string `json:"path"`
}

// OfItem describes what store found.
func OfItem(i store.Item) Item { return Item{form, i.Detail, i.Kind.String(), i.Path} }

// Write writes it for people.
func (i Item) Write(w io.Writer) {
	printable.Fprintf(w, "%-15s %s", i.Kind, i.Path)
	if i.Detail != "" {
		printable.Fprintf(w, "  %s", i.Detail)
	}
	fmt.Fprintln(w)
}

// AZ is one of several availability zones: which it is, what joins it to the
// others and which ports are in it.
type AZ struct {
	Form
	network.AZSummary
}

// AZs tells of the zones whose databases a source holds, or why several databases are
// not those of one network; of one there is nothing to tell.
func AZs(ctx context.Context, source string, opts store.Options) (zones []AZ, warnings []error, err error) {
	sources, read, err := southbound.AZs(ctx, []string{source}, opts)
	for _, p := range read.Passed {
		warnings = append(warnings, fmt.Errorf("%s: this database is left out: %s", p.Path, p.Why))
	}
	switch apart, is := errors.AsType[*southbound.NotJoined](err); {
	case is:
		return nil, append(warnings, apart), nil
	case err != nil:
		return nil, append(warnings, fmt.Errorf("which zones these are is not known: %w", err)), nil
	case len(sources) < 2:
		return nil, warnings, nil // the list of files says all
	}
	net, said, err := southbound.OpenAll(ctx, sources, opts, read)
	warnings = append(warnings, said...)
	if err != nil {
		return nil, warnings, err
	}
	for _, z := range net.AZSummaries() {
		zones = append(zones, AZ{form, z})
	}
	e, err := sim.New(net, sim.Options{})
	if err != nil {
		return nil, warnings, err
	}
	for _, g := range e.Gaps() {
		warnings = append(warnings, errors.New(g.String()))
	}
	return zones, warnings, nil
}

// Write writes it for people.
func (z AZ) Write(w io.Writer) {
	printable.Fprintf(w, "zone %s: %s\n", z.Name, z.Source)
	for _, line := range []struct {
		what  string
		names []string
	}{{"chassis", z.Chassis}, {"joined by", z.Transit}, {"ports", z.Ports}} {
		if len(line.names) > 0 {
			printable.Fprintf(w, "    %s %s\n", line.what, strings.Join(line.names, ", "))
		}
	}
}

// Difference is one between two networks.
type Difference struct {
	Form
	network.Difference
}

// OfDifference describes one.
func OfDifference(d network.Difference) Difference { return Difference{form, d} }

// Write writes it for people.
func (d Difference) Write(w io.Writer) { printable.Fprintf(w, "%s\n", d.Difference) }

// Snapshot is one on a shelf.
type Snapshot struct {
	Form
	store.Snapshot
}

// OfSnapshot describes one.
func OfSnapshot(s store.Snapshot) Snapshot { return Snapshot{form, s} }

// Write writes it for people.
func (s Snapshot) Write(w io.Writer) {
	printable.Fprintf(w, "%-24s %s  %7d rows  %9s  %s %s  %s\n", s.Name, s.Taken.Format(time.RFC3339), s.Rows,
		store.Bytes(s.Bytes), s.Database, s.Version, s.Source)
}
