package ledger

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
)

const ipProto = field.IPProto

// tcpState is what the flags of both directions have shown.
type tcpState struct{ syn, fin [2]bool }

// segment reads a TCP segment's numbers: its first, and the one behind it.
func segment(f *replay.Frame) (seq, end uint32, ok bool) {
	h := f.Headers()
	l4 := h.Layout.L4
	if l4 == 0 || l4+20 > len(f.Data) {
		return 0, 0, false
	}
	b := f.Data[l4:]
	seq = binary.BigEndian.Uint32(b[4:])
	// What the capture cut off counts: the length is the IP packet's.
	length := h.Layout.L3End - l4 - int(b[12]>>4)*4
	if f.Wire > len(f.Data) && h.Layout.L3End == len(f.Data) {
		length += f.Wire - len(f.Data)
	}
	end = seq + uint32(max(length, 0))
	if b[13]&(header.FlagSYN|header.FlagFIN) != 0 {
		end++
	}
	return seq, end, true
}

// move advances what is said of a connection's state, by its own packets alone:
// conntrack's view is the zones'.
func (c *Conn) move(f *replay.Frame, x *note) {
	if c.Asked.Proto != header.ProtoTCP {
		if x.reply {
			c.enter(f, "answered")
		} else if len(c.States) == 0 {
			c.enter(f, "unanswered")
		}
		return
	}
	switch flags := tcpFlags(f); {
	case flags&header.FlagRST != 0:
		c.enter(f, "reset")
	case flags&header.FlagSYN != 0:
		if x.tcp.syn[1] {
			c.enter(f, "answered")
		} else {
			c.enter(f, "opening")
		}
	case flags&header.FlagFIN != 0:
		if x.closed {
			c.enter(f, "closed")
		} else {
			c.enter(f, "closing")
		}
	case len(c.States) == 0:
		c.enter(f, "in the middle")
	case c.state() == "answered" && !x.reply:
		c.enter(f, "established")
	}
}

// answer notes that OVN answered a packet itself.
func (c *Conn) answer(f *replay.Frame, out *sim.Outcome, x *note) {
	if x.turned {
		c.enter(f, "answered by OVN")
		return
	}
	o := answerOf(out)
	if o == nil {
		return
	}
	k := &o.Headers().Key
	switch proto := k.Get(ipProto); {
	case proto == header.ProtoTCP && k.Get(field.TCPFlags)&header.FlagRST != 0:
		c.enter(f, "reset by OVN")
	case proto == header.ProtoSCTP:
		c.enter(f, "aborted by OVN")
	case isError(o):
		c.enter(f, "ICMP error by OVN")
	default:
		c.enter(f, "answered by OVN")
	}
}

// answerOf is the answer that OVN gave to a packet in place of whom it was for, nil if
// it gave none.
func answerOf(out *sim.Outcome) *sim.Output {
	if !why.Instead(out) || out.Trace.Has(trace.DropWaits) {
		return nil
	}
	return &out.Outputs[0]
}

// isError reports whether a packet that leaves is an ICMP error.
func isError(o *sim.Output) bool {
	var p nat.Packet
	l := &o.Headers().Layout
	return l.L3 != 0 && p.Parse(o.Data[l.L3:l.L3End]) == nat.NoFault && p.IsError
}

// state is the present one.
func (c *Conn) state() string {
	if n := len(c.States); n > 0 {
		return c.States[n-1].State
	}
	return ""
}

// enter notes a state, unless the connection is in it or has been through more
// of them than anybody reads.
func (c *Conn) enter(f *replay.Frame, state string) {
	const most = 32
	if c.state() == state || len(c.States) >= most {
		return
	}
	if state == "answered" && slices.ContainsFunc(c.States, func(s State) bool { return s.State == state }) {
		return
	}
	c.States = append(c.States, State{f.Time, state})
}

// Names tells who has an address, by what the Southbound database says of ports
// and load balancers.
type Names struct {
	net    *network.Network
	of     *network.Network // when by was made, and how often it had become another
	became int
	by     map[string]string
	ports  map[string]string
	owner  map[netip.Addr]*network.Port
	kept   func(key string, at conntrack.Time) string // by a session, see Named
	now    conntrack.Time

	floating func() map[netip.Addr]netip.Addr
}
