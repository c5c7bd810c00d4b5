package replay

import (
	"bytes"
	"context"
	"net/netip"
	"path/filepath"
	"testing"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/pcap"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

const nodeport = "../../testdata/cases/nodeport"

func loaded(t testing.TB, file string) *network.Network {
	t.Helper()
	net, _, err := southbound.Open(context.Background(), file, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return net
}

func captured(t testing.TB, file string) []pcap.Record {
	t.Helper()
	r, err := pcap.Open(filepath.Join(nodeport, file))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var all []pcap.Record
	for {
		var rec, kept pcap.Record
		if r.Next(&rec) != nil {
			return all
		}
		kept.CopyFrom(&rec)
		all = append(all, kept)
	}
}

// A packet of an established connection is placed, replayed, matched and
// remembered without allocating.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	net := loaded(t, nodeport+"/sb.db")
	e, err := sim.New(net, sim.Options{Profile: conntrack.OVSUserspace})
	if err != nil {
		t.Fatal(err)
	}
	client, pod := captured(t, "client.pcap"), captured(t, "nginx.pcap")
	var taps []*Tap
	for i, name := range []string{"breth0_ovn-worker", "default_nginx-deployment-9456bbbf9-x6pc6"} {
		p := net.Port(name)
		c, err := ChassisOf(net, p)
		if err != nil {
			t.Fatal(err)
		}
		taps = append(taps, &Tap{Index: i, Name: name, Site: &Site{Kind: AtPort, Port: p, Chassis: c}})
	}
	v := NewVerifier(VerifyOptions{})
	s := NewRun(e, taps, v, Options{Ahead: conntrack.Second})
	add := func(capture int, r pcap.Record) {
		r.Capture, r.File = capture, taps[capture].Name
		s.Add(&r)
	}
	for i := range 3 {
		if i == 1 {
			add(1, pod[1])
			add(0, client[1])
			continue
		}
		add(0, client[i])
		add(1, pod[i])
	}
	// The client's acknowledgement again and again, on both sides.
	in, out := client[2], pod[2]
	in.Capture, in.File, out.Capture, out.File = 0, taps[0].Name, 1, taps[1].Name
	again := func() {
		in.Time += 2_000_000
		out.Time = in.Time + 100
		s.Add(&in)
		s.Add(&out)
	}
	for range 2 * historySize {
		again()
	}
	if n := testing.AllocsPerRun(2000, again); n > 0.01 {
		t.Errorf("%.2f allocations for a packet on both sides", n)
	}
	s.Flush()
	if r := v.Finish(); !r.OK() || r.Matched < 2*historySize {
		t.Errorf("%+v", r)
	}
}

// The Ethernet header of a cooked frame is worked out from the network.
func TestDressedFrames(t *testing.T) {
	t.Parallel()
	net := loaded(t, nodeport+"/sb.db")
	o := NewOwners(net)
	pod := net.Port("default_nginx-deployment-9456bbbf9-x6pc6")
	wire := net.Port("breth0_ovn-worker")
	c, err := ChassisOf(net, pod)
	if err != nil {
		t.Fatal(err)
	}
	ip := func(src, dst string) *pcap.LinkMeta {
		b := make([]byte, 40)
		b[0], b[3], b[8], b[9] = 0x45, 40, 64, header.ProtoTCP
		s, d := netip.MustParseAddr(src).As4(), netip.MustParseAddr(dst).As4()
		copy(b[12:], s[:])
		copy(b[16:], d[:])
		return &pcap.LinkMeta{Payload: b, EtherType: header.EtherIPv4}
	}
	for _, x := range []struct {
		name     string
		port     *network.Port
		meta     *pcap.LinkMeta
		dir      Direction
		src, dst mac
	}{
		{"to a neighbour", pod, ip("10.244.1.3", "10.244.1.4"), Entered, 0x0a580af40103, 0x0a580af40104},
		{"to the router", pod, ip("10.244.1.3", "8.8.8.8"), Entered, 0x0a580af40103, 0x0a580af40101},
		{"to a group", pod, ip("10.244.1.3", "224.0.0.251"), Entered, 0x0a580af40103, 0x01005e0000fb},
		{"to everybody", pod, ip("0.0.0.0", "255.255.255.255"), Unknown, 0, 0},
		{"from outside", pod, ip("8.8.8.8", "10.244.1.3"), Left, 0, 0x0a580af40103},
		{"from the wire", wire, ip("172.18.0.1", "172.18.0.4"), Entered, 0, 0x0242ac120004},
		{"onto the wire", wire, ip("172.18.0.4", "172.18.0.1"), Left, 0, 0},
	} {
		d := o.bareDirection(x.port, c, x.meta, false)
		if d != x.dir {
			t.Errorf("%s: %v, want %v", x.name, d, x.dir)
			continue
		}
		if d == Unknown {
			continue
		}
		f := o.dress(nil, x.port, d, x.meta)
		if macAt(f) != x.dst || macAt(f[6:]) != x.src || !bytes.Equal(f[14:], x.meta.Payload) {
			t.Errorf("%s: to %x from %x, want to %x from %x", x.name, macAt(f), macAt(f[6:]), x.dst, x.src)
		}
	}
}

// The ring finds the newest of an identity first and forgets the oldest.
func TestRing(t *testing.T) {
	t.Parallel()
	var r ring[int]
	of := func(id uint64) (out []int) {
		r.each(id, func(v *int) bool {
			out = append(out, *v)
			return true
		})
		return out
	}
	for i, id := range []uint64{7, 9, 7} {
		*r.push(id) = i + 1
	}
	if got := of(7); len(got) != 2 || got[0] != 3 || got[1] != 1 {
		t.Errorf("7: %v, want [3 1]", got)
	}
	for i := range historySize - 2 {
		*r.push(1000) = i
	}
	if got := of(7); len(got) != 1 || got[0] != 3 {
		t.Errorf("after the oldest was overwritten: %v, want [3]", got)
	}
	for range 2 {
		*r.push(1) = 0
	}
	if got := append(of(7), of(9)...); len(got) != 0 {
		t.Errorf("after all were overwritten: %v", got)
	}
	if r.last.n > historySize {
		t.Errorf("%d identities of %d values", r.last.n, historySize)
	}
}

func TestTTL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		observed uint64
		hops     int
		want     uint64
	}{{63, -1, 64}, {64, -1, 64}, {30, -1, 32}, {127, -1, 128}, {129, -1, 255}, {63, 1, 64}, {60, 3, 63},
		{255, 2, 255}} {
		if got := startTTL(c.observed, c.hops); got != c.want {
			t.Errorf("observed %d after %d hops: %d, want %d", c.observed, c.hops, got, c.want)
		}
	}
	// Writing a TTL keeps the header's checksum right.
	frame := captured(t, "client.pcap")[0].Data
	setTTL(frame, 14, 17)
	sum := uint32(0)
	for i := 14; i < 34; i += 2 {
		sum += uint32(frame[i])<<8 | uint32(frame[i+1])
	}
	if sum = sum&0xffff + sum>>16; uint16(sum) != 0xffff || frame[22] != 17 {
		t.Errorf("TTL %d, checksum over the header %#x", frame[22], sum)
	}
}

// Two ICMP errors of a kind are told apart by what they quote, and each leads
// to the packet it is about.
func TestIdentityOfErrors(t *testing.T) {
	t.Parallel()
	about := func(frame []byte) []byte {
		e := append([]byte(nil), frame[:14]...)
		e = append(e, 0x45, 0, 0, 56, 0, 0, 0x40, 0, 64, header.ProtoICMP, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2)
		e = append(e, 3, 1, 0, 0, 0, 0, 0, 0)
		return append(e, frame[14:42]...)
	}
	recs := captured(t, "client.pcap")
	a, b := recs[0].Data, recs[3].Data
	of := func(frame []byte) ([]byte, *packet.Headers) {
		h := new(packet.Headers)
		h.Read(frame)
		return frame, h
	}
	if identityHash(of(about(a))) == identityHash(of(about(b))) {
		t.Error("errors about different packets have one identity")
	}
	if q := quotedHash(of(about(a))); q == 0 || q != quoteHash(of(a)) || q == quoteHash(of(b)) {
		t.Errorf("the error leads to %x, want %x", q, quoteHash(of(a)))
	}
}
