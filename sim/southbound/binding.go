package southbound

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"ovnreplay/nat/header"
	"ovnreplay/sim/network"
	"ovnreplay/store"
)

// macBindings reads MAC_Binding and Static_MAC_Binding.
func (l *loader) macBindings() {
	l.net.MACBindings = l.bindings("MAC_Binding")
	l.net.StaticMACs = l.bindings("Static_MAC_Binding")
}

func (l *loader) bindings(table string) []network.MACBinding {
	var list []network.MACBinding
	for _, r := range l.rows(table) {
		d := l.datapathRef(r)
		if d == nil {
			continue
		}
		p := l.portByName[r.Text("logical_port")]
		if p == nil {
			l.problem(r, "its port %q does not exist", r.Text("logical_port"))
			continue
		}
		ip, err := netip.ParseAddr(r.Text("ip"))
		if err != nil {
			l.problem(r, "%q is not an IP address", r.Text("ip"))
			continue
		}
		mac, ok := header.ParseMAC(r.Text("mac"))
		if !ok {
			l.problem(r, "%q is not an Ethernet address", r.Text("mac"))
			continue
		}
		list = append(list, network.MACBinding{
			UUID: r.UUID.String(), Datapath: d, Port: p, IP: ip, MAC: mac,
			Timestamp: r.Integer("timestamp"), Override: r.Bool("override_dynamic_mac"),
		})
	}
	slices.SortStableFunc(list, func(a, b network.MACBinding) int {
		return cmp.Or(cmp.Compare(a.Datapath.Index, b.Datapath.Index), strings.Compare(a.Port.Name, b.Port.Name),
			a.IP.Compare(b.IP))
	})
	return list
}

// fdb reads FDB, whose rows name datapath and port by tunnel key.
func (l *loader) fdb() {
	for _, r := range l.rows("FDB") {
		mac, ok := header.ParseMAC(r.Text("mac"))
		if !ok {
			l.problem(r, "%q is not an Ethernet address", r.Text("mac"))
			continue
		}
		e := network.FDBEntry{DatapathKey: uint32(r.Integer("dp_key")), PortKey: uint32(r.Integer("port_key")),
			MAC: mac, Timestamp: r.Integer("timestamp")}
		d := l.net.DatapathByKey(e.DatapathKey)
		if d == nil {
			l.problem(r, "no datapath has the tunnel key %d", e.DatapathKey)
			continue
		}
		if d.PortByKey(e.PortKey) == nil {
			l.problem(r, "no port of datapath %s has the tunnel key %d", d.Name, e.PortKey)
			continue
		}
		e.Datapath = d
		l.net.FDB = append(l.net.FDB, e)
	}
	slices.SortStableFunc(l.net.FDB, func(a, b network.FDBEntry) int {
		return cmp.Or(cmp.Compare(a.DatapathKey, b.DatapathKey), bytes.Compare(a.MAC[:], b.MAC[:]),
			cmp.Compare(a.PortKey, b.PortKey))
	})
}

// stamp finds the latest moment that a row tells.
func (l *loader) stamp() {
	n := l.net
	for _, r := range l.rows("Chassis_Private") {
		n.Stamp = max(n.Stamp, r.Integer("nb_cfg_timestamp"))
	}
	for i := range n.MACBindings {
		n.Stamp = max(n.Stamp, n.MACBindings[i].Timestamp)
	}
	for i := range n.FDB {
		n.Stamp = max(n.Stamp, n.FDB[i].Timestamp)
	}
}

// services reads the tables behind what ovn-controller does of itself.
func (l *loader) services() {
	n := l.net
	for _, r := range l.rows("DNS") {
		d := &network.DNS{UUID: r.UUID.String(), Records: r.Map("records"), Options: r.Map("options"),
			Datapaths: l.datapathRefs(r, "datapaths")}
		n.DNS = append(n.DNS, d)
		for _, dp := range d.Datapaths {
			dp.DNS = append(dp.DNS, d)
		}
	}
	for _, r := range l.rows("Service_Monitor") {
		n.ServiceMonitors = append(n.ServiceMonitors, network.ServiceMonitor{
			UUID: r.UUID.String(), IP: r.Text("ip"), LogicalPort: r.Text("logical_port"), Protocol: r.Text("protocol"),
			SrcMAC: r.Text("src_mac"), SrcIP: r.Text("src_ip"), Status: r.Text("status"),
			Port: int(r.Integer("port")), Options: r.Map("options"),
			Type: r.Text("type"), MAC: r.Text("mac"), InputPort: r.Text("logical_input_port"),
		})
	}
	for _, r := range l.rows("IP_Multicast") {
		if d := l.datapathRef(r); d != nil {
			n.IPMulticast = append(n.IPMulticast, ipMulticast(r, d))
		}
	}
	slices.SortStableFunc(n.IPMulticast,
		func(a, b network.IPMulticast) int { return cmp.Compare(a.Datapath.Index, b.Datapath.Index) })
	for _, r := range l.rows("BFD") {
		n.BFD = append(n.BFD, l.bfd(r))
	}
	for _, r := range l.rows("ECMP_Nexthop") {
		l.nexthop(r)
	}
	for _, r := range l.rows("ACL_ID") {
		n.ACLIDs = append(n.ACLIDs, network.ACLID{UUID: r.UUID.String(), AZ: n.AZ, ID: uint16(r.Integer("id"))})
	}
}

func ipMulticast(r *store.Row, d *network.Datapath) network.IPMulticast {
	return network.IPMulticast{
		UUID: r.UUID.String(), Datapath: d, Enabled: r.Bool("enabled"), Querier: r.Bool("querier"),
		EthSrc: r.Text("eth_src"), IP4Src: r.Text("ip4_src"), IP6Src: r.Text("ip6_src"),
		TableSize: int(r.Integer("table_size")), SeqNo: int(r.Integer("seq_no")),
		IdleTimeout: int(r.Integer("idle_timeout")), QueryInterval: int(r.Integer("query_interval")),
		QueryMaxResponse: int(r.Integer("query_max_resp")),
	}
}

func (l *loader) bfd(r *store.Row) network.BFD {
	b := network.BFD{
		UUID: r.UUID.String(), LogicalPort: r.Text("logical_port"), DstIP: r.Text("dst_ip"),
		SrcPort: uint16(r.Integer("src_port")), Disc: uint32(r.Integer("disc")),
		MinTX: int(r.Integer("min_tx")), MinRX: int(r.Integer("min_rx")),
		DetectMult: int(r.Integer("detect_mult")), Status: r.Text("status"),
	}
	if b.Port = l.portByName[b.LogicalPort]; b.Port == nil {
		l.problem(r, "its port %q does not exist", b.LogicalPort)
	}
	return b
}

func (l *loader) nexthop(r *store.Row) {
	ip, err := netip.ParseAddr(r.Text("nexthop"))
	if err != nil {
		l.problem(r, "%q is not an IP address", r.Text("nexthop"))
		return
	}
	e := network.ECMPNexthop{UUID: r.UUID.String(), Nexthop: ip, MAC: r.Text("mac")}
	if u, ok := r.Ref("port"); ok {
		if e.Port = l.port[u]; e.Port == nil {
			l.problem(r, "its port %s does not exist", u)
		}
	}
	if r.Has("datapath") {
		e.Datapath = l.datapathRef(r)
	}
	l.net.ECMPNexthops = append(l.net.ECMPNexthops, e)
}
