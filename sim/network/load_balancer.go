package network

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"ovnreplay/store"
)

var protocols = map[string]uint8{"": 0, "tcp": 6, "udp": 17, "sctp": 132}

// loadBalancers reads Load_Balancer.
func (l *loader) loadBalancers() {
	byRow := make(map[store.UUID]*LoadBalancer)
	for _, r := range l.rows("Load_Balancer") {
		lb := &LoadBalancer{UUID: r.UUID.String(), Name: r.Text("name"), Options: r.Map("options")}
		var known bool
		if lb.Protocol, known = protocols[r.Text("protocol")]; !known {
			l.problem(r, "its protocol %q is not known", r.Text("protocol"))
			continue
		}
		for vip, backends := range r.Pairs("vips") {
			v, err := ParseVIP(vip, backends)
			if err != nil {
				l.problem(r, "VIP %q = %q: %v", vip, backends, err)
				continue
			}
			lb.VIPs = append(lb.VIPs, v)
		}
		lb.Datapaths = l.balancedDatapaths(r)
		byRow[r.UUID] = lb
		l.net.LoadBalancers = append(l.net.LoadBalancers, lb)
	}
	// Before OVN 21.12 the datapath names its load balancers; since then
	// northd leaves the column empty.
	for _, r := range l.rows("Datapath_Binding") {
		d := l.dp[r.UUID]
		for u := range r.Refs("load_balancers") {
			lb := byRow[u]
			if lb == nil {
				l.problem(r, "its load balancer %s does not exist", u)
			} else if d != nil {
				lb.Datapaths = append(lb.Datapaths, d)
			}
		}
	}
	for _, lb := range l.net.LoadBalancers {
		lb.Datapaths = sortDatapaths(lb.Datapaths)
		for _, d := range lb.Datapaths {
			d.LoadBalancers = append(d.LoadBalancers, lb)
		}
	}
}

// balancedDatapaths are those a load balancer names itself, alone or in
// groups; which columns there are differs by version.
func (l *loader) balancedDatapaths(r *store.Row) []*Datapath {
	list := l.datapathRefs(r, "datapaths")
	for _, column := range []string{"datapath_group", "ls_datapath_group", "lr_datapath_group"} {
		u, ok := r.Ref(column)
		if !ok {
			continue
		}
		group, ok := l.groups[u]
		if !ok {
			l.problem(r, "its %s %s does not exist", column, u)
		}
		list = append(list, group...)
	}
	return list
}

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
