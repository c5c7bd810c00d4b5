package replay

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/trace"

	"ovnreplay/sim/printable"
)

// Cause is what differences, and what was found to be none, come from.
type Cause string

// Causes. All but the last two are artefacts of how captures are made: they say
// nothing about OVN.
const (
	CauseLost   Cause = "capture lost"
	CauseLate   Cause = "began late"
	CauseEarly  Cause = "ended early"
	CauseFlight Cause = "in flight at the edge"
	CauseEmpty  Cause = "empty capture"

	CauseElsewhere Cause = "entered elsewhere"
	CauseOneWay    Cause = "one direction"
	CausePlace     Cause = "not placed"

	CauseClock    Cause = "clock"
	CauseFilter   Cause = "filter"
	CauseSnaplen  Cause = "snaplen"
	CauseTwice    Cause = "duplicate"
	CauseChecksum Cause = "checksum offload"
	CauseSegments Cause = "segmentation offload"
	CauseVLAN     Cause = "vlan offload"
	CauseMTU      Cause = "mtu"
	CauseMeter    Cause = "meter"
	CauseDatabase Cause = "database moment"
	CauseZones    Cause = "zone numbers of another boot"
	CauseFlow     Cause = "flow"
)

// Group is packets with one cause.
type Group struct {
	Cause    Cause    `json:"cause"`
	Packets  int      `json:"packets"`
	Evidence []string `json:"evidence"`
	Advice   string   `json:"advice"`
}

var advice = map[Cause]string{
	CauseLost: "capture with a larger buffer (tcpdump -B), a snaplen (-s 200), or a filter; what was lost is " +
		"inferred from what others show",
	CauseLate:   "start this capture before the others, or give the connections there were with --ct-import",
	CauseEarly:  "stop this capture after the others",
	CauseFlight: "nothing: these packets were on their way when a capture began or ended",
	CauseEmpty:  "is this the right interface? An empty capture vouches for nothing",

	CausePlace:     "name the interface with an iface-id=PORT comment, or give its capture as -r FILE@PORT",
	CauseOneWay:    "capture both directions (no tcpdump -Q, both sides of a span port): the other is not compared",
	CauseElsewhere: "capture also at the ports that are in none of the captures: what came from there cannot be told",

	CauseClock:    "synchronize the hosts' clocks, or give --offset FILE=DURATION",
	CauseFilter:   "capture without a filter, or include arp and icmp6",
	CauseSnaplen:  "capture with -s 0, or at least -s 200 in tunnels",
	CauseTwice:    "nothing: capture one interface of a bond, one direction of a span port",
	CauseChecksum: "nothing: compared as the network card completes them",
	CauseSegments: "nothing: compared as one stream",
	CauseVLAN:     "nothing: the tag is the port's; ethtool -K DEV rxvlan off keeps it in captures",
	CauseMTU:      "give the port's MTU with --mtu PORT=N, and look for who sends more",
	CauseMeter:    "nothing: packets that no capture shows went to ovn-controller too, or fewer than was thought",
	CauseDatabase: "--db-time follow",
	CauseFlow:     "look at this logical flow; --list shows the packets",
}

// tally is a group being counted.
type tally struct {
	packets int
	files   map[string]*fileTally
	order   []string
}

type fileTally struct {
	n      int
	frames []int
}

// blame counts packets under a cause, with the frame of a file that shows it.
func (v *Verifier) blame(c Cause, file string, frame int) { v.tally(c).count(file, 1, frame) }

// tally returns what is counted of a cause.
func (v *Verifier) tally(c Cause) *tally {
	t := v.causes[c]
	if t == nil {
		t = &tally{}
		v.causes[c] = t
	}
	return t
}

// count adds n packets that frames of a file show.
func (t *tally) count(file string, n int, frames ...int) {
	t.packets += n
	f := t.files[file]
	if f == nil {
		if t.files == nil {
			t.files = map[string]*fileTally{}
		}
		f = &fileTally{}
		t.files[file] = f
		t.order = append(t.order, file)
	}
	f.n += n
	f.frames = append(f.frames, frames[:min(len(frames), maxFrames-len(f.frames))]...)
}

// merge adds what another counted.
func (t *tally) merge(other *tally) {
	for _, file := range other.order {
		f := other.files[file]
		t.count(file, f.n, f.frames...)
	}
}

// maxFrames is how many frames of a file are told.
const maxFrames = 3

// evidence names files and frames.
func (t *tally) evidence() (out []string) {
	for _, name := range t.order {
		f := t.files[name]
		slices.Sort(f.frames)
		var b strings.Builder
		fmt.Fprintf(&b, "%s: frame", name)
		for i, n := range f.frames {
			sep := ", "
			if i == 0 {
				sep = " "
				if len(f.frames) > 1 {
					sep = "s "
				}
			}
			fmt.Fprintf(&b, "%s%d", sep, n)
		}
		if f.n > len(f.frames) {
			fmt.Fprintf(&b, " and %d more", f.n-len(f.frames))
		}
		out = append(out, b.String())
		if len(out) == 4 && len(t.order) > 4 {
			return append(out, fmt.Sprintf("%d more files", len(t.order)-4))
		}
	}
	return out
}

// doubt is a packet that its capture should hold.
type doubt struct {
	point pointKey
	time  conntrack.Time
	file  string // which shows that it should
	frame int
	asks  asking
}

// vouches says whether the captures of a point held it at a moment, and if not,
// why. A capture vouches for its point from its first packet to its last only.
func (v *Verifier) vouches(p pointKey, t conntrack.Time) (bool, Cause) {
	why := Cause("")
	for i, tap := range v.run.Taps {
		if !v.at(tap, p) {
			continue
		}
		switch s := v.spans[i]; {
		case s == nil, v.nameless(tap, p):
			why = cmp.Or(why, CauseEmpty)
		case t < s.first:
			why = CauseLate
		case t > s.last:
			if why != CauseLate {
				why = CauseEarly
			}
		case t > s.last-inFlight:
			return true, CauseFlight
		default:
			return true, ""
		}
	}
	return why == "", why
}

// nameless reports whether a capture of all interfaces of a host has no frame that tells
// which of them an interface of OVN's is: what it shows of it cannot be told from what it
// shows of others.
func (v *Verifier) nameless(t *Tap, k pointKey) bool {
	if k.port <= 0 || len(t.hosted) == 0 {
		return false
	}
	p := v.net().Ports[k.port]
	return hasDevice(p) && !t.hosts(p) &&
		!slices.ContainsFunc(t.Sites(), func(s *Site) bool { return s.Kind == AtPort && keyOf(s.Port, s.Chassis) == k })
}

// inFlight is how long a packet is on its way at most.
const inFlight = 2 * conntrack.Second / 1000

// settleDoubts decides what of the packets that no capture holds was lost, and
// what was before or after its capture.
func (v *Verifier) settleDoubts() {
	for _, d := range v.doubts {
		if v.evidence.at(d.point).cut > 0 {
			continue // it is there, and was told of
		}
		vouched, why := v.vouches(d.point, d.time)
		switch {
		case v.run.filters(d.point, d.asks):
			why = CauseFilter
		case vouched:
			v.lose(d.point, d.file, d.frame)
			continue
		}
		v.blame(why, d.file, d.frame)
	}
	v.doubts = nil
	for i := range v.cameOut {
		x := &v.cameOut[i]
		if why := v.notHeld(&x.appearance); why != "" {
			v.blame(why, x.file, x.number)
		}
	}
	v.cameOut = nil
}

// emerged is a packet that was replayed where it came out of a tunnel.
type emerged struct {
	appearance
	file   string
	number int
}

// emerges notes a packet that was replayed where it came out of a tunnel: a capture of
// where it entered may have begun late.
func (v *Verifier) emerges(f *Frame) {
	if len(v.cameOut) < maxItems {
		v.cameOut = append(v.cameOut, emerged{appearance{f.Capture, f.Time, f.point.key(), v.senders(f.Headers())},
			v.run.name(f), f.Number})
	}
}

// doubts are bounded as the lists of a report are.
func (v *Verifier) doubt(d doubt) {
	if len(v.doubts) < maxItems {
		v.doubts = append(v.doubts, d)
		return
	}
	v.lose(d.point, d.file, d.frame)
}

// lose notes that a capture of a point is proved to lack a packet, by the frame of a file.
func (v *Verifier) lose(p pointKey, file string, frame int) {
	v.Report.Lost++
	x := v.evidence.at(p)
	if x.lost++; x.lost == 1 {
		v.losers = append(v.losers, p)
	}
	if p.port > 0 {
		v.evidence.ports.lost++
	}
	x.missed.count(file, 1, frame)
}

// excuse reports whether an artefact of capturing explains that a prediction or
// an observation found no partner, and counts it then.
func (v *Verifier) excuse(w *waiter) bool {
	file := w.file
	if file == "" {
		file = v.run.Taps[w.capture].Name
	}
	if v.opts.Strict {
		return false
	}
	if v.evidence.leftOut(w) {
		if !w.predicted {
			v.explained(w)
		}
		v.blame(CausePlace, file, w.number)
		return true
	}
	if w.predicted {
		if w.point.port < 0 && v.Report.Underlay == nil {
			return true // captures of all interfaces of a host that show no tunnel at all
		}
		if x := v.altered(w); x != nil {
			v.became(w, x)
			return true
		}
		why := v.unseen(w)
		switch why {
		case "":
			return false
		case CauseLost:
			v.lose(w.point, file, w.number)
		default:
			v.blame(why, file, w.number)
		}
		return true
	}
	why := v.unpredicted(w)
	if why == "" && v.hidesSender(w) {
		why = CauseOneWay
	}
	if why == "" {
		return false
	}
	if why == CauseLost {
		v.Report.Lost++
	}
	v.explained(w)
	v.noteStray(w, false)
	v.blame(why, file, w.number)
	return true
}

// explained counts an observed packet that an artefact explains.
func (v *Verifier) explained(w *waiter) {
	if w.point.port < 0 {
		v.Report.Underlay.Explained++
	} else {
		v.Report.Explained++
	}
}

// aboutCut reports whether a packet is an ICMP error of a connection that is not known,
// where captures cut what opens connections.
func (v *Verifier) aboutCut(w *waiter, x *fate) bool {
	return v.evidence.cut > 0 && w.form.quotes && x.loose
}

// unseen says which artefact explains that a predicted packet was not observed,
// "" if none does.
func (v *Verifier) unseen(w *waiter) Cause {
	switch {
	case v.otherwise(w):
		return ""
	case w.way.metered:
		return CauseMeter
	}
	if v.evidence.at(w.point).cut > 0 {
		return CauseSnaplen
	}
	h := w.Headers()
	if v.run.filters(w.point, askingOf(h)) || v.evidence.filtered(w.point, h) {
		return CauseFilter
	}
	flow := v.evidence.flows[v.flowKey(w.point, w.data, h, false)]
	if flow == nil {
		flow = &flowSeen{}
	}
	again := v.repeats(w) && !flow.acknowledges(w)
	vouched, edge := v.vouches(w.point, w.time)
	if !vouched && (edge == CauseEmpty || !again || flow.incomplete(h)) {
		return edge
	}
	if v.longer(w) || v.withLonger(w) {
		return CauseMTU
	}
	switch {
	case again, v.strayed(w):
		return ""
	case v.arrived(w, flow), v.hinges(w) && v.lossy():
		return CauseLost
	case v.stillOpen(w) && !opensTCP(h) && edge == "":
		return CauseLost
	case edge == "" && w.inferred && w.time-v.begin < askTime: // what it meets is from before all captures
		return CauseFlight
	}
	return edge
}

// otherwise reports whether a predicted packet is in its capture, the other way or with
// another VLAN tag.
func (v *Verifier) otherwise(w *waiter) bool {
	return v.cameIn(w) || v.evidence.others[whateverTag(w.point, w.data, w.Headers())]
}

// cameIn reports whether a predicted packet was seen to enter where it should leave
// by a wire.
func (v *Verifier) cameIn(w *waiter) (found bool) {
	if w.point.port <= 0 || !leadsOut(v.net().Ports[w.point.port]) {
		return false
	}
	v.run.history.fates.each(w.id, func(x *fate) bool {
		found = x.at == w.point && !x.inferred
		return !found
	})
	return found
}

// resolution reports whether a packet is one of ARP or neighbor discovery.
func resolution(h *packet.Headers) bool {
	t := icmpType(h)
	return h.Key.Get(field.EthType) == header.EtherARP || h.Key.Get(field.IPProto) == header.ProtoICMPv6 &&
		(t == 135 || t == 136)
}

// opensTCP reports whether a packet is the first of a TCP connection.
func opensTCP(h *packet.Headers) bool {
	const opens = header.FlagSYN | header.FlagACK
	return h.Key.Get(field.IPProto) == header.ProtoTCP && h.Key.Get(field.TCPFlags)&opens == header.FlagSYN
}

// repeats reports whether something that was sent again shows that a predicted packet did
// not arrive: it itself, or what it answers.
func (v *Verifier) repeats(w *waiter) bool {
	h := w.Headers()
	flow := v.evidence.flows[v.flowKey(w.point, w.data, h, false)]
	if flow == nil {
		return false
	}
	flags := h.Key.Get(field.TCPFlags)
	switch {
	case opensTCP(h):
		return flow.opened > 1 && flow.matched == 0 && flow.entered == 0
	case flags&(header.FlagSYN|header.FlagRST) != 0: // 0: not of TCP
		return flow.matched == 0 && (flow.opens > w.time || flow.opened > 1)
	}
	e := endpoints(h)
	return udp(h) && serves(e[0].port, e[1].port) && flow.matched == 0 && flow.entered > w.time
}

// strayed reports whether a predicted packet was observed at an interface where it was not to
// come: it is one that its sender counts, and no copy.
func (v *Verifier) strayed(w *waiter) (found bool) {
	if len(w.data) < 14 || macAt(w.data).multicast() || !numbered(w.data, w.Headers()) {
		return false
	}
	v.run.history.seen.each(w.id, func(x *sighting) bool {
		if x.at.port <= 0 || x.at == w.point || max(x.time-w.time, w.time-x.time) > soonest {
			return true
		}
		p := v.net().Ports[x.at.port]
		found = p.Type == network.VIF && !slices.Contains(w.way.outs, p)
		return !found
	})
	return found
}

// longer reports whether a packet is longer than anything that ever left at the
// point, beyond what every link carries.
func (v *Verifier) longer(w *waiter) bool {
	const everyLink = 1280 + 14
	most := v.evidence.at(w.point).longest
	is := w.seg.stream == 0 && w.wire > everyLink && most > 0 && w.wire > most
	mtu := v.opts.MTU[w.where.Name()]
	if mtu > 0 && w.point.port > 0 {
		is = w.wire > mtu+14
	}
	if is {
		notePieces(v.evidence.tooLong, w)
		if v.said[CauseMTU] == "" {
			v.said[CauseMTU] = fmt.Sprintf("%d bytes are too long for %s, ", w.wire, w.where.Name())
			if mtu > 0 {
				v.said[CauseMTU] += fmt.Sprintf("whose MTU is %d", mtu)
			} else {
				v.said[CauseMTU] += fmt.Sprintf("where none longer than %d left", most)
			}
		}
	}
	return is
}

// unpredicted says which artefact explains that an observed packet was not
// predicted, "" if none does.
func (v *Verifier) unpredicted(w *waiter) Cause {
	found := v.fate(w, w.id)
	if found == nil {
		found = v.fate(w, v.run.history.pieces.with(&w.seg, w.seg.start))
	}
	if found != nil {
		return v.misled(w, found)
	}
	h := w.Headers()
	if x := v.fate(w, v.run.history.asked(w)); x != nil && x.drop == trace.DropMetered {
		return CauseMeter
	}
	if v.refused(w) {
		return ""
	}
	flow := v.evidence.flows[v.flowKey(w.point, w.data, w.Headers(), false)]
	back := v.evidence.flows[v.flowKey(w.point, w.data, w.Headers(), true)]
	if flow != nil && flow.matched > 0 || back != nil && back.matched > 0 && flow != nil && flow.entered > 0 {
		return CauseLost // the rest of its connection entered in the captures
	}
	if v.owned(w) {
		return CauseLost
	}
	if v.evidence.cut > 0 && (w.form.cut || isAnswer(w) || v.run.asksName(h)) {
		return CauseSnaplen
	}
	if couldBeMade(h) {
		return cmp.Or(v.unasked(w), v.outside(w), v.first(w), v.elsewhere(w))
	}
	if _, ok := identify(w.data, h); !ok {
		return cmp.Or(v.first(w), v.elsewhere(w))
	}
	return cmp.Or(v.outside(w), v.turnedBack(w), v.elsewhere(w))
}

// owned reports whether a packet is the answer of a machine at a port that is captured to who
// had asked for an Ethernet address just before.
func (v *Verifier) owned(w *waiter) bool {
	_, answers := v.resolves(w)
	return answers && slices.ContainsFunc(v.run.owners.ports[macAt(w.data[6:])], func(p *network.Port) bool {
		return p.Type == network.VIF && v.run.inferrer.everCaptured(p)
	})
}

// turnedBack says whether a capture begins with an answer in a load balancer's name, which
// its own machine may have given.
func (v *Verifier) turnedBack(w *waiter) Cause {
	h := w.Headers()
	if e := endpoints(h)[0]; w.where.Port == nil ||
		!v.run.owners.balancedOn(w.where.Port.Datapath, addrOf(h, e), e.port) {
		return ""
	}
	for i, t := range v.run.Taps {
		if s := v.spans[i]; s != nil && v.at(t, w.point) && w.time-s.first < askTime {
			return CauseFlight
		}
	}
	return ""
}

// first says whether a capture of another place had not begun when a frame to a group
// was observed whose sender's place no address tells, or whether a capture begins with
// what may answer what came just before, or with a router's question about its next hop.
func (v *Verifier) first(w *waiter) Cause {
	const just = conntrack.Second / 100
	k, group := &w.Headers().Key, len(w.data) >= 14 && macAt(w.data).multicast()
	answer := isAnswer(w) && k.Get(field.ARPOp) != 1 && k.Get(field.ICMP6Type) != 135
	answer = answer || group && resolution(w.Headers()) && v.run.owners.ofRouter(macAt(w.data[6:]))
	for i, t := range v.run.Taps {
		s := v.spans[i]
		if s == nil {
			continue
		}
		if here := v.at(t, w.point); !here && group && w.time < s.first || here && w.time-s.first < just && answer {
			return CauseLate
		}
	}
	return ""
}

// elsewhere reports whether a packet that no capture shows entering, nor what OVN asks or
// answers with it, may have come from a port of which there is no capture. An answer to
// what was captured is OVN's to translate.
func (v *Verifier) elsewhere(w *waiter) Cause {
	if w.point.port <= 0 || len(w.data) < 14 || v.run.opts.NoInference || v.replies(w) {
		return ""
	}
	sender := macAt(w.data[6:])
	from, asks := v.senders(w.Headers()), resolution(w.Headers()) && v.run.owners.ofRouter(sender)
	if asks && !macAt(w.data).multicast() {
		return "" // no packet calls for what a router asks one that it knows
	}
	for _, p := range v.net().Ports[1:] {
		bound := p.ActiveChassis() != nil || len(p.Additional) > 0 || v.run.opts.Changes != nil
		if p != w.where.Port && (leadsOut(p) || p.Type == network.VIF && p.Parent == nil && bound) &&
			!v.run.inferrer.everCaptured(p) && (asks || hasMAC(p, sender) || from(&Site{Kind: AtPort, Port: p})) {
			return CauseElsewhere
		}
	}
	return v.inEmpty(from)
}

// inEmpty says whether a capture of where a packet may have entered holds nothing at all.
func (v *Verifier) inEmpty(from func(*Site) bool) Cause {
	for i, t := range v.run.Taps {
		if v.spans[i] == nil && slices.ContainsFunc(t.Sites(), from) {
			return CauseEmpty
		}
	}
	return ""
}

// replies reports whether a packet comes from a server's port of an address to one who had
// asked that address, though maybe at another port.
func (v *Verifier) replies(w *waiter) bool {
	h := w.Headers()
	e := endpoints(h)
	if !serves(e[0].port, e[1].port) {
		return false
	}
	before := v.evidence.flows[asked(w.point, uint8(h.Key.Get(field.IPProto)), e[0], e[1])]
	return before != nil && before.entered <= w.time
}

// everCaptured reports whether a port is captured at a chassis.
func (inf *inferrer) everCaptured(p *network.Port) bool {
	return slices.ContainsFunc(inf.s.Engine.Net.Chassis, func(c *network.Chassis) bool {
		return inf.captured[keyOf(p, c)]
	})
}

// ofRouter reports whether an Ethernet address is a router port's.
func (o *Owners) ofRouter(m mac) bool {
	return slices.ContainsFunc(o.ports[m], func(p *network.Port) bool { return p.Datapath.Router })
}

// unasked says why no capture shows what OVN answers with a frame, where that must
// have entered: an ICMP error quotes it, and nobody is reset who has sent nothing.
func (v *Verifier) unasked(w *waiter) Cause {
	h := w.Headers()
	reset := h.Key.Get(field.IPProto) == header.ProtoTCP
	if w.point.port <= 0 || !reset && quotedHash(w.data, h) == 0 {
		return ""
	}
	if x := v.fate(w, v.run.history.asked(w)); x != nil && x.at == w.point {
		return ""
	}
	for i, t := range v.run.Taps {
		if s := v.spans[i]; s != nil && v.at(t, w.point) && w.time-s.first < conntrack.Second {
			return CauseLate
		}
	}
	return CauseLost
}

// outside says whether a capture of where a packet may have come from, whose way
// in no capture shows, had not begun or had ended when it was observed, or had only just
// begun.
func (v *Verifier) outside(w *waiter) Cause {
	p := appearance{w.capture, w.time, w.point, v.senders(w.Headers())}
	why := v.notHeld(&p)
	if p.time -= askTime; why == "" && v.notHeld(&p) == CauseLate {
		why = CauseFlight
	}
	return why
}

// appearance is that a capture shows a packet at a point, and where it may have entered.
type appearance struct {
	capture int
	time    conntrack.Time
	point   pointKey
	from    func(*Site) bool
}

// notHeld says whether a capture of where a packet may have entered had not begun then,
// or had ended.
func (v *Verifier) notHeld(p *appearance) (why Cause) {
	for i, t := range v.run.Taps {
		s := v.spans[i]
		if i == p.capture || s == nil || v.at(t, p.point) || !slices.ContainsFunc(t.Sites(), p.from) {
			continue
		}
		switch {
		case p.time < s.first:
			return CauseLate
		case p.time > s.last:
			why = CauseEarly
		}
	}
	return why
}

// senders tells the sites where a packet may have entered: where its sender's
// address is; on a wire if that is no interface's; anywhere if it stands for others.
func (v *Verifier) senders(h *packet.Headers) func(*Site) bool {
	o := v.run.owners
	src := addrOf(h, endpoints(h)[0])
	var ports []*network.Port
	others := o.announced[src] != 0 || o.floating[src].IsValid() || o.virtual[src]
	for _, p := range o.byIP[src] {
		if p.Type == network.VIF {
			ports = append(ports, p)
		}
		others = others || p.Datapath.Router
	}
	return func(s *Site) bool {
		switch {
		case s.Kind == AtHost || others && len(ports) == 0:
			return true
		case s.Port == nil:
			return false
		case len(ports) == 0: // nobody's: over a wire, or from an interface that may send as anybody
			return leadsOut(s.Port) || s.Port.Type == network.VIF && len(s.Port.PortSecurity) == 0
		}
		return slices.Contains(ports, s.Port)
	}
}

// misled says which artefact explains that a packet fared otherwise than was
// observed: the replay lacks what captures do not hold.
func (v *Verifier) misled(w *waiter, x *fate) Cause {
	switch {
	case v.aboutCut(w, x):
		return CauseSnaplen
	case x.drop == trace.UnknownRest, x.drop == trace.UnknownWay:
		if v.evidence.cut > 0 {
			return CauseSnaplen
		}
		return cmp.Or(v.outside(w), CauseLost)
	case x.from != nil && w.point.port > 0 && w.point.chassis == x.from.Index:
		return CauseLost // a copy that stays where others enter tunnels; what it comes from is not known
	case x.verdict == sim.Delivered && len(x.outs) > 0 && leadsOut(x.outs[0]) && w.point.port > 0 && v.flowKnown(w):
		return CauseLost // on a wire between chassis
	case x.verdict == sim.Dropped && x.loose && !explicitACL(v, x):
		switch {
		case v.Report.Lost > 0:
			return CauseLost
		case v.opening(w, x):
			return ""
		}
		return v.outside(w)
	case x.verdict == sim.Delivered && x.loose && v.flowKnown(w):
		return cmp.Or(v.outside(w), CauseLost)
	case w.hidesConnection():
		return cmp.Or(v.outside(w), v.begins(w, w))
	}
	return ""
}

// opening reports whether captures show the first packet of the TCP connection of a packet
// that ended in OVN and was observed.
func (v *Verifier) opening(w *waiter, x *fate) bool {
	if w.Headers().Key.Get(field.IPProto) != header.ProtoTCP {
		return false
	}
	own := v.evidence.flows[answerKey{x.at, header.ProtoTCP, x.original[1], x.original[0]}]
	of := v.evidence.flows[v.flowKey(w.point, w.data, w.Headers(), false)]
	return own != nil && own.syn || of != nil && of.syn
}

func (v *Verifier) flowKnown(w *waiter) bool {
	flow := v.evidence.flows[v.flowKey(w.point, w.data, w.Headers(), false)]
	return flow != nil && flow.matched > 0
}

// explicitACL reports whether a drop has nothing to do with the connection's state.
func explicitACL(v *Verifier, x *fate) bool {
	at := x.way.last()
	if at.flow < 0 || x.verdict == sim.Delivered && !x.waits {
		return false
	}
	f := v.net().Flows[at.flow]
	return !v.facts(at.flow).Tracked && !strings.Contains(f.StageName(), "acl")
}

// groups lists the causes, most packets first: what remains OVN's by the
// logical flow, and what artefacts explain.
func (v *Verifier) groups() []Group {
	r := &v.Report
	for _, p := range v.losers {
		c := CauseLost
		if v.hidesLeaving(p) {
			c = CauseOneWay
		}
		v.tally(c).merge(&v.evidence.at(p).missed)
	}
	if v.causes[CauseOneWay] != nil {
		v.said[CauseOneWay] = v.sided()
	}
	for _, n := range []struct {
		cause    Cause
		packets  int
		evidence string
	}{
		{CauseChecksum, r.Offloaded, "matched once their checksums are completed"},
		{CauseSegments, r.Segmented, "packets that are several at another place"},
	} {
		if n.packets > 0 {
			v.causes[n.cause] = &tally{packets: n.packets, order: []string{}, files: nil}
			v.said[n.cause] = n.evidence
		}
	}
	if n := v.run.hops; n > 0 {
		v.said[CauseFilter] = fmt.Sprintf("no ARP or neighbor discovery tells the Ethernet address of %s: read from "+
			"frames that go there", plural(n, "next hop"))
		if v.causes[CauseFilter] == nil {
			v.causes[CauseFilter] = &tally{}
		}
		v.causes[CauseFilter].packets += n
	}
	if r.Cut > 0 {
		v.said[CauseSnaplen] = fmt.Sprintf("%s compared by what the captures hold of them", plural(r.Cut, "packet"))
		if v.causes[CauseSnaplen] == nil {
			v.causes[CauseSnaplen] = &tally{}
		}
		v.causes[CauseSnaplen].packets += r.Cut
	}
	out := []Group{}
	for c, t := range v.causes {
		g := Group{c, t.packets, t.evidence(), advice[c]}
		if s := v.said[c]; s != "" {
			g.Evidence = append([]string{s}, g.Evidence...)
		}
		out = append(out, g)
	}
	flows := r.flowGroups()
	for _, g := range v.opts.Causes {
		if g.Packets > 0 || len(flows) > 0 { // what may be why explains nothing where nothing differs
			out = append(out, g)
		}
	}
	out = append(out, flows...)
	slices.SortFunc(out, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Packets, a.Packets), cmp.Compare(a.Cause, b.Cause),
			slices.Compare(a.Evidence, b.Evidence))
	})
	return out
}

// Blamed names the flow that is to blame for a difference, as its group does.
func (it *Item) Blamed() string {
	if it.Flow == nil {
		return "no packet in the captures leads to it"
	}
	return it.Flow.String()
}

// flowGroups are the differences that remain, by the flow that is to blame.
func (r *Report) flowGroups() (out []Group) {
	at := map[string]int{}
	for _, list := range []struct {
		name  string
		items []Item
	}{{"mismatched", r.Mismatched}, {"missing", r.Missing}, {"unexpected", r.Unexpected}} {
		for i := range list.items {
			it := &list.items[i]
			key, what := "", it.Blamed()
			if it.Flow != nil {
				key = it.Flow.UUID + it.Flow.Stage
			}
			n, ok := at[key]
			if !ok {
				n = len(out)
				at[key] = n
				out = append(out, Group{CauseFlow, 0, []string{what}, advice[CauseFlow]})
			}
			g := &out[n]
			if g.Packets++; g.Packets <= 3 {
				g.Evidence = append(g.Evidence, fmt.Sprintf("%s: %s frame %d at %s", list.name, it.Capture, it.Frame,
					it.Port))
			}
		}
	}
	return out
}

// maxGroups is how many causes are told people.
const maxGroups = 9

// writeGroups prints the causes, a line each.
func (r *Report) writeGroups(b *strings.Builder) {
	shown := r.Groups
	if len(shown) > maxGroups {
		shown = shown[:maxGroups]
	}
	for _, g := range shown {
		printable.Fprintf(b, "%s: ", g.Cause)
		if g.Packets > 0 {
			printable.Fprintf(b, "%s: ", plural(g.Packets, "packet"))
		}
		printable.Fprintf(b, "%s", strings.Join(g.Evidence, "; "))
		if g.Advice != "" {
			printable.Fprintf(b, " (%s)", g.Advice)
		}
		b.WriteByte('\n')
	}
	if n := len(r.Groups) - len(shown); n > 0 {
		printable.Fprintf(b, "and %s more (--json has them)\n", plural(n, "cause"))
	}
}
