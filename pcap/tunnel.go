package pcap

import (
	"encoding/binary"
	"net/netip"

	"ovnreplay/nat/header"
)

// TunnelKind is a tunnel protocol of OVN.
type TunnelKind uint8

// Tunnel kinds.
const (
	Geneve TunnelKind = iota + 1 // RFC 8926, UDP port 6081
	VXLAN                        // RFC 7348, UDP port 4789
)

func (k TunnelKind) String() string {
	switch k {
	case Geneve:
		return "geneve"
	case VXLAN:
		return "vxlan"
	}
	return "no tunnel"
}

// UDP ports and OVN's Geneve option (ovn-architecture(7), Tunnel
// Encapsulations): one bit reserved, 15 bits ingress key, 16 bits egress key.
const (
	genevePort     = 6081
	vxlanPort      = 4789
	geneveEthernet = header.EtherTEB
	ovnClass       = 0x0102
	ovnOption      = 0x80

	firstGroup      = 0x8000 // multicast group keys of the Southbound database
	firstVXLANGroup = 0x800  // the same within VXLAN's 12 bits
)

// Tunnel is an encapsulated packet of the underlay.
type Tunnel struct {
	Kind TunnelKind
	VNI  uint32 // 24 bits, as on the wire

	// Keys as the Southbound database has them: the datapath's tunnel key, and
	// those of its ports; an Outport of 0x8000 or more is a multicast group.
	// Geneve carries both ports when HasPorts. VXLAN carries no Inport (0), and
	// its Outport is 0 from a VTEP gateway, which puts the datapath's key
	// alone into the VNI.
	Datapath, Inport, Outport uint32
	HasPorts                  bool

	Inner    []byte // the inner Ethernet frame, as far as it was captured
	InnerLen int    // its length on the wire

	SrcMAC, DstMAC   [6]byte // outer addresses; zero where the capture has none
	Src, Dst         netip.Addr
	SrcPort, DstPort uint16
	TOS, TTL         uint8
	Checksum         bool // the outer UDP checksum is set
}

// TunnelFault is why a frame is not taken for a tunnelled packet.
type TunnelFault uint8

// Tunnel faults; the zero value is none.
const (
	TunnelOK          TunnelFault = iota
	NotTunnel                     // no UDP packet to a tunnel port
	TunnelShort                   // captured bytes end inside the outer headers
	TunnelFragment                // the outer packet is an IP fragment
	TunnelMalformed               // lengths or versions that contradict each other
	TunnelNotEthernet             // it carries something other than an Ethernet frame
)

func (f TunnelFault) Error() string {
	return [...]string{"", "not a tunnelled packet", "the capture cut the outer headers off",
		"the outer packet is a fragment", "malformed tunnel headers", "the tunnel carries no Ethernet frame"}[f]
}

// Decap takes the Geneve or VXLAN headers off an Ethernet frame of the
// underlay. It allocates nothing; Inner shares eth's bytes.
func Decap(eth []byte) (Tunnel, TunnelFault) {
	var m LinkMeta
	if m.ethernet(eth) != LinkOK {
		return Tunnel{}, TunnelShort
	}
	return m.Decap()
}

// Decap is the function of that name for a frame of any link type.
func (m *LinkMeta) Decap() (t Tunnel, fault TunnelFault) {
	t.SrcMAC, t.DstMAC = m.Src, m.Dst
	kind, b := m.EtherType, m.Payload
	for tags := 0; kind == header.EtherVLAN || kind == header.EtherQinQ; tags++ {
		if tags == 2 {
			return t, NotTunnel
		}
		if len(b) < 4 {
			return t, TunnelShort
		}
		kind, b = binary.BigEndian.Uint16(b[2:]), b[4:]
	}
	var udp []byte
	var udpLen int
	switch kind {
	case header.EtherIPv4:
		udp, udpLen, fault = t.ipv4(b)
	case header.EtherIPv6:
		udp, udpLen, fault = t.ipv6(b)
	default:
		return t, NotTunnel
	}
	if fault != TunnelOK {
		return t, fault
	}
	return t, t.udp(udp, udpLen)
}

// ipv4 returns the UDP packet in an IPv4 one: its captured bytes, and its
// length on the wire.
func (t *Tunnel) ipv4(b []byte) (udp []byte, wire int, _ TunnelFault) {
	if len(b) < 20 {
		return nil, 0, TunnelShort
	}
	size, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if total == 0 { // left to the hardware by segmentation offload
		total = len(b)
	}
	if b[0]>>4 != 4 || size < 20 || total < size {
		return nil, 0, TunnelMalformed
	}
	if b[9] != header.ProtoUDP {
		return nil, 0, NotTunnel
	}
	if binary.BigEndian.Uint16(b[6:])&0x3fff != 0 {
		return nil, 0, TunnelFragment
	}
	if len(b) < size {
		return nil, 0, TunnelShort
	}
	t.TOS, t.TTL = b[1], b[8]
	t.Src, t.Dst = netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
	return b[size:min(len(b), total)], total - size, TunnelOK
}

// ipv6 does the same, over hop-by-hop, routing and destination headers.
func (t *Tunnel) ipv6(b []byte) (udp []byte, wire int, _ TunnelFault) {
	if len(b) < 40 {
		return nil, 0, TunnelShort
	}
	if b[0]>>4 != 6 {
		return nil, 0, TunnelMalformed
	}
	t.TOS, t.TTL = uint8(binary.BigEndian.Uint16(b)>>4), b[7]
	t.Src, t.Dst = netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
	wire = int(binary.BigEndian.Uint16(b[4:]))
	if wire == 0 {
		wire = len(b) - 40
	}
	proto := b[6]
	for b = b[40:]; proto != header.ProtoUDP; {
		switch {
		case proto == header.ProtoFragment:
			return nil, 0, TunnelFragment
		case proto == header.ProtoAH || !header.Extension(proto):
			return nil, 0, NotTunnel
		case len(b) < 8:
			return nil, 0, TunnelShort
		}
		next, size := header.Step(proto, b)
		if size > wire {
			return nil, 0, TunnelMalformed
		}
		if size > len(b) {
			return nil, 0, TunnelShort
		}
		proto, wire, b = next, wire-size, b[size:]
	}
	return b[:min(len(b), wire)], wire, TunnelOK
}

func (t *Tunnel) udp(b []byte, wire int) TunnelFault {
	if len(b) < 8 {
		return TunnelShort
	}
	t.SrcPort, t.DstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	if t.DstPort != genevePort && t.DstPort != vxlanPort {
		return NotTunnel
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	if n == 0 {
		n = wire
	}
	if n < 8 || n > wire {
		return TunnelMalformed
	}
	t.Checksum = b[6]|b[7] != 0
	b = b[8:min(len(b), n)]
	if t.DstPort == genevePort {
		return t.geneve(b, n-8)
	}
	return t.vxlan(b, n-8)
}

// geneve reads version and option length, flags, protocol, VNI, options.
func (t *Tunnel) geneve(b []byte, wire int) TunnelFault {
	if len(b) < 8 {
		return TunnelShort
	}
	header := 8 + 4*int(b[0]&0x3f)
	switch {
	case b[0]>>6 != 0 || header > wire:
		return TunnelMalformed
	case header > len(b):
		return TunnelShort
	case binary.BigEndian.Uint16(b[2:]) != geneveEthernet:
		return TunnelNotEthernet
	}
	t.Kind = Geneve
	t.VNI = binary.BigEndian.Uint32(b[4:]) >> 8
	t.Datapath = t.VNI
	for o := b[8:header]; len(o) > 0; {
		if len(o) < 4 {
			return TunnelMalformed
		}
		n := 4 + 4*int(o[3]&0x1f)
		if n > len(o) {
			return TunnelMalformed
		}
		if binary.BigEndian.Uint16(o) == ovnClass && o[2] == ovnOption && n == 8 {
			t.Inport = uint32(binary.BigEndian.Uint16(o[4:]) & 0x7fff)
			t.Outport = uint32(binary.BigEndian.Uint16(o[6:]))
			t.HasPorts = true
		}
		o = o[n:]
	}
	t.Inner, t.InnerLen = b[header:], wire-header
	return TunnelOK
}

// vxlan reads flags, VNI, and OVN's division of the VNI.
func (t *Tunnel) vxlan(b []byte, wire int) TunnelFault {
	const validVNI = 0x08
	switch {
	case wire < 8:
		return TunnelMalformed
	case len(b) < 8:
		return TunnelShort
	case b[0]&validVNI == 0:
		return TunnelMalformed
	}
	t.Kind = VXLAN
	t.VNI = binary.BigEndian.Uint32(b[4:]) >> 8
	t.Datapath, t.Outport = t.VNI&0xfff, t.VNI>>12
	if t.Outport >= firstVXLANGroup {
		t.Outport += firstGroup - firstVXLANGroup
	}
	t.Inner, t.InnerLen = b[8:], wire-8
	return TunnelOK
}
