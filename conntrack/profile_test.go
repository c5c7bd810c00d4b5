package conntrack

import (
	"strings"
	"testing"

	"ovnreplay/nat"
)

func TestReadProfile(t *testing.T) {
	o, err := ReadProfile(strings.NewReader(`
# a bench
profile ovs-userspace
tcp_established = 7200
udp_first 5	# quick
max 1000
zone_limit 5 10
tcp_seq_check off
min_frag_v4 500
min_frag_v6 600
`), "p")
	if err != nil {
		t.Fatal(err)
	}
	if o.Profile != OVSUserspace || o.Timeouts[TCPEstablished] != 7200*Second || o.MaxConns != 1000 ||
		o.ZoneLimit[5] != 10 || !o.SeqCheckOff || o.MinFragment != [2]int{500, 600} {
		t.Errorf("%+v", o)
	}
	ct := NewTable(o)
	do(t, ct, 1, conversation[0].ask(), commit)
	if a, b := ct.Len(5*Second), ct.Len(6*Second); a != 1 || b != 0 {
		t.Errorf("%d, then %d connections", a, b)
	}
	o, err = ReadProfile(strings.NewReader(`net.netfilter.nf_conntrack_tcp_timeout_established = 3600
net.netfilter.nf_conntrack_udp_timeout_stream = 99
net.netfilter.nf_conntrack_buckets = 65536
net.netfilter.nf_conntrack_tcp_loose = 0
net.netfilter.nf_conntrack_max = 77
net.netfilter.nf_log.0 = NONE
net.netfilter.nf_conntrack_tcp_timeout_max_retrans = 7
`), "p")
	if err != nil || o.Timeouts[TCPEstablished] != 3600*Second || o.Timeouts[UDPMultiple] != 99*Second || !o.NoLoose ||
		o.MaxConns != 77 || o.Timeouts[TCPRetransmit] != 7*Second {
		t.Errorf("%v %+v", err, o)
	}
	for text, want := range map[string]string{
		"profile bsd":    `p:1:1: unknown conntrack profile "bsd" (linux or ovs-userspace)`,
		"\n  tcp_est 5":  `p:2:3: unknown setting "tcp_est"`,
		"tcp_close":      "p:1:1: tcp_close needs one value",
		"tcp_close 0":    `p:1:1: "0" is not a number from 1 to 2147483647`,
		"tcp_loose soon": `p:1:1: "soon" is neither on nor off`,
		"zone_limit 1 x": "p:1:1: zone_limit needs a zone and a number",
	} {
		if _, err := ReadProfile(strings.NewReader(text), "p"); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestFlush(t *testing.T) {
	t.Parallel()
	ct := NewTable(Options{Profile: OVSUserspace})
	fill := func() {
		for z := range uint16(3) {
			for i := range uint16(5) {
				do(t, ct, 1, udpPacket("10.0.0.1", 1000+i, "10.0.0.2", 53, ""), Request{Zone: z, Commit: true})
			}
		}
	}
	fill()
	if n := ct.FlushZone(Second, 1); n != 5 || ct.Len(Second) != 10 {
		t.Errorf("flushed %d, left %d", n, ct.Len(Second))
	}
	reply := tuple(t, udpPacket("10.0.0.2", 53, "10.0.0.1", 1001, ""))
	if !ct.FlushTuple(Second, 2, &reply) || ct.FlushTuple(Second, 2, &reply) || ct.Len(Second) != 9 {
		t.Errorf("tuple; left %d", ct.Len(Second))
	}
	byPort := Selection{
		Zone: 2, Orig: nat.Tuple{Proto: 17, Dst: reply.Src, DstPort: 53}, Reply: nat.Tuple{DstPort: 1002},
	}
	if n := ct.FlushSelected(Second, &byPort); n != 1 || ct.Len(Second) != 8 {
		t.Errorf("flushed %d of a client's port", n)
	}
	for _, none := range []Selection{
		{Zone: 1}, {Orig: nat.Tuple{Proto: 6}}, {Orig: nat.Tuple{V6: true, Dst: reply.Src}},
		{Label: Label{Lo: 1}, Mask: Label{Lo: 1}},
		{Reply: nat.Tuple{SrcPort: 54}},
	} {
		if n := ct.FlushSelected(Second, &none); n != 0 {
			t.Errorf("%+v flushed %d", none, n)
		}
	}
	fill()
	if n := ct.FlushSelected(Second, &Selection{Mask: Label{Lo: 1}}); n != 15 {
		t.Errorf("flushed %d by a label that none has", n)
	}
	fill()
	if n := ct.Flush(Second); n != 15 || ct.Len(Second) != 0 {
		t.Errorf("flushed %d", n)
	}
	fill()
	if ct.Len(Second) != 15 {
		t.Errorf("after a flush: %d", ct.Len(Second))
	}
}
