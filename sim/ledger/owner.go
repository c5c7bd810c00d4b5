package ledger

import (
	"fmt"
	"net/netip"
	"strings"

	"ovnreplay/conntrack"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/replay"
)

// owner is who has the address of one end of a connection.
type owner struct {
	addr netip.Addr
	port *network.Port // nil: nobody is known
	name string        // of the port while it had the address
}

// noteOwners notes what a connection goes on with although the network no longer has
// it: an end whose address is another's now, or nobody's. What begins a
// connection anew begins it with whoever has the address.
func (l *Ledger) noteOwners(c *Conn, f *replay.Frame, out *sim.Outcome) {
	goesOn := established(out)
	for i, a := range [...]netip.Addr{c.Asked.SrcAddr(), c.serverAddr()} {
		o, now := &c.owners[i], l.names.Owner(a)
		first := o.addr != a
		switch {
		case first, !goesOn:
			*o = owner{addr: a}
			c.gone[i] = ""
		case now == o.port:
			continue
		}
		if goesOn && (o.port != nil || first && now == nil) {
			c.gone[i] = l.lost(o, now, f.Time)
		}
		if now != nil {
			o.port, o.name = now, PortName(now)
		}
	}
}

// lost says whose an address was, "" if that is not known: it may be one outside.
func (l *Ledger) lost(o *owner, now *network.Port, at conntrack.Time) string {
	was, until := l.why.Owned(o.addr, at)
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

// Stale is what the connection used at its last packet and the network no longer
// had, "" if nothing.
func (c *Conn) Stale() string {
	var parts []string
	for _, s := range [...]string{c.stale, c.gone[0], c.gone[1]} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, "; ")
}

// serverAddr is who gets what the client sends, as far as is known.
func (c *Conn) serverAddr() netip.Addr {
	if c.To.Port != "" {
		return c.Sent.DstAddr()
	}
	for i := range c.Zones {
		if z := &c.Zones[i]; z.Reply.Src != z.Orig.Dst {
			return z.Reply.SrcAddr()
		}
	}
	return c.Asked.DstAddr()
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
