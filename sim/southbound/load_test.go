package southbound_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"ovnreplay/sim/network"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

// cases finds the recorded databases: those in the repository and, in the
// place they are recorded, those beside it.
func cases(t *testing.T) []string {
	t.Helper()
	var found []string
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		for _, pattern := range []string{"testdata/cases/*/sb*.db", "testdata/cases/*/sb*.db.gz",
			"shared/cases/*/sb*.db", "shared/cases/*/sb*.db.gz", "shared/sb/*.db"} {
			match, _ := filepath.Glob(filepath.Join(dir, pattern))
			found = append(found, match...)
		}
		if filepath.Dir(dir) == dir {
			break
		}
		dir = filepath.Dir(dir)
	}
	if len(found) == 0 {
		t.Fatal("no recorded databases found")
	}
	return found
}

func load(t *testing.T, path string) (*store.Database, *network.Network) {
	t.Helper()
	db, err := store.Open(context.Background(), path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := southbound.Load(db)
	if err != nil {
		t.Fatal(err)
	}
	return db, n
}

// Every row of a recorded database finds its place, without a problem.
func TestLoadCases(t *testing.T) {
	t.Parallel()
	for _, path := range cases(t) {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			db, n := load(t, path)
			for _, w := range db.Warnings {
				t.Errorf("warning: %v", w)
			}
			for _, p := range n.Problems {
				t.Errorf("problem: %v", p)
			}
			rows := func(table string) int { return db.Table(table).Len() }
			for _, c := range []struct {
				what      string
				got, want int
			}{
				{"datapaths", len(n.Datapaths), rows("Datapath_Binding")},
				{"ports", len(n.Ports) - 1, rows("Port_Binding")},
				{"flows", len(n.Flows), rows("Logical_Flow")},
				{"groups", len(n.Groups), rows("Multicast_Group")},
				{"chassis", len(n.Chassis), rows("Chassis")},
				{"address sets", len(n.AddressSets), rows("Address_Set")},
				{"port groups", len(n.PortGroups), rows("Port_Group")},
				{"MAC bindings", len(n.MACBindings), rows("MAC_Binding")},
				{"load balancers", len(n.LoadBalancers), rows("Load_Balancer")},
				{"DHCPv4 options", len(n.DHCPv4), rows("DHCP_Options")},
				{"DHCPv6 options", len(n.DHCPv6), rows("DHCPv6_Options")},
				{"FDB", len(n.FDB), rows("FDB")},
				{"DNS", len(n.DNS), rows("DNS")},
			} {
				if c.got != c.want {
					t.Errorf("%d %s, the database has %d rows", c.got, c.what, c.want)
				}
			}
			if n.Version == "" {
				t.Error("no northd_internal_version")
			}
		})
	}
}
