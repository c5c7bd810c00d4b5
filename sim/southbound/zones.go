package southbound

import (
	"context"

	"ovnreplay/sim/network"
	"ovnreplay/store"
)

// Zones returns the sources of the databases that sources hold: of a directory
// or archive (a must-gather of a cluster with a zone a node) every zone's, if
// transit switches connect them. Databases that nothing connects, or that are
// of one zone, are an error: which one is meant cannot be known.
func Zones(ctx context.Context, sources []string, opts store.Options) ([]string, error) {
	var all []string
	for _, source := range sources {
		found, err := store.Databases(ctx, source, opts)
		if err != nil {
			return nil, err
		}
		if len(found) > 1 {
			nets := make([]*network.Network, len(found))
			for i, f := range found {
				if nets[i], _, err = Open(ctx, f, opts); err != nil {
					return nil, err
				}
			}
			if !connected(nets) {
				return nil, store.Several(source, found, opts)
			}
		}
		all = append(all, found...)
	}
	return all, nil
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
