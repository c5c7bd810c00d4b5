package ledger

import (
	"encoding/binary"
	"fmt"
	"slices"

	"ovnreplay/nat"
	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/replay"
)

// Numbers numbers connections from 1, in the order in which their first packets
// enter: one number for both directions, over all zones, chassis and
// translations, and for errors about its packets. Whoever names a connection to
// people numbers it so. The zero value has seen none.
//
// A connection is known by the tuples it had where its packets entered and left,
// of which as many are remembered as a few hundred thousand connections have:
// one that is not met for longer goes on as another. What leaves to a physical network and
// enters from it elsewhere, at another chassis or in another zone, is the same.
type Numbers struct {
	last        int
	now, before map[key]end      // those not met for long are before
	places      map[string]int32 // by the UUIDs of datapaths, of localnet ports and by their physical networks
	datagrams   map[fragment]*datagram
}

// key is a tuple where it was seen, in a datapath or on a physical network: the same one
// may be in use elsewhere.
type key struct {
	place int32
	nat.Tuple
}

// end is a connection by one of its tuples, and the direction that has it.
type end struct {
	conn  *numbered
	reply bool
}

// numbered is a connection as far as that it is one is concerned.
type numbered struct {
	id     int
	sent   nat.Tuple // as its first packet left; zero: it did not
	legs   []Point   // where its packets entered: on their way they may come over wires between chassis
	leg    bool      // the packet that is noted is the first of a leg
	asked  nat.Tuple // as its first packet entered
	tcp    tcpState
	closed bool
	ends   *ends // whose its addresses are, where that is asked for
}

// fragment is what the fragments of a datagram have in common where they enter.
type fragment struct {
	place    int32
	src, dst [16]byte
	replay.DatagramKey
}

// datagram is one of which the first fragment has entered: it alone has ports.
type datagram struct {
	tuple nat.Tuple
}

// maxDatagrams bounds the datagrams that are remembered.
const maxDatagrams = 1 << 14

// maxTuples bounds the tuples of each generation that are remembered.
const maxTuples = 1 << 19

// note is what a packet is to its connection.
type note struct {
	*numbered
	tuple  nat.Tuple // as it entered; of an error, turned round: it travels against what it is about
	reply  bool
	about  bool      // it is an error about one of its packets
	opened bool      // it is its first
	way    bool      // it shows the way there, of a leg
	of     *datagram // it is a fragment of this one
	left   *sim.Output
	as     nat.Tuple // what left, of the way there
	turned bool      // what left is the answer: a router answers echo requests in its flows
}

// Number is the number of a packet's connection, 0 if it has none.
func (n *Numbers) Number(f *replay.Frame, p *replay.Point, out *sim.Outcome) int {
	if x, ok := n.note(f, p, out); ok {
		return x.id
	}
	return 0
}

// note enters a packet. It has no connection if it is no IP packet, or a fragment
// of a datagram whose first one has not entered.
func (n *Numbers) note(f *replay.Frame, p *replay.Point, out *sim.Outcome) (x note, ok bool) {
	if x.tuple, x.about, ok = read(f); !ok {
		if x.of = n.datagram(f, n.placeOf(p, out)); x.of == nil {
			return x, false
		}
		x.tuple = x.of.tuple
	}
	k := key{n.placeOf(p, out), x.tuple}
	e, known := n.find(k)
	switch {
	case !known && x.about:
		return x, false
	case !known || e.conn.closed && opens(f) && !e.reply:
		n.last++
		if e.reply = !known && (answers(f) || x.tuple.Answers()); e.reply { // what it answers is in no capture
			k.Tuple, x.tuple = x.tuple.Reverse(), x.tuple.Reverse()
		}
		e.conn = &numbered{id: n.last, asked: x.tuple}
		n.file(k, e.conn)
		x.opened = true
	}
	c := e.conn
	x.numbered, x.reply = c, e.reply
	if at := pointOf(p); !x.reply && !x.about && !slices.Contains(c.legs, at) {
		c.legs, c.leg = append(c.legs, at), true
	}
	if x.way = !x.reply && (c.leg || c.sent == (nat.Tuple{})); !x.reply {
		n.leave(&x, out)
	}
	if !x.about {
		c.move(f, x.reply)
	}
	return x, true
}

// leave makes the connection known as its packet leaves.
func (n *Numbers) leave(x *note, out *sim.Outcome) {
	c := x.numbered
	for i := range out.Outputs {
		o := &out.Outputs[i]
		as, ok := leaving(o)
		if !ok {
			continue
		}
		if as.ICMP() && as == x.tuple.Reverse() {
			x.turned = true
			continue
		}
		if c.leg || c.sent == (nat.Tuple{}) {
			c.leg = false
			c.sent, x.as, x.left = as, as, o
		}
		k := key{n.at(o.Port), as}
		if _, known := n.find(k); !known || c.sent == as {
			n.file(k, c)
		}
	}
}

// leaving is the tuple of a connection's packet as it leaves; false if it tells none.
func leaving(o *sim.Output) (nat.Tuple, bool) {
	var p nat.Packet
	h := o.Headers()
	if o.Made || h.Layout.L3 == 0 || h.Layout.L3End > len(o.Data) {
		return nat.Tuple{}, false
	}
	ip := o.Data[h.Layout.L3:h.Layout.L3End]
	switch {
	case p.Parse(ip) != nat.NoFault || p.IsError:
		return nat.Tuple{}, false
	case p.Fragment:
		return p.FirstTuple(ip)
	}
	return p.Tuple, true
}

// datagram is the one that a frame is a fragment of, nil if it is of none whose
// first fragment is known.
func (n *Numbers) datagram(f *replay.Frame, place int32) *datagram {
	k, p, ok := replay.DatagramOf(f.Data, f.Headers())
	if !ok {
		return nil
	}
	of := fragment{place, p.Tuple.Src, p.Tuple.Dst, k}
	if t, first := firstOf(f.Data, f.Headers()); first {
		if n.datagrams == nil || len(n.datagrams) >= maxDatagrams {
			n.datagrams = map[fragment]*datagram{}
		}
		n.datagrams[of] = &datagram{t}
	}
	return n.datagrams[of]
}

// firstOf is the tuple of the first fragment of a datagram; false for other frames.
func firstOf(frame []byte, h *packet.Headers) (nat.Tuple, bool) {
	l := &h.Layout
	_, p, ok := replay.DatagramOf(frame, h)
	if !ok {
		return nat.Tuple{}, false
	}
	t, first := p.FirstTuple(frame[l.L3:l.L3End])
	return t, first && (t.HasPorts() || t.ICMP() && t.Reversible())
}

// read returns the tuple of a frame; of an ICMP error, that of the packet it is
// about, turned round: it travels against it.
func read(f *replay.Frame) (t nat.Tuple, about, ok bool) {
	h := f.Headers()
	if h.Layout.L3 == 0 || h.Layout.L3End > len(f.Data) {
		return t, false, false
	}
	var n nat.Packet
	if n.Parse(f.Data[h.Layout.L3:h.Layout.L3End]) != nat.NoFault || n.Fragment {
		return t, false, false
	}
	if n.IsError {
		return n.Inner.Tuple.Reverse(), true, true
	}
	return n.Tuple, false, n.Tuple.HasPorts() || n.Tuple.ICMP() && n.Tuple.Reversible()
}

func (n *Numbers) placeOf(p *replay.Point, out *sim.Outcome) int32 {
	if p.Port != nil {
		return n.at(p.Port)
	}
	if ev := out.Trace.Events(); len(ev) > 0 {
		return -2 - ev[0].Datapath
	}
	return -1
}

// at is the number of where a port leads: a physical network, on which all chassis and zones
// are that have it, or else its datapath. It is a number of its own: those of networks are of
// one state only.
func (n *Numbers) at(p *network.Port) int32 {
	if p.Type != network.Localnet {
		return n.index(p.Datapath.UUID)
	}
	i, ok := n.places[p.UUID]
	if !ok {
		i = n.index(wire(p))
		n.places[p.UUID] = i
	}
	return i
}

// wire tells the physical network of a localnet port, with its VLAN.
func wire(p *network.Port) string {
	name := p.Options[network.NetworkName]
	if name == "" {
		return p.Datapath.UUID
	}
	return fmt.Sprintf("%s %d", name, p.Tag)
}

// index is the number of what has a name.
func (n *Numbers) index(name string) int32 {
	i, ok := n.places[name]
	if !ok {
		if n.places == nil {
			n.places = map[string]int32{}
		}
		i = int32(len(n.places))
		n.places[name] = i
	}
	return i
}

func (n *Numbers) find(k key) (end, bool) {
	if e, ok := n.now[k]; ok {
		return e, true
	}
	e, ok := n.before[k]
	if ok {
		n.set(k, e)
	}
	return e, ok
}

func (n *Numbers) set(k key, e end) {
	if n.now == nil || len(n.now) >= maxTuples {
		n.before, n.now = n.now, map[key]end{}
	}
	n.now[k] = e
}

// file makes a connection known by a tuple in a datapath, both ways round.
func (n *Numbers) file(k key, c *numbered) {
	n.set(k, end{c, false})
	if r := k.Tuple.Reverse(); r != k.Tuple {
		n.set(key{k.place, r}, end{c, true})
	}
}

// move follows the flags of a TCP connection: once it is closed, another may open
// with its addresses and ports.
func (c *numbered) move(f *replay.Frame, reply bool) {
	if !isTCP(f) {
		return
	}
	switch flags, d := tcpFlags(f), b2i(reply); {
	case flags&header.FlagRST != 0:
		c.closed = true
	case flags&header.FlagSYN != 0:
		c.tcp.syn[d] = true
	case flags&header.FlagFIN != 0:
		c.tcp.fin[d] = true
		c.closed = c.tcp.fin == [2]bool{true, true}
	}
}

func isTCP(f *replay.Frame) bool { return f.Headers().Key.Get(ipProto) == header.ProtoTCP }

// answers reports whether a packet is what a host sends for a SYN: it accepts the
// connection, or refuses it with a reset that has no sequence number of its own.
func answers(f *replay.Frame) bool {
	l4 := f.Headers().Layout.L4
	if !isTCP(f) || l4 == 0 || l4+20 > len(f.Data) {
		return false
	}
	switch flags := tcpFlags(f); {
	case flags&header.FlagRST != 0:
		return flags&header.FlagACK != 0 && binary.BigEndian.Uint32(f.Data[l4+4:]) == 0
	default:
		return flags&header.FlagSYN != 0 && flags&header.FlagACK != 0
	}
}

// opens reports whether a packet opens a TCP connection.
func opens(f *replay.Frame) bool {
	return isTCP(f) && tcpFlags(f)&(header.FlagSYN|header.FlagACK) == header.FlagSYN
}
