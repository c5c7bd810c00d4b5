package sim

import (
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/table"
)

// compiled are the network's logical flows, and the stages they make up, as
// they read on a chassis. Both are compiled when first met.
//
// All chassis share one, unless the network has template variables: their
// values differ from chassis to chassis.
type compiled struct {
	engine *Engine
	shared *compiled           // where flows without template variables are; nil: here
	base   []lflow.Env         // by availability zone
	flows  []*table.Flow       // by network.Flow.Index
	stages [][2][]*table.Stage // by datapath index, pipeline, table
	envs   map[envKey]*lflow.Env
	makers map[envKey]*table.Maker
	sets   *table.Sets
}

// compiledFor returns the compiled flows of a chassis.
func (e *Engine) compiledFor(c *network.Chassis) *compiled {
	if c.Index == 0 || len(c.AZ.Templates) == 0 && len(e.Net.Chassis[0].AZ.Templates) == 0 {
		return e.compiled
	}
	x := newCompiled(e, c)
	x.shared = e.compiled
	return x
}

func newCompiled(e *Engine, c *network.Chassis) *compiled {
	x := &compiled{
		engine: e,
		base:   make([]lflow.Env, len(e.Net.AZs)),
		flows:  make([]*table.Flow, len(e.Net.Flows)),
		stages: make([][2][]*table.Stage, len(e.Net.Datapaths)),
		envs:   map[envKey]*lflow.Env{},
		makers: map[envKey]*table.Maker{},
		sets:   table.NewSets(),
	}
	for i, z := range e.Net.AZs {
		x.base[i] = baseEnv(z, c)
	}
	for i, dp := range e.Net.Datapaths {
		for p := range dp.Flows {
			x.stages[i][p] = make([]*table.Stage, len(dp.Flows[p]))
		}
	}
	return x
}

// flow returns a logical flow, compiled.
func (x *compiled) flow(f *network.Flow) *table.Flow { return x.outline(f).Made() }

// outline returns a logical flow of which it is known whether it compiles, and how it
// is found.
func (x *compiled) outline(f *network.Flow) *table.Flow {
	if x.shared != nil && !f.Varies() {
		return x.shared.outline(f)
	}
	if x.flows[f.Index] == nil {
		x.flows[f.Index] = x.maker(f).Flow(f)
	}
	return x.flows[f.Index]
}

// maker returns who makes flows at a flow's place.
func (x *compiled) maker(f *network.Flow) *table.Maker {
	z := zoneOf(x.engine.Net, f)
	key := keyOf(f, z)
	m, ok := x.makers[key]
	if !ok {
		m = table.NewMaker(x.env(f), resolver{x.engine, z}, x.sets)
		x.makers[key] = m
	}
	return m
}

// stage returns a table of a datapath's pipeline, nil if it has no flows.
func (x *compiled) stage(dp *network.Datapath, egress bool, tbl uint8) *table.Stage {
	p := 0
	if egress {
		p = 1
	}
	if int(tbl) >= len(x.stages[dp.Index][p]) {
		return nil
	}
	s := x.stages[dp.Index][p][tbl]
	if s == nil {
		var flows []*table.Flow
		for _, f := range dp.Flows[p][tbl] {
			flows = append(flows, x.outline(f))
		}
		s = table.NewStage(flows)
		x.stages[dp.Index][p][tbl] = s
	}
	return s
}

// envKey is what the parsing of a flow depends on beside its text.
type envKey struct {
	egress bool
	table  uint8
	ctACL  bool
	zone   int
}

func keyOf(f *network.Flow, z *network.AZ) envKey {
	return envKey{f.Egress, f.Table, ctACL(f), z.Index}
}

// env returns the parsing environment of a flow.
func (x *compiled) env(f *network.Flow) *lflow.Env {
	z := zoneOf(x.engine.Net, f)
	key := keyOf(f, z)
	env, ok := x.envs[key]
	if !ok {
		env = EnvAt(x.base[z.Index], f)
		x.envs[key] = env
	}
	return env
}

// ctACL reports whether the flow's transport fields are to be read from the
// packet's connection.
func ctACL(f *network.Flow) bool { return f.Tags["acl_ct_translation"] == "true" }

// tables is how many tables a pipeline may have: "next" is checked against it.
// Versions differ (24 to 39 of them), and a flow's x version guarantees its
// targets, so the bound is what every version's pipelines fit in.
const tables = 64

// NewEnv returns the environment in which a flow of net is parsed, with the
// template variables of the first chassis.
func NewEnv(net *network.Network, f *network.Flow) *lflow.Env {
	var c *network.Chassis
	if len(net.Chassis) > 0 {
		c = net.Chassis[0]
	}
	return EnvAt(baseEnv(zoneOf(net, f), c), f)
}

// Envs is NewEnv for many flows of a network: what they name is read once.
type Envs struct {
	net  *network.Network
	base map[*network.AZ]*lflow.Env
}

// NewEnvs returns the environments of a network's flows.
func NewEnvs(net *network.Network) *Envs { return &Envs{net, map[*network.AZ]*lflow.Env{}} }

// Of is the environment of a flow.
func (e *Envs) Of(f *network.Flow) *lflow.Env {
	z := zoneOf(e.net, f)
	if e.base[z] == nil {
		e.base[z] = NewEnv(e.net, f)
	}
	return EnvAt(*e.base[z], f)
}

// zoneOf is the availability zone whose database has the flow.
func zoneOf(net *network.Network, f *network.Flow) *network.AZ {
	z := net.AZ // of no datapath: no packet meets it
	if len(f.Datapaths) > 0 && f.Datapaths[0].AZ != nil {
		z = f.Datapaths[0].AZ
	}
	if z == nil {
		z = &network.AZ{} // a network made by hand
	}
	return z
}

// resolver gives the names in a zone's flows their numbers: each zone has its
// x ports of one name. Groups are told apart by the datapath they are in.
type resolver struct {
	e *Engine
	z *network.AZ
}

// Port implements table.Resolver.
func (r resolver) Port(name string) (uint32, bool) {
	if p := r.z.PortNamed(name); p != nil {
		return uint32(p.Index), true
	}
	if len(r.e.Net.AZs) == 1 {
		return r.e.Port(name)
	}
	return r.e.notPort(name)
}

func baseEnv(z *network.AZ, c *network.Chassis) lflow.Env {
	env := lflow.Env{
		AddressSets: z.AddressSets,
		PortGroups:  z.PortGroups,
		Tables:      tables,
		DHCPv4:      options(z.DHCPv4),
		DHCPv6:      options(z.DHCPv6),
		OneCTNext:   !z.Has(network.CTNextZone),
	}
	if c != nil {
		env.Templates = z.Templates[c.Name]
	}
	env.Preparse()
	return env
}

// EnvAt returns the environment of the flows at f's place, from that of another.
func EnvAt(env lflow.Env, f *network.Flow) *lflow.Env {
	env.Table = f.Table
	env.Pipeline = lflow.Ingress
	if f.Egress {
		env.Pipeline = lflow.Egress
	}
	if ctACL(f) {
		env.Symbols = lflow.ACLCTSymtab()
	}
	return &env
}

func options(in map[string]network.DHCPOption) map[string]lflow.OptionDef {
	if in == nil {
		return nil
	}
	out := make(map[string]lflow.OptionDef, len(in))
	for name, o := range in {
		out[name] = lflow.OptionDef{Code: o.Code, Type: o.Type}
	}
	return out
}

// Compiled returns the compiled form of the flow with an index, for traces. A
// flow with template variables reads as on the first chassis.
func (e *Engine) Compiled(index int32) *table.Flow { return e.compiled.flow(e.Net.Flows[index]) }

// Broken returns every logical flow that does not compile. It compiles all.
func (e *Engine) Broken() []*table.Flow {
	var broken []*table.Flow
	for _, f := range e.Net.Flows {
		if c := e.compiled.flow(f); c.Err != nil {
			broken = append(broken, c)
		}
	}
	return broken
}

// ActionText returns the text of an action of a flow, by its number in the flow.
func (e *Engine) ActionText(flow, seq int32) string {
	f := e.Compiled(flow)
	op := f.Op(int(seq))
	if op == nil {
		return ""
	}
	return lflow.FormatActions([]lflow.Action{op.Action}, e.compiled.env(f.Flow))
}
