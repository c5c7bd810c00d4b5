package microflow

import "ovnreplay/sim/field"

// payload is what a UDP datagram carries: a DHCP client asks for an address,
// anything else is empty.
func (f *Flow) payload(v6 bool) []byte {
	src, dst := f.Key.Get(field.TpSrc), f.Key.Get(field.TpDst)
	switch {
	case !v6 && src == 68 && dst == 67:
		return f.discover()
	case v6 && src == 546 && dst == 547:
		return f.solicit()
	}
	return nil
}

// discover is a DHCPDISCOVER (RFC 2131).
func (f *Flow) discover() []byte {
	const (
		chaddr = 28
		length = 236
	)
	b := make([]byte, length)
	copy(b, []byte{1, 1, 6, 0, 0, 0, 0, 1}) // BOOTREQUEST, Ethernet, 6 bytes, no hops, transaction 1
	copy(b[chaddr:], appendMAC(nil, f.Key.Get(field.EthSrc)))
	b = append(b, 99, 130, 83, 99) // magic cookie
	return append(b, 53, 1, 1, 255)
}

// solicit is a DHCPv6 SOLICIT for one address (RFC 8415).
func (f *Flow) solicit() []byte {
	b := []byte{1, 0, 0, 1}                   // SOLICIT, transaction 1
	b = append(b, 0, 1, 0, 10, 0, 3, 0, 1)    // client identifier: DUID-LL, Ethernet
	b = appendMAC(b, f.Key.Get(field.EthSrc)) //
	b = append(b, 0, 3, 0, 12)                // IA_NA
	return append(b, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)
}
