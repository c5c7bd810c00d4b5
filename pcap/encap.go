package pcap

import (
	"encoding/binary"
	"fmt"

	"ovnreplay/nat/header"
)

// AppendEncap appends to buf the underlay's Ethernet frame for t, as OVS sends
// it: no VLAN tag, don't-fragment, identification 0, and for Geneve OVN's one
// option, marked critical. VNI is made from the keys. A TTL of 0 means 64, a
// DstPort of 0 the kind's own; the UDP checksum is computed when t.Checksum,
// as OVN asks by default, or over IPv6. SrcPort is the caller's to choose:
// real ones are a hash of the inner packet.
func (t *Tunnel) AppendEncap(buf []byte) ([]byte, error) {
	vni, err := t.vni()
	if err != nil {
		return buf, err
	}
	var shim [16]byte
	n := 8
	port := t.DstPort
	switch t.Kind {
	case Geneve:
		binary.BigEndian.PutUint16(shim[2:], geneveEthernet)
		if t.HasPorts {
			n = 16
			shim[0], shim[1] = 2, 0x40 // two words of options, some critical
			binary.BigEndian.PutUint16(shim[8:], ovnClass)
			shim[10], shim[11] = ovnOption, 1
			binary.BigEndian.PutUint16(shim[12:], uint16(t.Inport))
			binary.BigEndian.PutUint16(shim[14:], uint16(t.Outport))
		}
		port = orDefault(port, genevePort)
	case VXLAN:
		shim[0] = 0x08
		port = orDefault(port, vxlanPort)
	}
	binary.BigEndian.PutUint32(shim[4:], vni<<8)

	length := 8 + n + len(t.Inner)
	v6 := t.Src.Is6()
	if room := 65535; length > room || !v6 && length+20 > room {
		return buf, fmt.Errorf("an inner frame of %d bytes does not fit a tunnel packet", len(t.Inner))
	}
	buf = append(append(buf, t.DstMAC[:]...), t.SrcMAC[:]...)
	if v6 {
		buf = t.appendIPv6(buf, length)
	} else {
		buf = t.appendIPv4(buf, length)
	}
	at := len(buf)
	buf = binary.BigEndian.AppendUint16(buf, t.SrcPort)
	buf = binary.BigEndian.AppendUint16(buf, port)
	buf = binary.BigEndian.AppendUint16(buf, uint16(length))
	buf = append(buf, 0, 0)
	buf = append(append(buf, shim[:n]...), t.Inner...)
	if t.Checksum || v6 {
		binary.BigEndian.PutUint16(buf[at+6:], t.udpChecksum(buf[at:]))
	}
	return buf, nil
}

// vni puts the keys into 24 bits, refusing those that do not fit.
func (t *Tunnel) vni() (uint32, error) {
	if t.Src.Is6() != t.Dst.Is6() || !t.Src.IsValid() || !t.Dst.IsValid() || t.Src.Is4In6() || t.Dst.Is4In6() {
		return 0, fmt.Errorf("tunnel endpoints %v and %v are not of one family", t.Src, t.Dst)
	}
	switch t.Kind {
	case Geneve:
		if t.Datapath >= 1<<24 || t.Inport >= 1<<15 || t.Outport >= 1<<16 {
			return 0, fmt.Errorf("keys %d, %d, %d do not fit Geneve's 24, 15 and 16 bits", t.Datapath, t.Inport,
				t.Outport)
		}
		return t.Datapath, nil
	case VXLAN:
		out := t.Outport
		if out >= firstGroup {
			out = firstVXLANGroup | out&(firstVXLANGroup-1)
		} else if out >= firstVXLANGroup {
			return 0, fmt.Errorf("port key %d does not fit VXLAN's 11 bits", out)
		}
		if t.Datapath >= 1<<12 && out == 0 && t.Datapath < 1<<24 { // a VTEP's
			return t.Datapath, nil
		}
		if t.Datapath >= 1<<12 {
			return 0, fmt.Errorf("datapath key %d does not fit VXLAN's 12 bits", t.Datapath)
		}
		return out<<12 | t.Datapath, nil
	}
	return 0, fmt.Errorf("tunnel kind %d is not known", t.Kind)
}

func orDefault[T uint8 | uint16](v, d T) T {
	if v == 0 {
		return d
	}
	return v
}

func (t *Tunnel) appendIPv4(buf []byte, payload int) []byte {
	buf = binary.BigEndian.AppendUint16(buf, header.EtherIPv4)
	at := len(buf)
	buf = append(buf, 0x45, t.TOS)
	buf = binary.BigEndian.AppendUint16(buf, uint16(20+payload))
	buf = append(buf, 0, 0, 0x40, 0, orDefault(t.TTL, 64), header.ProtoUDP, 0, 0)
	src, dst := t.Src.As4(), t.Dst.As4()
	buf = append(append(buf, src[:]...), dst[:]...)
	binary.BigEndian.PutUint16(buf[at+10:], header.Checksum(0, buf[at:]))
	return buf
}

func (t *Tunnel) appendIPv6(buf []byte, payload int) []byte {
	buf = binary.BigEndian.AppendUint16(buf, header.EtherIPv6)
	buf = binary.BigEndian.AppendUint32(buf, 6<<28|uint32(t.TOS)<<20)
	buf = binary.BigEndian.AppendUint16(buf, uint16(payload))
	buf = append(buf, header.ProtoUDP, orDefault(t.TTL, 64))
	src, dst := t.Src.As16(), t.Dst.As16()
	return append(append(buf, src[:]...), dst[:]...)
}

// udpChecksum sums pseudo header and packet (RFC 768); 0 is sent as 0xffff.
func (t *Tunnel) udpChecksum(udp []byte) uint16 {
	var sum uint64
	if t.Src.Is6() {
		src, dst := t.Src.As16(), t.Dst.As16()
		sum = header.Sum(header.Pseudo(src[:], header.ProtoUDP, len(udp)), dst[:])
	} else {
		src, dst := t.Src.As4(), t.Dst.As4()
		sum = header.Sum(header.Pseudo(src[:], header.ProtoUDP, len(udp)), dst[:])
	}
	if c := header.Checksum(sum, udp); c != 0 {
		return c
	}
	return 0xffff
}
