package network

import (
	"fmt"
	"net/netip"
	"strings"
)

// ParseMAC parses aa:bb:cc:dd:ee:ff.
func ParseMAC(s string) (mac [6]byte, ok bool) {
	if len(s) != 17 {
		return mac, false
	}
	for i := range mac {
		hi, ok1 := nibble(s[3*i])
		lo, ok2 := nibble(s[3*i+1])
		if !ok1 || !ok2 || i < 5 && s[3*i+2] != ':' {
			return [6]byte{}, false
		}
		mac[i] = hi<<4 | lo
	}
	return mac, true
}

func nibble(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// ParseAddress parses "MAC IP…", each IP with or without a prefix length. Of
// a text that goes wrong after the MAC it returns, with the error, what came
// before, as OVN does.
func ParseAddress(text string) (*Address, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return nil, fmt.Errorf("no address")
	}
	mac, ok := ParseMAC(words[0])
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
