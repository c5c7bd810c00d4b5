package network

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Difference is something of which one network has none, or another. Things
// are the same by what they are called or say, never by UUID.
type Difference struct {
	// datapath, port, flow, load balancer, address set, port group, MAC binding
	Kind   string   `json:"kind"`
	Name   string   `json:"name"`            // of a flow: stage, priority and match
	Where  []string `json:"where,omitempty"` // of a flow: the datapaths in which it differs
	InA    bool     `json:"in_a"`
	InB    bool     `json:"in_b"`
	Fields []Field  `json:"fields"` // that differ; of a thing only one has, all
}

// Field is one of a thing's properties in both networks.
type Field struct {
	Name string `json:"name"`
	A    string `json:"a"`
	B    string `json:"b"`
}

// kinds are the kinds of difference in the order they are told.
var kinds = []string{"datapath", "port", "load balancer", "address set", "port group", "MAC binding", "ACL", "flow"}

// aclStage is the stages in which the northbound ACLs are logical flows.
var aclStage = regexp.MustCompile(`^ls_(in|out)_acl(_after_lb)?(_eval)?$`)

// Diff tells what differs from a to b, by kind and name.
func Diff(a, b *Network) []Difference {
	var list []Difference
	for kind, describe := range map[string]func(*Network) map[string][]string{
		"datapath": describeDatapaths, "port": describePorts, "load balancer": describeBalancers,
		"address set": describeSets, "port group": describeGroups, "MAC binding": describeBindings,
	} {
		list = append(list, diffThings(kind, describe(a), describe(b))...)
	}
	list = append(list, diffFlows(a, b)...)
	slices.SortStableFunc(list, func(x, y Difference) int {
		return cmp.Or(cmp.Compare(slices.Index(kinds, x.Kind), slices.Index(kinds, y.Kind)),
			strings.Compare(x.Name, y.Name), slices.Compare(x.Where, y.Where))
	})
	return list
}

// diffThings compares descriptions: names, then by turns a field's name and
// its value.
func diffThings(kind string, a, b map[string][]string) []Difference {
	var list []Difference
	for name, fa := range a {
		fb, both := b[name]
		if both && slices.Equal(fa, fb) {
			continue
		}
		list = append(list, Difference{Kind: kind, Name: name, InA: true, InB: both, Fields: diffFields(fa, fb)})
	}
	for name, fb := range b {
		if _, both := a[name]; !both {
			list = append(list, Difference{Kind: kind, Name: name, InB: true, Fields: diffFields(nil, fb)})
		}
	}
	return list
}

func diffFields(a, b []string) []Field {
	var fields []Field
	for i := 0; i < max(len(a), len(b)); i += 2 {
		var f Field
		if i < len(a) {
			f.Name, f.A = a[i], a[i+1]
		}
		if i < len(b) {
			f.Name, f.B = b[i], b[i+1]
		}
		if f.A != f.B {
			fields = append(fields, f)
		}
	}
	return fields
}

func describeDatapaths(n *Network) map[string][]string {
	m := make(map[string][]string)
	for _, d := range n.Datapaths {
		ids := maps.Clone(d.ExternalIDs)
		delete(ids, "logical-switch") // these hold UUIDs
		delete(ids, "logical-router")
		kind := "switch"
		if d.Router {
			kind = "router"
		}
		m[d.Name] = []string{"kind", kind, "tunnel_key", fmt.Sprint(d.TunnelKey), "external_ids", mapText(ids)}
	}
	return m
}

func describePorts(n *Network) map[string][]string {
	m := make(map[string][]string)
	for _, p := range n.Ports[1:] {
		chassis := ""
		if p.Chassis != nil {
			chassis = p.Chassis.Name
		}
		m[p.Name] = []string{
			"datapath", p.Datapath.Name, "type", p.TypeName, "tunnel_key", fmt.Sprint(p.TunnelKey), "chassis", chassis,
			"mac", strings.Join(p.RawMAC, ", "), "port_security", strings.Join(p.PortSecurity, ", "),
			"options", mapText(p.Options), "external_ids", mapText(p.ExternalIDs),
			"parent_port", p.ParentName, "tag", fmt.Sprint(p.Tag), "up", fmt.Sprint(p.Up),
		}
	}
	return m
}

func describeBalancers(n *Network) map[string][]string {
	m := make(map[string][]string)
	for _, lb := range n.LoadBalancers {
		vips := make(map[string]string)
		for _, v := range lb.VIPs {
			vips[v.Text] = v.BackendText
		}
		// Several may have one name, one for each protocol, say.
		name := fmt.Sprintf("%s protocol %d", lb.Name, lb.Protocol)
		m[name] = []string{"vips", mapText(vips), "options", mapText(lb.Options), "datapaths",
			strings.Join(datapathNames(lb.Datapaths), ", ")}
	}
	return m
}

func describeSets(n *Network) map[string][]string   { return describeLists("addresses", n.AddressSets) }
func describeGroups(n *Network) map[string][]string { return describeLists("ports", n.PortGroups) }

func describeLists(field string, in map[string][]string) map[string][]string {
	m := make(map[string][]string, len(in))
	for name, list := range in {
		m[name] = []string{field, strings.Join(list, ", ")}
	}
	return m
}

func describeBindings(n *Network) map[string][]string {
	m := make(map[string][]string)
	for _, list := range [][]MACBinding{n.MACBindings, n.StaticMACs} {
		for _, b := range list {
			m[fmt.Sprintf("%s on %s", b.IP, b.Port.Name)] = []string{"mac", fmt.Sprintf("% x", b.MAC[:]), "override",
				fmt.Sprint(b.Override)}
		}
	}
	return m
}

func datapathNames(list []*Datapath) []string {
	names := make([]string, len(list))
	for i, d := range list {
		names[i] = d.Name
	}
	slices.Sort(names)
	return names
}

func mapText(m map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, k+"="+m[k])
	}
	return strings.Join(parts, ", ")
}

// flowKey is what makes two flows of one datapath the same flow.
type flowKey struct {
	stage    string
	priority uint16
	match    string
}

func (k flowKey) String() string { return fmt.Sprintf("%s %d %s", k.stage, k.priority, k.match) }

// flowChange is a flow's actions before and after; nil is no flow.
type flowChange struct {
	flowKey
	inA, inB bool
	a, b     string
}

// diffFlows compares the flows of each datapath, and tells a difference that
// several datapaths have once.
func diffFlows(a, b *Network) []Difference {
	where := make(map[flowChange][]string)
	names := make(map[string]bool)
	for _, n := range []*Network{a, b} {
		for _, d := range n.Datapaths {
			names[d.Name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		fa, fb := flowsOf(a, name), flowsOf(b, name)
		for k, actions := range fa {
			if other, both := fb[k]; !both || other != actions {
				c := flowChange{k, true, both, actions, other}
				where[c] = append(where[c], name)
			}
		}
		for k, actions := range fb {
			if _, both := fa[k]; !both {
				c := flowChange{k, false, true, "", actions}
				where[c] = append(where[c], name)
			}
		}
	}
	var list []Difference
	for c, names := range where {
		kind := "flow"
		if aclStage.MatchString(c.stage) {
			kind = "ACL"
		}
		list = append(list, Difference{Kind: kind, Name: c.flowKey.String(), Where: names, InA: c.inA, InB: c.inB,
			Fields: []Field{{"actions", c.a, c.b}}})
	}
	return list
}

// flowsOf are the actions of the flows of all datapaths of a name.
func flowsOf(n *Network, name string) map[flowKey]string {
	m := make(map[flowKey]string)
	for _, d := range n.Datapaths {
		if d.Name != name {
			continue
		}
		for p := range d.Flows {
			for _, table := range d.Flows[p] {
				for _, f := range table {
					k := flowKey{f.StageName(), f.Priority, f.Match}
					if was, twice := m[k]; twice && was != f.Actions {
						m[k] = min(was, f.Actions) + " or " + max(was, f.Actions)
					} else {
						m[k] = f.Actions
					}
				}
			}
		}
	}
	return m
}

// StageName is the flow's stage, or where the database does not name it
// "ingress table 3".
func (f *Flow) StageName() string {
	if f.Stage != "" {
		return f.Stage
	}
	if f.Egress {
		return fmt.Sprintf("egress table %d", f.Table)
	}
	return fmt.Sprintf("ingress table %d", f.Table)
}

// Routes reports whether the flow is of a stage in which routers choose where
// packets go.
func (f *Flow) Routes() bool {
	return strings.HasPrefix(f.Stage, "lr_in_ip_routing") || strings.HasPrefix(f.Stage, "lr_in_policy")
}

// String tells a difference in one line: + what only the second network has,
// - what only the first has, ~ what both have differently.
func (d Difference) String() string {
	var b strings.Builder
	sign := "~"
	switch {
	case !d.InA:
		sign = "+"
	case !d.InB:
		sign = "-"
	}
	fmt.Fprintf(&b, "%s %s %s", sign, d.Kind, d.Name)
	for i, f := range d.Fields {
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		switch sign {
		case "~":
			fmt.Fprintf(&b, "%s%s %q -> %q", sep, f.Name, f.A, f.B)
		case "+":
			fmt.Fprintf(&b, "%s%s %q", sep, f.Name, f.B)
		default:
			fmt.Fprintf(&b, "%s%s %q", sep, f.Name, f.A)
		}
	}
	switch len(d.Where) {
	case 0:
	case 1:
		fmt.Fprintf(&b, " (in %s)", d.Where[0])
	default:
		fmt.Fprintf(&b, " (in %s and %d more)", d.Where[0], len(d.Where)-1)
	}
	return b.String()
}
