package archive

import (
	"errors"
	"fmt"
	"slices"

	"ovnreplay/conntrack/coding"
	"ovnreplay/sim"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// Reader reads what a Writer wrote.
type Reader struct {
	get      func(number uint64) ([]byte, error)
	excerpts map[uint64]*excerpt
	texts    map[uint64]string

	ways   map[uint64]*way // paths that were read
	events int             // of them
}

// way is a path as it was read: packets that share it have their own of what is not the path's.
type way struct {
	at     *excerpt
	packet Packet
	events []trace.Event
}

// maxEvents bounds the events of the paths that a reader remembers.
const maxEvents = 1 << 19

// NewReader returns a reader; get returns the piece of a number.
func NewReader(get func(number uint64) ([]byte, error)) *Reader {
	return &Reader{get: get, excerpts: map[uint64]*excerpt{}, texts: map[uint64]string{}, ways: map[uint64]*way{}}
}

// Packet returns the packet of some bytes.
func (r *Reader) Packet(b []byte) (*Packet, error) {
	c := coding.NewReader(b)
	var path, name uint64
	coding.Uint(c, &path)
	coding.Uint(c, &name)
	if err := c.Err(); err != nil {
		return nil, err
	}
	p := &Packet{}
	w, err := r.path(path)
	if err == nil {
		w.lead(p)
		p.Capture, err = r.text(name)
	}
	if err != nil {
		return nil, err
	}
	at := w.at
	(&coder{c, at}).itself(p)
	if err = errors.Join(c.Finish(), at.err); err == nil {
		err = errors.Join(p.sound(), at.blocks(p))
	}
	if err != nil {
		return nil, fmt.Errorf("a packet's trace: %w", err)
	}
	p.Book, p.Objects, p.Elsewhere = at.book(), at.objects, at.elsewhere
	return p, nil
}

// piece returns what follows the kind of a piece.
func (r *Reader) piece(n uint64, k kind) ([]byte, error) {
	b, err := r.get(n)
	if err != nil {
		return nil, err
	}
	if len(b) == 0 || kind(b[0]) != k {
		return nil, fmt.Errorf("piece %d is not of kind %d", n, k)
	}
	return b[1:], nil
}

func (r *Reader) text(n uint64) (string, error) {
	if s, ok := r.texts[n]; ok {
		return s, nil
	}
	b, err := r.piece(n, textPiece)
	if err != nil {
		return "", err
	}
	c := coding.NewReader(b)
	var s string
	c.Text(&s)
	r.texts[n] = s
	return s, c.Finish()
}

// path reads a path, once.
func (r *Reader) path(n uint64) (*way, error) {
	if w := r.ways[n]; w != nil {
		return w, nil
	}
	b, err := r.piece(n, pathPiece)
	if err != nil {
		return nil, err
	}
	c := coding.NewReader(b)
	var number uint64
	coding.Uint(c, &number)
	at := r.excerpts[number]
	if at == nil {
		if at, err = r.newExcerpt(number); err != nil {
			return nil, err
		}
		r.excerpts[number] = at
	}
	w := &way{at: at}
	(&coder{c, at}).path(&w.packet)
	if err := errors.Join(c.Finish(), at.err); err != nil {
		return nil, fmt.Errorf("piece %d: %w", n, err)
	}
	w.events = slices.Clip(w.packet.Outcome.Trace.Events())
	if r.events += len(w.events); r.events > maxEvents {
		clear(r.ways)
		r.events = len(w.events)
	}
	r.ways[n] = w
	return w, nil
}

// lead has a packet go the way.
func (w *way) lead(p *Packet) {
	*p = w.packet
	out := &p.Outcome
	out.Outputs = slices.Clone(out.Outputs)
	t := &out.Trace
	*t = trace.Trace{CT: slices.Clone(t.CT), NAT: slices.Clone(t.NAT), Texts: slices.Clip(t.Texts)}
	t.Put(w.events, nil)
	w.at.link(p)
}

// excerpt is as much of a network as packets that were read came through.
type excerpt struct {
	reader *Reader
	net    *network.Network
	known  map[uint64]thing
	always []bool // by flow
	flows  []*table.Flow
	zones  map[zoneKey]string
	peers  map[int]string // names of the peers of ports not linked yet
	depth  int
	err    error
	made   *trace.Book

	objects   *network.Objects
	elsewhere map[*network.Flow]string
}

type zoneKey struct {
	chassis int32
	zone    uint16
}

func (r *Reader) newExcerpt(n uint64) (*excerpt, error) {
	b, err := r.piece(n, excerptPiece)
	if err != nil {
		return nil, err
	}
	at := &excerpt{reader: r, net: network.New(), known: map[uint64]thing{}, zones: map[zoneKey]string{},
		peers:   map[int]string{},
		objects: network.NewObjects("", nil), elsewhere: map[*network.Flow]string{}}
	c := &coder{coding.NewReader(b), at}
	var x common
	c.common(&x)
	if err := c.Finish(); err != nil {
		return nil, fmt.Errorf("piece %d: %w", n, err)
	}
	at.net.Version, at.net.DHCPv4, at.net.DHCPv6 = x.version, x.dhcp[0], x.dhcp[1]
	// Flows are parsed with the variables of the first chassis, which need
	// not be on any packet's way.
	at.net.AddChassis(&network.Chassis{})
	at.net.Templates = map[string]map[string]string{"": x.templates}
	return at, nil
}

// piece implements numbers: a reader never writes.
func (at *excerpt) piece(kind, int32) uint64 { return 0 }

// maxDepth is how deep pieces name pieces: a flow, its ports, their datapath.
const maxDepth = 4

// index implements numbers: the thing is read when first met.
func (at *excerpt) index(k kind, n uint64) int32 {
	if t, ok := at.known[n]; ok {
		if t.kind != k {
			return -1
		}
		return t.index
	}
	if at.depth >= maxDepth {
		return -1
	}
	b, err := at.reader.piece(n, k)
	if err != nil {
		at.fail(err)
		return -1
	}
	at.depth++
	defer func() { at.depth-- }()
	c := &coder{coding.NewReader(b), at}
	t := thing{k, at.read(c, k)}
	if err := c.Finish(); err != nil {
		at.fail(fmt.Errorf("piece %d: %w", n, err))
		return -1
	}
	at.known[n] = t
	return t.index
}

func (at *excerpt) fail(err error) {
	if at.err == nil {
		at.err = err
	}
}

func (at *excerpt) read(c *coder, k kind) int32 {
	switch k {
	case flowPiece:
		x := flowFacts{flow: &network.Flow{}}
		c.flow(&x)
		at.net.AddFlow(x.flow)
		if x.elsewhere != "" {
			at.elsewhere[x.flow] = x.elsewhere
		}
		if x.object != nil {
			at.objects.Made(x.flow, x.object)
		}
		at.always, at.flows = append(at.always, x.always), append(at.flows, nil)
		return int32(x.flow.Index)
	case portPiece:
		p, peer, dp := &network.Port{}, "", int32(0)
		c.portThing(p, &peer, &dp)
		if c.Err() == nil {
			p.Datapath = at.net.Datapaths[dp]
			at.net.AddPort(p)
			at.peers[p.Index] = peer
		}
		return int32(p.Index)
	case datapathPiece:
		d := &network.Datapath{}
		c.datapathThing(d)
		at.net.AddDatapath(d)
		return int32(d.Index)
	case chassisPiece:
		x := &network.Chassis{}
		c.chassisThing(x)
		at.net.AddChassis(x)
		return int32(x.Index)
	case groupPiece:
		g, dp := &network.Group{}, int32(0)
		c.groupThing(g, &dp)
		if c.Err() == nil {
			g.Datapath = at.net.Datapaths[dp]
			at.net.AddGroup(g)
		}
		return int32(g.Index)
	}
	c.Fail("no kind of thing has number %d", k)
	return -1
}

// link makes peers of ports, and puts flows where their stages are looked for.
func (at *excerpt) link(p *Packet) {
	for i, name := range at.peers {
		if q := at.net.Port(name); name == "" || q != nil {
			at.net.Ports[i].Peer = q
			delete(at.peers, i)
		}
	}
	for _, s := range p.stages {
		side := 0
		if s.egress {
			side = 1
		}
		tables := &at.net.Datapaths[s.datapath].Flows[side]
		for len(*tables) <= int(s.table) {
			*tables = append(*tables, nil)
		}
		(*tables)[s.table] = []*network.Flow{at.net.Flows[s.flow]}
	}
}

// blocks checks that the flows have the actions whose blocks were entered.
func (at *excerpt) blocks(p *Packet) error {
	events := p.Outcome.Trace.Events()
	for i := range events {
		ev := &events[i]
		if ev.Kind == trace.Block && (ev.Flow < 0 || at.flow(ev.Flow).Op(int(ev.Arg)) == nil) {
			return fmt.Errorf("event %d: there is no such action", i)
		}
	}
	return nil
}

func (at *excerpt) book() *trace.Book {
	if at.made == nil {
		at.made = &trace.Book{
			Net: at.net, Action: at.action, Flow: at.flow,
			Zone: func(chassis int32, zone uint16) string { return at.zones[zoneKey{chassis, zone}] },
		}
	}
	return at.made
}

// flow compiles a flow's actions. Of its match only whether it matches
// everything is known; address sets and the like are not here.
func (at *excerpt) flow(index int32) *table.Flow {
	if at.flows[index] == nil {
		f := *at.net.Flows[index]
		f.Match = "0"
		if at.always[index] {
			f.Match = "1"
		}
		at.flows[index] = table.Compile(&f, at.env(&f), at)
	}
	return at.flows[index]
}

func (at *excerpt) env(f *network.Flow) *lflow.Env { return sim.NewEnv(at.net, f) }

// Port implements table.Resolver. Which port it is makes no difference here.
func (at *excerpt) Port(name string) (uint32, bool) {
	if p := at.net.Port(name); p != nil {
		return uint32(p.Index), true
	}
	return noPort, true
}

func (at *excerpt) action(flow, seq int32) string {
	f := at.flow(flow)
	op := f.Op(int(seq))
	if op == nil {
		return ""
	}
	return lflow.FormatActions([]lflow.Action{op.Action}, at.env(f.Flow))
}
