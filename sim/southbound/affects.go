package southbound

import (
	"slices"

	"ovnreplay/store"
)

// loaded are the tables that Load reads, each with those of its columns that
// change often and that Load does not read.
var loaded = map[string][]string{
	"ACL_ID": nil, "Address_Set": nil, "BFD": nil, "Chassis": {"nb_cfg"}, "Chassis_Template_Var": nil,
	"Chassis_Private": {"chassis", "external_ids", "name", "nb_cfg", "nb_cfg_timestamp"},
	"DHCP_Options":    nil, "DHCPv6_Options": nil, "DNS": nil, "Datapath_Binding": nil, "ECMP_Nexthop": nil,
	"Encap": nil,
	"FDB":   nil, "Gateway_Chassis": nil, "HA_Chassis": nil, "HA_Chassis_Group": {"ref_chassis"}, "IP_Multicast": nil,
	"Load_Balancer": nil, "Logical_DP_Group": nil, "Logical_Flow": nil, "MAC_Binding": nil, "Meter": nil,
	"Meter_Band":      nil,
	"Multicast_Group": nil, "Port_Binding": nil, "Port_Group": nil,
	"SB_Global":       {"connections", "external_ids", "ipsec", "nb_cfg", "nb_cfg_timestamp", "ssl"},
	"Service_Monitor": nil, "Static_MAC_Binding": nil,
}

// Affects reports whether changes to a database's rows make another network
// of it, so that it must be loaded anew.
func Affects(changes []store.Change) bool {
	return slices.ContainsFunc(changes, func(c store.Change) bool {
		ignored, ok := loaded[c.Table]
		if !ok || c.What() != "modify" {
			return ok
		}
		return slices.ContainsFunc(c.Columns(), func(name string) bool { return !slices.Contains(ignored, name) })
	})
}

// Unbinds reports whether changes take a port from a chassis, which then flushes
// its conntrack zone, however soon the port comes back.
func Unbinds(changes []store.Change) bool {
	return slices.ContainsFunc(changes, func(c store.Change) bool {
		if c.Table != "Port_Binding" || c.Old == nil {
			return false
		}
		was, bound := c.Old.Ref("chassis")
		if !bound || c.New == nil {
			return bound
		}
		is, _ := c.New.Ref("chassis")
		return is != was
	})
}

// table is a table that Load reads.
func (l *loader) table(name string) *store.Table {
	if _, ok := loaded[name]; !ok {
		panic("southbound: table " + name + " is read but not listed as loaded")
	}
	return l.db.Table(name)
}
