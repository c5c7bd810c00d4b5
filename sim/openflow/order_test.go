package openflow_test

import (
	"strings"
	"testing"

	"ovnreplay/sim/openflow"
)

// The order in which a real switch lists flows of equal priority, cut to what counts.
const listed = `
 cookie=0x11111111, table=16, n_packets=0, priority=3001,udp,reg0=0x80/0x80,metadata=0x3,tp_dst=5353 actions=resubmit(,17)
 cookie=0x22222222, table=16, n_packets=0, priority=3002,udp,reg0=0x80/0x80,metadata=0x3,tp_dst=9999 actions=resubmit(,17)
 cookie=0x33333333, table=16, n_packets=0, priority=3001,udp,metadata=0x3,nw_src=10.1.0.11,tp_src=47001 actions=drop
 cookie=0x44444444, table=16, n_packets=0, priority=3001,ip,metadata=0x3,nw_src=10.1.0.11 actions=drop
 cookie=0x55555555, table=16, n_packets=0, priority=3001,ipv6,metadata=0x3 actions=drop
 cookie=0x44444444, table=16, n_packets=0, priority=3001,ipv6,metadata=0x3,ipv6_src=fd01::1 actions=drop
 cookie=0x66666666, table=16, n_packets=0, priority=3001,ip,metadata=0x3,nw_src=10.1.0.1 actions=conjunction(1,1/2)
 cookie=0x0, table=65, n_packets=0, priority=100,reg15=0x1,metadata=0x3 actions=output:1
 cookie=0x0, table=0, n_packets=0, priority=0 actions=drop
`

func TestOrder(t *testing.T) {
	var o openflow.Order
	if part, err := o.Add(strings.NewReader(listed), "dump"); err != nil || part != "" {
		t.Fatal(part, err)
	}
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"11111111-0000-0000-0000-000000000000", "33333333-0000-0000-0000-000000000000", -1},
		{"33333333", "11111111", 1},
		{"33333333", "99999999", -1}, // the switch has it
		{"99999999", "33333333", 1},
		{"99999999", "88888888", 0},
		{"44444444", "55555555", 0}, // before it and after
		{"11111111", "66666666", 0}, // matches in parts
		{"no uuid", "33333333", 1},
	} {
		if got := o.Compare(c.a, c.b); got != c.want {
			t.Errorf("%s and %s: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// A sorted dump tells what there is, in no order of the switch's.
func TestSortedDumpShowsNoOrder(t *testing.T) {
	const sorted = `
 cookie=0x22222222, table=16, n_packets=0, priority=3002,udp,metadata=0x3,tp_dst=9999 actions=resubmit(,17)
 cookie=0x11111111, table=16, n_packets=0, priority=3001,udp,metadata=0x3,tp_dst=5353 actions=resubmit(,17)
 cookie=0x33333333, table=16, n_packets=0, priority=3001,udp,metadata=0x3,nw_src=10.1.0.11 actions=drop
 cookie=0x0, table=65, n_packets=0, priority=100,reg15=0x1,metadata=0x3 actions=output:1
 cookie=0x0, table=0, n_packets=0, priority=0 actions=drop
`
	var o openflow.Order
	if part, err := o.Add(strings.NewReader(sorted), "dump"); err != nil || part != "" {
		t.Fatal(part, err)
	}
	if got := o.Compare("11111111", "33333333"); got != 0 {
		t.Errorf("%d, want 0", got)
	}
	if got := o.Compare("11111111", "99999999"); got != -1 {
		t.Errorf("%d, want -1: the switch has one of them", got)
	}
}
