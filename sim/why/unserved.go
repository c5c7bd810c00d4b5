package why

import (
	"fmt"
	"net/netip"
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/sim"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/trace"
)

// balancers are the flows that give packets backends, by the addresses in their matches;
// those that name addresses by variables are under the zero address.
type balancers struct {
	became int
	net    *network.Network
	flows  map[netip.Addr][]*network.Flow
}

// refresh reads the flows anew when the network has become another.
func (b *balancers) refresh(net *network.Network) {
	if b.flows != nil && b.net == net && b.became == net.Became {
		return
	}
	*b = balancers{net.Became, net, map[netip.Addr][]*network.Flow{}}
	for _, f := range net.Flows {
		if !lflow.MayBalance(f.Actions) {
			continue
		}
		if lflow.HasVariables(f.Match) {
			b.flows[netip.Addr{}] = append(b.flows[netip.Addr{}], f)
			continue
		}
		for a := range lflow.Written(f.Match) {
			if !slices.Contains(b.flows[a], f) {
				b.flows[a] = append(b.flows[a], f)
			}
		}
	}
}

// balanced reports whether an address may be a load balancer's.
func (x *Explainer) balanced(a netip.Addr) bool {
	x.balancers.refresh(x.Book.Net)
	return len(x.balancers.flows[a]) > 0 || len(x.balancers.flows[netip.Addr{}]) > 0
}

// balancerOf is a flow of a datapath that gives packets to an address a backend, if
// all else that it asks for is so; nil if there is none.
func (x *Explainer) balancerOf(d *network.Datapath, to netip.AddrPort) *network.Flow {
	for _, at := range [...]netip.Addr{to.Addr(), {}} {
		for _, f := range x.balancers.flows[at] {
			if !slices.Contains(f.Datapaths, d) {
				continue
			}
			if s := x.of(f); s.balances && len(s.makes) > 0 && s.asks.exactly(1, to.Addr()) &&
				s.asks.admit(1, to, true) {
				return f
			}
		}
	}
	return nil
}

// Unserved tells of a packet to a load balancer's address that came through a datapath whose
// flow for it asks for more, such as another chassis; "" if it did not.
func (x *Explainer) Unserved(out *sim.Outcome) string {
	t := &out.Trace
	if x.Conntrack == nil {
		return t.Said(trace.Unserved, 0)
	}
	if slices.ContainsFunc(t.NAT, func(n trace.NATStep) bool { return n.Dst && !n.Undo }) ||
		slices.ContainsFunc(t.CT, func(s trace.CTStep) bool { return s.State&conntrack.Reply != 0 }) {
		return ""
	}
	to, fragment, ok := x.askedFor(out.Of.Frame)
	if !ok || !x.balanced(to.Addr()) {
		return ""
	}
	events := t.Events()
	if Instead(out) && !t.Has(trace.DropWaits) {
		return "" // what came to the load balancer's flows is the answer
	}
	asked, there := map[int32]*network.Flow{}, false
	for _, ev := range events {
		if ev.Kind != trace.Match {
			continue
		}
		d := x.Book.Net.Datapaths[ev.Datapath]
		f, known := asked[ev.Datapath]
		if !known {
			f = x.balancerOf(d, to)
			asked[ev.Datapath] = f
			there = there || f != nil
		}
		if f == nil || x.Book.Net.Flows[ev.Flow].Stage != f.Stage {
			continue
		}
		if asked[ev.Datapath] = nil; int(ev.Flow) == f.Index {
			continue
		}
		but := ""
		if fragment {
			but = "; of fragments, flows see no ports"
		}
		match := f.Match
		if len(match) > 2*maxMatch {
			match = match[:2*maxMatch-3] + "..."
		}
		return fmt.Sprintf("flow %s of %s of %s, which gives one, did not match on %s: %s%s", short(f.UUID),
			f.StageName(), d.Called(), x.Book.Net.Chassis[ev.Chassis].Host(), match, but)
	}
	if !there && out.Verdict != sim.Delivered && out.Verdict != sim.Unknown {
		return x.servedElsewhere(to)
	}
	return ""
}

// servedElsewhere names a flow that gives packets to an address a backend, where a packet
// did not come; "" if there is none.
func (x *Explainer) servedElsewhere(to netip.AddrPort) string {
	for _, f := range x.balancers.flows[to.Addr()] {
		for _, d := range f.Datapaths {
			if x.balancerOf(d, to) == f {
				return "it did not come where one is given: " + x.name(f, d)
			}
		}
	}
	return ""
}

// datagram is what the fragments of one have in common.
type datagram struct {
	src, dst [16]byte
	id       uint32
	proto    uint8
}

// maxDatagrams bounds how many are remembered.
const maxDatagrams = 1 << 12

// askedFor is what a frame is for, of a fragment what the first of its datagram was; false if
// it has no ports.
func (x *Explainer) askedFor(frame []byte) (to netip.AddrPort, fragment, ok bool) {
	var p packet.Packet
	p.Set(frame, len(frame))
	ip := p.IP()
	if ip == nil {
		return to, false, false
	}
	var n nat.Packet
	ip = ip[:p.Layout.L3End-p.Layout.L3]
	if n.Parse(ip) != nat.NoFault || n.IsError {
		return to, false, false
	}
	t := n.Tuple
	if !n.Fragment {
		return netip.AddrPortFrom(t.DstAddr(), t.DstPort), false, t.HasPorts()
	}
	k := datagram{t.Src, t.Dst, n.FragID, t.Proto}
	if t.V6 {
		k.proto = n.FragNext
	}
	if t, first := n.FirstTuple(ip); first && t.HasPorts() {
		if x.asked == nil || len(x.asked) >= maxDatagrams {
			x.asked = map[datagram]netip.AddrPort{}
		}
		x.asked[k] = netip.AddrPortFrom(t.DstAddr(), t.DstPort)
	}
	to, ok = x.asked[k]
	return to, true, ok
}
