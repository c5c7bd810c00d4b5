package replay

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/pcap"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
)

// underlay is what a frame of the tunnel network says beside its inner frame.
type underlay struct {
	from, to *network.Chassis
	keys     tunnelKeys
	outer    pcap.Tunnel
	whole    []byte // the frame as captured, from its Ethernet header on; nil when bare
	wire     int
}

// tunnelKeys is the logical metadata that crosses a tunnel. VXLAN has no inport.
type tunnelKeys struct {
	kind                      pcap.TunnelKind
	datapath, inport, outport uint32
}

// tunnels knows the chassis' tunnel endpoints and which tunnel packets the
// replay predicts.
//
// A tunnelled packet whose way into OVN was replayed is an observation of the
// sending chassis. Of any other the sender's side is in no capture: it is
// injected where it comes out of the tunnel, once, however many captures show it.
type tunnels struct {
	s        *Run
	byIP     map[netip.Addr]*network.Chassis
	expected expectations[crossing]
	seen     map[crossing]*crossings
	aging    []crossing
	captured []bool // by chassis index: its underlay is
	inside   []bool // its tunnel device is
}

// crossing is a packet on its way between two chassis.
type crossing struct {
	point pointKey
	keys  tunnelKeys
	id    uint64 // of the inner frame
	hash  uint64 // of its headers
}

// crossings are the sightings of one packet by captures.
type crossings struct {
	time  conntrack.Time
	count map[int]int // by capture
	most  int
}

func newTunnels(s *Run) *tunnels {
	t := &tunnels{s: s, byIP: map[netip.Addr]*network.Chassis{},
		expected: expectations[crossing]{open: map[crossing]expectation{}},
		seen:     map[crossing]*crossings{}, captured: make([]bool, len(s.Engine.Net.Chassis)),
		inside: make([]bool, len(s.Engine.Net.Chassis))}
	for _, c := range s.Engine.Net.Chassis {
		for _, e := range c.Encaps {
			if a, err := netip.ParseAddr(e.IP); err == nil {
				t.byIP[a] = c
			}
		}
	}
	for _, tap := range s.Taps {
		for _, site := range tap.Sites() {
			switch site.Kind {
			case AtHost, AtUnderlay: // all interfaces of a host show its tunnels too
				t.captured[site.Chassis.Index] = true
			case InTunnel:
				t.inside[site.Chassis.Index] = true
			}
		}
	}
	return t
}

func (t *tunnels) chassis(a netip.Addr) *network.Chassis { return t.byIP[a] }

// watches reports whether a capture shows what goes between two chassis.
func (t *tunnels) watches(from, to *network.Chassis) bool {
	return t.captured[from.Index] || t.captured[to.Index]
}

const (
	whyNotTunnel  = "of the underlay, but not a packet in a tunnel: "
	whyNoEndpoint = "in a tunnel between addresses that are no chassis' here"
	whyBFD        = "BFD between chassis"
)

// placeInTunnel places a frame of the underlay.
func (s *Run) placeInTunnel(tap *Tap, site *Site, f *Frame, m *pcap.LinkMeta) {
	u := f.spare
	if u == nil {
		u = &underlay{}
	}
	f.spare = nil
	*u = underlay{whole: u.whole[:0]}
	f.tunnel = u
	var fault pcap.TunnelFault
	u.outer, fault = m.Decap()
	if f.point == nil {
		f.point = &Point{Chassis: site.Chassis, Capture: tap.Index}
	}
	if fault != pcap.TunnelOK {
		f.skip = whyNotTunnel + fault.Error()
		return
	}
	u.from, u.to = s.tunnels.chassis(u.outer.Src), s.tunnels.chassis(u.outer.Dst)
	switch {
	case u.from == nil || u.to == nil:
		f.skip = whyNoEndpoint
		return
	case u.outer.VNI == 0 && isBFD(u.outer.Inner):
		f.skip = whyBFD
		return
	}
	u.keys = tunnelKeys{u.outer.Kind, u.outer.Datapath, u.outer.Inport, u.outer.Outport}
	f.point, f.dir = tap.tunnel(u.from, u.to), Crossed
	if len(u.outer.Inner) < 14 {
		f.skip = whyShort
		if len(f.Data) < f.Wire {
			f.skip = whyCut
		}
		return
	}
	u.whole, u.wire = append(u.whole, f.Data...), f.Wire
	f.Data, f.Wire = append(f.Data[:0], u.outer.Inner...), u.outer.InnerLen
	u.outer.Inner = nil // it shares the record's bytes
	f.Bare = false
}

// isBFD reports whether a frame is a BFD control packet (RFC 5881).
func isBFD(frame []byte) bool {
	const port = 3784
	return len(frame) >= 38 && frame[12] == 8 && frame[13] == 0 && frame[23] == header.ProtoUDP &&
		binary.BigEndian.Uint16(frame[36:]) == port
}

func (f *Frame) crossing() crossing {
	form := formOf(f.Data, f.Headers(), f.Wire)
	return crossing{tunnelKey(f.tunnel.from, f.tunnel.to), f.tunnel.keys, f.id, form.filing(f.Data)}
}

// predicted notes the packets an injected one sends through tunnels.
func (t *tunnels) predicted(out *sim.Outcome) {
	for i := range out.Tunnels {
		o := &out.Tunnels[i]
		if !t.shows(o) {
			continue
		}
		for _, kind := range [...]pcap.TunnelKind{pcap.Geneve, pcap.VXLAN} {
			k := crossing{tunnelKey(o.From, o.To), keysOf(o, kind), identityHash(o.Data, o.Headers()), 0}
			t.expected.add(k, o.Time)
		}
	}
}

// keysOf is what a tunnel of a kind carries of a predicted packet.
func keysOf(o *sim.TunnelOutput, kind pcap.TunnelKind) tunnelKeys {
	k := tunnelKeys{kind, o.Datapath.TunnelKey, o.Inport, o.Outport}
	if kind == pcap.VXLAN {
		if k.outport == 0 { // of flood_remote: there the inport's place is the only one
			k.outport = k.inport
		}
		k.inport = 0
	}
	return k
}

// crossed handles a frame of the underlay.
func (s *Run) crossed(f *Frame) {
	t := s.tunnels
	k := f.crossing()
	if t.again(k, f) {
		s.Taps[f.Capture].leaveOut(whyAgain)
		return
	}
	k.hash = 0
	u := f.tunnel
	if t.expected.met(k) || s.opts.NoInference {
		s.observe(f)
		return
	}
	shown, gone := s.shownEntering(f)
	for _, p := range gone { // it may have come back to another zone
		shown = shown || p.Datapath.AZ == u.from.AZ
	}
	if s.overWire(f, u.from) || !shown && s.inferCrossed(f) {
		t.expected.met(k)
		s.observe(f)
		return
	}
	if shown {
		s.observe(f)
		return
	}
	out, err := s.Engine.Arrive(sim.Arrival{
		Chassis: u.to, From: u.from, Datapath: u.keys.datapath, Inport: u.keys.inport, Outport: u.keys.outport,
		Time: f.Time, Frame: f.Data, Headers: f.Headers(), Wire: f.Wire, Ref: reference(f),
	})
	if err != nil {
		s.skip(f, err.Error())
		return
	}
	if f.partial = !u.from.Remote(); f.partial {
		s.inferrer.puzzle(tunnelKey(u.to, u.from), f.Data, f.Headers())
	}
	s.fate(f, out)
}

// again reports whether another capture has shown the packet before.
func (t *tunnels) again(k crossing, f *Frame) bool {
	const window = 10 * conntrack.Second
	for len(t.aging) > 0 && t.seen[t.aging[0]].time+window < f.Time {
		delete(t.seen, t.aging[0])
		t.aging = t.aging[1:]
	}
	c := t.seen[k]
	if c == nil {
		c = &crossings{time: f.Time, count: map[int]int{}}
		t.seen[k] = c
		t.aging = append(t.aging, k)
	}
	c.count[f.Capture]++
	if n := c.count[f.Capture]; n > c.most {
		c.most = n
		return false
	}
	return true
}

// outerDifferences holds a tunnel packet's outer headers against those that
// the chassis' settings call for; the UDP source port is a hash of its own.
func outerDifferences(f *Frame) []Difference {
	u := f.tunnel
	if len(u.whole) == 0 || len(f.Data) < f.Wire {
		return nil
	}
	t := u.outer
	t.Inner, t.InnerLen, t.TTL, t.TOS = f.Data, f.Wire, 64, u.outer.TOS&3
	// the addresses are chassis', or this were no tunnel: which of several, an interface's settings say
	t.Checksum = true
	want, err := t.AppendEncap(nil)
	if err != nil {
		return []Difference{{Field: "outer headers", Predicted: err.Error(), Observed: "as captured"}}
	}
	n := len(want) - len(f.Data)
	if len(u.whole) < n || len(want) < 14 {
		return nil // the capture cut it there
	}
	got := append([]byte(nil), u.whole[:n]...)
	want = want[:n]
	copy(got[:12], want[:12])
	if udp := u.udpOffset(); udp > 0 && udp+8 <= n {
		a, b := want[udp+6:udp+8], got[udp+6:udp+8]
		if (a[0]|a[1] == 0) == (b[0]|b[1] == 0) {
			copy(b, a)
		}
	}
	if bytes.Equal(got, want) {
		return nil
	}
	var out []Difference
	for _, d := range differences(want, want, got) {
		d.Field, d.Old = "outer "+d.Field, ""
		out = append(out, d)
	}
	return out
}

// udpOffset is where the outer UDP header begins, if the outer frame has no options.
func (u *underlay) udpOffset() int {
	if u.outer.Src.Is4() {
		return 14 + 20
	}
	return 14 + 40
}
