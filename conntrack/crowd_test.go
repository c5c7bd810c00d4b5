package conntrack

import (
	"bytes"
	"fmt"
	"testing"

	"ovnreplay/nat"
	"ovnreplay/nat/header"
)

// TestCrowd uses up the ports of an SNAT address, lets connections end in
// every way there is, and holds what is remembered of them against the table.
// Another table that never remembers does the same with every packet.
func TestCrowd(t *testing.T) {
	profiles(t, func(t *testing.T, p Profile) {
		opt := Options{Profile: p, MaxConns: 2100}
		ct, plain := NewTable(opt), NewTable(opt)
		snat := Request{Commit: true, NAT: bind(nat.Src, "100.64.0.3", 1024)}
		snat.NAT.PortHi = 3023
		both := func(now Time, ip []byte, r Request) {
			t.Helper()
			plain.crowds = crowds{}
			other := bytes.Clone(ip)
			m1, o1 := do(t, ct, now, ip, r)
			m2, o2 := do(t, plain, now, other, r)
			m1.conn, m2.conn = connRef{}, connRef{}
			if !bytes.Equal(ip, other) || m1 != m2 || o1.Drop != o2.Drop || o1.Uncommitted != o2.Uncommitted {
				t.Fatalf("with a crowd %x, %+v, without %x, %+v", ip, o1, other, o2)
			}
		}
		now := Time(0)
		for i := range 12000 {
			now += Second / 100
			src := fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255)
			port := uint16(1024 + i*7%2000)
			both(now, tcpPacket(src, 2000, "10.9.9.9", 80, tcpSeg{flags: "S", seq: 1, win: 1000}), snat)
			switch {
			case i%3000 == 2999:
				check(t, ct)
			case i%51 == 0: // the other end refuses: the connection ends early
				both(now, tcpPacket("10.9.9.9", 80, "100.64.0.3", port, tcpSeg{flags: "RA", ack: 2, win: 1000}),
					Request{NAT: nat.Binding{Kind: nat.Apply}})
			case i%77 == 0:
				x := nat.Tuple{SrcPort: 80, DstPort: port, Proto: header.ProtoTCP}
				x.Src, _ = addr16("10.9.9.9")
				x.Dst, _ = addr16("100.64.0.3")
				ct.FlushTuple(now, 0, &x)
				plain.FlushTuple(now, 0, &x)
			}
		}
		if len(ct.crowds.by) == 0 {
			t.Error("no crowd came together")
		}
		check(t, ct)
		ct.tick(now + 1000*Second)
		check(t, ct)
	})
}

// check looks every tuple of every crowd up both ways.
func check(t *testing.T, ct *Table) {
	t.Helper()
	for k, c := range ct.crowds.by {
		for port := range 1 << 16 {
			tuple := k.tuple
			tuple.DstPort = uint16(port)
			_, _, found := ct.find(k.zone, &tuple)
			if surely := c.until[port] > ct.now; surely && !found {
				t.Fatalf("port %d is remembered as taken and is not", port)
			}
		}
	}
}
