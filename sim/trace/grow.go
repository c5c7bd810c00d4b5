package trace

import (
	"fmt"
	"slices"
	"strings"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/table"
)

// grower makes a tree from a trace's flat events. What nests is known from
// the events' depths: an event belongs to the last strand of its depth, and
// one of a smaller depth ends the deeper strands.
type grower struct {
	book    *Book
	trace   *Trace
	nodes   *nodes
	index   int // of the event at hand
	strands []strand
}

// strand is one copy of the packet on its way through one pipeline.
type strand struct {
	depth int
	at    *Node // what happens is a child of this node: the stage
	next  *Node // where the packet is next is a child of this node
	op    *table.Op
	sets  int  // assignments seen of op
	skip  bool // the flow that matched is not worth showing

	member       bool // a copy for a group's member that has not entered its pipeline
	port, inport uint32
}

// of returns the strand of an event that begins none.
func (g *grower) of(ev *Event) *strand {
	g.end(int(ev.Depth) + 1)
	top := &g.strands[len(g.strands)-1]
	if top.depth < int(ev.Depth) {
		f := *top
		f.depth, f.at = int(ev.Depth), top.next
		g.strands = append(g.strands, f)
		top = &g.strands[len(g.strands)-1]
	}
	return top
}

// begin begins a strand at a node that follows from what its parent did.
func (g *grower) begin(ev *Event, n *Node) *strand {
	g.end(int(ev.Depth))
	top := &g.strands[len(g.strands)-1]
	if top.member && n.Kind == PipelineNode {
		n.Indent = true
		n.order = g.book.Net.Ports[top.port].Name
	}
	top.next.add(n)
	g.strands = append(g.strands, strand{depth: int(ev.Depth), at: n, next: n})
	return &g.strands[len(g.strands)-1]
}

// end ends the strands of a depth and below.
func (g *grower) end(depth int) {
	for len(g.strands) > 1 && g.strands[len(g.strands)-1].depth >= depth {
		g.strands = g.strands[:len(g.strands)-1]
	}
}

func (n *Node) add(c *Node) *Node {
	n.Children = append(n.Children, c)
	return c
}

func (g *grower) node(kind NodeKind, format string, args ...any) *Node {
	n := g.nodes.take()
	n.Kind, n.Event = kind, g.index
	if format == "%s" {
		if text, ok := args[0].(string); ok {
			n.Text = text
			return n
		}
	}
	n.Text = fmt.Sprintf(format, args...)
	return n
}

// say adds a node to what happens at the strand's stage.
func (g *grower) say(f *strand, kind NodeKind, format string, args ...any) *Node {
	return f.at.add(g.node(kind, format, args...))
}

// lead adds a node under which the packet goes on.
func (g *grower) lead(f *strand, kind NodeKind, format string, args ...any) *Node {
	f.next = g.say(f, kind, format, args...)
	return f.next
}

func (g *grower) event(ev *Event) {
	switch ev.Kind {
	case Enter:
		g.enter(ev)
	case Match:
		g.match(ev)
	case Miss:
		g.miss(ev)
	case Act:
		g.act(ev)
	case Block:
		g.begin(ev, g.node(TransformNode, "%s", g.blockName(ev))).at.order = emptyBlock
	case CT:
		g.track(ev)
	case NAT:
		g.translate(ev)
	case Set, Found, Lost:
		g.value(ev)
	case Jump, Redirect, Flood, Member, Out, Tunnel:
		g.moves(ev)
	case Drop:
		g.drop(ev)
	case Log:
		g.log(ev)
	case Broken:
		g.say(g.of(ev), ErrorNode, "*** logical flow %s does not compile and is left out: %s",
			short(g.book.Net.Flows[ev.Flow].UUID), g.trace.Texts[ev.Arg])
	case Learn, Made:
		g.say(g.of(ev), NoteNode, "%s", ev.Reason)
	case Note:
		g.say(g.of(ev), ActionNode, "/* %s */", ev.Reason)
	}
}

func (g *grower) enter(ev *Event) {
	if !ev.Egress && ev.Depth > 0 {
		g.end(int(ev.Depth))
		parent := &g.strands[len(g.strands)-1]
		if from := g.book.Net.Ports[ev.Port].Peer; from != nil {
			g.say(parent, OutputNode, "%s", g.book.output(from))
		}
		parent.next = parent.at
	}
	n := g.node(PipelineNode, "%s", g.book.Pipeline(ev))
	if n.On = g.book.host(ev.Port, ev.Chassis); ev.Egress {
		n.On = g.book.host(uint32(ev.Arg), ev.Chassis)
	}
	g.begin(ev, n)
}

func (g *grower) match(ev *Event) {
	f := g.of(ev)
	if f.skip = g.book.omits(ev.Flow, ev.Table); f.skip {
		return
	}
	f.at = f.next.add(g.node(TableNode, "%s", g.book.Stage(ev)))
	f.next, f.op = f.at, nil
	g.openFlow(f, ev)
	if fl := g.book.flow(ev.Flow); fl != nil && len(fl.Ops) == 0 {
		g.say(f, ActionNode, "drop;")
	}
}

// openFlow adds the OpenFlow flows of a logical flow.
func (g *grower) openFlow(f *strand, ev *Event) {
	if g.book.OpenFlow == nil {
		return
	}
	lines, known := g.book.OpenFlow(ev.Chassis, ev.Flow)
	if !known {
		return
	}
	for _, line := range lines {
		g.say(f, ActionNode, "%s", line).Flow = true
	}
	if len(lines) == 0 {
		g.say(f, ErrorNode, "*** no OpenFlow flows")
	}
}

func (g *grower) miss(ev *Event) {
	f := g.of(ev)
	stage := g.book.stageOf(ev)
	if stage != "" {
		stage += ": "
	}
	f.at = f.next.add(g.node(TableNode, "%2d. %sno match (implicit drop)", ev.Table, stage))
	f.next, f.op, f.skip = f.at, nil, false
}

func (g *grower) act(ev *Event) {
	f := g.of(ev)
	if f.skip {
		return
	}
	f.next, f.sets = f.at, 0
	b := g.book
	text := b.spell(spelledKey{ev.Flow, ev.Arg, 0}, func() string { return b.Action(ev.Flow, ev.Arg) })
	n := g.say(f, ActionNode, "%s", b.spell(spelledKey{ev.Flow, ev.Arg, 1}, func() string { return b.friendly(text) }))
	f.op = nil
	if fl := g.book.flow(ev.Flow); fl != nil {
		f.op = fl.Op(int(ev.Arg))
	}
	if f.op == nil {
		return
	}
	switch f.op.Code {
	case lflow.OpNext:
		a, ok := f.op.Action.(lflow.Next)
		n.Jump = ok && a.Explicit
	case lflow.OpLoad:
		if f.op.Dst.Field > field.Flags {
			g.say(f, ModifyNode, "%s", text[:len(text)-1])
		}
	case lflow.OpLoadOVNField:
		g.say(f, ModifyNode, "%s", text[:len(text)-1])
	case lflow.OpDecTTL:
		g.say(f, ModifyNode, "ip.ttl--")
	case lflow.OpPutOpts:
		g.options(f, text)
	}
}

// options tells of an action that turns the packet into the reply to it.
func (g *grower) options(f *strand, text string) {
	answered := g.index+1 < len(g.trace.Events()) && g.trace.Events()[g.index+1].Kind == Made
	_, call, _ := strings.Cut(strings.TrimSuffix(text, ";"), " = ") // as ovn-trace says it: without its destination
	if a, ok := f.op.Action.(lflow.PutOpts); ok && a.Op != lflow.PutNDRAOpts {
		if answered {
			g.say(f, ErrorNode, "/* We assume that this packet is DHCPDISCOVER or DHCPREQUEST. */")
		} else {
			g.say(f, ErrorNode, "/* This packet is not a DHCP request that gets an answer. */")
		}
	}
	g.say(f, ModifyNode, "%s", call)
}

// log tells what an ACL's log action writes.
func (g *grower) log(ev *Event) {
	f := g.of(ev)
	if f.op == nil {
		return
	}
	a, ok := f.op.Action.(lflow.Log)
	if !ok {
		return
	}
	name, direction := a.Name, "IN"
	if !a.HasName && name == "" {
		name = "<unnamed>"
	}
	if f.at.Event >= 0 && g.trace.Events()[f.at.Event].Egress {
		direction = "OUT"
	}
	g.say(f, TransformNode, "LOG: ACL name=%s, direction=%s, verdict=%s, severity=%s, packet=\"%s\"",
		name, direction, a.Verdict, a.Severity, FormatFlow(g.book.Net, &g.trace.Keys[ev.Arg]))
}

// blockName is what ovn-trace calls the packet that a block is about.
func (g *grower) blockName(ev *Event) string {
	fl := g.book.flow(ev.Flow)
	if fl == nil {
		return "block"
	}
	op := fl.Op(int(ev.Arg))
	switch op.Block {
	case lflow.Clone:
		return "clone"
	case lflow.ARP:
		return "arp"
	case lflow.NDNS:
		return "nd_ns"
	case lflow.NDNA, lflow.NDNARouter:
		return "nd_na"
	}
	switch ev.Port { // the IP protocol of the packet made
	case header.ProtoTCP:
		return "tcp_reset"
	case header.ProtoSCTP:
		return "sctp_abort"
	case header.ProtoICMPv6:
		return "icmp6"
	}
	return "icmp4"
}

// value tells what an action assigned or found.
func (g *grower) value(ev *Event) {
	f := g.of(ev)
	if f.op == nil {
		return
	}
	v := g.trace.Values()[ev.Arg]
	f.sets++
	switch a := f.op.Action.(type) {
	case lflow.Move:
		g.say(f, ModifyNode, "%s = %s", a.Dst, formatValue(f.op.A, v))
	case lflow.Exchange:
		if f.sets == 1 && f.op.A.Field > field.Flags {
			g.say(f, ModifyNode, "%s = %s", a.A, formatValue(f.op.B, v))
		} else {
			g.say(f, ModifyNode, "%s = %s", a.B, formatValue(f.op.A, v))
		}
	case lflow.Push:
		g.say(f, ModifyNode, "push(%s) -> %s", a.Field, hex(v))
	case lflow.Pop:
		g.say(f, ModifyNode, "pop(%s) <- %s", a.Field, hex(v))
	case lflow.Select:
		g.lead(f, TransformNode, "select: %s = %d%s", a.Dst, v.Lo, g.chosen())
	default:
		g.lookup(f, ev, v)
	}
}

// chosen says how a member was chosen: the event before tells.
func (g *grower) chosen() string {
	if g.index > 0 {
		switch ev := g.trace.Events()[g.index-1]; {
		case ev.Kind == Note && ev.Reason == ObservedChoice, ev.Kind == Act:
			return ""
		}
	}
	return " /* Randomly selected. Use --select-id to specify. */"
}

func (g *grower) lookup(f *strand, ev *Event, v field.Uint128) {
	found := ev.Kind == Found
	mac := header.FormatMAC(v.Lo)
	switch a := f.op.Action.(type) {
	case lflow.GetMACBind:
		if found {
			g.say(f, ActionNode, "/* MAC binding to %s. */", mac)
		} else {
			g.say(f, ActionNode, "/* No MAC binding. */")
		}
		g.say(f, ModifyNode, "eth.dst = %s", mac)
	case lflow.LookupMACBind:
		switch {
		case !found:
			g.say(f, ActionNode, "/* lookup failed - No MAC binding. */")
		case a.MAC.Symbol == nil:
			g.say(f, ActionNode, "/* MAC binding found. */")
		default:
			g.say(f, ActionNode, "/* MAC binding to %s found. */", mac)
		}
	case lflow.LookupFDB:
		if found {
			g.say(f, ActionNode, "/* MAC lookup for %s found in FDB. */", mac)
		} else {
			g.say(f, ActionNode, "/* lookup mac failed in mac learning table. */")
		}
	case lflow.Result:
		if a.Op == lflow.CheckLBHairpin || a.Op == lflow.CheckLBHairpinReply {
			n := 0
			if found {
				n = 1
			}
			g.say(f, ModifyNode, "%s = %d", a.Dst, n)
		}
	}
}

func (g *grower) moves(ev *Event) {
	b := g.book
	switch ev.Kind {
	case Member:
		g.end(int(ev.Depth))
		top := g.strands[len(g.strands)-1]
		g.strands = append(g.strands, strand{depth: int(ev.Depth), at: top.next, next: top.next,
			member: true, port: ev.Port, inport: uint32(ev.Arg)})
		return
	}
	f := g.of(ev)
	switch ev.Kind {
	case Jump:
		name, port := "ingress", "inport"
		if ev.Egress {
			name, port = "egress", "outport"
		}
		g.lead(f, PipelineNode, "%s(dp=\"%s\", %s=%s)", name, b.datapath(ev.Datapath), port, b.Port(ev.Port))
	case Redirect:
		p := b.Net.Ports[ev.Port]
		g.say(f, OutputNode, "/* Replacing type \"%s\" outport %s with distributed port %s. */",
			p.TypeName, b.Port(ev.Port), b.Port(uint32(ev.Arg)))
	case Flood:
		group := b.Net.Groups[ev.Arg]
		g.lead(f, PipelineNode, "multicast(dp=\"%s\", mcgroup=\"%s\")", b.datapath(ev.Datapath),
			group.Name).order = floodOrder
	case Out:
		p := b.Net.Ports[ev.Port]
		host := b.host(ev.Port, ev.Chassis)
		g.say(f, OutputNode, "%s", b.output(p)).On = host
		g.say(f, ModifyNode, "output(%s)", b.Port(ev.Port)).On = host
		f.next = f.at
	case Tunnel:
		g.say(f, NoteNode, "tunnel to chassis \"%s\"", b.Net.Chassis[ev.Arg].Name)
	}
}

func (b *Book) output(p *network.Port) string {
	return fmt.Sprintf("/* output to %s, type \"%s\" */", b.Port(uint32(p.Index)), p.TypeName)
}

// drop tells why a packet ends, unless the node before has told.
func (g *grower) drop(ev *Event) {
	f := g.of(ev)
	switch ev.Reason {
	case DropAction, DropNoMatch:
	case DropConsumed, DropWaits, DropFragment:
		g.say(f, NoteNode, "%s", ev.Reason)
	case DropLoopback:
		n := g.node(OutputNode, "/* %s */", ev.Reason)
		if f.member {
			egress := g.node(PipelineNode, "egress(dp=\"%s\", inport=%s, outport=%s)",
				g.book.datapath(ev.Datapath), g.book.Port(f.inport), g.book.Port(f.port))
			egress.On = g.book.host(f.port, ev.Chassis)
			egress.order = g.book.Net.Ports[f.port].Name
			f.next.add(egress).add(n)
			return
		}
		f.at.add(n)
	case DropTTL:
		if k := len(f.at.Children); k > 0 && f.at.Children[k-1].Text == "ip.ttl--" {
			f.at.Children = slices.Delete(f.at.Children, k-1, k)
		}
		g.say(f, ErrorNode, "*** TTL underflow")
	case DropNoOutport:
		g.say(f, ErrorNode, "*** output to null logical port")
	case DropNoBackend:
		g.say(f, ErrorNode, "*** no load balancing destination (use --lb-dst)")
	default:
		g.say(f, ErrorNode, "*** %s", ev.Reason)
	}
}
