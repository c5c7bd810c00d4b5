package network

import (
	"slices"
	"strings"
	"time"
)

// everywhere reports whether every chassis has the port for itself.
func (p *Port) everywhere() bool {
	return p.Type == Patch || p.Type == Localnet || p.Type == Localport
}

// several reports whether more chassis than one have a port of their own of this
// name, with a wire of its own: one to the provider's network, or to the host.
// Where all that is bound of its datapath is in one place, so is the port.
func (p *Port) several(n *Network) bool {
	if p.Type != Localnet && p.Type != Localport || len(n.Chassis) < 2 {
		return false
	}
	var one *Chassis
	for _, q := range p.Datapath.Ports {
		switch {
		case q.Chassis == nil:
		case one == nil:
			one = q.Chassis
		case one != q.Chassis:
			return true
		}
	}
	return one == nil
}

// settle works out whether a port is a network function's and the one chassis it is at. The row's chassis column
// says it. While nobody has claimed the port, a gateway port is taken to be
// where its options say, a redirecting or external one at the chassis of
// highest priority, a container's port where its parent is, and a mirror's
// where the port is that it leads to.
func (p *Port) settle(n *Network) {
	p.function = p.Options["is-nf"] == "true"
	p.active, p.Several = p.Chassis, p.several(n)
	switch {
	case p.everywhere():
		p.active = nil
	case p.active != nil:
	case p.Type == L3Gateway:
		p.active = n.chassis[p.Options["l3gateway-chassis"]]
	case p.Type == L2Gateway:
		p.active = n.chassis[p.Options["l2gateway-chassis"]]
	case (p.Type == ChassisRedirect || p.Type == External) && len(p.HAChassis) > 0:
		p.active = p.HAChassis[0].Chassis
	case p.MirrorTo != nil:
		p.active = p.MirrorTo.Chassis
	case p.Parent != nil:
		p.active = p.Parent.Chassis
	}
}

// ActiveChassis is the one chassis that handles the port's packets; nil for a
// port that every chassis has (patch, localnet, localport) and for one that
// is nowhere.
func (p *Port) ActiveChassis() *Chassis { return p.active }

// ResidentOn reports whether the chassis handles the port's packets: always
// for a patch, localnet or localport, which every chassis has; else where the
// port is bound, additionally bound, or for a chassisredirect port active.
func (p *Port) ResidentOn(c *Chassis) bool {
	if p.everywhere() {
		return true
	}
	return c != nil && (p.active == c || slices.Contains(p.Additional, c))
}

// IsFunction reports whether the port leads to a network function, which passes
// on what others sent.
func (p *Port) IsFunction() bool { return p.function }

// Activation returns by which kinds of announcement ("rarp", "garp", "na") the
// port becomes active on an additional chassis; nil where it is active.
func (p *Port) Activation(c *Chassis) []string {
	kinds := p.Options["activation-strategy"]
	if kinds == "" || !slices.Contains(p.Additional, c) ||
		slices.Contains(strings.Split(p.Options["additional-chassis-activated"], ","), c.Name) {
		return nil
	}
	return strings.Split(kinds, ",")
}

// BoundTo answers is_chassis_resident("port") of a logical flow as
// ovn-controller does: whether the port is claimed by the chassis, or if a
// chassisredirect port active there. Unlike ResidentOn it is never true of a
// patch, localnet or localport, nor of an additional chassis.
func (p *Port) BoundTo(c *Chassis) bool {
	return c != nil && p.active == c
}

// MayBeAt reports whether a chassis is one of those that the port can be at, as
// members of its high-availability group are.
func (p *Port) MayBeAt(c *Chassis) bool {
	return slices.ContainsFunc(p.HAChassis, func(h HAMember) bool { return h.Chassis == c })
}

// Elsewhere reports whether an interface is, and was as far as is known, at other chassis
// only, or a port is of another zone than a chassis.
func (p *Port) Elsewhere(c *Chassis) bool {
	if p.Datapath.AZ != c.AZ || c.Remote() {
		return true
	}
	return p.Type == VIF && p.active != nil && !p.ResidentOn(c) &&
		!slices.ContainsFunc(p.Been, func(s Stay) bool { return s.Chassis == c.Name })
}

// ChassisAt is the chassis where an interface was at a moment of the history that was asked
// for it, nil if there was none.
func (n *Network) ChassisAt(p *Port, t time.Time) *Chassis {
	var at *Chassis
	for i, s := range p.Been {
		if c := n.chassis[s.Chassis]; i == 0 || !s.Since.After(t) {
			at = c
		}
	}
	return at
}

// Unmapped reports whether a localnet or l2gateway port leads nowhere on a chassis,
// which says to which networks it has bridges, and not that it has one to the port's.
func (p *Port) Unmapped(c *Chassis) bool {
	if p.Type != Localnet && p.Type != L2Gateway || c == nil {
		return false
	}
	if p.TunnelKey == 0 { // it is no more, or not yet: see Become
		return true
	}
	mappings, said := c.Options["ovn-bridge-mappings"]
	network := p.Options[NetworkName]
	if !said || network == "" {
		return false
	}
	for m := range strings.SplitSeq(mappings, ",") {
		if name, _, _ := strings.Cut(m, ":"); strings.TrimSpace(name) == network {
			return false
		}
	}
	return true
}
