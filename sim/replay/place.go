package replay

import (
	"fmt"

	"ovnreplay/conntrack"
	"ovnreplay/pcap"
	"ovnreplay/sim/network"
)

// Reasons why a frame is placed nowhere.
const (
	whyShort    = "shorter than an Ethernet header"
	whyVLAN     = "its VLAN is not the logical port's"
	whyNoSite   = "its interface belongs to no known logical port"
	whyForeign  = "none of its addresses is one of OVN's here"
	whyAgain    = "seen before on another interface"
	whyTwice    = "the same frame again: its capture shows it twice"
	whyLoopback = "of the loopback interface"
	whyLink     = "of the link alone (LACP, LLDP, STP): no bridge passes it on"
	whyNoSide   = "neither of its addresses is the port's"
)

// read makes a frame of a record, placed as the network is now.
func (s *Run) read(rec *pcap.Record, f *Frame) {
	t := s.Taps[rec.Capture]
	s.place(rec, f)
	if t.Frames++; t.Frames == 1 {
		t.first = f.Time
	}
	t.last = max(t.last, f.Time)
	if f.unread {
		t.fault(rec, f.skip)
	}
	if s.opts.Changes == nil {
		return
	}
	if f.rec == nil {
		f.rec = new(pcap.Record)
	}
	f.rec.CopyFrom(rec)
}

// fault counts frames that cannot be read, and says of the first why.
func (t *Tap) fault(rec *pcap.Record, why string) {
	if t.Faults++; t.Faults == 1 {
		t.Fault = fmt.Sprintf("%s: frame %d: link type %v: %s", rec.File, rec.Frame, rec.LinkType, why)
	}
}

// fileOf is the file that a record is of, "" if the capture has but one.
func (t *Tap) fileOf(rec *pcap.Record) string {
	if rec.File == t.Name || rec.File == t.File {
		return ""
	}
	return rec.File
}

// place fills in a frame from a record: its bytes, and where it crossed
// OVN's border in which direction.
func (s *Run) place(rec *pcap.Record, f *Frame) {
	t := s.Taps[rec.Capture]
	f.Capture, f.Number, f.Time = rec.Capture, rec.Frame, conntrack.Time(rec.Time)
	f.Interface, f.Kept = rec.Interface, keptOf(rec)
	f.File = t.fileOf(rec)
	eth, meta, err := pcap.Frame(rec)
	site := s.site(t, rec.Interface)
	switch {
	case err != nil:
		f.skip, f.unread = err.Error(), true
	case site == nil:
		f.skip = whyNoSite
		if len(eth) >= 14 {
			f.Data, f.Wire = append(f.Data[:0], eth...), rec.OrigLen-rec.FCSLen
		}
	default:
		f.Wire = rec.OrigLen - rec.FCSLen
		if eth != nil {
			f.Data = append(f.Data[:0], eth...)
		} else {
			f.Bare = true
			f.Wire += 14 - meta.Offset
		}
		switch site.Kind {
		case AtPort:
			s.placeAtPort(t, site, f, &meta)
		case AtHost:
			s.placeAtHost(t, site, rec, f, &meta)
		case AtUnderlay:
			s.placeInTunnel(t, site, f, &meta)
		case InTunnel:
			s.placeInside(t, site, f)
		}
	}
	if f.skip == "" && f.ofLink() {
		f.skip = whyLink
	}
	if f.skip == "" && (tooShort(f.Data, f.Headers(), f.Wire) || len(f.Data) < f.Wire && s.asksName(f.Headers())) {
		f.skip, f.homeless = whyCut, false
	}
	if f.skip == "" {
		f.id = identityHash(f.Data, f.Headers())
	}
}

// ofLink reports whether a frame of a wire is to the group of the bridges on it (IEEE
// 802.1D, 7.12.6): the bridge between the wire and OVN takes it for itself.
func (f *Frame) ofLink() bool {
	const bridges = 0x0180c2000000
	return f.point != nil && f.point.Port != nil && f.point.Port.Type == network.Localnet && len(f.Data) >= 14 &&
		macAt(f.Data)&^0xf == bridges
}

// site returns where a record was captured. An interface met for the first
// time may name its port.
func (s *Run) site(t *Tap, i *pcap.Interface) *Site {
	if _, known := t.Interfaces[i.Index]; !known && (t.Interfaces != nil || i.Index > 0) {
		if found := t.siteByName(s.Engine.Net, i, t.Chassis); found != nil {
			s.inferrer.capture(found)
		} else {
			t.set(i.Index, t.Site)
		}
	}
	return t.site(i)
}

// placeAtPort places a frame of the interface of one logical port.
func (s *Run) placeAtPort(t *Tap, site *Site, f *Frame, m *pcap.LinkMeta) {
	f.point = t.point(site.Port, site.Chassis)
	if f.Bare {
		f.dir = s.owners.bareDirection(site.Port, site.Chassis, m, false)
		if f.dir == Unknown {
			f.skip = whyNoSide
			return
		}
		f.Data, f.aimless = s.owners.dress(f.Data[:0], site.Port, f.dir, m), !m.HasDst
		s.owners.hear(site.Port, m)
	}
	if len(f.Data) < 14 {
		f.skip = whyShort
		return
	}
	port := s.owners.tagged(t, f, site.Port)
	if port == nil {
		if f.skip = whyVLAN; f.ofLink() {
			f.skip = whyLink
		}
		return
	}
	f.point = t.point(port, site.Chassis)
	if f.dir == Unknown {
		f.dir = s.owners.Direction(port, site.Chassis, f.Data)
	}
	if f.dir == Left && s.nowhere(port, site.Chassis) && s.owners.send[macAt(f.Data[6:])] == nil {
		f.dir = Entered // from no address of OVN's
	}
}

// placeAtHost places a frame captured on some interface of a chassis. The same
// packet is met on several: once for each port it enters or leaves at.
func (s *Run) placeAtHost(t *Tap, site *Site, rec *pcap.Record, f *Frame, m *pcap.LinkMeta) {
	f.point = &Point{Chassis: site.Chassis, Capture: t.Index}
	const loopback = 772 // ARPHRD_LOOPBACK
	if m.Device == loopback {
		f.skip = whyLoopback
		return
	}
	if tunnel, fault := m.Decap(); fault == pcap.TunnelOK && s.tunnels.chassis(tunnel.Src) != nil {
		s.placeInTunnel(t, site, f, m)
	} else {
		port, dir := s.owners.placeOnHost(t, site.Chassis, rec, m, f.Data)
		if port == nil {
			f.skip = whyForeign
			if f.Bare && m.HasSrc && m.IfIndex == 0 && m.Direction == pcap.DirectionOut {
				f.Data, f.homeless, f.aimless = m.AppendEthernet(f.Data[:0], groupOf(m).bytes(), [6]byte{}), true, true
			}
			return
		}
		f.point, f.dir = t.point(port, site.Chassis), dir
		if f.Bare {
			f.Data, f.aimless = s.owners.dress(f.Data[:0], port, dir, m), !m.HasDst
			f.homeless = f.aimless && dir == Left && m.IfIndex == 0
			s.owners.hear(port, m)
		}
		if s.owners.tagged(t, f, port) == nil {
			f.skip, f.homeless = whyVLAN, false
			return
		}
	}
	if f.skip == "" && t.seenBefore(rec, m, f) {
		f.skip = whyAgain
	}
}

// placeKey is a packet at a place: it crosses there once.
type placeKey struct {
	packet uint64
	point  pointKey
	dir    Direction
}

type placeAge struct {
	key  placeKey
	time conntrack.Time
}

// sightWindow is how far apart sightings of one packet on a host may be.
const sightWindow = 100_000_000

// seenBefore reports whether the packet was met at the same place already, on
// another interface.
func (t *Tap) seenBefore(rec *pcap.Record, m *pcap.LinkMeta, f *Frame) bool {
	if f.sight == 0 {
		t.again.Window = sightWindow
		f.sight = t.again.See(rec, m).Packet
	}
	if t.devices == nil {
		t.devices = map[placeKey]struct{}{}
	}
	for len(t.aging) > 0 && t.aging[0].time+2*sightWindow < f.Time {
		delete(t.devices, t.aging[0].key)
		t.aging = t.aging[1:]
	}
	k := placeKey{f.sight, pointKey{}, f.dir}
	if f.point.Port != nil {
		k.point = f.point.key()
	}
	if _, ok := t.devices[k]; ok {
		return true
	}
	t.devices[k] = struct{}{}
	t.aging = append(t.aging, placeAge{k, f.Time})
	f.noted = k
	return false
}

// forget takes back that a frame was seen, for it to be placed again.
func (t *Tap) forget(f *Frame) { delete(t.devices, f.noted) }
