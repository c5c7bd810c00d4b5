package microflow

import (
	"fmt"
	"strings"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/packet"
)

// Express writes the microflow of a frame that enters at a port: a match that
// ovn-trace, and Parse, take for that packet. What matches cannot speak of
// (sequence numbers, payload) is lost.
func Express(frame []byte, inport string) string {
	var k field.Key
	packet.Parse(frame, &k)
	terms := []string{fmt.Sprintf("inport == %q", inport)}
	add := func(name string, id field.ID) {
		terms = append(terms, name+" == "+packet.FormatField(id, k.Get128(id)))
	}
	add("eth.src", field.EthSrc)
	add("eth.dst", field.EthDst)
	if tci := k.Get(field.VLANTCI); tci != 0 {
		terms = append(terms, fmt.Sprintf("vlan.vid == %d && vlan.pcp == %d", tci&0xfff, tci>>13))
	}
	switch k.Get(field.EthType) {
	case header.EtherIPv4:
		add("ip4.src", field.IP4Src)
		add("ip4.dst", field.IP4Dst)
	case header.EtherIPv6:
		add("ip6.src", field.IP6Src)
		add("ip6.dst", field.IP6Dst)
	case header.EtherARP:
		for _, id := range []field.ID{field.ARPOp, field.ARPSHA, field.ARPSPA, field.ARPTHA, field.ARPTPA} {
			add(id.String(), id)
		}
		return strings.Join(terms, " && ")
	default:
		add("eth.type", field.EthType)
		return strings.Join(terms, " && ")
	}
	add("ip.ttl", field.IPTTL)
	for _, id := range []field.ID{field.IPDSCP, field.IPECN, field.IPFrag} {
		if k.Get(id) != 0 {
			add(id.String(), id)
		}
	}
	if k.Get(field.IPFrag) != 0 {
		add("ip.proto", field.IPProto)
		return strings.Join(terms, " && ")
	}
	return strings.Join(append(terms, transport(&k)...), " && ")
}

// transport writes what of the transport header matches can speak of.
func transport(k *field.Key) (terms []string) {
	add := func(name string, id field.ID) {
		terms = append(terms, name+" == "+packet.FormatField(id, k.Get128(id)))
	}
	proto := uint8(k.Get(field.IPProto))
	switch proto {
	case header.ProtoTCP, header.ProtoUDP, header.ProtoSCTP:
		name := packet.ProtoName(proto)
		add(name+".src", field.TpSrc)
		add(name+".dst", field.TpDst)
		if proto == header.ProtoTCP {
			add("tcp.flags", field.TCPFlags)
		}
	case header.ProtoICMP:
		add("icmp4.type", field.ICMP4Type)
		add("icmp4.code", field.ICMP4Code)
	case header.ProtoICMPv6:
		add("icmp6.type", field.ICMP6Type)
		add("icmp6.code", field.ICMP6Code)
		if typ := k.Get(field.ICMP6Type); typ == 135 || typ == 136 {
			add("nd.target", field.NDTarget)
			if typ == 135 {
				add("nd.sll", field.NDSLL)
			} else {
				add("nd.tll", field.NDTLL)
			}
		}
	default:
		add("ip.proto", field.IPProto)
	}
	return terms
}
