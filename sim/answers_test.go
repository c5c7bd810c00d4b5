package sim

import (
	"encoding/hex"
	"testing"

	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
)

// Where an IPv4 packet's next hop has an IPv6 address: not asked for, asked for
// at the group of an address of all ones, or at its own (the three things that
// pinctrl_handle_nd_ns has done). The other way round, ARP is sent or not.
func TestNextHopOfOtherFamily(t *testing.T) {
	t.Parallel()
	ip4, _ := hex.DecodeString("0242ac110002" + "0242ac110001" + "0800" + "450000140000000040110000" + "0a000001" +
		"0a000002")
	ip6, _ := hex.DecodeString("0242ac110002" + "0242ac110001" + "86dd" + "6000000000003b40" +
		"fd000000000000000000000000000001" + "fd0000000000000000000000000a0b0c")
	for _, c := range []struct {
		version string
		frame   []byte
		block   lflow.NestedOp
		want    string // the Ethernet destination; "" if nothing is sent
	}{
		{"24.09.4", ip4, lflow.NDNS, ""},
		{"25.03.3", ip4, lflow.NDNS, "3333ffffffff"},
		{"26.03.1", ip4, lflow.NDNS, "3333ffffffff"},
		{"25.09.4", ip4, lflow.NDNS, "3333ff112233"},
		{"26.03.2", ip4, lflow.NDNS, "3333ff112233"},
		{"26.03.3", ip4, lflow.NDNS, "3333ff112233"},
		{"23.03.1", ip6, lflow.NDNS, "3333ff0a0b0c"},
		{"26.03.2", ip6, lflow.NDNS, "3333ff0a0b0c"},
		{"26.03.3", ip6, lflow.NDNS, "3333ff112233"},
		{"24.09.4", ip6, lflow.ARP, ""},
		{"25.03.0", ip6, lflow.ARP, "0242ac110002"},
		{"24.09.4", ip4, lflow.ARP, "0242ac110002"},
	} {
		e := &Engine{changes: []network.Changes{(&network.AZ{Version: c.version}).Changes()}}
		p := &pkt{carried: carried{chassis: &chassis{Chassis: &network.Chassis{AZ: &network.AZ{}}}}}
		p.Set(c.frame, len(c.frame))
		p.Key.Set128(field.XXReg0, field.FromBytes([16]byte{0: 0xfe, 1: 0x80, 13: 0x11, 14: 0x22, 15: 0x33}))
		frame, _, ok := e.compose(p, c.block)
		got := ""
		if ok {
			got = hex.EncodeToString(frame.Data[:6])
		}
		if got != c.want {
			t.Errorf("OVN %s: sent to %q, want %q", c.version, got, c.want)
		}
	}
}

// Zones that are joined may run different releases: each does as its own.
func TestEachZoneHasItsChanges(t *testing.T) {
	t.Parallel()
	old, current := &network.AZ{Version: "21.06.0"}, &network.AZ{Index: 1, Version: "26.03.0"}
	e := &Engine{changes: changesOf(&network.Network{AZ: old, AZs: []*network.AZ{old, current}})}
	for _, x := range []network.Change{network.SilentOnResets, network.StrictNeighbors, network.RemoteCopies} {
		if e.has(old, x) || !e.has(current, x) {
			t.Errorf("change %d: %v in %s, %v in %s", x, e.has(old, x), old.Version, e.has(current, x), current.Version)
		}
	}
	port := func(z *network.AZ) *network.Port {
		return &network.Port{Type: network.Remote, Datapath: &network.Datapath{AZ: z}}
	}
	if e.servedFirst(port(old)) || !e.servedFirst(port(current)) {
		t.Error("floods to remote ports are not each zone's own")
	}
}
