package northbound

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ovnreplay/sim/network"
	"ovnreplay/store"
)

// Open reads the Northbound database at a source, in any form that store.Open takes. Rows that were
// remade after what it knows say so; remade may be nil.
func Open(ctx context.Context, source string, opts store.Options, remade Remade) (*network.Objects, error) {
	opts.Database = Name
	return withPast(ctx, source, opts, remade)
}

// besideTimeout is how long a server may take that nobody asked for.
const besideTimeout = 2 * time.Second

// Beside looks for the Northbound databases that go with Southbound ones: in the same
// directories or archives, and at the servers' usual addresses next to theirs. Of several,
// as a must-gather of a cluster with a zone a node has, it takes all that say what the network's flows
// were made of; one that adds nothing to those before it is another state of one of them.
// It returns nil if there is none that describes this network.
func Beside(ctx context.Context, southbound []string, opts store.Options, net *network.Network,
	remade Remade) *network.Objects {
	if opts.Timeout == 0 || opts.Timeout > besideTimeout {
		opts.Timeout = besideTimeout
	}
	opts.Database = Name
	s := search{opts: opts, net: net, remade: remade, tried: map[string]bool{}}
	for _, source := range southbound {
		s.beside(ctx, source)
	}
	return s.best()
}

// search is a search for the Northbound databases of a network.
type search struct {
	opts   store.Options
	net    *network.Network
	remade Remade
	tried  map[string]bool
	found  []*network.Objects
}

// beside tries what may go with one Southbound database, the likeliest first, until
// something does.
func (s *search) beside(ctx context.Context, southbound string) {
	if strings.HasPrefix(southbound, "snapshot:") || southbound == "" {
		return
	}
	if store.HasHistory(southbound) {
		archive, _, _ := strings.Cut(southbound, "!")
		if s.all(ctx, archive) {
			return
		}
	}
	for _, source := range candidates(southbound) {
		if s.all(ctx, source) {
			return
		}
	}
}

// all takes the databases that a source holds, and reports whether any describes the
// network, now or when it was tried before.
func (s *search) all(ctx context.Context, source string) (any bool) {
	if was, tried := s.tried[source]; tried {
		return was
	}
	list, _, err := store.Databases(ctx, source, s.opts)
	if err != nil {
		list = nil
	}
	for _, f := range list {
		if objects, err := withPast(ctx, f.Source, s.opts, s.remade); err == nil && describes(objects, s.net) {
			s.found, any = append(s.found, objects), true
		}
	}
	s.tried[source] = any
	return any
}

// best joins what was found: the databases that know most of the network first, and none that
// knows nothing more.
func (s *search) best() *network.Objects {
	hints := map[string]bool{}
	for _, f := range s.net.Flows {
		hints[f.StageHint] = true
	}
	delete(hints, "")
	known := map[*network.Objects]int{}
	for _, o := range s.found {
		for h := range hints {
			if o.Knows(h) {
				known[o]++
			}
		}
	}
	slices.SortStableFunc(s.found, func(a, b *network.Objects) int { return known[b] - known[a] })
	var chosen []*network.Objects
	for _, o := range s.found {
		more := len(chosen) == 0
		for h := range hints {
			if o.Knows(h) {
				delete(hints, h)
				more = true
			}
		}
		if more {
			chosen = append(chosen, o)
		}
	}
	return network.JoinObjects(chosen...)
}

// InCase looks for the Northbound database in a case's folder, nb.db, which may
// be compressed, or for those of several zones, nb-ZONE.db; nil if there is none.
func InCase(ctx context.Context, dir string, opts store.Options, remade Remade) (*network.Objects, error) {
	for _, ext := range [...]string{"", ".gz", ".xz", ".zst"} {
		if name := filepath.Join(dir, "nb.db"+ext); exists(name) {
			return Open(ctx, name, opts, remade)
		}
		zones, err := filepath.Glob(filepath.Join(dir, "nb-*.db"+ext))
		if err != nil || len(zones) == 0 {
			continue
		}
		var all []*network.Objects
		for _, name := range zones {
			objects, err := Open(ctx, name, opts, remade)
			if err != nil {
				return nil, err
			}
			all = append(all, objects)
		}
		return network.JoinObjects(all...), nil
	}
	return nil, nil
}

// candidates are where a Northbound database may be, beside what a Southbound one is in.
func candidates(southbound string) (list []string) {
	switch {
	case strings.HasPrefix(southbound, "unix:"):
		path := strings.TrimPrefix(southbound, "unix:")
		for _, beside := range northOf(path) {
			if exists(beside) {
				list = append(list, "unix:"+beside)
			}
		}
		return list
	case strings.HasPrefix(southbound, "tcp:"), strings.HasPrefix(southbound, "ssl:"):
		// 6642 is ovsdb-server's port of the Southbound database, 6641 of the
		// Northbound one (ovn-architecture(7)).
		if at := strings.ReplaceAll(southbound+",", ":6642,", ":6641,"); at != southbound+"," {
			list = append(list, strings.TrimSuffix(at, ","))
		}
		return list
	case !store.HasHistory(southbound), southbound == "", strings.Contains(southbound, "!"):
		return nil
	}
	if info, err := os.Stat(southbound); err != nil || info.IsDir() {
		return nil
	}
	for _, beside := range northOf(southbound) {
		if exists(beside) {
			list = append(list, beside)
		}
	}
	return append(list, namedLike(filepath.Dir(southbound), list)...)
}

// northOf are the names that the Northbound database's file or socket may have that goes
// with one whose name has sb in it: ovnsb_db.db, sb.db.gz, ovnsb_db.sock, ovnkube-node-mqsb7_sbdb.
func northOf(path string) (names []string) {
	dir, base := filepath.Split(path)
	for i := len(base) - 2; i >= 0; i-- {
		if base[i:i+2] == "sb" {
			names = append(names, filepath.Join(dir, base[:i]+"nb"+base[i+2:]))
		}
	}
	return names
}

// maxNorth is how many files of a directory are tried that are only called like a Northbound
// database.
const maxNorth = 64

// namedLike are a directory's files that are called like a Northbound database, and are
// not among those already listed.
func namedLike(dir string, listed []string) (list []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		low := strings.ToLower(e.Name())
		if !e.Type().IsRegular() || !strings.Contains(low, "nb") && !strings.Contains(low, "north") ||
			isTar(low) || slices.Contains(listed, name) {
			continue
		}
		if list = append(list, name); len(list) == maxNorth {
			break
		}
	}
	return list
}

func isTar(name string) bool {
	for _, ext := range [...]string{".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.zst"} {
		if strings.HasSuffix(name, ext) {
			return true
		}
	}
	return false
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// describes reports whether a network's datapaths are among a database's
// switches and routers.
func describes(objects *network.Objects, net *network.Network) bool {
	known := map[string]bool{}
	for _, o := range objects.All {
		if o.Table == "Logical_Switch" || o.Table == "Logical_Router" {
			known[o.UUID] = true
		}
	}
	for _, d := range net.Datapaths {
		if known[d.NBUUID] {
			return true
		}
	}
	return false
}
