package northbound

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ovnreplay/sim/network"
	"ovnreplay/store"
)

// Open reads the Northbound database at a source, in any form that store.Open takes.
func Open(ctx context.Context, source string, opts store.Options) (*network.Objects, error) {
	opts.Database = Name
	db, err := store.Open(ctx, source, opts)
	if err != nil {
		return nil, err
	}
	return Load(db)
}

// besideTimeout is how long a server may take that nobody asked for.
const besideTimeout = 2 * time.Second

// Beside looks for the Northbound database that goes with a Southbound one: in
// the same directory or archive, in a file called as it is but for nb, or at the server's
// usual address next to it.
// It returns nil if there is none that describes this network.
func Beside(ctx context.Context, southbound string, opts store.Options, net *network.Network) *network.Objects {
	if opts.Timeout == 0 || opts.Timeout > besideTimeout {
		opts.Timeout = besideTimeout
	}
	for _, source := range candidates(southbound) {
		if objects, err := Open(ctx, source, opts); err == nil && describes(objects, net) {
			return objects
		}
	}
	return nil
}

// InCase looks for the Northbound database in a case's folder, nb.db, which may
// be compressed, or for those of several zones, nb-ZONE.db; nil if there is none.
func InCase(ctx context.Context, dir string, opts store.Options) (*network.Objects, error) {
	for _, ext := range [...]string{"", ".gz", ".xz", ".zst"} {
		if name := filepath.Join(dir, "nb.db"+ext); exists(name) {
			return Open(ctx, name, opts)
		}
		zones, err := filepath.Glob(filepath.Join(dir, "nb-*.db"+ext))
		if err != nil || len(zones) == 0 {
			continue
		}
		var all []*network.Objects
		for _, name := range zones {
			objects, err := Open(ctx, name, opts)
			if err != nil {
				return nil, err
			}
			all = append(all, objects)
		}
		return network.JoinObjects(all...), nil
	}
	return nil, nil
}

// candidates are where a Northbound database may be.
func candidates(southbound string) (list []string) {
	switch {
	case strings.HasPrefix(southbound, "unix:"):
		path := strings.TrimPrefix(southbound, "unix:")
		if beside := northOf(path); beside != filepath.Clean(path) && exists(beside) {
			list = append(list, "unix:"+beside)
		}
		return list
	case strings.HasPrefix(southbound, "tcp:"), strings.HasPrefix(southbound, "ssl:"):
		// 6642 is ovsdb-server's port of the Southbound database, 6641 of the
		// Northbound one (ovn-architecture(7)).
		if at := strings.ReplaceAll(southbound+",", ":6642,", ":6641,"); at != southbound+"," {
			list = append(list, strings.TrimSuffix(at, ","))
		}
		return list
	case strings.HasPrefix(southbound, "snapshot:"), southbound == "":
		return nil
	}
	archive, _, member := strings.Cut(southbound, "!")
	info, err := os.Stat(archive)
	if err != nil {
		return nil
	}
	if member || info.IsDir() || isTar(archive) {
		return []string{archive}
	}
	if beside := northOf(archive); beside != filepath.Clean(archive) && exists(beside) {
		return []string{beside}
	}
	return nil
}

// northOf is the name of the Northbound database's file or socket that goes with one whose
// name has sb in it: ovnsb_db.db, sb.db.gz, ovnsb_db.sock.
func northOf(path string) string {
	return filepath.Join(filepath.Dir(path), strings.Replace(filepath.Base(path), "sb", "nb", 1))
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
