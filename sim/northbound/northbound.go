// Package northbound reads what people asked of OVN from a Northbound
// database: the rows that logical flows are made of, each in a person's words.
//
// It is the sibling of package southbound. It takes a database of any OVN: a
// table or column it lacks is empty. It reads no files, and nothing about
// packets depends on it.
package northbound

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"ovnreplay/sim/network"
	"ovnreplay/store"
)

// Name is the database's.
const Name = "OVN_Northbound"

// Load reads the rows of a Northbound database that logical flows may name.
func Load(db *store.Database) (*network.Objects, error) {
	if db.Name != Name {
		return nil, fmt.Errorf("%s: this is the %s database; pass the Northbound database", db.Source, db.Name)
	}
	l := loader{db: db, of: map[store.UUID]string{}}
	l.parents()
	return network.NewObjects(db.Source, l.objects()), nil
}

// objects are the rows as the database has them.
func (l *loader) objects() (all []*network.Object) {
	for _, k := range kinds {
		for _, r := range l.db.Table(k.table).Rows() {
			all = append(all, l.object(k.table, r, k.text))
		}
	}
	return all
}

// object is a row in words.
func (l *loader) object(table string, r *store.Row, text func(*store.Row) string) *network.Object {
	o := &network.Object{Table: table, UUID: r.UUID.String(), Name: r.Text("name"), Of: l.of[r.UUID], Text: text(r),
		Owner: owner(r)}
	if table == "Load_Balancer" {
		o.Lead, o.Parts = o.Text, vips(r)
		o.Text = network.TextOf(o.Lead, o.Parts, 0)
	}
	return o
}

// loader knows which switch, router or port group a row belongs to.
type loader struct {
	db *store.Database
	of map[store.UUID]string
}

// parents follows the columns by which rows belong to others. A row that is in
// several places is said to be in the first, "and 3 more"; a load balancer that a group has is
// where the group is applied, "by group web".
func (l *loader) parents() {
	more := map[store.UUID]int{}
	belongs := func(u store.UUID, to string) {
		if l.of[u] == "" {
			l.of[u] = to
		} else {
			more[u]++
		}
	}
	groups := map[store.UUID]*store.Row{}
	for _, r := range l.db.Table("Load_Balancer_Group").Rows() {
		groups[r.UUID] = r
	}
	for _, c := range owners {
		for _, r := range l.db.Table(c.table).Rows() {
			for column := range strings.FieldsSeq(c.columns) {
				for u := range r.Refs(column) {
					belongs(u, c.word+" "+called(r))
				}
			}
			for g := range r.Refs("load_balancer_group") {
				if group := groups[g]; group != nil {
					for u := range group.Refs("load_balancer") {
						belongs(u, fmt.Sprintf("%s %s, by group %s,", c.word, called(r), group.Text("name")))
					}
				}
			}
		}
	}
	for u, n := range more {
		l.of[u] += fmt.Sprintf(" and %d more", n)
	}
	for u, of := range l.of {
		l.of[u] = strings.TrimSuffix(of, ",")
	}
}

// owners are the tables whose rows others belong to, with the columns that say so.
var owners = []struct{ table, word, columns string }{
	{"Logical_Switch", "switch", "acls qos_rules load_balancer ports"},
	{"Logical_Router", "router", "nat static_routes policies load_balancer ports"},
	{"Port_Group", "port group", "acls"},
}

// called is what people call a switch or router: Neutron's own name for it is in external_ids,
// its row's name has the UUID.
func called(r *store.Row) string {
	ids := r.Map("external_ids")
	return cmp.Or(ids["neutron:router_name"], ids["neutron:network_name"], r.Text("name"))
}

// kinds are the tables read, each with how its rows are put into words.
var kinds = []struct {
	table string
	text  func(*store.Row) string
}{
	{"ACL", acl},
	{"Load_Balancer", func(r *store.Row) string { return r.Text("protocol") }},
	{"NAT", nat},
	{"Logical_Router_Static_Route", route},
	{"Logical_Router_Policy", policy},
	{"QoS", func(r *store.Row) string {
		return fmt.Sprintf("%s %d: %s", r.Text("direction"), r.Integer("priority"), r.Text("match"))
	}},
	{"DHCP_Options", func(r *store.Row) string { return r.Text("cidr") }},
	{"Logical_Router_Port", func(r *store.Row) string { return strings.Join(r.Set("networks"), " ") }},
	{"Logical_Switch_Port", func(r *store.Row) string { return strings.Join(r.Set("addresses"), ", ") }},
	{"Logical_Switch", none},
	{"Logical_Router", none},
	{"DNS", none},
}

func none(*store.Row) string { return "" }

func acl(r *store.Row) string {
	s := fmt.Sprintf("%s %d %s", r.Text("direction"), r.Integer("priority"), r.Text("action"))
	if n := r.Integer("tier"); n != 0 {
		s += fmt.Sprintf(", tier %d", n)
	}
	if n := r.Integer("label"); n != 0 {
		s += fmt.Sprintf(", label %d", n)
	}
	return s + ": " + r.Text("match")
}

// maxBackends is how many of an address' backends are told.
const maxBackends = 8

// vips are a load balancer's addresses.
func vips(r *store.Row) (parts []network.Part) {
	for vip, backends := range r.Pairs("vips") {
		p := network.Part{Text: vip + " -> " + backends}
		if list := strings.Split(backends, ","); len(list) > maxBackends {
			p.Text = fmt.Sprintf("%s -> %s and %d more", vip, strings.Join(list[:maxBackends], ","),
				len(list)-maxBackends)
		}
		if v, err := network.ParseVIP(vip, ""); err == nil && v.Addr.IsValid() {
			p.At = netip.AddrPortFrom(v.Addr, v.Port)
		}
		parts = append(parts, p)
	}
	return parts
}

func nat(r *store.Row) string {
	s := fmt.Sprintf("%s %s <-> %s", r.Text("type"), r.Text("external_ip"), r.Text("logical_ip"))
	if p := r.Text("logical_port"); p != "" {
		s += ", distributed at " + p
	}
	return s
}

func route(r *store.Row) string {
	s := fmt.Sprintf("%s via %s", r.Text("ip_prefix"), r.Text("nexthop"))
	if r.Text("policy") == "src-ip" {
		s = "from " + s
	}
	if p := r.Text("output_port"); p != "" {
		s += " at " + p
	}
	return s
}

func policy(r *store.Row) string {
	s := fmt.Sprintf("%d %s", r.Integer("priority"), r.Text("action"))
	hops := r.Set("nexthops")
	if len(hops) == 0 {
		hops = r.Set("nexthop")
	}
	if len(hops) > 0 {
		s += " " + strings.Join(hops, ", ")
	}
	return s + ": " + r.Text("match")
}

// owner reads who asked for a row, as ovn-kubernetes and Neutron note it.
func owner(r *store.Row) string {
	ids := r.Map("external_ids")
	for _, k := range []struct{ kind, key string }{
		{"", "k8s.ovn.org/owner"}, {"", "k8s.ovn.org/name"}, {"security group rule", "neutron:security_group_rule_id"},
		{"security group", "neutron:security_group_id"}, {"floating IP", "neutron:fip_id"},
		{"router", "neutron:router_name"},
		{"network", "neutron:network_name"}, {"port", "neutron:port_name"}, {"NetworkPolicy", "policy"},
		{"EgressFirewall", "egressFirewall"},
	} {
		v := ids[k.key]
		if v == "" {
			continue
		}
		kind := k.kind
		if kind == "" {
			kind = firstOf(ids, "k8s.ovn.org/kind", "k8s.ovn.org/owner-type")
		}
		if ns := ids["namespace"]; ns != "" && k.key == "policy" {
			v = ns + "/" + v
		}
		// ovn-kubernetes writes namespace:name, or names the object itself.
		return strings.TrimSpace(kind + " " + strings.Replace(v, ":", "/", 1))
	}
	return ""
}

func firstOf(m map[string]string, keys ...string) string {
	for _, k := range keys {
		if m[k] != "" {
			return m[k]
		}
	}
	return ""
}
