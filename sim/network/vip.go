package network

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"
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

// VIPs are the addresses of a load balancer with their backends: those of a template as they
// are on each chassis that has its variables.
func (n *Network) VIPs(lb *LoadBalancer) iter.Seq[*VIP] {
	return func(yield func(*VIP) bool) {
		for i := range lb.VIPs {
			v := &lb.VIPs[i]
			if v.Addr.IsValid() {
				if !yield(v) {
					return
				}
				continue
			}
			told := map[[2]string]bool{}
			for _, c := range n.Chassis {
				vars := n.Templates[c.Name]
				texts := [2]string{ExpandTemplates(v.Text, vars), ExpandTemplates(v.BackendText, vars)}
				x, err := ParseVIP(texts[0], texts[1])
				if err != nil || !x.Addr.IsValid() || told[texts] {
					continue
				}
				told[texts] = true
				if !yield(&x) {
					return
				}
			}
		}
	}
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
	e, ok := lflow.ParseEndpoint(text)
	if !ok {
		return e, fmt.Errorf("%q is not an IP address, with a port or without", text)
	}
	return e, nil
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
