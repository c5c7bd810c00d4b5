package network

import (
	"fmt"
	"slices"
	"strings"

	"ovnreplay/store"
)

// loader builds a Network. Each step relies on those before it.
type loader struct {
	db     *store.Database
	net    *Network
	dp     map[store.UUID]*Datapath
	port   map[store.UUID]*Port
	chas   map[store.UUID]*Chassis
	groups map[store.UUID][]*Datapath // Logical_DP_Group
}

// Load builds the logical network of a Southbound database's rows. Rows that
// refer to what is not there, or hold what cannot be understood, are listed
// in Network.Problems; they are no error.
func Load(db *store.Database) (*Network, error) {
	if db.Name != store.Southbound {
		return nil, fmt.Errorf("%s: this is the %s database; pass the Southbound database", db.Source, db.Name)
	}
	l := &loader{db: db, net: &Network{}}
	l.global()
	l.chassis()
	l.datapaths()
	l.ports()
	l.multicastGroups()
	l.flows()
	l.sets()
	l.macBindings()
	l.fdb()
	l.loadBalancers()
	l.services()
	slices.SortStableFunc(l.net.Problems, func(a, b Problem) int {
		if c := strings.Compare(a.Table, b.Table); c != 0 {
			return c
		}
		return strings.Compare(a.UUID, b.UUID)
	})
	return l.net, nil
}

// rows are a table's rows by UUID; none if the database has no such table.
func (l *loader) rows(table string) []*store.Row { return l.table(table).Rows() }

// problem notes that a row cannot be used, in part or at all.
func (l *loader) problem(r *store.Row, format string, args ...any) {
	l.net.Problems = append(l.net.Problems, Problem{r.Table().Name, r.UUID.String(), fmt.Sprintf(format, args...)})
}

// global reads SB_Global, of which there is one row.
func (l *loader) global() {
	for _, r := range l.rows("SB_Global") {
		l.net.SBGlobal = r.Map("options")
	}
	l.net.Version = l.net.SBGlobal["northd_internal_version"]
}

// chassis reads Chassis and Encap.
func (l *loader) chassis() {
	l.chas = make(map[store.UUID]*Chassis)
	l.net.chassis = make(map[string]*Chassis)
	encaps := l.table("Encap")
	for _, r := range l.rows("Chassis") {
		c := &Chassis{UUID: r.UUID.String(), Name: r.Text("name"), Hostname: r.Text("hostname")}
		// other_config took over from external_ids in OVN 20.06.
		if c.Options = r.Map("other_config"); c.Options == nil {
			c.Options = r.Map("external_ids")
		}
		for u := range r.Refs("encaps") {
			e := encaps.Row(u)
			if e == nil {
				l.problem(r, "its encapsulation %s does not exist", u)
				continue
			}
			c.Encaps = append(c.Encaps, Encap{e.Text("type"), e.Text("ip")})
		}
		slices.SortFunc(c.Encaps, func(a, b Encap) int {
			if d := strings.Compare(a.Type, b.Type); d != 0 {
				return d
			}
			return strings.Compare(a.IP, b.IP)
		})
		l.chas[r.UUID] = c
		l.net.Chassis = append(l.net.Chassis, c)
	}
	slices.SortStableFunc(l.net.Chassis, func(a, b *Chassis) int { return strings.Compare(a.Name, b.Name) })
	for i, c := range l.net.Chassis {
		c.Index = i
		if l.net.chassis[c.Name] == nil {
			l.net.chassis[c.Name] = c
		}
	}
}

// chassisRef follows a reference to a chassis. Such references are weak: a
// chassis gone leaves none.
func (l *loader) chassisRef(r *store.Row, column string) *Chassis {
	u, ok := r.Ref(column)
	if !ok {
		return nil
	}
	c := l.chas[u]
	if c == nil {
		l.problem(r, "its %s %s does not exist", column, u)
	}
	return c
}

// sets reads the named sets and the tables that are plain look-ups.
func (l *loader) sets() {
	n := l.net
	n.AddressSets = make(map[string][]string)
	for _, r := range l.rows("Address_Set") {
		n.AddressSets[r.Text("name")] = r.Set("addresses")
	}
	n.PortGroups = make(map[string][]string)
	for _, r := range l.rows("Port_Group") {
		n.PortGroups[r.Text("name")] = r.Set("ports")
	}
	n.Templates = make(map[string]map[string]string)
	for _, r := range l.rows("Chassis_Template_Var") {
		n.Templates[r.Text("chassis")] = r.Map("variables")
	}
	n.Meters = make(map[string]bool)
	for _, r := range l.rows("Meter") {
		n.Meters[r.Text("name")] = true
	}
	n.DHCPv4 = l.dhcpOptions("DHCP_Options")
	n.DHCPv6 = l.dhcpOptions("DHCPv6_Options")
}

func (l *loader) dhcpOptions(table string) map[string]DHCPOption {
	m := make(map[string]DHCPOption)
	for _, r := range l.rows(table) {
		code := r.Integer("code")
		if code < 0 || code > 255 {
			l.problem(r, "option code %d is not between 0 and 255", code)
			continue
		}
		m[r.Text("name")] = DHCPOption{uint8(code), r.Text("type")}
	}
	return m
}
