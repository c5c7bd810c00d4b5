package ledger

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/why"
)

// owner is who has the address of one end of a connection.
type owner struct {
	addr netip.Addr
	port *network.Port // nil: nobody is known
	name string        // of the port while it had the address
}

// ends are whose the addresses of a connection's client and server are.
type ends struct {
	owners [2]owner
	gone   [2]string // what of them is another's, or nobody's
}

// note notes what a connection goes on with although the network no longer has
// it: an end whose address is another's now, or nobody's. What begins a
// connection anew begins it with whoever has the address.
func (e *ends) note(x *why.Explainer, names *Names, addrs [2]netip.Addr, out *sim.Outcome, now conntrack.Time) {
	goesOn := established(out)
	for i, a := range addrs {
		o, has := &e.owners[i], names.Owner(a)
		first := o.addr != a
		switch {
		case first, !goesOn:
			*o = owner{addr: a}
			e.gone[i] = ""
		case has == o.port:
			continue
		}
		if goesOn && (o.port != nil || first && has == nil) {
			e.gone[i] = o.lost(x, has, now)
		}
		if has != nil {
			o.port, o.name = has, PortName(has)
		}
	}
}

// lost says whose an address was, "" if that is not known: it may be one outside.
func (o *owner) lost(x *why.Explainer, now *network.Port, at conntrack.Time) string {
	was, until := x.Owned(o.addr, at)
	name := o.name
	switch {
	case was == nil && name == "":
		return ""
	case name == "":
		name = PortName(was)
	case was == nil || was.UUID != o.port.UUID:
		until = ""
	}
	text := fmt.Sprintf("%s was %s", o.addr, name)
	if until != "" {
		text += " until " + until
	}
	if now != nil {
		return text + ", and is " + PortName(now) + " now"
	}
	return text + ", and nobody has it now"
}

// Marker marks, before other handlers get them, packets of a replay during which the
// network changes: those whose connection uses what it no longer has. So it is told
// of each packet, and kept in sessions.
type Marker struct {
	Why *why.Explainer
	// Translations marks what translates, too, and what would have: who has no flows cannot find out.
	Translations bool

	names   *Names
	numbers Numbers
}

// Entered implements replay.Handler.
func (m *Marker) Entered(f *replay.Frame, p *replay.Point, out *sim.Outcome) {
	if x, ok := m.numbers.note(f, p, out); ok {
		if m.names == nil {
			m.names = NewNames(m.Why.Book.Net, m.Why.Floating)
		}
		if x.ends == nil {
			x.ends = &ends{}
		}
		server := serverOf(&x.asked, &x.sent, func(yield func(orig, reply *nat.Tuple) bool) {
			for i := range out.Trace.CT {
				if s := &out.Trace.CT[i]; s.Connected && !yield(&s.Orig, &s.Reply) {
					return
				}
			}
		})
		x.ends.note(m.Why, m.names, [2]netip.Addr{x.asked.SrcAddr(), server}, out, f.Time)
		for _, gone := range x.ends.gone {
			if gone != "" {
				out.Trace.Uses(gone)
			}
		}
	}
	if m.Translations {
		m.translations(out)
	}
}

// Observed implements replay.Handler.
func (m *Marker) Observed(*replay.Frame, *replay.Point) {}

// Skipped implements replay.Handler.
func (m *Marker) Skipped(*replay.Frame, *replay.Point, string) {}

func (m *Marker) translations(out *sim.Outcome) {
	if len(out.Trace.NAT) == 0 && !why.Instead(out) {
		return
	}
	for _, d := range m.Why.Decide(out) {
		if d.Stale != "" {
			out.Trace.Uses(d.Stale)
		}
	}
}

// Noter notes on packets, before other handlers get them, what a session could not tell of them,
// and in its roster what was seen to leave.
type Noter struct {
	Why    *why.Explainer
	Roster *Roster
}

// Entered implements replay.Handler.
func (n Noter) Entered(_ *replay.Frame, _ *replay.Point, out *sim.Outcome) { n.Why.Keep(out) }

// Observed implements replay.Handler.
func (n Noter) Observed(f *replay.Frame, p *replay.Point) { n.Roster.Saw(f, p) }

// Skipped implements replay.Handler.
func (Noter) Skipped(*replay.Frame, *replay.Point, string) {}

// Stale is what the connection used at its last packet and the network no longer
// had, "" if nothing.
func (c *Conn) Stale() string {
	var parts []string
	for _, s := range append([]string{c.stale, c.ends.gone[0], c.ends.gone[1]}, c.marked...) {
		if s != "" && !slices.Contains(parts, s) {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, "; ")
}

// serverAddr is who gets what the client sends, as far as is known.
func (c *Conn) serverAddr() netip.Addr {
	return serverOf(&c.Asked, &c.Sent, func(yield func(orig, reply *nat.Tuple) bool) {
		for i := range c.Zones {
			if !yield(&c.Zones[i].Orig, &c.Zones[i].Reply) {
				return
			}
		}
	})
}

// serverOf is serverAddr of a connection by the tuples it has where it is kept.
func serverOf(asked, sent *nat.Tuple, kept iter.Seq2[*nat.Tuple, *nat.Tuple]) netip.Addr {
	if *sent != (nat.Tuple{}) {
		return sent.DstAddr()
	}
	for orig, reply := range kept {
		if reply.Src != orig.Dst {
			return reply.SrcAddr()
		}
	}
	return asked.DstAddr()
}

// established reports whether some zone knew the packet's connection.
func established(out *sim.Outcome) bool {
	for i := range out.Trace.CT {
		if s := &out.Trace.CT[i]; s.State&conntrack.Established != 0 {
			return true
		}
	}
	return false
}

// opensAnew reports whether zones that a packet was looked up in did not know it.
func opensAnew(out *sim.Outcome) bool { return len(out.Trace.CT) > 0 && !established(out) }
