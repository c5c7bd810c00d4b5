package lflow

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// ParseEndpoint reads "ip", "ip:port", "[ip6]" and "[ip6]:port" as OVS does:
// the port is 0 when there is none, and more than one colon outside brackets
// makes it a bare IPv6 address.
func ParseEndpoint(s string) (netip.AddrPort, bool) {
	host, port := splitEndpoint(s)
	n := 0
	if port != "" {
		var ok bool
		if n, ok = parseCInt(port); !ok || n < 0 || n > math.MaxUint16 {
			return netip.AddrPort{}, false
		}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Zone() != "" {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(addr, uint16(n)), true
}

// splitEndpoint separates host and port and takes brackets off both.
func splitEndpoint(s string) (host, port string) {
	colons, last, inside := 0, 0, false
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '[':
			inside = true
		case ']':
			inside = false
		case ':':
			if !inside {
				colons++
				last = i
			}
		}
	}
	switch colons {
	case 0:
		return unbracket(s), ""
	case 1:
		return unbracket(s[:last]), unbracket(s[last+1:])
	}
	return s, ""
}

func unbracket(s string) string {
	if strings.HasPrefix(s, "[") {
		s = strings.TrimSuffix(s[1:], "]")
	}
	return s
}

// parseCInt is strtol without white space.
func parseCInt(s string) (int, bool) {
	n, err := strconv.ParseInt(s, 10, 32)
	return int(n), err == nil
}

// isUUID reports whether s is a UUID in its usual form.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if !isHex(s[i]) {
				return false
			}
		}
	}
	return true
}
