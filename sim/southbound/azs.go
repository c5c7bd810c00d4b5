package southbound

import (
	"context"

	"ovnreplay/sim/network"
	"ovnreplay/store"
)

// Read is what has been read of databases already, by their sources. Each is there
// for one OpenAll.
type Read map[string]one

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
func AZs(ctx context.Context, sources []string, opts store.Options) (all []string, read Read, err error) {
	read = Read{}
	for _, source := range sources {
		found, err := store.Databases(ctx, source, opts)
		if err != nil {
			return nil, nil, err
		}
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
				return nil, nil, err
			}
			nets[i], read[f.Source] = x.net, x
		}
		if !connected(nets) {
			return nil, nil, store.Several(source, names, opts)
		}
	}
	return all, read, nil
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

// connected reports whether transit switches lead from the first network to
// every other one, and no two are of one zone.
func connected(nets []*network.Network) bool {
	reached := map[int]bool{0: true}
	for grown := true; grown; {
		grown = false
		for i := range nets {
			for j := range nets {
				if reached[i] && !reached[j] && nets[i].Meets(nets[j]) {
					reached[j], grown = true, true
				}
			}
		}
	}
	for i := range nets {
		for j := range i {
			if nets[i].SameZone(nets[j]) {
				return false
			}
		}
	}
	return len(reached) == len(nets)
}
