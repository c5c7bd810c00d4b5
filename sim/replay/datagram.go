package replay

import (
	"fmt"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/sim/field"
	"ovnreplay/sim/packet"
)

// Fragments say of which datagram they are by an identification that routing and
// translation leave alone: how one of them entered says it of those that a capture
// lost, cut off too early, or began too late to hold.

// DatagramKey is what the fragments of a datagram have in common everywhere.
type DatagramKey struct {
	id    uint32
	proto uint8
	v6    bool
}

// datagram is how a fragment entered.
type datagram struct {
	awaited
	time conntrack.Time
	ttl  uint64
	// How much of the datagram has entered, and how much there is, 0 if that is
	// not known.
	entered, whole int
}

// maxDatagram is how far apart the fragments of a datagram are at most.
const maxDatagram = conntrack.Second

// DatagramOf names the datagram that a frame is a fragment of.
func DatagramOf(data []byte, h *packet.Headers) (k DatagramKey, p nat.Packet, ok bool) {
	if h.Key.Get(field.IPFrag) == 0 || h.Layout.L3 == 0 {
		return k, p, false
	}
	if p.Parse(data[h.Layout.L3:h.Layout.L3End]) != nat.NoFault || !p.Fragment {
		return k, p, false
	}
	k = DatagramKey{p.FragID, p.Tuple.Proto, p.Tuple.V6}
	if k.v6 {
		k.proto = p.FragNext
	}
	return k, p, true
}

// fragment notes how a fragment entered.
func (inf *inferrer) fragment(f *Frame) {
	if f.skip != "" || f.point == nil || f.point.Port == nil {
		return
	}
	k, p, ok := DatagramOf(f.Data, f.Headers())
	if !ok {
		return
	}
	if len(inf.datagrams) >= maxAnswers {
		clear(inf.datagrams)
	}
	in, e := &f.Headers().Key, endpoints(f.Headers())
	d := &datagram{time: f.Time, ttl: in.Get(field.IPTTL)}
	d.awaited = awaited{port: f.point.Port, chassis: f.point.Chassis, ethSrc: in.Get(field.EthSrc),
		ethDst: in.Get(field.EthDst), src: e[0], dst: e[1], of: fmt.Sprintf("%s frame %d", inf.s.name(f), f.Number)}
	if old := inf.datagrams[k]; old != nil && f.Time-old.time <= maxDatagram {
		d.entered, d.whole = old.entered, old.whole
	}
	d.entered += p.Total - p.L4
	if !p.More {
		d.whole = p.FragOffset + p.Total - p.L4
	}
	inf.datagrams[k] = d
}

// incomplete reports whether a frame is a fragment of a datagram of which the
// captures show others entering, but not all.
func (inf *inferrer) incomplete(data []byte, h *packet.Headers) bool {
	k, _, ok := DatagramOf(data, h)
	d := inf.datagrams[k]
	return ok && d != nil && (d.whole == 0 || d.entered < d.whole)
}

// sibling finds how another fragment of a frame's datagram entered.
func (inf *inferrer) sibling(f *Frame) *origin {
	k, _, ok := DatagramOf(f.Data, f.Headers())
	d := inf.datagrams[k]
	if !ok || d == nil || max(f.Time-d.time, d.time-f.Time) > maxDatagram || d.port == f.point.Port {
		return nil
	}
	a := d.awaited
	a.hops = int(d.ttl) - int(f.Headers().Key.Get(field.IPTTL))
	return &origin{awaited: &a, piece: true, why: "with " + a.of + ", a fragment of the same datagram"}
}
