package network

import (
	"slices"
	"strings"
	"testing"
)

// A zoneRow describes one zone of a test: its chassis, and its copy of the
// transit switch.
type zoneRow struct {
	name  string
	key   uint32            // of the transit switch; 0: it has none
	ports map[uint32]string // of the transit switch by key; a name in brackets is a remote port
	knows string            // the address it knows the other's chassis at; "": it does not know it
}

func (z zoneRow) build() *Network {
	n := New()
	n.Name, n.Source = z.name, z.name+".db"
	home := &Chassis{Name: "ch-" + z.name, UUID: "c-" + z.name, Encaps: []Encap{{"geneve", "10.0.0." + z.name}},
		Options: map[string]string{"is-interconn": "true"}}
	n.AddChassis(home)
	other := "2"
	if z.name == "2" {
		other = "1"
	}
	var far *Chassis
	if z.knows != "" {
		far = &Chassis{Name: "ch-" + other, UUID: "r-" + z.name, Encaps: []Encap{{"geneve", z.knows}},
			Options: map[string]string{"is-remote": "true"}}
		n.AddChassis(far)
	}
	n.AddDatapath(&Datapath{UUID: "ls-" + z.name, Name: "node", TunnelKey: 1, SNATCTZone: -1})
	if z.key != 0 {
		ts := &Datapath{UUID: "ts-" + z.name, Name: "ts", TunnelKey: z.key, SNATCTZone: -1,
			ExternalIDs: map[string]string{"interconn-ts": "ts"}}
		n.AddDatapath(ts)
		for key := uint32(1); key < 9; key++ {
			name, ok := z.ports[key]
			if !ok {
				continue
			}
			p := &Port{UUID: z.name + name, Name: strings.Trim(name, "[]"), Type: Patch, Datapath: ts, TunnelKey: key}
			switch {
			case name[0] == '[':
				p.Type, p.Chassis = Remote, far
			case strings.HasPrefix(name, "cr-"):
				p.Type = ChassisRedirect
			}
			n.AddPort(p)
		}
	}
	n.Complete()
	return n
}

func TestJoin(t *testing.T) {
	t.Parallel()
	one := zoneRow{"1", 9, map[uint32]string{2: "a", 3: "[b]"}, "10.0.0.2"}
	two := zoneRow{"2", 9, map[uint32]string{2: "[a]", 3: "b"}, "10.0.0.1"}
	n, err := Join(one.build(), two.build())
	if err != nil || len(n.Problems) > 0 {
		t.Fatal(err, n.Problems)
	}
	if len(n.Chassis) != 2 || n.Chassis[0].Remote() || n.Chassis[1].Remote() {
		t.Errorf("chassis %+v", n.Chassis)
	}
	remote := n.AZs[0].PortNamed("b")
	real := n.AZs[1].PortNamed("b")
	if remote == real || remote.Twin != real || remote.ActiveChassis() != n.ChassisByName("ch-2") ||
		n.Port("b") != real {
		t.Errorf("port b: %+v is not at home in zone 2: %+v", remote, real)
	}
	if n.AZs[0].DatapathByKey(1) == n.AZs[1].DatapathByKey(1) || n.AZs[0].DatapathByKey(1).In(n.AZs[1]) == nil {
		t.Error("the datapaths of key 1 are not told apart")
	}
	for i, d := range n.Datapaths {
		if d.Index != i {
			t.Errorf("datapath %s is number %d, want %d", d.UUID, d.Index, i)
		}
	}
	for i, p := range n.Ports[1:] {
		if p.Index != i+1 || n.PortByUUID(p.UUID) != p {
			t.Errorf("port %s is number %d, want %d", p.UUID, p.Index, i+1)
		}
	}
	if n.Chassis[0].AZ == n.Chassis[1].AZ {
		t.Error("chassis of two zones are in one")
	}
}

// What zones say of each other and does not agree is told.
func TestJoinTellsConflicts(t *testing.T) {
	t.Parallel()
	ports1, ports2 := map[uint32]string{2: "a", 3: "[b]"}, map[uint32]string{2: "[a]", 3: "b"}
	for name, c := range map[string]struct {
		one, two zoneRow
		want     []string
	}{
		"agree": {zoneRow{"1", 9, ports1, "10.0.0.2"}, zoneRow{"2", 9, ports2, "10.0.0.1"}, nil},
		"gateway ports of each": {zoneRow{"1", 9, map[uint32]string{2: "a", 3: "[b]", 4: "cr-a"}, "10.0.0.2"},
			zoneRow{"2", 9, map[uint32]string{2: "[a]", 3: "b", 4: "cr-b"}, "10.0.0.1"}, nil},
		"gateway port of one": {zoneRow{"1", 9, map[uint32]string{2: "a", 3: "[b]", 4: "cr-a"}, "10.0.0.2"},
			zoneRow{"2", 9, ports2, "10.0.0.1"}, nil},
		"no transit switch": {zoneRow{"1", 9, ports1, "10.0.0.2"}, zoneRow{"2", 0, nil, "10.0.0.1"},
			[]string{"zone 2 has no transit switch ts (tunnel key 9), which zone 1 has"}},
		"other key": {zoneRow{"1", 9, ports1, "10.0.0.2"}, zoneRow{"2", 8, ports2, "10.0.0.1"},
			[]string{"transit switch ts has tunnel key 9 in zone 1 and 8 in zone 2"}},
		"port unknown there": {zoneRow{"1", 9, ports1, "10.0.0.2"},
			zoneRow{"2", 9, map[uint32]string{3: "b"}, "10.0.0.1"},
			[]string{"zone 2 has no remote port of key 2 on transit switch ts: it cannot reach port a of zone 1"}},
		"port gone at home": {zoneRow{"1", 9, map[uint32]string{2: "a", 3: "[b]"}, "10.0.0.2"},
			zoneRow{"2", 9, map[uint32]string{2: "[a]"}, "10.0.0.1"},
			[]string{"zone 2 has no port of key 3 on transit switch ts, which is b to zone 1: nothing crosses it"}},
		"key taken twice": {zoneRow{"1", 9, map[uint32]string{2: "a"}, "10.0.0.2"},
			zoneRow{"2", 9, map[uint32]string{2: "b"}, "10.0.0.1"},
			[]string{"key 2 of transit switch ts is port a of zone 1 and port b of zone 2: both have it",
				"key 2 of transit switch ts is port b of zone 2 and port a"}},
		"other name": {zoneRow{"1", 9, map[uint32]string{2: "a", 3: "[x]"}, "10.0.0.2"},
			zoneRow{"2", 9, ports2, "10.0.0.1"},
			[]string{"key 3 of transit switch ts is port x in zone 1 and port b in zone 2"}},
		"tunnel elsewhere": {zoneRow{"1", 9, ports1, "10.9.9.9"}, zoneRow{"2", 9, ports2, "10.0.0.1"},
			[]string{"zone 1 knows chassis ch-2 at 10.9.9.9, its own zone 2 at 10.0.0.2: tunnels to it lead nowhere"}},
		"chassis unknown": {zoneRow{"1", 9, ports1, "10.0.0.2"}, zoneRow{"2", 9, ports2, ""},
			[]string{"zone 2 does not know chassis ch-1 of zone 1: it has no tunnel to it"}},
	} {
		n, err := Join(c.one.build(), c.two.build())
		if err != nil {
			t.Fatal(name, err)
		}
		ok := len(n.Problems) == len(c.want)
		for _, want := range c.want {
			ok = ok && slices.ContainsFunc(n.Problems, func(p Problem) bool { return strings.Contains(p.Reason, want) })
		}
		if !ok {
			t.Errorf("%s: %v, want %q", name, n.Problems, c.want)
		}
	}
}

func TestJoinRefusesOneZoneTwice(t *testing.T) {
	t.Parallel()
	row := zoneRow{"1", 9, map[uint32]string{2: "a"}, "10.0.0.2"}
	if _, err := Join(row.build(), row.build()); err == nil || !strings.Contains(err.Error(), "databases of one zone") {
		t.Errorf("one zone twice: %v", err)
	}
}
