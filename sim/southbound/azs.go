package southbound

import (
	"context"
	"fmt"
	"slices"
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
// or archive (a must-gather of a cluster with a zone a node) every zone's. Databases
// that nothing connects, or that are of one zone, are an error, whether one source
// holds them or each is named: which one is meant cannot be known. What was read to
// find out is read.
func AZs(ctx context.Context, sources []string, opts store.Options) (all []string, read *Read, err error) {
	read = &Read{nets: map[string]one{}}
	var named []store.Found
	for _, source := range sources {
		found, passed, err := store.Databases(ctx, source, opts)
		if err != nil {
			return nil, read, err
		}
		read.Passed = append(read.Passed, passed...)
		if len(found) > 1 {
			if err := read.connected(ctx, []string{source}, found, opts); err != nil {
				return nil, read, err
			}
		}
		named = append(named, found...)
	}
	for _, f := range named {
		all = append(all, f.Source)
	}
	if len(sources) > 1 {
		err = read.connected(ctx, sources, named, opts)
	}
	return all, read, err
}

// connected sees that databases are those of one network. Of one that comes through a
// pipe that is seen when it is read: see piped.
func (r *Read) connected(ctx context.Context, sources []string, found []store.Found, opts store.Options) error {
	var nets []*network.Network
	var names []string
	for _, f := range found {
		if store.ReadOnce(f.Source) {
			continue
		}
		x, ok := r.nets[f.Source]
		if !ok {
			var err error
			if x, err = load(ctx, f, opts); err != nil {
				return err
			}
			r.nets[f.Source] = x
		}
		nets, names = append(nets, x.net), append(names, f.Source)
	}
	if len(nets) < 2 {
		return nil
	}
	if a := network.ApartOf(nets, names); a != nil {
		return apart(sources, names, a)
	}
	return nil
}

// piped sees that databases of which one came through a pipe are those of one network.
func piped(sources []string, nets []*network.Network) error {
	if len(nets) < 2 || !slices.ContainsFunc(sources, store.ReadOnce) {
		return nil
	}
	if a := network.ApartOf(nets, sources); a != nil {
		return apart(sources, sources, a)
	}
	return nil
}

// NotJoined is a source that holds several databases of which nobody but who named it
// knows which is meant.
type NotJoined struct {
	store.SourceError
	Reason string
}

// Unwrap returns the more general error.
func (e *NotJoined) Unwrap() error { return &e.SourceError }

// apart is the error of databases that are not joined.
func apart(sources, names []string, a *network.Apart) error {
	const most = 4
	e := &NotJoined{Reason: a.Reason}
	if len(sources) == 1 {
		e.Source, e.Problem = sources[0], fmt.Sprintf("holds %d", len(names))
	} else {
		e.Source, e.Problem = "--db", fmt.Sprintf("names %d", len(names))
	}
	e.Problem += fmt.Sprintf(" %s databases that cannot be joined: %s", store.Southbound, a.Reason)
	e.Advice = "name one of them: " + strings.Join(names[:min(most, len(names))], ", ")
	if len(names) > most {
		e.Advice += fmt.Sprintf(" and %d more", len(names)-most)
	}
	lead := "; or those of one network:"
	for _, group := range a.Together {
		if len(group) < 2 {
			continue
		}
		e.Advice += lead
		for _, i := range group {
			e.Advice += " --db " + names[i]
		}
		lead = "; or of another:"
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
