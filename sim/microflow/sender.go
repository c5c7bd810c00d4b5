package microflow

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
)

// source is a field that has the sender's Ethernet or IP address.
type source struct {
	name string
	id   field.ID
	ip   bool
}

// sources are those of a packet, and the IP address' kind. Who asks for an address by DHCP has none.
func (f *Flow) sources() (list []source, v6 bool) {
	list = []source{{"eth.src", field.EthSrc, false}}
	if f.Key.Get(field.IPProto) == header.ProtoUDP && f.Key.Get(field.TpSrc) == 68 && f.Key.Get(field.TpDst) == 67 {
		return list, false
	}
	switch f.Key.Get(field.EthType) {
	case header.EtherIPv4:
		list = append(list, source{"ip4.src", field.IP4Src, true})
	case header.EtherIPv6:
		return append(list, source{"ip6.src", field.IP6Src, true}), true
	case header.EtherARP:
		list = append(list, source{"arp.sha", field.ARPSHA, false}, source{"arp.spa", field.ARPSPA, true})
	}
	return list, false
}

// sender gives the packet the addresses of its port, of those that the port has the ones that go with what the
// microflow says.
func (f *Flow) sender() (given, zero []string) {
	list, v6 := f.sources()
	mac, ip := f.own(list, v6)
	for _, s := range list {
		if !f.Given.Get128(s.id).IsZero() {
			continue
		}
		switch {
		case s.ip && ip.IsValid():
			f.Key.Set128(s.id, numberOf(ip))
		case !s.ip && mac != 0:
			f.Key.Set(s.id, mac)
		default:
			zero = append(zero, s.name)
			continue
		}
		given = append(given, fmt.Sprintf("%s is %s", s.name, packet.FormatField(s.id, f.Key.Get128(s.id))))
	}
	return given, append(zero, f.nowhere()...)
}

// nowhere are the addresses that an IP packet or one of ARP is for and the microflow does not give.
func (f *Flow) nowhere() (names []string) {
	to := []source{{"eth.dst", field.EthDst, false}}
	switch typ := f.Key.Get(field.EthType); {
	case typ == header.EtherIPv4:
		to = append(to, source{"ip4.dst", field.IP4Dst, true})
	case typ == header.EtherIPv6:
		to = append(to, source{"ip6.dst", field.IP6Dst, true})
	case typ != header.EtherARP:
		return nil
	}
	for _, s := range to {
		if f.Given.Get128(s.id).IsZero() {
			names = append(names, s.name)
		}
	}
	return names
}

// own are the addresses of a machine that sends from the port: those of which the microflow has
// one, else the first with an IP address of the kind, else the first. What is none is the zero value.
func (f *Flow) own(list []source, v6 bool) (mac uint64, ip netip.Addr) {
	if f.Port == nil || f.Port.Type != network.VIF {
		return 0, ip
	}
	best := -1
	for i := range f.Port.Addresses {
		a := &f.Port.Addresses[i]
		at := netip.Addr{}
		score := 0
		for _, p := range a.IPs {
			if p.Addr().Is4() != v6 && !at.IsValid() {
				at, score = p.Addr(), 1
			}
		}
		for _, s := range list {
			if f.Given.Get128(s.id).IsZero() {
				continue
			}
			if !s.ip && f.Key.Get(s.id) == header.MACNumber(a.MAC) {
				score += 2
			}
			for _, p := range a.IPs {
				if s.ip && p.Addr().Is4() != v6 && f.Key.Get128(s.id) == numberOf(p.Addr()) {
					score += 2
				}
			}
		}
		if score > best {
			best, mac, ip = score, header.MACNumber(a.MAC), at
		}
	}
	return mac, ip
}

func numberOf(a netip.Addr) field.Uint128 {
	if a.Is4() {
		b := a.As4()
		return field.U64(uint64(binary.BigEndian.Uint32(b[:])))
	}
	return field.FromBytes(a.As16())
}
