package filter

import (
	"encoding/binary"
	"math/rand/v2"

	"ovnreplay/nat/header"
)

// frame is a packet as captured, perhaps cut by the snap length.
type frame struct {
	data   []byte
	length int
}

// cat joins bytes.
func cat(parts ...[]byte) (out []byte) {
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func u16(v int) []byte    { return binary.BigEndian.AppendUint16(nil, uint16(v)) }
func u32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

// maker makes packets of few addresses, ports and so on, so that expressions
// drawn from the same ones hit.
type maker struct{ *rand.Rand }

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

var (
	someIPv4 = []uint32{0x0a000001, 0x0a000002, 0x0a010203, 0xc0a80101, 0xe0000001, 0xffffffff, 0, 0x7f000001}
	someMACs = [][]byte{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		{1, 0, 0x5e, 0, 0, 1}}
	somePort = []int{80, 443, 53, 22, 6081, 6000, 6005, 4789, 0, 65535}
	someIPv6 = [][]byte{
		{0x20, 1, 0xd, 0xb8, 15: 1}, {0x20, 1, 0xd, 0xb8, 0, 1, 15: 2}, {0xfe, 0x80, 15: 3}, {0xff, 2, 15: 1}, {15: 1},
	}
)

func (m maker) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(m.Uint32())
	}
	return b
}

func (m maker) port() []byte { return u16(pick(m.Rand, somePort...)) }

// ipv4 puts a header around a payload; some have options, some are fragments.
func (m maker) ipv4(protocol int, payload []byte) []byte {
	options := make([]byte, 4*max(0, m.IntN(5)-3))
	fragment := pick(m.Rand, 0, 0, 0, 0x4000, 0x2000, 0x2010, 0x0020)
	return cat([]byte{byte(0x45 + len(options)/4), byte(m.IntN(4))}, u16(20+len(options)+len(payload)), u16(m.IntN(9)),
		u16(fragment), []byte{byte(pick(m.Rand, 1, 64, 255)), byte(protocol)}, u16(m.IntN(65536)),
		u32(pick(m.Rand, someIPv4...)), u32(pick(m.Rand, someIPv4...)), options, payload)
}

// ipv6 puts a header around a payload, with extension headers between in some.
func (m maker) ipv6(protocol int, payload []byte) []byte {
	for range max(0, m.IntN(5)-2) {
		kind := pick(m.Rand, 0, 43, 60, header.ProtoFragment, header.ProtoAH)
		extension := cat([]byte{byte(protocol), 0}, u16(pick(m.Rand, 0, 1, 0x10)), u32(7))
		if kind == header.ProtoAH {
			extension[1] = 4
			extension = cat(extension, m.bytes(16))
		}
		protocol, payload = kind, cat(extension, payload)
	}
	return cat([]byte{0x60, 0, 0, 0}, u16(len(payload)), []byte{byte(protocol), 64},
		pick(m.Rand, someIPv6...), pick(m.Rand, someIPv6...), payload)
}

// transport is a protocol and its header, in either IP.
func (m maker) transport() (protocol int, payload []byte) {
	switch protocol = pick(m.Rand, header.ProtoTCP, header.ProtoTCP, header.ProtoUDP, header.ProtoUDP, header.ProtoSCTP,
		header.ProtoICMP, header.ProtoICMPv6, header.ProtoIGMP, header.ProtoAH, header.ProtoESP, header.ProtoPIM,
		header.ProtoVRRP, header.ProtoIGRP, 47, 59, 0); protocol {
	case header.ProtoTCP:
		flags := pick(m.Rand, 2, 0x12, 0x10, 0x18, 4, 0x11, 0xc2)
		payload = cat(m.port(), m.port(), m.bytes(8), []byte{0x50, byte(flags)}, m.bytes(6), m.bytes(m.IntN(20)))
	case header.ProtoUDP:
		payload = cat(m.port(), m.port(), u16(8), m.bytes(2), m.bytes(m.IntN(20)))
	case header.ProtoSCTP:
		payload = cat(m.port(), m.port(), m.bytes(8+m.IntN(20)))
	case header.ProtoICMP:
		payload = cat([]byte{byte(pick(m.Rand, 0, 8, 3, 11)), byte(m.IntN(3))}, m.bytes(6))
	case header.ProtoICMPv6:
		payload = cat([]byte{byte(pick(m.Rand, 128, 129, 135, 136)), byte(m.IntN(3))}, m.bytes(6))
	case header.ProtoAH:
		payload = cat([]byte{byte(pick(m.Rand, header.ProtoTCP, header.ProtoUDP, 59)), 4}, m.bytes(30))
	default:
		payload = m.bytes(m.IntN(24))
	}
	return protocol, payload
}

// network is a packet and its EtherType.
func (m maker) network(depth int) (kind int, packet []byte) {
	ip := func(protocol int, payload []byte) (int, []byte) {
		if m.IntN(3) == 0 {
			return header.EtherIPv6, m.ipv6(protocol, payload)
		}
		return header.EtherIPv4, m.ipv4(protocol, payload)
	}
	if depth < 3 {
		switch m.IntN(14) {
		case 0:
			k, p := m.network(depth + 1)
			return pick(m.Rand, header.EtherVLAN, header.EtherQinQ, header.EtherOldQinQ),
				cat(u16(m.IntN(2)<<13|pick(m.Rand, 0, 5, 100, 4095)), u16(k), p)
		case 1:
			return header.EtherMPLS, m.mpls()
		case 2:
			return header.EtherPPPoES, m.pppoe()
		case 3, 4:
			return ip(header.ProtoUDP, cat(m.port(), u16(6081), u16(8), m.bytes(2), m.geneve(depth)))
		case 5:
			p := m.llc()
			return len(p), p
		}
	}
	switch m.IntN(12) {
	case 0, 1:
		return pick(m.Rand, header.EtherARP, header.EtherARP, header.EtherRARP),
			cat(u16(1), u16(0x800), []byte{6, 4}, u16(1+m.IntN(2)),
				pick(m.Rand, someMACs...), u32(pick(m.Rand, someIPv4...)), pick(m.Rand, someMACs...),
				u32(pick(m.Rand, someIPv4...)))
	case 2:
		return pick(m.Rand, header.EtherATalk, header.EtherAARP, header.EtherIPX, header.EtherLAT, header.EtherDECnet,
			header.EtherLoopback, header.EtherPPPoED, 0x88cc), m.decnet()
	}
	return ip(m.transport())
}

func (m maker) mpls() []byte {
	labels := 1 + m.IntN(3)
	var out []byte
	for i := range labels {
		bottom := 0
		if i == labels-1 {
			bottom = 1
		}
		out = cat(out, u32(uint32(pick(m.Rand, 16, 1024, 100000)<<12|bottom<<8|64)))
	}
	protocol, payload := m.transport()
	if m.IntN(3) == 0 {
		return cat(out, m.ipv6(protocol, payload))
	}
	return cat(out, m.ipv4(protocol, payload))
}

func (m maker) pppoe() []byte {
	protocol, payload := m.transport()
	head := cat([]byte{0x11, 0}, u16(pick(m.Rand, 1, 39)), u16(len(payload)+22))
	switch m.IntN(4) {
	case 0:
		return cat(head, u16(0x57), m.ipv6(protocol, payload))
	case 1:
		return cat(head, u16(0x281), m.mpls())
	}
	return cat(head, u16(0x21), m.ipv4(protocol, payload))
}

func (m maker) geneve(depth int) []byte {
	options := m.bytes(4 * m.IntN(3))
	kind, inner := m.network(depth + 1)
	if m.IntN(3) > 0 {
		kind, inner = header.EtherTEB, m.ethernet(kind, inner)
	}
	return cat([]byte{byte(pick(m.Rand, 0, 0, 0, 0x40) | len(options)/4), 0}, u16(kind),
		u32(uint32(pick(m.Rand, 0, 11, 5000)<<8)), options, inner)
}

// llc is what an 802.3 frame carries.
func (m maker) llc() []byte {
	sap := byte(pick(m.Rand, sapISO, sapSTP, sapIPX, sapNetBEUI, sapIP, sapSNAP, 0xff, 4))
	if sap == sapSNAP {
		vendor := pick(m.Rand, 0, appleTalk)
		return cat([]byte{sap, sap, 3, byte(vendor >> 16)}, u16(vendor),
			u16(pick(m.Rand, header.EtherATalk, header.EtherAARP, header.EtherIPX, header.EtherIPv4)), m.bytes(20))
	}
	return cat([]byte{sap, pick(m.Rand, sap, 0), byte(pick(m.Rand, 3, 1, 5, 0, 0x63, 0xaf)),
		byte(pick(m.Rand, isoCLNP, isoESIS, isoISIS))},
		m.bytes(3), []byte{byte(15 + m.IntN(14))}, m.bytes(m.IntN(30)))
}

func (m maker) decnet() []byte {
	return cat(m.bytes(2), []byte{byte(pick(m.Rand, 2, 6, 0x81))}, m.bytes(30))
}

func (m maker) ethernet(kind int, payload []byte) []byte {
	return cat(pick(m.Rand, someMACs...), pick(m.Rand, someMACs...), u16(kind), payload)
}

// frame is a packet with the header of a link type.
func (m maker) frame(link uint16) []byte {
	kind, p := m.network(0)
	if link != linkEthernet && kind <= maxLength8023 {
		kind = pick(m.Rand, 1, 4)
	}
	switch link {
	case linkSLL:
		return cat(u16(m.IntN(5)), u16(1), u16(6), someMACs[0], u16(0), u16(kind), p)
	case linkSLL2:
		return cat(u16(kind), u16(0), u32(uint32(m.IntN(4))), u16(1), []byte{byte(m.IntN(5)), 6}, someMACs[0],
			u16(0), p)
	case linkNull:
		return cat([]byte{byte(m.family(kind)), 0, 0, 0}, p)
	case linkLoop:
		return cat([]byte{0, 0, 0, byte(m.family(kind))}, p)
	case linkEthernet:
		return m.ethernet(kind, p)
	}
	return p
}

func (m maker) family(kind int) int {
	if kind == header.EtherIPv6 {
		return pick(m.Rand, 10, 24, 28, 30)
	}
	return 2
}

// frames makes n packets, of which those after the first whole ones are cut
// somewhere, often inside a header.
func frames(link uint16, seed uint64, whole, cut int) []frame {
	m := maker{rand.New(rand.NewPCG(seed, uint64(link)))}
	out := make([]frame, whole+cut)
	for i := range out {
		data := m.frame(link)
		f := frame{data, len(data)}
		if i >= whole {
			f.data = data[:m.IntN(min(len(data), 90))]
		}
		out[i] = f
	}
	return out
}
