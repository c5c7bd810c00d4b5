package microflow

import (
	"net"

	"github.com/google/gopacket/layers"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
)

// payload is what a UDP datagram carries: a DHCP client asks for an address,
// anything else is empty.
func (f *Flow) payload(v6 bool) []layer {
	src, dst := f.Key.Get(field.TpSrc), f.Key.Get(field.TpDst)
	mac := header.MACBytes(f.Key.Get(field.EthSrc))
	switch {
	case !v6 && src == 68 && dst == 67:
		return []layer{discover(mac[:])}
	case v6 && src == 546 && dst == 547:
		return []layer{solicit(mac[:])}
	}
	return nil
}

// discover is a DHCPDISCOVER (RFC 2131).
func discover(mac net.HardwareAddr) layer {
	return &layers.DHCPv4{
		Operation: layers.DHCPOpRequest, HardwareType: layers.LinkTypeEthernet, Xid: 1, ClientHWAddr: mac,
		Options: layers.DHCPOptions{
			layers.NewDHCPOption(layers.DHCPOptMessageType, []byte{byte(layers.DHCPMsgTypeDiscover)}),
		},
	}
}

// solicit is a DHCPv6 SOLICIT for one address (RFC 8415).
func solicit(mac net.HardwareAddr) layer {
	id := &layers.DHCPv6DUID{Type: layers.DHCPv6DUIDTypeLL, HardwareType: []byte{0, 1}, LinkLayerAddress: mac}
	return &layers.DHCPv6{
		MsgType: layers.DHCPv6MsgTypeSolicit, TransactionID: []byte{0, 0, 1},
		Options: layers.DHCPv6Options{
			layers.NewDHCPv6Option(layers.DHCPv6OptClientID, id.Encode()),
			layers.NewDHCPv6Option(layers.DHCPv6OptIANA, []byte{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}),
		},
	}
}
