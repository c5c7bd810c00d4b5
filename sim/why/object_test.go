package why

import (
	"net/netip"
	"strings"
	"testing"

	"ovnreplay/sim/network"
	"ovnreplay/sim/trace"
)

// A flow of a load balancer with many addresses names the one that it is for, wherever
// it keeps it.
func TestObjectTellsTheAddressAskedFor(t *testing.T) {
	t.Parallel()
	o := &network.Object{Table: "Load_Balancer", UUID: "11223344-0000-0000-0000-000000000000", Name: "lb", Lead: "tcp"}
	for _, vip := range []string{"10.96.0.1:80", "10.96.0.2:80", "10.96.0.3:80", "10.96.0.4:80", "10.96.0.9:80",
		"10.96.0.9:443", "[fd96::9]:80"} {
		o.Parts = append(o.Parts, network.Part{At: netip.MustParseAddrPort(vip), Text: vip + " -> b"})
	}
	o.Text = network.TextOf(o.Lead, o.Parts, 0)
	x := &Explainer{Book: &trace.Book{Net: &network.Network{AZ: &network.AZ{}}},
		Objects: network.NewObjects("", []*network.Object{o})}
	for match, want := range map[string]string{
		"ip4.dst == 10.96.0.9 && tcp.dst == 443":     "10.96.0.9:443",
		"ip6.dst == fd96::9 && tcp.dst == 80":        "[fd96::9]:80",
		"ip && ip4.dst == 10.96.0.9":                 "10.96.0.9:80 10.96.0.9:443",
		"ip4.dst == 10.96.0.9 && reg1[0..15] == 443": "10.96.0.9:443",
		"reg4 == 10.96.0.4 && ip4.dst == 10.1.0.1":   "10.96.0.4:80",
		"reg4 == 10.96.0.9 && reg8[0..15] == 443":    "10.96.0.9:443", // a learning one
		"ct.est && ct_mark.natted == 1":              "10.96.0.1:80 10.96.0.2:80 10.96.0.3:80 10.96.0.4:80",
	} {
		f := flow("ls_in_lb", match, "next;")
		if strings.Contains(match, "reg8") {
			f = flow("ls_in_lb_aff_learn", match,
				`commit_lb_aff(vip = "10.96.0.9:443", backend = "10.1.0.1:80", proto = tcp, timeout = 60); /* drop */`)
		}
		f.StageHint = o.UUID[:8]
		vips, told := strings.Fields(want), x.Object(f).Text
		for _, vip := range vips {
			if !strings.Contains(told, vip+" -> b") {
				t.Errorf("%s: %s; want %s", match, told, vip)
			}
		}
		if strings.Count(told, "->") != len(vips) || !strings.Contains(told, "; and ") {
			t.Errorf("%s: %s; want %s and that there are more", match, told, want)
		}
	}
}
