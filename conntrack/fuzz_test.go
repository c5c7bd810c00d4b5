package conntrack

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"ovnreplay/nat"
)

// consistent checks what must hold of a table at any time.
func consistent(t *testing.T, ct *Table) {
	t.Helper()
	type owned struct {
		zone  uint16
		tuple nat.Tuple
	}
	owner := map[owned]uint32{}
	live, nodes := 0, 0
	for i := range ct.pool.size {
		c := ct.pool.at(i)
		if c.linked == 0 {
			continue
		}
		live++
		if ct.due[c.pos] != i || c.due > c.expires {
			t.Fatalf("connection %d: misplaced among the expiries", i)
		}
		for dir := range c.tuple {
			if c.linked&(1<<dir) == 0 {
				continue
			}
			nodes++
			if c.expires <= ct.now {
				continue
			}
			k := owned{c.zone, c.tuple[dir]}
			if other, ok := owner[k]; ok && other != i {
				t.Fatalf("connections %d and %d share %v in zone %d", other, i, &k.tuple, k.zone)
			}
			owner[k] = i
			if idx, d, ok := ct.find(c.zone, &c.tuple[dir]); !ok || idx != i || d != dir && c.tuple[0] != c.tuple[1] {
				t.Fatalf("connection %d not found by %v", i, &c.tuple[dir])
			}
		}
	}
	if live != ct.live || nodes != ct.nodes || len(ct.due) != live || live > ct.opt.MaxConns {
		t.Fatalf("%d connections, counted %d; %d nodes, counted %d; %d expiries; limit %d", live, ct.live, nodes,
			ct.nodes, len(ct.due), ct.opt.MaxConns)
	}
}

// randomRequest is some ct action.
func randomRequest(rnd *rand.Rand) Request {
	r := Request{Zone: uint16(rnd.IntN(3)), Commit: rnd.IntN(2) == 0, Force: rnd.IntN(10) == 0}
	addr := []string{"10.1.0.2", "10.1.0.1", "1.1.1.1"}[rnd.IntN(3)]
	switch rnd.IntN(6) {
	case 0:
		r.NAT = nat.Binding{Kind: nat.Apply}
	case 1:
		r.NAT = bind(nat.Src, addr, 0)
	case 2:
		r.NAT = bind(nat.Dst, addr, uint16(rnd.IntN(3)*80))
	case 3:
		r.NAT = nat.Binding{Kind: nat.Src}
	}
	if !r.Commit && r.NAT.Kind > nat.Apply {
		r.NAT = nat.Binding{Kind: nat.Apply}
	}
	return r
}

// TestRandomActions drives tables with random traffic and actions: tuples
// stay unique, limits are kept, checksums stay right.
func TestRandomActions(t *testing.T) {
	t.Parallel()
	profiles(t, func(t *testing.T, p Profile) {
		for seed := range uint64(40) {
			rnd := rand.New(rand.NewPCG(seed, 7))
			g := newGenerator(seed)
			ct := NewTable(Options{Profile: p, MaxConns: 20 + rnd.IntN(100)})
			now := Time(0)
			for range 600 {
				now += Time(rnd.ExpFloat64() * float64(Second))
				ip := g.next()
				var m Meta
				for range 1 + rnd.IntN(3) {
					var before nat.Packet
					before.Parse(ip)
					sum := before.CheckSum(ip)
					r := randomRequest(rnd)
					o := ct.Execute(now, ip, &m, &r)
					if o.Drop != NoDrop {
						break
					}
					var after nat.Packet
					after.Parse(ip)
					if got := after.CheckSum(ip); got != sum || !after.HeaderSumOK(ip) {
						t.Fatalf("seed %d: checksum was %d, is %d: %x", seed, sum, got, ip)
					}
				}
			}
			consistent(t, ct)
			ct.Expire(now + 1000000*Second)
			consistent(t, ct)
			if ct.live != 0 || ct.nodes != 0 {
				t.Fatalf("%d connections, %d nodes left", ct.live, ct.nodes)
			}
		}
	})
}

// TestThereAndBack: a packet, its answer, and what the first sender sees.
func TestThereAndBack(t *testing.T) {
	t.Parallel()
	profiles(t, func(t *testing.T, p Profile) {
		rnd := rand.New(rand.NewPCG(3, 4))
		for range 2000 {
			ct := NewTable(Options{Profile: p})
			c := conversation[rnd.IntN(len(conversation))]
			ask, tell := c.ask(), c.tell()
			out, port := "1.1.1.1", uint16(0)
			if strings.HasSuffix(c.name, "6") {
				out = "2001:db8::1"
			}
			kind := nat.Src
			if rnd.IntN(2) == 0 {
				kind = nat.Dst
			}
			if !strings.HasPrefix(c.name, "icmp") && rnd.IntN(2) == 0 {
				port = uint16(1 + rnd.IntN(65535))
			}
			do(t, ct, 1, ask, Request{Zone: 1, Commit: true, NAT: bind(kind, out, port)})
			sent := tuple(t, ask)
			if kind == nat.Src && sent.SrcAddr().String() != out || kind == nat.Dst && sent.DstAddr().String() != out {
				t.Fatalf("%s: not translated: %v", c.name, &sent)
			}
			answer := bytes.Clone(tell)
			var pkt nat.Packet
			pkt.Parse(answer)
			pkt.CheckSum(answer)
			from, to := pkt.Tuple, sent.Reverse()
			nat.Rewrite(answer, &pkt, &from, &to, nat.Source|nat.Destination)
			do(t, ct, 2, answer, unnat)
			if !bytes.Equal(answer, tell) {
				t.Fatalf("%s: the answer arrives as\n%x, want\n%x", c.name, answer, tell)
			}
		}
	})
}

// A flood of SYNs never exceeds the table's limit.
func TestFlood(t *testing.T) {
	n := 1000000
	if testing.Short() {
		n = 50000
	}
	profiles(t, func(t *testing.T, p Profile) {
		ct := NewTable(Options{Profile: p, MaxConns: 10000})
		ip := tcpPacket("10.0.0.1", 1000, "10.0.0.2", 80, tcpSeg{flags: "S"})
		var pkt nat.Packet
		for i := range n {
			pkt.Parse(ip)
			pkt.CheckSum(ip)
			from := pkt.Tuple
			to := from
			to.Src[1], to.Src[2], to.Src[3] = byte(i>>16), byte(i>>8), byte(i)
			nat.Rewrite(ip, &pkt, &from, &to, nat.Source)
			m := Meta{}
			ct.Execute(Time(i)*1000, ip, &m, &commit)
			if ct.live > 10000 {
				t.Fatalf("%d connections after %d SYNs", ct.live, i)
			}
		}
		if ct.live < 9000 {
			t.Errorf("only %d connections", ct.live)
		}
		consistent(t, ct)
	})
}

func FuzzExecute(f *testing.F) {
	for seed := range uint64(3) {
		g := newGenerator(seed)
		for range 20 {
			f.Add(g.next(), uint64(seed))
		}
		f.Add(g.sctp(), seed)
	}
	for _, c := range conversation {
		f.Add(c.ask(), uint64(1))
	}
	f.Fuzz(func(t *testing.T, ip []byte, seed uint64) {
		for _, p := range []Profile{Linux, OVSUserspace} {
			rnd := rand.New(rand.NewPCG(seed, 1))
			ct := NewTable(Options{Profile: p, IgnoreChecksums: seed%2 == 0})
			var m Meta
			for range 4 {
				r := randomRequest(rnd)
				b := bytes.Clone(ip)
				if o := ct.Execute(Second, b, &m, &r); len(b) != len(ip) || o.Drop != NoDrop {
					m.Clear()
				}
			}
			consistent(t, ct)
		}
	})
}

func FuzzReadDump(f *testing.F) {
	f.Add("tcp,orig=(src=10.0.0.1,dst=10.0.0.2,sport=1,dport=2),reply=(src=10.0.0.2,dst=10.0.0.1,sport=2,dport=1)," +
		"zone=5,labels=0x1234567890abcdef1234,protoinfo=(state=ESTABLISHED)")
	f.Add("ipv4     2 icmp     1 29 src=127.0.0.1 dst=127.0.0.1 type=8 code=0 id=7 src=127.0.0.1 " +
		"dst=127.0.0.1 type=0 code=0 id=7 mark=0 use=1")
	f.Fuzz(func(t *testing.T, text string) {
		es, err := ReadDump(strings.NewReader(text), "fuzz")
		if err != nil {
			return
		}
		var once, twice bytes.Buffer
		WriteDump(&once, es, DpctlMoreStat)
		again, err := ReadDump(bytes.NewReader(once.Bytes()), "again")
		if err != nil {
			t.Fatalf("%v\n%s", err, once.String())
		}
		WriteDump(&twice, again, DpctlMoreStat)
		if once.String() != twice.String() {
			t.Fatalf("%s\nbecame\n%s", once.String(), twice.String())
		}
		for _, p := range []Profile{Linux, OVSUserspace} {
			NewTable(Options{Profile: p}).Import(1, es)
		}
	})
}
