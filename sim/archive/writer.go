package archive

import (
	"encoding/binary"

	"ovnreplay/conntrack/coding"
	"ovnreplay/nat"
	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
)

// Writer writes what an engine says became of packets.
type Writer struct {
	// Objects are the Northbound database's rows, nil without one.
	Objects *network.Objects

	engine  *sim.Engine
	why     *why.Explainer
	put     func(piece []byte) (uint64, error)
	known   map[thing]uint64
	paths   map[string]uint64
	shapes  map[string]uint64 // paths by their shapes, see shape
	ids     map[*trace.Path]uint32
	excerpt uint64
	packet  Packet
	shape   []byte
	path    []byte
	coded   []byte
	name    string // of the last packet's capture
	inName  uint64 // its piece
	err     error
}

// thing is something in the network.
type thing struct {
	kind  kind
	index int32
}

// maxPaths bounds how many paths, and of each of the paths that packets share,
// a Writer remembers; past that it asks again.
const maxPaths = 1 << 16

// NewWriter returns a writer for an engine whose network has a hash; put keeps
// a piece and returns its number, which is never 0 and always the same.
func NewWriter(e *sim.Engine, hash [32]byte, put func(piece []byte) (uint64, error)) *Writer {
	w := &Writer{engine: e, put: put, why: why.New(e, nil)}
	w.Changed(hash)
	return w
}

// Changed tells the writer that the engine's network is another now.
func (w *Writer) Changed(hash [32]byte) {
	w.known, w.paths = map[thing]uint64{}, map[string]uint64{}
	w.forget()
	w.inName = 0
	net := w.engine.Net
	x := common{hash: hash, version: net.Version, dhcp: [2]map[string]network.DHCPOption{net.DHCPv4, net.DHCPv6}}
	if len(net.Chassis) > 0 {
		x.templates = net.Templates[net.Chassis[0].Name]
	}
	w.excerpt = w.keep(excerptPiece, func(c *coder) { c.common(&x) })
}

// Packet returns the bytes of a packet, which are valid until the next call.
func (w *Writer) Packet(f *replay.Frame, pt *replay.Point, capture string, out *sim.Outcome) ([]byte, error) {
	p := &w.packet
	w.why.At(out.Of.Time)
	outputs := append(p.Outcome.Outputs[:0], out.Outputs...)
	*p = Packet{Frame: *f, Point: pt, Capture: capture, Outcome: *out, stages: p.stages[:0], peers: p.peers[:0],
		values: p.values}
	p.Frame.Data = headers(f.Data, f.Headers())
	p.Outcome.Outputs = outputs
	for i := range outputs {
		outputs[i].Data = headers(outputs[i].Data, outputs[i].Headers())
	}
	path := w.pathOf(p)
	if w.inName == 0 || w.name != capture {
		w.name, w.inName = capture, w.text(capture)
	}
	c := &coder{coding.NewWriter(w.coded[:0]), w}
	coding.Uint(c.Coder, &path)
	coding.Uint(c.Coder, &w.inName)
	c.itself(p)
	w.coded = c.Bytes()
	return w.coded, w.err
}

// pathOf returns the piece that is a packet's path, which most packets share
// with one before them: those have its shape.
func (w *Writer) pathOf(p *Packet) uint64 {
	w.shapeOf(p)
	if path, ok := w.shapes[string(w.shape)]; ok {
		return path
	}
	w.read(p)
	c := &coder{coding.NewWriter(append(w.path[:0], byte(pathPiece))), w}
	coding.Uint(c.Coder, &w.excerpt)
	c.path(p)
	w.path = c.Bytes()
	path, ok := w.paths[string(w.path)]
	if !ok {
		if len(w.paths) >= maxPaths {
			clear(w.paths)
		}
		path = w.store(w.path)
		w.paths[string(w.path)] = path
	}
	if len(w.shapes) >= maxPaths || len(w.ids) >= maxPaths {
		w.forget()
		w.shapeOf(p)
	}
	w.shapes[string(w.shape)] = path
	return path
}

// forget forgets the shapes. What counts the paths in them is forgotten as well:
// until then it keeps them, so that no other takes their place.
func (w *Writer) forget() { w.shapes, w.ids = map[string]uint64{}, map[*trace.Path]uint32{} }

// shapeOf sums up all that a packet's path is written from, with what packets
// share as numbers: it is made without looking into that.
func (w *Writer) shapeOf(p *Packet) {
	b, pt, out := w.shape[:0], p.Point, &p.Outcome
	num := func(v uint64) { b = binary.AppendUvarint(b, v) }
	flags := func(all ...bool) {
		v := uint64(0)
		for i, f := range all {
			if f {
				v |= 1 << i
			}
		}
		num(v)
	}
	flags(out.Late, p.Frame.Bare, p.Frame.Inferred, pt.Port != nil, pt.From != nil)
	num(uint64(pt.Chassis.Index))
	if pt.Port != nil {
		num(uint64(pt.Port.Index))
	}
	if pt.From != nil {
		num(uint64(pt.From.Index))
	}
	num(uint64(out.Verdict)<<32 | uint64(out.Drop))
	num(uint64(out.DropAt + 1))
	t := &out.Trace
	t.Each(func(path *trace.Path, depth uint16, own []trace.Event) {
		if path != nil {
			id, ok := w.ids[path]
			if !ok {
				id = uint32(len(w.ids)) + 1
				w.ids[path] = id
			}
			num(uint64(id))
			num(uint64(depth))
			return
		}
		for i := range own {
			ev := &own[i]
			num(0) // no path
			flags(ev.Egress)
			num(uint64(ev.Kind)<<56 | uint64(ev.Reason)<<48 | uint64(ev.Table)<<40 | uint64(ev.Depth)<<24)
			num(uint64(uint32(ev.Flow))<<32 | uint64(uint32(ev.Arg)))
			num(uint64(uint32(ev.Chassis))<<32 | uint64(uint32(ev.Datapath)))
			num(uint64(ev.Port))
		}
	})
	num(0)
	num(0xffff) // the end: no event has such flags
	num(uint64(len(t.CT)))
	for i := range t.CT {
		s := &t.CT[i]
		flags(s.Commit, s.Created, s.Guess, s.Loose, s.Connected, s.Override)
		num(uint64(uint32(s.Chassis))<<16 | uint64(s.Zone))
		num(uint64(s.State))
		num(uint64(s.Mark))
		num(s.Label.Hi)
		num(s.Label.Lo)
		num(uint64(s.Refusal)<<32 | uint64(s.Check.Of)<<24 | uint64(s.Check.State)<<16)
		num(uint64(s.Check.Flags))
		num(uint64(s.Check.Profile))
	}
	num(uint64(len(t.NAT)))
	for i := range t.NAT {
		flags(t.NAT[i].Dst, t.NAT[i].Undo)
		num(uint64(uint32(t.NAT[i].Flow)))
	}
	num(uint64(len(t.Texts)))
	for _, text := range t.Texts {
		num(uint64(len(text)))
		b = append(b, text...)
	}
	for i := range out.Outputs {
		o := &out.Outputs[i]
		flags(o.Guess, o.Seen, o.Made)
		num(uint64(o.Port.Index)<<32 | uint64(o.Chassis.Index))
		num(uint64(o.Event))
	}
	w.shape = b
}

// read finds what else of the network the trace's readers will ask for.
func (w *Writer) read(p *Packet) {
	net := w.engine.Net
	events := p.Outcome.Trace.Events()
	for i := range events {
		ev := &events[i]
		switch ev.Kind {
		case trace.Enter:
			if ev.Port < uint32(len(net.Ports)) && ev.Port != 0 {
				if peer := net.Ports[ev.Port].Peer; peer != nil {
					p.peers = append(p.peers, uint32(peer.Index))
				}
			}
		case trace.Miss:
			side := 0
			if ev.Egress {
				side = 1
			}
			tables := net.Datapaths[ev.Datapath].Flows[side]
			if int(ev.Table) < len(tables) && len(tables[ev.Table]) > 0 {
				p.stages = append(p.stages, stage{ev.Datapath, ev.Egress, ev.Table, int32(tables[ev.Table][0].Index)})
			}
		}
	}
}

// keep keeps a piece of a kind.
func (w *Writer) keep(k kind, code func(*coder)) uint64 {
	c := &coder{coding.NewWriter([]byte{byte(k)}), w}
	code(c)
	return w.store(c.Bytes())
}

func (w *Writer) store(b []byte) uint64 {
	n, err := w.put(b)
	if w.err == nil {
		w.err = err
	}
	return n
}

func (w *Writer) text(s string) uint64 {
	k := string(rune(textPiece)) + s
	n, ok := w.paths[k]
	if !ok {
		n = w.keep(textPiece, func(c *coder) { c.Text(&s) })
		w.paths[k] = n
	}
	return n
}

// piece implements numbers.
func (w *Writer) piece(k kind, index int32) uint64 {
	t := thing{k, index}
	if n, ok := w.known[t]; ok {
		return n
	}
	n := w.keep(k, func(c *coder) { w.describe(c, t) })
	w.known[t] = n
	return n
}

// index implements numbers: a writer never reads.
func (w *Writer) index(kind, uint64) int32 { return -1 }

// object is the row of the Northbound database that a flow was made of.
func (w *Writer) object(f *network.Flow) *network.Object {
	w.why.Objects = w.Objects
	return w.why.Object(f)
}

func (w *Writer) describe(c *coder, t thing) {
	net := w.engine.Net
	switch t.kind {
	case flowPiece:
		f := *net.Flows[t.index]
		x := flowFacts{flow: &f, always: w.engine.Compiled(t.index).Always(), ports: w.named(f.Match + f.Actions),
			object: w.object(net.Flows[t.index])}
		for _, d := range f.Datapaths {
			if x.elsewhere = w.why.Elsewhere(net.Flows[t.index], d); x.elsewhere != "" {
				break
			}
		}
		if x.object != nil { // whoever codes it does not change it
			o := *x.object
			x.object = &o
		}
		c.flow(&x)
	case portPiece:
		p := *net.Ports[t.index]
		peer, dp := "", int32(p.Datapath.Index)
		if p.Peer != nil {
			peer = p.Peer.Name
		}
		c.portThing(&p, &peer, &dp)
	case datapathPiece:
		d := *net.Datapaths[t.index]
		c.datapathThing(&d)
	case chassisPiece:
		x := *net.Chassis[t.index]
		c.chassisThing(&x)
	case groupPiece:
		g := *net.Groups[t.index]
		dp := int32(g.Datapath.Index)
		c.groupThing(&g, &dp)
	}
}

// named returns the ports whose names a flow's text quotes: traces show them
// by their second names.
func (w *Writer) named(text string) []uint32 {
	var ports []uint32
	for _, t := range lflow.Lex(text) {
		if t.Type != lflow.TokenString {
			continue
		}
		if p := w.engine.Net.Port(t.Text); p != nil && p.Name == t.Text {
			ports = append(ports, uint32(p.Index))
		}
	}
	return ports
}

// headers returns the beginning of a frame with such headers that says all that
// flows can see, and of an ICMP error which packet it is about.
func headers(frame []byte, h *packet.Headers) []byte {
	l := &h.Layout
	end := l.L3 + 60
	if l.L4 != 0 {
		end = l.L4 + 8
		if h.Key.Get(field.IPProto) == header.ProtoTCP {
			end = l.L4 + 20
		}
		if n := quoted(frame, h); n > 0 {
			end = n
		}
	}
	for _, n := range [...]int{end, end + 56, 256} {
		if n >= len(frame) {
			break
		}
		var k field.Key
		if packet.Parse(frame[:n], &k); k == h.Key {
			return frame[:n]
		}
	}
	return frame
}

// quoted is where the ports end of the packet that an ICMP error quotes, 0 if a frame
// is none.
func quoted(frame []byte, h *packet.Headers) int {
	if p := h.Key.Get(field.IPProto); p != header.ProtoICMP && p != header.ProtoICMPv6 {
		return 0
	}
	var p nat.Packet
	l := &h.Layout
	if p.Parse(frame[l.L3:l.L3End]) != nat.NoFault || !p.IsError {
		return 0
	}
	return l.L3 + p.Inner.L4 + 8
}
