package microflow

import (
	"encoding/binary"
	"fmt"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/packet"
)

// initialTTL is what the answering host's packets start with.
const initialTTL = 64

// Reply returns the packet with which the receiver of a frame answers it:
// SYN with SYN and ACK, an echo or ARP request or neighbor solicitation with
// its reply, any other TCP segment, UDP datagram or SCTP INIT with one of the
// same kind the other way. mac is the answering port's own Ethernet address,
// 0 if unknown; ARP and neighbor discovery ask for it.
func Reply(frame []byte, mac uint64) ([]byte, error) {
	f := &Flow{}
	layout := packet.Parse(frame, &f.Key)
	k := &f.Key
	swap(k, field.EthSrc, field.EthDst)
	if mac != 0 {
		k.Set(field.EthSrc, mac)
	}
	switch k.Get(field.EthType) {
	case header.EtherARP:
		if err := replyARP(k, mac); err != nil {
			return nil, err
		}
		return f.Frame(), nil
	case header.EtherIPv4:
		swap(k, field.IP4Src, field.IP4Dst)
	case header.EtherIPv6:
		swap128(k, field.IP6Src, field.IP6Dst)
	default:
		return nil, fmt.Errorf("nobody answers a packet of Ethernet type 0x%04x", k.Get(field.EthType))
	}
	if layout.L4 == 0 {
		return nil, fmt.Errorf("%s: a fragment or a packet cut short gets no answer", packet.Describe(frame))
	}
	k.Set(field.IPTTL, initialTTL)
	swap(k, field.TpSrc, field.TpDst)
	l4 := frame[layout.L4:]
	if err := replyTransport(f, l4, mac); err != nil {
		return nil, err
	}
	out := f.Frame()
	f.acknowledge(out, l4)
	return out, nil
}

func swap(k *field.Key, a, b field.ID) {
	x, y := k.Get(a), k.Get(b)
	k.Set(a, y)
	k.Set(b, x)
}

func swap128(k *field.Key, a, b field.ID) {
	x, y := k.Get128(a), k.Get128(b)
	k.Set128(a, y)
	k.Set128(b, x)
}

func replyARP(k *field.Key, mac uint64) error {
	if k.Get(field.ARPOp) != 1 || mac == 0 {
		return fmt.Errorf("only an ARP request for a port whose address is known gets an answer")
	}
	k.Set(field.ARPOp, 2)
	k.Set(field.ARPTHA, k.Get(field.ARPSHA))
	k.Set(field.ARPSHA, mac)
	swap(k, field.ARPSPA, field.ARPTPA)
	return nil
}

func replyTransport(f *Flow, l4 []byte, mac uint64) error {
	k := &f.Key
	switch k.Get(field.IPProto) {
	case header.ProtoTCP:
		flags := k.Get(field.TCPFlags)
		f.Given.Set(field.TCPFlags, 0xfff)
		if flags&header.FlagRST != 0 {
			return fmt.Errorf("nobody answers a TCP reset")
		}
		k.Set(field.TCPFlags, flags&(header.FlagSYN|header.FlagFIN)|header.FlagACK)
		if flags&header.FlagSYN != 0 && flags&header.FlagACK != 0 {
			k.Set(field.TCPFlags, header.FlagACK)
		}
	case header.ProtoUDP, header.ProtoSCTP:
	case header.ProtoICMP:
		if k.Get(field.ICMP4Type) != 8 {
			return fmt.Errorf("ICMP type %d gets no answer", k.Get(field.ICMP4Type))
		}
		k.Set(field.ICMP4Type, 0)
	case header.ProtoICMPv6:
		return replyICMP6(f, mac)
	default:
		return fmt.Errorf("IP protocol %d: no answer is known", k.Get(field.IPProto))
	}
	return nil
}

func replyICMP6(f *Flow, mac uint64) error {
	k := &f.Key
	switch k.Get(field.ICMP6Type) {
	case 128:
		k.Set(field.ICMP6Type, 129)
	case 135:
		k.Set(field.ICMP6Type, 136)
		k.Set128(field.IP6Src, k.Get128(field.NDTarget))
		k.Set(field.IPTTL, 255)
		k.Set(field.NDTLL, mac)
		f.Given.Set(field.NDTLL, ^uint64(0))
	default:
		return fmt.Errorf("ICMPv6 type %d gets no answer", k.Get(field.ICMP6Type))
	}
	return nil
}

// acknowledge gives the reply what ties it to the packet it answers: numbers
// that the fields of a match do not have.
func (f *Flow) acknowledge(out, l4 []byte) {
	var p packet.Packet
	p.Set(out, len(out))
	if p.Layout.L4 == 0 {
		return
	}
	b := out[p.Layout.L4:]
	switch f.Key.Get(field.IPProto) {
	case header.ProtoTCP:
		seq := binary.BigEndian.Uint32(l4[4:])
		if flags := l4[13]; flags&(header.FlagSYN|header.FlagFIN) != 0 {
			seq++
		}
		f.patch(b, 4, binary.BigEndian.Uint32(l4[8:]))
		f.patch(b, 8, seq)
	case header.ProtoSCTP:
		if len(l4) >= 20 && l4[12] == chunkInit {
			copy(b[4:8], l4[16:20]) // the tag that INIT asks for
			b[12] = chunkInitAck
			sctpChecksum(b)
		}
	case header.ProtoICMP, header.ProtoICMPv6:
		if t := b[0]; t == 0 || t == 129 {
			f.patch(b, 4, binary.BigEndian.Uint32(l4[4:]))
		}
	}
}

// patch writes v at an even offset of a transport header and mends the
// header's checksum (RFC 1624).
func (f *Flow) patch(b []byte, at int, v uint32) {
	sum := 2
	if f.Key.Get(field.IPProto) == header.ProtoTCP {
		sum = 16
	}
	old := binary.BigEndian.Uint32(b[at:])
	binary.BigEndian.PutUint32(b[at:], v)
	binary.BigEndian.PutUint16(b[sum:], header.UpdateWords(binary.BigEndian.Uint16(b[sum:]), old, v))
}
