package why

import (
	"net/netip"
	"slices"
	"strings"

	"ovnreplay/conntrack"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/trace"
)

// Since OVN 23.06 the stage that drops by an ACL is the same for all of them,
// and so it is with port security and what no port is known for: the stage
// drops because a bit is set, and another flow decided by setting it. The flow
// to blame is the last one before that wrote what the dropping flow tests.

// sides are what a flow tests of the metadata, and what it writes.
type sides struct {
	tests []field.Slice
	more  bool // it tests something of the packet, too: it decides itself
	// refusing: it tests ct.inv, alone or with other things.
	refusing  bool
	writes    []write
	makes     []making // of addresses
	balances  bool     // among backends, or looks for the one that was given
	plain     string   // what it asks for, but that the port
	resident  string   // is resident,
	absent    string   // and that another is not
	secures   bool     // it asks what a port's security allows
	denies    bool     // it drops, or answers that the packet is not wanted
	logged    string   // the name by which an ACL logs
	aims      string   // at this port
	marks     bool     // the packet's DSCP:
	dscp      uint8
	mac       uint64 // the Ethernet address that it sends packets to, if it
	addresses bool   // gives them one
	choice    *lflow.Select
	regs      []bits     // of reg8 and reg9
	hop       netip.Addr // by this one
	rewrite   Rewrite
	turns     *answer // it makes one of a question
	asks      asks    // of the addresses and ports that it translates
	facts     Facts
	match     string // of the flow when its sides were read, and its actions:
	does      string // a flow keeps its place when the network becomes another

	learns      netip.AddrPort  // the load balancer's address by which it learns backends
	made, about *network.Object // what it was made of, and what of it it is about
}

// write is one assignment. A constant 0 takes a verdict back.
type write struct {
	to   field.Slice
	zero bool
}

// maxSides bounds the flows of which it is kept what they say: each path of a session has its own.
const maxSides = 1 << 16

// of reads a flow's sides, once.
func (x *Explainer) of(f *network.Flow) *sides {
	if s := x.sides[f]; s != nil && s.match == f.Match && s.does == f.Actions {
		return s
	}
	s := &sides{match: f.Match, does: f.Actions}
	env := x.env(f)
	if e, err := lflow.ParseMatch(f.Match, env); err == nil {
		if e, err = lflow.Annotate(e, env); err == nil {
			e = lflow.Simplify(e)
			s.plain, s.resident, s.absent = apart(e)
			s.facts.read(e)
			s.read(e)
			s.asks.read(e, f)
		}
	}
	if actions, _, err := lflow.ParseActions(f.Actions, env); err == nil {
		s.facts.Sends, s.denies = lflow.Writes(actions, field.Outport), denies(actions)
		for _, a := range actions {
			s.assign(a)
			s.translate(a)
			s.route(a)
			s.rewrites(a)
			s.turn(a)
		}
	}
	if x.sides == nil || len(x.sides) >= maxSides {
		x.sides = map[*network.Flow]*sides{}
	}
	x.sides[f] = s
	return s
}

// env is the environment of a flow: what of sets was read is kept while the network is the same.
func (x *Explainer) env(f *network.Flow) *lflow.Env {
	if net := x.Book.Net; x.envs == nil || x.envsOf != net || x.envsAt != net.Became {
		x.envs, x.envsOf, x.envsAt = sim.NewEnvs(net), net, net.Became
	}
	return x.envs.Of(f).WholeSets()
}

// read collects the bits of registers and flags that must be set for a match.
func (s *sides) read(e *lflow.Expr) {
	switch e.Kind {
	case lflow.And, lflow.Or:
		for _, a := range e.Args {
			s.read(a)
		}
	case lflow.In:
		s.more = true
	case lflow.Cmp:
		if e.Symbol.Field == field.CTState && !e.Mask.And(invalid).IsZero() {
			s.refusing = s.refusing || (e.Op == lflow.EQ) == !e.Value.And(invalid).IsZero() // it is 1, or it is not 0
		}
		if e.Op != lflow.EQ {
			s.more = s.more || !isMetadata(e.Symbol.Field)
			return
		}
		if e.Symbol.IsString() {
			if e.Symbol.Name == "outport" && e.String == "none" {
				s.tests = append(s.tests, e.Symbol.Slice())
			} else {
				s.more = true
			}
			return
		}
		if !isMetadata(e.Symbol.Field) {
			s.more = true
			return
		}
		for v := e.Value.And(e.Mask); !v.IsZero(); {
			n := v.TrailingZeros()
			s.tests = append(s.tests, field.Slice{Field: e.Symbol.Field, Ofs: uint8(n), Width: 1})
			v = v.AndNot(field.U64(1).Lsh(uint(n)))
		}
	}
}

// invalid is ct.inv in ct_state.
var invalid = field.U64(uint64(conntrack.Invalid))

// asksFor reports whether the flow sets a bit: one by which a later stage looks
// the packet up.
func (s *sides) asksFor() bool {
	return slices.ContainsFunc(s.writes, func(w write) bool { return isMetadata(w.to.Field) && !w.zero })
}

func isMetadata(id field.ID) bool {
	switch id {
	case field.XXReg0, field.XXReg1, field.XReg4, field.Flags:
		return true
	}
	return false
}

// assign notes what an action writes.
func (s *sides) assign(a lflow.Action) {
	switch l := a.(type) {
	case lflow.Log:
		s.logged = l.Name
	case lflow.CommitLBAffinity:
		s.learns = l.VIP
	case lflow.Result:
		s.secures = l.Op == lflow.CheckInPortSec || l.Op == lflow.CheckOutPortSec
	}
	zero := false
	if l, ok := a.(lflow.Load); ok && l.Dst.Symbol.OVNField == lflow.NoOVNField {
		zero = l.Value.Value.IsZero() && l.Value.String == ""
		if l.Dst.Slice().Field == field.Outport {
			s.aims = l.Value.String
		}
		switch l.Dst.Slice().Field {
		case field.IPDSCP:
			s.marks, s.dscp = true, uint8(l.Value.Value.Lo)
		case field.EthDst:
			s.mac = l.Value.Value.Lo
		}
	}
	for _, to := range lflow.Targets(a) {
		s.addresses = s.addresses || to.Slice().Field == field.EthDst
		if to.Symbol.OVNField == lflow.NoOVNField {
			s.writes = append(s.writes, write{to.Slice(), zero})
		}
	}
}

// sets reports whether a flow gives one of the bits a value, and whether only 0.
func (s *sides) sets(tests []field.Slice) (sets, zero bool) {
	for _, w := range s.writes {
		for _, t := range tests {
			if w.to.Field == t.Field && w.to.Ofs < t.Ofs+t.Width && t.Ofs < w.to.Ofs+w.to.Width {
				sets, zero = true, w.zero
			}
		}
	}
	return sets, zero
}

// blame finds the flow that decided what the flow of d does at an event, by
// looking back along the packet's way through this pipeline.
func (x *Explainer) blame(d Decision, t *trace.Trace, i int) Decision {
	tests := x.of(d.Flow).tests
	if len(tests) == 0 || x.of(d.Flow).more {
		return d
	}
	at := &t.Events()[i]
	for j := i - 1; j >= 0; j-- {
		ev := &t.Events()[j]
		if ev.Chassis != at.Chassis || ev.Datapath != at.Datapath || ev.Depth > at.Depth {
			continue
		}
		if ev.Kind == trace.Enter || ev.Kind == trace.Jump && ev.Egress {
			break
		}
		if ev.Kind != trace.Match {
			continue
		}
		f := x.Book.Net.Flows[ev.Flow]
		if sets, zero := x.of(f).sets(tests); sets {
			if zero || f == d.Flow {
				continue
			}
			d.Flow, d.Event, d.Stage, d.Object = f, j, f.StageName(), x.Object(f)
			return d
		}
	}
	return d
}

// isACL reports whether a stage holds the flows of ACLs, and not what leads to
// them or follows.
func isACL(stage string) bool {
	return strings.Contains(stage, "_acl") && !strings.Contains(stage, "pre_acl") &&
		!strings.Contains(stage, "acl_hint")
}
