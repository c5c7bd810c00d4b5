package southbound

import (
	"context"
	"fmt"
	"strings"

	"ovnreplay/sim/network"
	"ovnreplay/store"
)

// Read is what has been read of databases already. Each is there for one OpenAll.
type Read struct {
	nets   map[string]one // by their sources
	Passed []store.Passed // databases that could not be read, while others could
}

// one is a database's network.
type one struct {
	net      *network.Network
	warnings []error
}

// AZs returns the sources of the databases that sources hold: of a directory
// or archive (a must-gather of a cluster with a zone a node) every zone's, if
// transit switches connect them. Databases that nothing connects, or that are
// of one zone, are an error: which one is meant cannot be known. What was read to
// find out is read.
func AZs(ctx context.Context, sources []string, opts store.Options) (all []string, read *Read, err error) {
	read = &Read{nets: map[string]one{}}
	for _, source := range sources {
		found, passed, err := store.Databases(ctx, source, opts)
		if err != nil {
			return nil, read, err
		}
		read.Passed = append(read.Passed, passed...)
		names := make([]string, len(found))
		for i, f := range found {
			names[i] = f.Source
		}
		all = append(all, names...)
		if len(found) == 1 {
			continue
		}
		nets := make([]*network.Network, len(found))
		for i, f := range found {
			x, err := load(ctx, f, opts)
			if err != nil {
				return nil, read, err
			}
			nets[i], read.nets[f.Source] = x.net, x
		}
		if a := network.ApartOf(nets, names); a != nil {
			return nil, read, apart(source, names, a)
		}
	}
	return all, read, nil
}

// NotJoined is a source that holds several databases of which nobody but who named it
// knows which is meant.
type NotJoined struct {
	store.SourceError
	Reason string
}

// Unwrap returns the more general error.
func (e *NotJoined) Unwrap() error { return &e.SourceError }

// apart is the error of databases that are not joined by themselves.
func apart(source string, names []string, a *network.Apart) error {
	const most = 4
	e := &NotJoined{Reason: a.Reason}
	e.Source = source
	e.Problem = fmt.Sprintf("holds %d %s databases that cannot be joined: %s", len(names), store.Southbound, a.Reason)
	e.Advice = "name one of them: " + strings.Join(names[:min(most, len(names))], ", ")
	if len(names) > most {
		e.Advice += fmt.Sprintf(" and %d more", len(names)-most)
	}
	if len(a.Together) > 1 {
		e.Advice += "; or those of one network:"
		for _, i := range a.Together {
			e.Advice += " --db " + names[i]
		}
	}
	return e
}

// load makes a network of a database that was found.
func load(ctx context.Context, f store.Found, opts store.Options) (x one, err error) {
	if f.Database == nil {
		x.net, x.warnings, err = Open(ctx, f.Source, opts)
		return x, err
	}
	x.net, err = Load(f.Database)
	x.warnings = f.Database.Warnings
	return x, err
}
