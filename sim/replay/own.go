package replay

import (
	"net/netip"

	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/answer"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
)

// ovn-controller puts some of what it sends on its own into a logical pipeline,
// as if it had come from a router's port: messages of BFD sessions and requests
// for IPv6 prefixes. Where one is observed, it is made from the database but
// for what only its session knows, and replayed from there; what then leaves is
// held against the observation like any other prediction.

const whyOwn = "ovn-controller sends it on its own"

// originate replays the frame that ovn-controller must have sent of itself for
// f to be observed; false if f is none of those.
func (s *Run) originate(f *Frame) bool {
	p := &s.inferrer.scratch
	p.SetRead(f.Data, f.Wire, f.Headers())
	if p.Layout.L4 == 0 || p.Key.Get(field.IPProto) != header.ProtoUDP {
		return false
	}
	var at *network.Port
	var frame answer.Frame
	switch p.Key.Get(field.TpDst) {
	case answer.BFDPort:
		at, frame = s.bfdMessage(p)
	case 547:
		at, frame = s.solicitation(p)
	}
	if at == nil {
		return false
	}
	point := s.Taps[f.Capture].point(at, f.point.Chassis)
	point.Found = whyOwn
	g := &Frame{Capture: f.Capture, File: f.File, Number: f.Number, Time: f.Time, Data: frame.Data, Wire: frame.Wire,
		Inferred: true, Own: true, Why: whyOwn, point: point, dir: Entered}
	if c := s.speaker(at); c != nil {
		point.Chassis = c
	}
	out := s.Engine.Inject(sim.Injection{Port: at, Chassis: point.Chassis, Time: g.Time, Frame: g.Data, Wire: g.Wire,
		Ref: reference(g)})
	s.fate(g, out)
	s.inferrer.due(f)
	return true
}

// speaker is the chassis that speaks for a router's port, or for the router's
// port that a switch's port leads to.
func (s *Run) speaker(p *network.Port) *network.Chassis {
	if !p.Datapath.Router {
		p = p.Peer
	}
	return s.Engine.Net.Speaker(p)
}

// bfdMessage finds the session whose control packet p is, and makes that
// packet anew: it begins at the router's own port.
func (s *Run) bfdMessage(p *packet.Packet) (*network.Port, answer.Frame) {
	src, dst := ipsOf(&p.Key)
	net := s.Engine.Net
	for i := range net.BFD {
		b := &net.BFD[i]
		to, err := netip.ParseAddr(b.DstIP)
		if err != nil || to != dst || b.Port == nil || uint64(b.SrcPort) != p.Key.Get(field.TpSrc) ||
			net.Speaker(b.Port) == nil {
			continue
		}
		m := answer.BFD{V6: dst.Is6(), SrcPort: b.SrcPort, Disc: b.Disc, Mult: uint8(b.DetectMult),
			MinTX: uint32(b.MinTX) * 1000, MinRX: uint32(b.MinRX) * 1000}
		from, ok := firstOf(b.Port, dst.Is6())
		if !ok || from != src || !m.Stands(p) {
			continue
		}
		m.SrcMAC = b.Port.Addresses[0].MAC
		copy(m.Src[:], from.AsSlice())
		copy(m.Dst[:], dst.AsSlice())
		return b.Port, m.Frame()
	}
	return nil, answer.Frame{}
}

// firstOf is a port's first address of a family.
func firstOf(p *network.Port, v6 bool) (netip.Addr, bool) {
	if len(p.Addresses) == 0 {
		return netip.Addr{}, false
	}
	for _, ip := range p.Addresses[0].IPs {
		if ip.Addr().Is6() == v6 {
			return ip.Addr(), true
		}
	}
	return netip.Addr{}, false
}

// ipsOf are the addresses of an IP packet.
func ipsOf(k *field.Key) (src, dst netip.Addr) {
	if k.Get(field.EthType) == header.EtherIPv6 {
		return packet.Addr6(k.Get128(field.IP6Src)), packet.Addr6(k.Get128(field.IP6Dst))
	}
	return header.IPv4(k.Get(field.IP4Src)), header.IPv4(k.Get(field.IP4Dst))
}

// solicitation finds the router port whose request for a prefix p is, and
// makes that request anew: it begins at the port's peer. Each port of the
// router that wants a prefix has its own.
func (s *Run) solicitation(p *packet.Packet) (*network.Port, answer.Frame) {
	src, _ := ipsOf(&p.Key)
	for _, port := range s.Engine.Net.Ports[1:] {
		mac, addr, ok := port.Delegated()
		if !ok || addr != src || s.Engine.Net.Speaker(port) == nil {
			continue
		}
		for _, other := range port.Datapath.Ports {
			if other.Options["ipv6_prefix"] != "true" || len(other.Addresses) == 0 {
				continue
			}
			c := answer.PrefixClient{MAC: mac, Addr: addr.As16(), Purpose: other.Addresses[0].MAC}
			frame, iaid, ok := c.Solicits(p)
			if ok && sameEnd(frame.Data, p) {
				s.Engine.Solicited(port, iaid)
				return port.Peer, frame
			}
		}
	}
	return nil, answer.Frame{}
}

// sameEnd reports whether a frame's UDP payload is that of p.
func sameEnd(frame []byte, p *packet.Packet) bool {
	const at = 14 + 40 + 8
	return len(frame) >= at && len(p.Data) >= p.Layout.L4+8 &&
		string(frame[at:]) == string(p.Data[p.Layout.L4+8:p.Layout.L3End])
}
