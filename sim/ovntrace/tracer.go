package ovntrace

import (
	"bufio"
	"fmt"
	"net/netip"
	"strings"

	"ovnreplay/conntrack"
	"ovnreplay/pcap"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/openflow"
	"ovnreplay/sim/trace"
	"ovnreplay/store/output"
)

// Options are ovn-trace's, and what we add to them.
type Options struct {
	Detailed, Summary, Minimal, All bool // forms; none of them: detailed
	JSON                            bool
	PlainNames                      bool     // of the database, not those that people gave
	CT                              []string // what the next look-ups in conntrack report
	LBDst                           string   // IP[:PORT] of the backend that is taken
	SelectID                        uint16   // of the member that select takes

	Packet, Read, Inport string // a real packet: HEX, or FILE#N; and where it enters
	Chassis              string
	AllChassis           bool // as if the packet entered on each
	Reply                bool // trace the answer as well

	Tell func(format string, args ...any) // what is taken for want of a statement

	read *pcap.Record // the one of Read
}

// Tracer traces packets on one engine and shows them.
type Tracer struct {
	*Options
	Out      *bufio.Writer
	Switches *openflow.Switches
	// Prepared is called with each engine before it is used, and returns the time of
	// the packet; nil: at the beginning of time.
	Prepared func(*sim.Engine) (conntrack.Time, error)

	engine  *sim.Engine
	book    *trace.Book
	records []Record
}

// Run traces a packet as it was asked about, and tells what became of it: delivered
// if it is on one of several chassis.
func (t *Tracer) Run(net *network.Network, options sim.Options, q *Question) (sim.Verdict, error) {
	verdict, err := t.run(net, options, q)
	if err != nil {
		return 0, err
	}
	return verdict, t.finish()
}

func (t *Tracer) run(net *network.Network, options sim.Options, q *Question) (best sim.Verdict, err error) {
	if !t.AllChassis {
		if err := t.equip(net, options, q); err != nil {
			return 0, err
		}
		return t.Trace(q)
	}
	best = sim.Dropped
	for _, c := range net.Chassis {
		if err := t.equip(net, options, q); err != nil {
			return 0, err
		}
		q.In.Chassis = c
		verdict, err := t.Trace(q)
		if err != nil {
			return 0, err
		}
		if verdict == sim.Delivered {
			best = verdict
		}
	}
	return best, nil
}

// equip makes the engine on which the packet is traced.
func (t *Tracer) equip(net *network.Network, options sim.Options, q *Question) error {
	e, err := sim.New(net, options)
	if err != nil {
		return err
	}
	t.On(e)
	if t.Prepared != nil {
		q.In.Time, err = t.Prepared(e)
	}
	return err
}

// On makes a tracer use an engine that there is.
func (t *Tracer) On(e *sim.Engine) {
	t.engine, t.book = e, e.Book()
	t.book.PlainNames = t.PlainNames
	t.Switches.Attach(t.book)
}

// finish writes what is left to write.
func (t *Tracer) finish() error {
	e := output.Encoder(t.Out)
	for i := range t.records {
		if err := e.Encode(&t.records[i]); err != nil {
			return err
		}
	}
	return nil
}

// Given collects what the flags and the microflow fix.
func (o *Options) Given(q *Question) (*sim.Given, error) {
	g := &sim.Given{Meta: q.meta, Member: o.SelectID}
	for _, text := range o.CT {
		s, err := parseState(text)
		if err != nil {
			return nil, err
		}
		g.States = append(g.States, s)
	}
	if o.LBDst == "" {
		return g, nil
	}
	if ap, err := netip.ParseAddrPort(o.LBDst); err == nil {
		g.Backend = ap.Addr()
		return g, nil
	}
	addr, err := netip.ParseAddr(strings.Trim(o.LBDst, "[]"))
	if err != nil {
		return nil, fmt.Errorf("%s: bad address; give --lb-dst IP or IP:PORT", o.LBDst)
	}
	g.Backend = addr
	return g, nil
}

// parseState parses --ct: names of ct_state flags separated by commas, spaces or |.
func parseState(text string) (conntrack.State, error) {
	state := conntrack.Tracked
	for _, name := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(", |", r) }) {
		bit, ok := stateFlags[name]
		if !ok {
			return 0, fmt.Errorf("%s: unknown connection tracking state flag", name)
		}
		state |= bit
	}
	return state, nil
}

var stateFlags = map[string]conntrack.State{
	"new": conntrack.New, "est": conntrack.Established, "rel": conntrack.Related, "rpl": conntrack.Reply,
	"inv": conntrack.Invalid, "trk": conntrack.Tracked, "snat": conntrack.SNAT, "dnat": conntrack.DNAT,
}
