package network

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"ovnreplay/sim/lflow"
)

// ParseVIP parses a load balancer's VIP, "IP", "IP:PORT" or "[IP6]:PORT", and
// its backends, the same separated by commas.
func ParseVIP(vip, backends string) (VIP, error) {
	v := VIP{Text: vip, BackendText: backends}
	if strings.Contains(vip, "^") || strings.Contains(backends, "^") {
		return v, nil
	}
	ap, err := parseEndpoint(vip)
	if err != nil {
		return v, err
	}
	v.Addr, v.Port = ap.Addr(), ap.Port()
	for _, text := range strings.Split(backends, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		b, err := parseEndpoint(text)
		if err != nil {
			return v, err
		}
		v.Backends = append(v.Backends, b)
	}
	return v, nil
}

// ExpandTemplates replaces the template variables of a text, "^NAME", by their
// values. One that is not known stays as it is.
func ExpandTemplates(text string, vars map[string]string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "^")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		n := 0
		for n < len(rest) && (rest[n] == '_' || rest[n]|0x20 >= 'a' && rest[n]|0x20 <= 'z' || rest[n] >= '0' &&
			rest[n] <= '9') {
			n++
		}
		if value, known := vars[rest[:n]]; known {
			b.WriteString(value)
		} else {
			b.WriteString("^" + rest[:n])
		}
		text = rest[n:]
	}
}

func parseEndpoint(text string) (netip.AddrPort, error) {
	host, port := text, ""
	if rest, ok := strings.CutPrefix(text, "["); ok {
		host, port, ok = strings.Cut(rest, "]")
		if !ok || port != "" && port[0] != ':' {
			return netip.AddrPort{}, fmt.Errorf("%q is not an address", text)
		}
		port = strings.TrimPrefix(port, ":")
	} else if strings.Count(text, ":") == 1 {
		host, port, _ = strings.Cut(text, ":")
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is not an IP address", host)
	}
	n := uint64(0)
	if port != "" {
		if n, err = strconv.ParseUint(port, 10, 16); err != nil {
			return netip.AddrPort{}, fmt.Errorf("%q is not a port number", port)
		}
	}
	return netip.AddrPortFrom(ip, uint16(n)), nil
}

// Template reports whether the load balancer has VIPs to be expanded with a
// chassis's variables.
func (lb *LoadBalancer) Template() bool {
	return slices.ContainsFunc(lb.VIPs, func(v VIP) bool { return !v.Addr.IsValid() })
}

// Varies reports whether the flow has template variables, and so is another on
// each chassis.
func (f *Flow) Varies() bool {
	return lflow.Templated(f.Match) || lflow.Templated(f.Actions)
}
