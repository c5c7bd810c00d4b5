package southbound

import (
	"ovnreplay/sim/network"
	"ovnreplay/store"
)

var protocols = map[string]uint8{"": 0, "tcp": 6, "udp": 17, "sctp": 132}

// loadBalancers reads Load_Balancer.
func (l *loader) loadBalancers() {
	byRow := make(map[store.UUID]*network.LoadBalancer)
	for _, r := range l.rows("Load_Balancer") {
		lb := &network.LoadBalancer{UUID: r.UUID.String(), Name: r.Text("name"), Options: r.Map("options")}
		var known bool
		if lb.Protocol, known = protocols[r.Text("protocol")]; !known {
			l.problem(r, "its protocol %q is not known", r.Text("protocol"))
			continue
		}
		for vip, backends := range r.Pairs("vips") {
			v, err := network.ParseVIP(vip, backends)
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
func (l *loader) balancedDatapaths(r *store.Row) []*network.Datapath {
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
