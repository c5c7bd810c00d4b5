package why

import (
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
)

// Facts are what a logical flow's parsed match and actions say of it. Of one that
// does not parse they say nothing.
type Facts struct {
	Always  bool // every packet matches
	Tracked bool // it asks for something of the packet's connection
	Admits  bool // packets of new connections may match
	Sends   bool // its actions write outport

	never bool
	ports []string     // logical ports that it names
	large []*lflow.Set // of them
	chose bool         // it matches packets of certain ports only

	asked  int  // how much it asks for
	tagged bool // a VLAN tag is among that
	group  bool // or that a group's Ethernet address sent the frame
}

// Facts returns what a flow's match and actions say.
func (x *Explainer) Facts(f *network.Flow) *Facts { return &x.of(f).facts }

// opening is the state of a connection's first packet.
var opening = field.U64(uint64(conntrack.Tracked | conntrack.New))

// read reads a match.
func (t *Facts) read(e *lflow.Expr) {
	t.Always, t.never = e.Kind == lflow.Bool && e.True, e.Kind == lflow.Bool && !e.True
	t.Tracked = e.Reads(field.CTState, field.CTMark, field.CTLabel, field.CTProto, field.CTTpSrc, field.CTTpDst,
		field.CTNwSrc, field.CTNwDst, field.CTIP6Src, field.CTIP6Dst)
	t.Admits = e.Could(field.CTState, opening)
	for c := range e.Comparisons() {
		t.asked++
		t.tagged = t.tagged || c.Symbol.Field == field.VLANTCI
		t.group = t.group || c.Symbol.Field == field.EthSrc && c.Mask == field.U64(groupBit)
		if c.Symbol.Field == field.Inport || c.Symbol.Field == field.Outport {
			if c.Kind == lflow.In {
				t.large = append(t.large, c.Set)
			} else {
				t.ports = append(t.ports, c.String)
			}
			t.chose = t.chose || c.Op == lflow.EQ
		}
	}
}

// Concern reports whether the flow is about packets of a port: it names it, itself
// or by a group, or matches those of all ports.
func (t *Facts) Concern(p *network.Port) bool {
	return !t.never && (!t.chose || slices.Contains(t.ports, p.Name) ||
		slices.ContainsFunc(t.large, func(s *lflow.Set) bool { return s.HasPort(p.Name) }))
}
