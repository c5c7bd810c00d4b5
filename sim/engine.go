// Package sim replays packets through OVN's logical pipelines.
//
// An Engine holds one logical network and everything that changes as packets
// cross it: each chassis' connection tracking table and what ovn-controller
// learns. Inject puts one packet in at a logical port at a moment of the
// capture's clock and returns what became of it: the packets that leave, byte
// for byte, and a trace of how they came to.
//
// One goroutine owns an Engine. Its results depend only on the network, the
// options and the packets in their order. Once its buffers have grown and its
// stages are compiled, a packet of an established connection allocates nothing.
package sim

import (
	"fmt"

	"ovnreplay/conntrack"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// Options of an Engine. The zero value is usable.
type Options struct {
	Profile conntrack.Profile // zero: Linux

	// Zones gives the conntrack zone numbers of a chassis, by chassis name and
	// zone name ("PORT", "DATAPATH_dnat", "DATAPATH_snat"). A chassis it lacks
	// gets numbers by rule.
	Zones map[string]map[string]uint16

	// Choose, if not nil, is asked which of n alternatives the datapath took.
	Choose Chooser
}

// Engine replays packets through one network.
type Engine struct {
	Net *network.Network

	opts     Options
	chassis  []*chassis
	flows    []*table.Flow         // by network.Flow.Index, compiled when first met
	stages   [][2][]*table.Stage   // by datapath index, pipeline, table
	envs     map[envKey]*lflow.Env // by place of a flow
	groups   map[string]uint32     // multicast group name -> number
	members  [][]*network.Group    // by datapath, then group number
	learned  learned
	waiting  waiting
	hairpins map[hairpinKey][]hairpinVIP
	security map[int]*portSecurity // by port index, compiled when first met

	// The packet in progress.
	now     conntrack.Time
	out     Outcome
	pkts    []*pkt // free
	steps   int
	outData []byte // of the outputs
}

// groupBit marks an outport value that numbers a multicast group's name
// instead of a port: groups of one name exist in many datapaths, which share
// the flows that use them.
const groupBit = 1 << 31

// New returns an engine for net.
func New(net *network.Network, opts Options) (*Engine, error) {
	if opts.Profile == 0 {
		opts.Profile = conntrack.Linux
	}
	e := &Engine{
		Net:      net,
		opts:     opts,
		flows:    make([]*table.Flow, len(net.Flows)),
		stages:   make([][2][]*table.Stage, len(net.Datapaths)),
		envs:     map[envKey]*lflow.Env{},
		groups:   map[string]uint32{},
		security: map[int]*portSecurity{},
	}
	e.numberGroups()
	for i := range net.Datapaths {
		for p := range 2 {
			e.stages[i][p] = make([]*table.Stage, len(net.Datapaths[i].Flows[p]))
		}
	}
	for _, c := range net.Chassis {
		ch, err := newChassis(net, c, opts)
		if err != nil {
			return nil, fmt.Errorf("chassis %s: %w", c.Name, err)
		}
		e.chassis = append(e.chassis, ch)
	}
	e.learned.init(net)
	e.indexHairpins()
	return e, nil
}

func (e *Engine) numberGroups() {
	e.members = make([][]*network.Group, len(e.Net.Datapaths))
	for _, g := range e.Net.Groups {
		n, ok := e.groups[g.Name]
		if !ok {
			n = uint32(len(e.groups))
			e.groups[g.Name] = n
		}
		byNumber := e.members[g.Datapath.Index]
		for int(n) >= len(byNumber) {
			byNumber = append(byNumber, nil)
		}
		byNumber[n] = g
		e.members[g.Datapath.Index] = byNumber
	}
}

// SetChooser makes c the one that is asked for the datapath's choices.
func (e *Engine) SetChooser(c Chooser) { e.opts.Choose = c }

// Port implements table.Resolver.
func (e *Engine) Port(name string) (uint32, bool) {
	if name == "none" { // ovn-controller's name for no port
		return 0, true
	}
	if p := e.Net.Port(name); p != nil {
		return uint32(p.Index), true
	}
	if n, ok := e.groups[name]; ok {
		return groupBit | n, true
	}
	return 0, false
}

// group returns the multicast group that an outport value means in a
// datapath, nil if the value is a port or the datapath has no such group.
func (e *Engine) group(dp *network.Datapath, outport uint32) *network.Group {
	n := int(outport &^ groupBit)
	if outport&groupBit == 0 || n >= len(e.members[dp.Index]) {
		return nil
	}
	return e.members[dp.Index][n]
}

// envKey is what the parsing of a flow depends on beside its text.
type envKey struct {
	egress bool
	table  uint8
	ctACL  bool
}

// env returns the parsing environment of a flow.
func (e *Engine) env(f *network.Flow) *lflow.Env {
	key := envKey{f.Egress, f.Table, f.Tags["acl_ct_translation"] == "true"}
	if env, ok := e.envs[key]; ok {
		return env
	}
	env := NewEnv(e.Net, f)
	e.envs[key] = env
	return env
}

// tables is how many tables OVN's pipelines may have: "next" is checked
// against it. Versions differ (24 to 39 of them); a flow's own version
// guarantees its targets, so we take what the logical pipeline can number.
const tables = 64

// NewEnv returns the environment in which a flow of net is parsed.
func NewEnv(net *network.Network, f *network.Flow) *lflow.Env {
	env := &lflow.Env{
		AddressSets: net.AddressSets,
		PortGroups:  net.PortGroups,
		Templates:   templates(net),
		Pipeline:    lflow.Ingress,
		Table:       f.Table,
		Tables:      tables,
		DHCPv4:      options(net.DHCPv4),
		DHCPv6:      options(net.DHCPv6),
	}
	if f.Egress {
		env.Pipeline = lflow.Egress
	}
	if f.Tags["acl_ct_translation"] == "true" {
		env.Symbols = lflow.ACLCTSymtab()
	}
	return env
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

// templates returns the template variables. A variable's value may differ
// from chassis to chassis; flows are parsed once, with the values of the
// first chassis by name that defines them.
func templates(net *network.Network) map[string]string {
	var out map[string]string
	for _, c := range net.Chassis {
		for k, v := range net.Templates[c.Name] {
			if out == nil {
				out = map[string]string{}
			}
			if _, ok := out[k]; !ok {
				out[k] = v
			}
		}
	}
	return out
}

// flow returns a logical flow, compiled.
func (e *Engine) flow(f *network.Flow) *table.Flow {
	if c := e.flows[f.Index]; c != nil {
		return c
	}
	c := table.Compile(f, e.env(f), e)
	e.flows[f.Index] = c
	return c
}

// Compiled returns the compiled form of the flow with an index, for traces.
func (e *Engine) Compiled(index int32) *table.Flow { return e.flow(e.Net.Flows[index]) }

// stage returns a table of a datapath's pipeline, nil if it has no flows.
func (e *Engine) stage(dp *network.Datapath, egress bool, tbl uint8) *table.Stage {
	p := pipelineIndex(egress)
	if int(tbl) >= len(e.stages[dp.Index][p]) {
		return nil
	}
	s := e.stages[dp.Index][p][tbl]
	if s == nil {
		var flows []*table.Flow
		for _, f := range dp.Flows[p][tbl] {
			flows = append(flows, e.flow(f))
		}
		s = table.NewStage(flows)
		e.stages[dp.Index][p][tbl] = s
	}
	return s
}

func pipelineIndex(egress bool) int {
	if egress {
		return 1
	}
	return 0
}

// Broken returns every logical flow that does not compile. It compiles all.
func (e *Engine) Broken() []*table.Flow {
	var broken []*table.Flow
	for _, f := range e.Net.Flows {
		if c := e.flow(f); c.Err != nil {
			broken = append(broken, c)
		}
	}
	return broken
}

// event records a step of the packet in progress.
func (e *Engine) event(p *pkt, ev trace.Event) {
	ev.Depth = uint16(p.depth)
	ev.Chassis = int32(p.chassis.index)
	ev.Datapath = int32(p.dp.Index)
	e.out.Trace.Events = append(e.out.Trace.Events, ev)
}

// ActionText returns the text of an action of a flow, by its number in the flow.
func (e *Engine) ActionText(flow, seq int32) string {
	f := e.Compiled(flow)
	op := f.Op(int(seq))
	if op == nil {
		return ""
	}
	return lflow.FormatActions([]lflow.Action{op.Action}, e.env(f.Flow))
}
