package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

// A zone whose database lost that a chassis is remote, or at which chassis a remote port is, is joined with the
// chassis' own all the same, and what it lacks is said before any packet is.
func TestZoneThatLostWhatIsRemote(t *testing.T) {
	t.Parallel()
	from := filepath.Join(cases, "ic-warm")
	plain := filepath.Join(t.TempDir(), "plain.db")
	put(t, plain, gunzip(t, read(t, filepath.Join(from, "sb-node1.db.gz"))))
	net, _, err := southbound.Open(context.Background(), plain, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	node2, port := net.ChassisByName("node2"), net.Port("tstor-node2")
	if node2 == nil || !node2.Remote() || port == nil || port.Chassis != node2 {
		t.Fatalf("chassis %+v, port %+v", node2, port)
	}
	for _, x := range []struct {
		change, want string
		arrives      bool
	}{
		{`"Chassis":{"` + node2.UUID + `":{"other_config":["map",[]]}}`,
			"zone node1 has chassis node2 of zone node2 without is-remote=true: it is taken for remote", true},
		{`"Port_Binding":{"` + port.UUID + `":{"chassis":["set",[]]}}`, "zone node1 has remote port tstor-node2 of " +
			"transit switch transit_switch at no chassis, though zone node2 has it: nothing goes there", false},
	} {
		dir := t.TempDir()
		put(t, filepath.Join(dir, "sb-node1.db"), read(t, changing(t, plain, 1, x.change)))
		put(t, filepath.Join(dir, "sb-node2.db.gz"), read(t, filepath.Join(from, "sb-node2.db.gz")))
		status, zones, errs := replayed(t, "db", "gather", dir)
		if status != exitOK || strings.Count(errs, x.want) != 1 || strings.Count(zones, "joined by transit_sw") != 2 {
			t.Errorf("status %d, want %q:\n%s%s", status, x.want, zones, errs)
		}
		why := replayedWell(t, "why", "1", "--db", dir, "-r", filepath.Join(from, "pod1.pcap"), "-r",
			filepath.Join(from, "pod2.pcap"))
		if strings.Contains(why, "delivered to pod2") != x.arrives {
			t.Errorf("after %s:\n%s", x.change, why)
		}
	}
}
