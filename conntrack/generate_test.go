package conntrack

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"

	"ovnreplay/nat"
)

// generator makes traffic in which most things go right and anything may go
// wrong: what trackers are compared on.
type generator struct {
	rnd  *rand.Rand
	cuts *rand.Rand // which quoted packets are fragments
	sent [][]byte
	tcp  []tcpTalk
}

// tcpTalk is one TCP conversation as its ends see it.
type tcpTalk struct {
	addr  [2]string
	port  [2]uint16
	seq   [2]uint32 // next to send
	scale [2]int    // -1: no option
	sack  [2]bool
	stage int
}

func newGenerator(seed uint64) *generator {
	g := &generator{rnd: rand.New(rand.NewPCG(seed, 42)), cuts: rand.New(rand.NewPCG(seed, 43))}
	for i := range 3 {
		g.tcp = append(g.tcp, g.talk(uint16(4000+i)))
	}
	return g
}

func (g *generator) talk(port uint16) tcpTalk {
	return tcpTalk{
		addr: [2]string{"10.1.0.1", "10.1.0.2"}, port: [2]uint16{port, 80},
		seq:   [2]uint32{g.rnd.Uint32(), g.rnd.Uint32()},
		scale: [2]int{g.rnd.IntN(16) - 1, g.rnd.IntN(16) - 1},
		sack:  [2]bool{g.rnd.IntN(2) == 0, g.rnd.IntN(2) == 0},
	}
}

// next returns one more packet.
func (g *generator) next() []byte {
	var ip []byte
	switch n := g.rnd.IntN(100); {
	case n < 80:
		ip = g.tcpNext(&g.tcp[g.rnd.IntN(len(g.tcp))])
	case n < 85 && len(g.sent) > 0:
		ip = bytes.Clone(g.sent[g.rnd.IntN(len(g.sent))])
	case n < 90:
		ip = g.udp()
	case n < 95:
		ip = g.echo()
	case n < 98 && len(g.sent) > 0:
		ip = g.icmpError()
	default:
		ip = g.udp()
		ip[len(ip)-1] ^= 0xff // a wrong checksum
	}
	g.sent = append(g.sent, bytes.Clone(ip))
	return ip
}

func (g *generator) udp() []byte {
	port := uint16(6000 + g.rnd.IntN(3))
	if g.rnd.IntN(2) == 0 {
		return udpPacket("10.1.0.1", port, "10.1.0.2", 53, "question")
	}
	return udpPacket("10.1.0.2", 53, "10.1.0.1", port, "answer")
}

func (g *generator) echo() []byte {
	id := uint16(g.rnd.IntN(3))
	if g.rnd.IntN(2) == 0 {
		return icmpPacket("10.1.0.1", "10.1.0.2", 8, 0, id, []byte("ping"))
	}
	return icmpPacket("10.1.0.2", "10.1.0.1", 0, 0, id, []byte("ping"))
}

func (g *generator) icmpError() []byte {
	about := g.sent[g.rnd.IntN(len(g.sent))]
	n := min(len(about), 28+g.rnd.IntN(40))
	to := "10.1.0.1"
	if about[15] == 2 {
		to = "10.1.0.2"
	}
	if g.rnd.IntN(8) == 0 {
		to = "10.1.0.9"
	}
	typ := []uint8{3, 11, 12, 5}[g.rnd.IntN(4)]
	quote := slices.Clone(about[:n])
	switch g.cuts.IntN(8) {
	case 0: // the first of several fragments
		quote[6] |= 0x20
	case 1: // a later one
		quote[7] |= 1
	}
	return icmpPacket("10.1.0.254", to, typ, 0, 0, quote)
}

func (t *tcpTalk) options(dir int) (opt []byte) {
	if t.sack[dir] {
		opt = append(opt, 4, 2)
	}
	if t.scale[dir] >= 0 {
		opt = append(opt, 1, 3, 3, uint8(t.scale[dir]))
	}
	return opt
}

func (t *tcpTalk) build(dir int, s tcpSeg) []byte {
	return tcpPacket(t.addr[dir], t.port[dir], t.addr[1-dir], t.port[1-dir], s)
}

// tcpNext usually does what comes next in a connection's life.
func (g *generator) tcpNext(t *tcpTalk) []byte {
	if g.rnd.IntN(4) == 0 {
		return g.tcpOdd(t)
	}
	t.stage++
	switch t.stage {
	case 1:
		t.seq[0]++
		return t.build(0, tcpSeg{flags: "S", seq: t.seq[0] - 1, options: t.options(0)})
	case 2:
		t.seq[1]++
		return t.build(1, tcpSeg{flags: "SA", seq: t.seq[1] - 1, ack: t.seq[0], options: t.options(1)})
	case 3:
		return t.build(0, tcpSeg{flags: "A", seq: t.seq[0], ack: t.seq[1], win: 500})
	case 9, 11:
		dir := t.stage / 2 % 2
		t.seq[dir]++
		return t.build(dir, tcpSeg{flags: "FA", seq: t.seq[dir] - 1, ack: t.seq[1-dir]})
	case 10, 12:
		dir := (t.stage/2 + 1) % 2
		return t.build(dir, tcpSeg{flags: "A", seq: t.seq[dir], ack: t.seq[1-dir]})
	case 13, 14, 15:
		dir := g.rnd.IntN(2)
		return t.build(dir, tcpSeg{flags: "A", seq: t.seq[dir], ack: t.seq[1-dir]})
	case 16:
		port := t.port[0]
		*t = g.talk(port) // the same ports again
		return g.tcpNext(t)
	}
	return g.tcpData(t, g.rnd.IntN(2))
}

func (g *generator) tcpData(t *tcpTalk, dir int) []byte {
	s := tcpSeg{flags: "PA", seq: t.seq[dir], ack: t.seq[1-dir], win: uint16(g.rnd.IntN(65000)), payload: "data"}
	if g.rnd.IntN(3) == 0 {
		s.payload = string(make([]byte, g.rnd.IntN(1400)))
	}
	t.seq[dir] += uint32(len(s.payload))
	if g.rnd.IntN(5) == 0 {
		edge := make([]byte, 12)
		edge[0], edge[1], edge[2], edge[3] = 1, 1, 5, 10
		binary.BigEndian.PutUint32(edge[4:], s.ack+100)
		binary.BigEndian.PutUint32(edge[8:], s.ack+uint32(g.rnd.IntN(3000)))
		s.options = edge
	}
	return t.build(dir, s)
}

// tcpOdd is something unexpected.
func (g *generator) tcpOdd(t *tcpTalk) []byte {
	dir := g.rnd.IntN(2)
	s := tcpSeg{flags: "A", seq: t.seq[dir], ack: t.seq[1-dir], win: uint16(g.rnd.IntN(65000))}
	far := func() uint32 {
		return []uint32{1, 100, 70000, 1 << 20, 1 << 31, ^uint32(0), ^uint32(100), ^uint32(70000)}[g.rnd.IntN(8)]
	}
	switch g.rnd.IntN(12) {
	case 0:
		s.flags = "R"
	case 1:
		s.flags = "RA"
	case 2:
		s.flags = "R"
		s.seq += far()
	case 3:
		s.flags = "RA"
		s.seq, s.ack = 0, t.seq[1-dir]
	case 4:
		s.seq += far()
		s.payload = "far away"
	case 5:
		s.ack += far()
	case 6:
		s.flags, s.options = "S", t.options(dir)
		s.seq = g.rnd.Uint32()
	case 7:
		s.flags, s.options = "SA", t.options(dir)
		s.seq--
	case 8:
		s.flags = []string{"", "F", "SF", "SR", "P", "FA", "U", "SAU"}[g.rnd.IntN(8)]
	case 9:
		s.win = noWindow
	case 10:
		s.flags, s.options = "S", t.options(dir)
		s.seq--
	case 11:
		s.flags = "FA"
	}
	return t.build(dir, s)
}

// pcapOf writes IP packets as a capture of Ethernet frames, one a millisecond.
func pcapOf(packets [][]byte) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0xa1b2c3d4)
	b = le.AppendUint16(le.AppendUint16(b, 2), 4)
	b = le.AppendUint32(le.AppendUint32(le.AppendUint32(le.AppendUint32(b, 0), 0), 65535), 1)
	for i, ip := range packets {
		n := uint32(len(ip) + 14)
		b = le.AppendUint32(le.AppendUint32(b, 1700000000+uint32(i/1000)), uint32(i%1000)*1000)
		b = le.AppendUint32(le.AppendUint32(b, n), n)
		b = append(b, 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0)
		if ip[0]>>4 == 6 {
			b[len(b)-2], b[len(b)-1] = 0x86, 0xdd
		}
		b = append(b, ip...)
	}
	return b
}

// sctp returns one more packet of one of three associations.
func (g *generator) sctp() []byte {
	port := uint16(g.rnd.IntN(3))
	dir := g.rnd.IntN(2)
	tags := [2]uint32{1000 + uint32(port), 2000 + uint32(port)} // what each end expects
	tag := tags[1-dir]
	types := []uint8{chunkInit, chunkInitAck, chunkCookieEcho, chunkCookieAck, chunkData, 3, chunkHeartbeat,
		chunkHeartbeatAck,
		chunkShutdown, chunkShutdownAck, chunkShutdownComplete, chunkAbort, chunkError}
	typ := types[g.rnd.IntN(len(types))]
	switch {
	case typ == chunkInit && g.rnd.IntN(10) > 0:
		tag, dir = 0, 0
	case g.rnd.IntN(8) == 0:
		tag = tags[dir]
	case g.rnd.IntN(8) == 0:
		tag = g.rnd.Uint32()
	}
	chunks := [][]byte{chunkOf(typ, tags[dir])}
	if g.rnd.IntN(12) == 0 {
		chunks[0][1] = 1
	}
	if g.rnd.IntN(4) == 0 {
		chunks = append(chunks, chunkOf(types[g.rnd.IntN(len(types))], tags[dir]))
	}
	if dir == 0 {
		return sctpPacket("10.1.0.1", 4000+port, "10.1.0.2", 5000, tag, chunks...)
	}
	return sctpPacket("10.1.0.2", 5000, "10.1.0.1", 4000+port, tag, chunks...)
}

// natPacket returns one more packet of a client at 10.1.0.1 or a server at
// 10.1.0.2, as each sends them, or an ICMP error about one that left.
func (g *generator) natPacket(clientSends, serverSends string, left [][]byte) []byte {
	if len(left) > 0 && g.rnd.IntN(5) == 0 {
		about := left[g.rnd.IntN(len(left))]
		var p nat.Packet
		p.Parse(about)
		n := min(len(about), p.L4+8+g.rnd.IntN(40))
		from := "10.1.0.254"
		if g.rnd.IntN(2) == 0 {
			from = p.Tuple.DstAddr().String()
		}
		return icmpPacket(from, p.Tuple.SrcAddr().String(), []uint8{3, 11, 12}[g.rnd.IntN(3)], 0, 0, about[:n])
	}
	var ip []byte
	switch g.rnd.IntN(8) {
	case 0:
		ip = g.udp()
	case 1:
		ip = g.echo()
	default:
		ip = g.tcpNext(&g.tcp[g.rnd.IntN(len(g.tcp))])
	}
	var p nat.Packet
	p.Parse(ip)
	p.CheckSum(ip)
	from, to := p.Tuple, p.Tuple
	if ip[15] == 1 {
		to.Dst, _ = addr16(clientSends)
	} else {
		to.Dst, _ = addr16(serverSends)
	}
	nat.Rewrite(ip, &p, &from, &to, nat.Destination)
	return ip
}
