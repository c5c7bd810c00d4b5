package trace

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/nat/header"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/table"
)

// Book knows the names of everything a trace's numbers refer to.
type Book struct {
	Net *network.Network
	// Action returns the text of a flow's action, by its number in the flow.
	Action func(flow, seq int32) string
	// Zone returns the name of a chassis' conntrack zone.
	Zone func(chassis int32, zone uint16) string
	// Flow returns a compiled flow by its index; nil leaves out what only
	// compiled flows tell.
	Flow func(index int32) *table.Flow
	// OpenFlow returns the OpenFlow flows of a logical flow on a chassis; false
	// if that chassis' flows are not known. If it is not nil, traces show them.
	OpenFlow func(chassis, flow int32) ([]string, bool)
	// PlainNames shows ports and datapaths by their own names and UUIDs, not
	// by those that people gave them.
	PlainNames bool

	spelled spelled
	nodes   nodes        // of the tree that Write shows
	text    bytes.Buffer // what it writes
}

// spelled is flows and actions as traces write them, kept until the network is another:
// thousands of packets meet the same.
type spelled struct {
	net    *network.Network
	became int
	plain  bool
	texts  map[spelledKey]string
}

// spelledKey is a flow in a table, or one of its actions.
type spelledKey struct {
	flow, seq int32
	table     uint8
}

// maxSpelled bounds how many texts are kept.
const maxSpelled = 1 << 14

// spell returns the text of a flow or action, which write makes if it is not kept.
func (b *Book) spell(k spelledKey, write func() string) string {
	if s := &b.spelled; s.net != b.Net || s.became != b.Net.Became || s.plain != b.PlainNames ||
		len(s.texts) >= maxSpelled {
		*s = spelled{b.Net, b.Net.Became, b.PlainNames, map[spelledKey]string{}}
	}
	text, ok := b.spelled.texts[k]
	if !ok {
		text = write()
		b.spelled.texts[k] = text
	}
	return text
}

// Port returns the quoted name of a port, by its index; "" for none.
func (b *Book) Port(index uint32) string {
	switch {
	case index == 0:
		return `""`
	case int(index) >= len(b.Net.Ports):
		return `"(unnamed)"`
	}
	return `"` + b.portName(b.Net.Ports[index]) + `"`
}

func (b *Book) flow(index int32) *table.Flow {
	if b.Flow == nil || index < 0 {
		return nil
	}
	return b.Flow(index)
}

// Pipeline returns the header of a pipeline.
func (b *Book) Pipeline(ev *Event) string {
	if !ev.Egress && ev.Port == 0 { // as ovn-trace writes it, here and not in egress
		return fmt.Sprintf(`ingress(dp="%s", inport="(unnamed)")`, b.datapath(ev.Datapath))
	}
	if !ev.Egress {
		return fmt.Sprintf("ingress(dp=\"%s\", inport=%s)", b.datapath(ev.Datapath), b.Port(ev.Port))
	}
	return fmt.Sprintf("egress(dp=\"%s\", inport=%s, outport=%s)", b.datapath(ev.Datapath), b.Port(ev.Port),
		b.Port(uint32(ev.Arg)))
}

// host names the chassis on which a port is meant that several have, "" for any
// other port.
func (b *Book) host(port uint32, chassis int32) string {
	if port == 0 || int(port) >= len(b.Net.Ports) || int(chassis) >= len(b.Net.Chassis) || !b.Net.Ports[port].Several {
		return ""
	}
	c := b.Net.Chassis[chassis]
	return cmp.Or(c.Hostname, c.Name)
}

// Stage returns a matched flow as ovn-trace writes it.
func (b *Book) Stage(ev *Event) string {
	return b.spell(spelledKey{ev.Flow, -1, ev.Table}, func() string { return b.writeStage(ev) })
}

func (b *Book) writeStage(ev *Event) string {
	f := b.Net.Flows[ev.Flow]
	name := ""
	switch {
	case f.Stage != "" && f.Source != "":
		name = fmt.Sprintf("%s (%s): ", f.Stage, f.Source)
	case f.Stage != "":
		name = f.Stage + ": "
	case f.Source != "":
		name = fmt.Sprintf("(%s): ", f.Source)
	}
	return fmt.Sprintf("%2d. %s%s, priority %d, uuid %s", ev.Table, name, b.friendly(f.Match), f.Priority,
		short(f.UUID))
}

// omits reports whether a flow is not worth showing: it matches every packet
// and only sends it to the next table.
func (b *Book) omits(flow int32, tbl uint8) bool {
	f := b.flow(flow)
	if f == nil {
		n := b.Net.Flows[flow]
		return n.Match == "1" && n.Actions == "next;"
	}
	return f.Always() && len(f.Ops) == 1 && f.Ops[0].Code == lflow.OpNext && f.Ops[0].Table == tbl+1
}

// stageOf returns the name of the stage of an event that has no flow.
func (b *Book) stageOf(ev *Event) string {
	pipeline := 0
	if ev.Egress {
		pipeline = 1
	}
	tables := b.Net.Datapaths[ev.Datapath].Flows[pipeline]
	if int(ev.Table) < len(tables) && len(tables[ev.Table]) > 0 {
		return tables[ev.Table][0].Stage
	}
	return ""
}

// MissedStage returns the name of the stage of which no flow matched.
func (b *Book) MissedStage(ev *Event) string { return b.stageOf(ev) }

func short(uuid string) string { return uuid[:min(8, len(uuid))] }

// StageName returns the stage of a flow, or the table's number if the flow does not say.
func (b *Book) StageName(flow int32, table uint8) string {
	if flow >= 0 && b.Net.Flows[flow].Stage != "" {
		return b.Net.Flows[flow].Stage
	}
	return fmt.Sprintf("table %d", table)
}

// CT describes a pass through conntrack.
func (b *Book) CT(s *CTStep) string {
	var t strings.Builder
	fmt.Fprintf(&t, "ct zone %d", s.Zone)
	if name := b.Zone(s.Chassis, s.Zone); name != "" {
		fmt.Fprintf(&t, " (%s)", b.zoneName(name))
	}
	fmt.Fprintf(&t, ": %s", StateString(s.State))
	if s.Created {
		t.WriteString(", committed")
	}
	if s.Connected {
		fmt.Fprintf(&t, ", %s reply %s", TupleString(&s.Orig), TupleString(&s.Reply))
	}
	if s.Mark != 0 {
		fmt.Fprintf(&t, ", mark %#x", s.Mark)
	}
	if s.Label != (conntrack.Label{}) {
		fmt.Fprintf(&t, ", label %s", LabelString(s.Label))
	}
	return t.String()
}

// LabelString returns a label in hexadecimal.
func LabelString(l conntrack.Label) string {
	if l.Hi != 0 {
		return fmt.Sprintf("%#x%016x", l.Hi, l.Lo)
	}
	return fmt.Sprintf("%#x", l.Lo)
}

// NAT describes one translation: "un-SNAT dst 172.18.0.4:53642 -> …".
func (b *Book) NAT(s *NATStep) string {
	from, to := s.Ends()
	return fmt.Sprintf("%s %s -> %s", s.Name(), from, to)
}

// Name returns what the translation is called. Undoing a source translation
// changes the reply's destination, and the other way round.
func (s *NATStep) Name() string {
	switch {
	case s.Undo && s.Dst:
		return "un-SNAT"
	case s.Undo:
		return "un-DNAT"
	case s.Dst:
		return "DNAT"
	}
	return "SNAT"
}

// Field is which end of the packet is translated: src or dst.
func (s *NATStep) Field() string {
	if s.Dst {
		return "dst"
	}
	return "src"
}

// Ends returns the translated address before and after.
func (s *NATStep) Ends() (from, to string) {
	return string(s.AppendFrom(nil)), string(s.AppendTo(nil))
}

// AppendFrom appends the translated address before.
func (s *NATStep) AppendFrom(b []byte) []byte { return s.appendEnd(b, &s.From) }

// AppendTo appends the translated address after.
func (s *NATStep) AppendTo(b []byte) []byte { return s.appendEnd(b, &s.To) }

// AppendEnds appends both, "from -> to".
func (s *NATStep) AppendEnds(b []byte) []byte {
	return s.AppendTo(append(s.AppendFrom(b), " -> "...))
}

func (s *NATStep) appendEnd(b []byte, t *nat.Tuple) []byte {
	if s.Dst {
		return appendEndpoint(b, t.DstAddr(), t.DstPort, t.Proto)
	}
	return appendEndpoint(b, t.SrcAddr(), t.SrcPort, t.Proto)
}

func endpoint(a netip.Addr, port uint16, proto uint8) string {
	return string(appendEndpoint(nil, a, port, proto))
}

func appendEndpoint(b []byte, a netip.Addr, port uint16, proto uint8) []byte {
	if hasPorts(proto) {
		return netip.AddrPortFrom(a, port).AppendTo(b)
	}
	b = a.AppendTo(b)
	if port != 0 {
		b = strconv.AppendUint(append(b, " id "...), uint64(port), 10)
	}
	return b
}

func hasPorts(proto uint8) bool {
	return proto == header.ProtoTCP || proto == header.ProtoUDP || proto == header.ProtoSCTP
}

// TupleString writes a tuple: "tcp 10.0.0.1:1 > 10.0.0.2:2".
func TupleString(t *nat.Tuple) string {
	return fmt.Sprintf("%s %s > %s", protoName(t.Proto), endpoint(t.SrcAddr(), t.SrcPort, t.Proto),
		endpoint(t.DstAddr(), t.DstPort, t.Proto))
}

func protoName(p uint8) string {
	switch p {
	case header.ProtoICMP:
		return "icmp"
	case header.ProtoTCP:
		return "tcp"
	case header.ProtoUDP:
		return "udp"
	case header.ProtoICMPv6:
		return "icmpv6"
	case header.ProtoSCTP:
		return "sctp"
	}
	return fmt.Sprint(p)
}

// StateString writes ct_state as OVN's matches do: "ct.new|ct.trk" without the prefix.
func StateString(s conntrack.State) string { return states[s&0xff] }

// states are the names of all of them.
var states = func() (all [256]string) {
	for s := range all {
		all[s] = stateString(conntrack.State(s))
	}
	return all
}()

func stateString(s conntrack.State) string {
	var names []string
	for i, n := range []string{"new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat"} {
		if s>>i&1 == 1 {
			names = append(names, n)
		}
	}
	if names == nil {
		return "untracked"
	}
	return strings.Join(names, "|")
}
