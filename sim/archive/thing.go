package archive

import (
	"maps"
	"slices"

	"ovnreplay/conntrack/coding"
	"ovnreplay/sim/network"
)

// texts codes a map of strings in the order of its keys.
func (c *coder) texts(m *map[string]string) {
	keys := slices.Sorted(maps.Keys(*m))
	if c.Reading() {
		*m = map[string]string{}
	}
	coding.Slice(c.Coder, &keys, 2, func(k *string) {
		c.Text(k)
		v := (*m)[*k]
		c.Text(&v)
		if c.Reading() {
			(*m)[*k] = v
		}
	})
}

// flowFacts is a flow and what only its compiled form tells.
type flowFacts struct {
	flow   *network.Flow
	always bool
	ports  []uint32 // that it names
	object *network.Object

	elsewhere string // what why.Explainer.Elsewhere says of it
}

func (c *coder) flow(x *flowFacts) {
	f := x.flow
	c.Text(&f.UUID)
	c.Bools(&f.Egress, &x.always)
	coding.Uint(c.Coder, &f.Table)
	coding.Uint(c.Coder, &f.Priority)
	for _, s := range [...]*string{&f.Match, &f.Actions, &f.Stage, &f.Source, &f.StageHint, &f.Meter} {
		c.Text(s)
	}
	c.texts(&f.Tags)
	coding.Slice(c.Coder, &x.ports, 1, c.port)
	c.Text(&x.elsewhere)
	named := x.object != nil
	c.Bools(&named)
	if !named {
		return
	}
	if c.Reading() {
		x.object = &network.Object{}
	}
	o := x.object
	for _, s := range [...]*string{&o.Table, &o.UUID, &o.Name, &o.Of, &o.Text, &o.Owner} {
		c.Text(s)
	}
}

func (c *coder) portThing(p *network.Port, peer *string, datapath *int32) {
	called := p.Called()
	for _, s := range [...]*string{&p.UUID, &p.Name, &p.Name2, &called, &p.TypeName} {
		c.Text(s)
	}
	if c.Reading() {
		p.Call(called)
	}
	coding.Uint(c.Coder, &p.Type)
	coding.Uint(c.Coder, &p.TunnelKey)
	coding.Int(c.Coder, &p.Tag)
	c.Bools(&p.Several)
	coding.Slice(c.Coder, &p.PortSecurity, 1, func(s *string) { c.Text(s) })
	c.need(datapathPiece, datapath)
	c.Text(peer)
	if p.Type != network.Localnet {
		return
	}
	wire := p.Options[network.NetworkName]
	c.Text(&wire)
	if c.Reading() {
		p.Options = map[string]string{network.NetworkName: wire}
	}
}

func (c *coder) datapathThing(d *network.Datapath) {
	for _, s := range [...]*string{&d.UUID, &d.Name, &d.Name2, &d.NBUUID} {
		c.Text(s)
	}
	coding.Uint(c.Coder, &d.TunnelKey)
	c.Bools(&d.Router)
}

func (c *coder) chassisThing(x *network.Chassis) {
	c.Text(&x.UUID)
	c.Text(&x.Name)
	c.Text(&x.Hostname)
}

func (c *coder) groupThing(g *network.Group, datapath *int32) {
	c.Text(&g.UUID)
	c.Text(&g.Name)
	coding.Uint(c.Coder, &g.TunnelKey)
	c.need(datapathPiece, datapath)
}

// common is what a whole network says that its flows are parsed with.
type common struct {
	hash      [32]byte
	version   string
	dhcp      [2]map[string]network.DHCPOption // of IPv4, of IPv6
	templates map[string]string                // of the first chassis
}

func (c *coder) common(x *common) {
	c.Raw(x.hash[:])
	c.Text(&x.version)
	for i := range x.dhcp {
		keys := slices.Sorted(maps.Keys(x.dhcp[i]))
		if c.Reading() {
			x.dhcp[i] = map[string]network.DHCPOption{}
		}
		coding.Slice(c.Coder, &keys, 3, func(k *string) {
			c.Text(k)
			o := x.dhcp[i][*k]
			coding.Uint(c.Coder, &o.Code)
			c.Text(&o.Type)
			if c.Reading() {
				x.dhcp[i][*k] = o
			}
		})
	}
	c.texts(&x.templates)
}
