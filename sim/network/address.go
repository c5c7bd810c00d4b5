package network

import (
	"fmt"
	"net/netip"
	"strings"

	"ovnreplay/nat/header"
)

// ParseAddress parses "MAC IP…", each IP with or without a prefix length. Of
// a text that goes wrong after the MAC it returns, with the error, what came
// before, as OVN does.
func ParseAddress(text string) (*Address, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return nil, fmt.Errorf("no address")
	}
	mac, ok := header.ParseMAC(words[0])
	if !ok {
		return nil, fmt.Errorf("%q is not an Ethernet address", words[0])
	}
	a := &Address{MAC: mac}
	for _, w := range words[1:] {
		p, ok := parsePrefix(w)
		if !ok {
			return a, fmt.Errorf("%q is not an IP address", w)
		}
		a.IPs = append(a.IPs, p)
	}
	return a, nil
}

// parsePrefix keeps the bits beyond the prefix length.
func parsePrefix(s string) (netip.Prefix, bool) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		return p, err == nil
	}
	ip, err := netip.ParseAddr(s)
	if err != nil || ip.Zone() != "" {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(ip, ip.BitLen()), true
}
