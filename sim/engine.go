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
	"ovnreplay/conntrack"
	"ovnreplay/sim/network"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// Options of an Engine. The zero value is usable.
type Options struct {
	Profile   conntrack.Profile // zero: that of Conntrack
	Conntrack conntrack.Options // how every chassis tracks connections

	// Zones gives the conntrack zone numbers of a chassis, by chassis name and
	// zone name ("PORT", "DATAPATH_dnat", "DATAPATH_snat"). A chassis it lacks
	// gets numbers by rule.
	Zones map[string]map[string]uint16

	// Anywhere makes every port count as resident on every chassis: no packet
	// takes a tunnel. It answers questions about networks that are nowhere yet.
	Anywhere bool

	Tie Tie // nil: it knows of none

	// Paths bounds how many stretches of packets' walks are remembered, for
	// others to take: see paths.go. It makes no difference to any outcome or
	// trace. 0 is a bound of the engine's own; a negative one remembers none.
	Paths int

	// Hops records the packet as it comes to each datapath, in Outcome.Hops. No
	// walks are remembered then.
	Hops bool

	// Choose, if not nil, is asked which of n alternatives the datapath took.
	Choose Chooser
}

// Engine replays packets through one network. What it holds is two things: what
// lasts from packet to packet, and the passage of the one in progress.
type Engine struct {
	Net *network.Network

	opts        Options
	changes     []network.Changes // of each zone's OVN
	monitorMACs []uint64
	chassis     []*chassis            // by index, made when first met
	compiled    *compiled             // of the first chassis
	rivals      []*table.Flow         // of the flow that a packet has just met
	ranks       []int32               // those that Stage.Rivals found
	tied        bool                  // a packet had such
	preferred   map[string]bool       // see Prefer
	offers      map[*table.Op]*offers // see optionsOf
	contests    map[contest]contested
	groupNames  map[string]uint32  // multicast group name -> number
	members     [][]*network.Group // by datapath, then group number
	learned     learned
	fragments   fragments
	selections  map[selection]int // made by select, read from captures
	choice      Choice            // as one of them is put; its options are reused
	waiting     waiting
	oldAffinity []bool            // by zone, see stick
	teaching    [][]*network.Flow // see network.Teaching
	hairpins    hairpins
	security    map[int]*portSecurity // by port index, compiled when first met
	limits      map[limitKey]*Reached
	meterNames  []string
	buckets     map[meterKey]*bucket // made when first met
	leftOut     leftOut

	paths paths  // stretches of walks
	pkts  []*pkt // free
	walks uint32 // translations begun, see pause

	reading // of the network's texts
	passage // the packet in progress
}

// groupBit marks an outport value that numbers a multicast group's name
// instead of a port: groups of one name exist in many datapaths, which share
// the flows that use them.
const groupBit = 1 << 31

// Tracks reports whether the chassis' connection tracking has a behaviour.
func (e *Engine) Tracks(b conntrack.Behaviour) bool { return e.opts.Conntrack.Has(b) }

// New returns an engine for net.
func New(net *network.Network, opts Options) (*Engine, error) {
	if opts.Profile != 0 {
		opts.Conntrack.Profile = opts.Profile
	}
	e := &Engine{
		Net:        net,
		changes:    changesOf(net),
		opts:       opts,
		groupNames: map[string]uint32{},
		security:   map[int]*portSecurity{},
	}
	e.readNet()
	e.chassis = make([]*chassis, len(net.Chassis))
	e.BoundPaths(opts.Paths)
	e.compiled = newCompiled(e, e.firstChassis())
	e.learned.init(net)
	e.indexHairpins()
	e.oldAffinity, e.teaching = oldAffinity(e.Net), e.Net.Teaching()
	return e, nil
}

// Beside returns an engine with the same options on another network.
func (e *Engine) Beside(net *network.Network) (*Engine, error) { return New(net, e.opts) }

// Become makes the engine go on with the network as net has it: flows, ports,
// bindings and zones are net's from the next packet on, connections and what
// was learned stay, but for what ovn-controller flushes. Ports, datapaths and
// chassis of before remain valid. net must not be used afterwards.
func (e *Engine) Become(net *network.Network) {
	was := e.flushable()
	e.Start(net)
	e.flushAfter(was)
}

// Start is Become for the network as it was when the replay began: what the engine
// has been made with was another description of it, and no change took place.
func (e *Engine) Start(net *network.Network) {
	e.Net.Become(net)
	e.changes, e.monitorMACs = changesOf(e.Net), monitorMACs(e.Net)
	e.readNet()
	e.chassis = append(e.chassis, make([]*chassis, len(e.Net.Chassis)-len(e.chassis))...)
	e.leftOut.fold()
	e.compiled = newCompiled(e, e.firstChassis())
	for _, c := range e.chassis {
		if c != nil {
			c.read(e.Net, e.opts)
			c.compiled = e.compiledFor(c.Chassis)
		}
	}
	e.security, e.contests, e.offers = map[int]*portSecurity{}, nil, nil
	e.forgetPaths()
	e.indexHairpins()
	e.oldAffinity, e.teaching = oldAffinity(e.Net), e.Net.Teaching()
	for _, k := range e.learned.read(e.Net) {
		e.resolved(k, e.learned.macs[k].mac, e.now)
	}
}

func (e *Engine) firstChassis() *network.Chassis {
	if len(e.Net.Chassis) == 0 {
		return nil
	}
	return e.Net.Chassis[0]
}

func (e *Engine) numberGroups() {
	e.members = make([][]*network.Group, len(e.Net.Datapaths))
	e.groups = make([]uint32, len(e.Net.Groups))
	for i, g := range e.Net.Groups {
		n, ok := e.groupNames[g.Name]
		if !ok {
			n = uint32(len(e.groupNames))
			e.groupNames[g.Name] = n
		}
		e.groups[i] = n
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

// Port implements table.Resolver, for names that are not of one zone's flows.
func (e *Engine) Port(name string) (uint32, bool) {
	if p := e.Net.Port(name); p != nil {
		return uint32(p.Index), true
	}
	return e.notPort(name)
}

// notPort is the number of a name that is no port's.
func (e *Engine) notPort(name string) (uint32, bool) {
	if name == "none" { // ovn-controller's name for no port
		return 0, true
	}
	if n, ok := e.groupNames[name]; ok {
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

// Book returns the names that traces of the engine refer to.
func (e *Engine) Book() *trace.Book {
	return &trace.Book{Net: e.Net, Action: e.ActionText, Zone: e.ZoneName, Flow: e.Compiled}
}
