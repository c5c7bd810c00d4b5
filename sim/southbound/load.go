// Package southbound makes logical networks of the rows of Southbound databases
// of any OVN from 20.03 to 26.09. It is the only room that knows both: package
// network knows no database, and package store no network.
//
// A table or column the database lacks is empty, one we do not know is ignored.
// Rows that refer to what is not there, or hold what cannot be understood, are
// told in Network.Problems and never lost in silence. Order never depends on
// map iteration. The package parses no matches or actions.
package southbound

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"ovnreplay/sim/network"
	"ovnreplay/store"
)

// Open reads a Southbound database from wherever store.Open finds one, and
// builds its network. warnings tell what of the database was not used.
func Open(ctx context.Context, source string, opts store.Options) (net *network.Network, warnings []error, err error) {
	db, err := store.Open(ctx, source, opts)
	if err != nil {
		return nil, nil, err
	}
	net, err = Load(db)
	return net, db.Warnings, err
}

// OpenAll reads the Southbound databases of several availability zones, unless
// they are read (nil: none is), and joins their networks. Of one it is Open.
func OpenAll(ctx context.Context, sources []string, opts store.Options, read *Read) (*network.Network, []error, error) {
	var nets []*network.Network
	var warnings []error
	if read == nil {
		read = &Read{}
	}
	for _, source := range sources {
		x, ok := read.nets[source]
		if !ok {
			var err error
			if x.net, x.warnings, err = Open(ctx, source, opts); err != nil {
				return nil, nil, err
			}
		}
		delete(read.nets, source) // what is joined is used up
		warnings = append(warnings, x.warnings...)
		nets = append(nets, x.net)
	}
	if err := piped(sources, nets); err != nil {
		return nil, nil, err
	}
	return joined(nets, warnings)
}

// joined joins networks; what they do not agree on is a warning.
func joined(nets []*network.Network, warnings []error) (*network.Network, []error, error) {
	known := problems(nets)
	net, err := network.Join(nets...)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range net.Problems[known:] {
		warnings = append(warnings, &Disagreement{p})
	}
	return net, warnings, nil
}

// problems counts those of the networks themselves.
func problems(nets []*network.Network) (n int) {
	for _, net := range nets {
		n += len(net.Problems)
	}
	return n
}

// Disagreement is what zones that are joined do not agree on. Nothing of their databases
// is left out for it: packets meet it as they do in OVN.
type Disagreement struct{ network.Problem }

// Error implements error.
func (d *Disagreement) Error() string { return fmt.Sprintf("%s %s: %s", d.Table, d.UUID, d.Reason) }

// loader builds a Network. Each step relies on those before it.
type loader struct {
	db         *store.Database
	net        *network.Network
	dp         map[store.UUID]*network.Datapath
	port       map[store.UUID]*network.Port
	portByName map[string]*network.Port
	chas       map[store.UUID]*network.Chassis
	groups     map[store.UUID][]*network.Datapath // Logical_DP_Group
}

// Load builds the logical network of a Southbound database's rows. Rows that
// refer to what is not there, or hold what cannot be understood, are listed
// in Network.Problems; they are no error.
func Load(db *store.Database) (*network.Network, error) {
	if db.Name != store.Southbound {
		return nil, fmt.Errorf("%s: this is the %s database; pass the Southbound database", db.Source, db.Name)
	}
	l := &loader{db: db, net: network.New()}
	l.global()
	l.chassis()
	l.datapaths()
	l.ports()
	l.multicastGroups()
	l.flows()
	l.net.Complete()
	l.sets()
	l.macBindings()
	l.fdb()
	l.loadBalancers()
	l.services()
	l.stamp()
	l.asOf()
	slices.SortStableFunc(l.net.Problems, func(a, b network.Problem) int {
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
	l.net.Problems = append(l.net.Problems, network.Problem{Table: r.Table().Name, UUID: r.UUID.String(),
		Reason: fmt.Sprintf(format, args...)})
}

// global reads SB_Global, of which there is one row.
func (l *loader) global() {
	for _, r := range l.rows("SB_Global") {
		l.net.SBGlobal = r.Map("options")
	}
	l.net.Version = l.net.SBGlobal["northd_internal_version"]
	l.net.Name, l.net.Source = l.net.SBGlobal["name"], l.db.Source
}

// asOf notes of when the database is, or at the earliest is.
func (l *loader) asOf() {
	l.net.AsOf, l.net.States = l.db.Time, l.db.Transactions
	if l.net.AsOf.IsZero() && l.net.Stamp > 0 {
		l.net.AsOf = time.UnixMilli(l.net.Stamp)
	}
}

// chassis reads Chassis and Encap.
func (l *loader) chassis() {
	l.chas = make(map[store.UUID]*network.Chassis)
	var list []*network.Chassis
	encaps := l.table("Encap")
	for _, r := range l.rows("Chassis") {
		c := &network.Chassis{UUID: r.UUID.String(), Name: r.Text("name"), Hostname: r.Text("hostname")}
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
			c.Encaps = append(c.Encaps, network.Encap{Type: e.Text("type"), IP: e.Text("ip")})
		}
		slices.SortFunc(c.Encaps, func(a, b network.Encap) int {
			if d := strings.Compare(a.Type, b.Type); d != 0 {
				return d
			}
			return strings.Compare(a.IP, b.IP)
		})
		l.chas[r.UUID] = c
		list = append(list, c)
	}
	slices.SortStableFunc(list, func(a, b *network.Chassis) int { return strings.Compare(a.Name, b.Name) })
	for _, c := range list {
		l.net.AddChassis(c)
	}
}

// chassisRef follows a reference to a chassis. Such references are weak: a
// chassis gone leaves none.
func (l *loader) chassisRef(r *store.Row, column string) *network.Chassis {
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
	n.Meters = l.meters()
	n.DHCPv4 = l.dhcpOptions("DHCP_Options")
	n.DHCPv6 = l.dhcpOptions("DHCPv6_Options")
}

func (l *loader) meters() map[string]network.Meter {
	bands := map[store.UUID]network.Band{}
	for _, r := range l.rows("Meter_Band") {
		rate, burst := r.Integer("rate"), r.Integer("burst_size")
		if rate < 0 || rate > math.MaxUint32 || burst < 0 || burst > math.MaxUint32 {
			l.problem(r, "rate %d and burst size %d are not both between 0 and %d", rate, burst, uint32(math.MaxUint32))
			continue
		}
		bands[r.UUID] = network.Band{Rate: uint32(rate), Burst: uint32(burst)}
	}
	meters := map[string]network.Meter{}
	for _, r := range l.rows("Meter") {
		m := network.Meter{Kilobits: r.Text("unit") == "kbps"}
		for u := range r.Refs("bands") {
			if b, ok := bands[u]; ok {
				m.Bands = append(m.Bands, b)
			}
		}
		meters[r.Text("name")] = m
	}
	return meters
}

func (l *loader) dhcpOptions(table string) map[string]network.DHCPOption {
	m := make(map[string]network.DHCPOption)
	for _, r := range l.rows(table) {
		code := r.Integer("code")
		if code < 0 || code > 255 {
			l.problem(r, "option code %d is not between 0 and 255", code)
			continue
		}
		m[r.Text("name")] = network.DHCPOption{Code: uint8(code), Type: r.Text("type")}
	}
	return m
}
