package ledger

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"ovnreplay/nat"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
)

// Stories keeps, beside the ledger, each connection's packets as far as they
// explain one another: a way that worked and one that did not, by direction.
type Stories struct {
	*Ledger
	asked   string
	all     []told         // in the order they entered
	spelled int            // of those, how many have their record
	longest map[string]int // of the frames seen to leave, by port
	ways    map[string][]step
	way     []step // of the packet; key is the same as the map has it
	key     []byte
	seen    seen             // the frame that is asked about, if it did not enter
	became  map[uint64]int32 // what left, and where, by hash: the last packet of all that it was; nil: not asked
}

// maxSpelled bounds of how many packets the record is kept, which the packet that
// is asked about is compared with. It itself, and its connection, are kept always.
const maxSpelled = 10_000

// told is one packet with its way. Ways are kept of the first packets of a
// connection only, and of those that did not arrive.
type told struct {
	conn     *Conn
	reply    bool
	about    bool // it is an error about one of the connection's packets
	file     string
	number   int
	record   *replay.Record // nil: it is not kept
	arrived  bool
	late     bool               // the rest of a packet that was held
	host     string             // where it entered
	binding  string             // what would have translated it back
	unserved string             // the flow that would have given it a backend
	of       replay.DatagramKey // what it is a fragment of; the zero value: of none
	way      []step             // shared by those that took the same
	left     []string           // what left to physical networks: elsewhere that may enter again
}

type step struct {
	datapath *network.Datapath
	chassis  *network.Chassis
	flow     *network.Flow   // nil: none matched
	object   *network.Object // that the flow was made of, nil if that is not known
}

// NewStories returns an empty account, which Why is to be asked of the packet or
// connection that a text names.
func NewStories(x *why.Explainer, taps []*replay.Tap, asked string) *Stories {
	s := &Stories{Ledger: New(x, taps), asked: asked, longest: map[string]int{}, ways: map[string][]step{}}
	if _, _, ok := cutFrame(asked); ok {
		s.became = map[uint64]int32{}
	}
	return s
}

// ways is how many packets of a direction of a connection are kept.
const ways = 4

// Entered implements replay.Handler.
func (s *Stories) Entered(f *replay.Frame, p *replay.Point, out *sim.Outcome) {
	c, n := s.note(f, p, out)
	x := told{conn: c, reply: n.reply, about: n.about, file: replay.NameOf(s.taps, f), number: f.Number, late: out.Late,

		arrived: out.Verdict == sim.Delivered && (n.turned || !why.Instead(out))}
	s.leave(out)
	if c != nil {
		c.home = c.home || n.reply && goesTo(out, c.From.Port)
		n := &c.kept[b2i(x.reply)]
		if x.arrived && *n >= ways {
			s.all = append(s.all, x)
			return
		}
		*n++
	}
	if s.spelled >= maxSpelled && !s.names(&x) {
		s.all = append(s.all, x)
		return
	}
	s.spelled++
	x.record = replay.NewRecord(s.why, f, p, x.file, out, false)
	x.record.Path = nil // way is
	if c != nil {
		x.record.Conn = c.ID
	}
	x.of, _, _ = replay.DatagramOf(f.Data, f.Headers())
	x.binding, x.unserved, x.host = s.why.Needed(out), s.why.Unserved(out), p.Chassis.Host()
	x.way, x.left = s.wayOf(&out.Trace), toWires(out)
	s.all = append(s.all, x)
}

// wayOf is the way of a packet.
func (s *Stories) wayOf(t *trace.Trace) []step {
	net := s.why.Book.Net
	s.way, s.key = s.way[:0], s.key[:0]
	for _, ev := range t.Events() {
		if ev.Kind != trace.Match && ev.Kind != trace.Miss {
			continue
		}
		st := step{datapath: net.Datapaths[ev.Datapath], chassis: net.Chassis[ev.Chassis]}
		if ev.Kind == trace.Match {
			st.flow = net.Flows[ev.Flow]
		}
		s.way = append(s.way, st)
		s.key = fmt.Appendf(s.key, "%p %p %p,", st.datapath, st.chassis, st.flow)
	}
	way, ok := s.ways[string(s.key)]
	if !ok {
		way = slices.Clone(s.way)
		for i := range way {
			if f := way[i].flow; f != nil {
				way[i].object = s.why.Object(f)
			}
		}
		s.ways[string(s.key)] = way
	}
	return way
}

// names reports whether a packet is asked about, or is of the connection that is:
// by their numbers, of which a text names one.
func (s *Stories) names(x *told) bool {
	if file, number, ok := cutFrame(s.asked); ok {
		return x.number == number && isFile(x.file, file)
	}
	return x.conn != nil && strconv.Itoa(x.conn.ID) == s.asked
}

// Why tells, in at most ten lines, what became of the packet or connection that
// is asked about: FILE:FRAME, a connection's number, or ADDRESS[:PORT] of one end.
func (s *Stories) Why() (*Answer, error) {
	x, err := s.find(s.asked)
	switch {
	case err != nil:
		return nil, err
	case x == nil:
		return s.observed()
	case x.record == nil && !x.arrived:
		return nil, fmt.Errorf("%s: %s:%d is meant, of %s; only of the first %d packets it is kept what became of "+
			"them: ask for %s:%d or %d", s.asked, x.file, x.number, x.conn.Text(), maxSpelled, x.file, x.number,
			x.conn.ID)
	}
	return s.answer(s.story(x, maxLines), x), nil
}

// story tells of a packet; in short of one whose way was not kept.
func (s *Stories) story(x *told, most int) []string {
	if x.record != nil {
		return s.tell(x, most)
	}
	what := "it belongs to no connection"
	if x.conn != nil {
		what = fmt.Sprintf("%s:%d belongs to %s", x.file, x.number, x.conn.Text())
		if x.arrived {
			return []string{what, "it arrived, as the packets of its connection before it did: " + s.Row(x.conn).Line()}
		}
	}
	return []string{what}
}

// find finds the packet that is meant: of a connection, the first that did not
// arrive, else the first. It is nil for a frame of which no packet entered.
func (s *Stories) find(text string) (*told, error) {
	if file, number, ok := cutFrame(text); ok {
		var found *told
		for i := range s.all { // the last: what became of it after it was held
			if x := &s.all[i]; x.number == number && isFile(x.file, file) {
				found = x
			}
		}
		return found, nil
	}
	c, err := s.connection(text)
	if err != nil {
		return nil, err
	}
	var first, held, bare, untranslated, stray *told
	for i := range s.all {
		switch x := &s.all[i]; {
		case x.conn != c, x.record != nil && !x.arrived && s.went(i):
		case x.record == nil:
			if bare == nil || bare.arrived {
				bare = x
			}
		case x.record.Verdict == sim.Dropped.String():
			return cmp.Or(untranslated, x), nil // the one may be why the other
		case x.reply && !x.arrived && x.binding != "" && s.complete(x) == nil:
			untranslated = cmp.Or(untranslated, x)
		case !x.arrived && held == nil && s.complete(x) == nil:
			held = x
		case x.record.Untranslated() != "":
			untranslated = cmp.Or(untranslated, x)
		case s.strayed(x) != "":
			stray = cmp.Or(stray, x)
		case first == nil:
			first = x
		}
	}
	return cmp.Or(untranslated, held, stray, first, bare), nil
}

// went reports whether a packet that was held went on later, or ended then: what became of
// it is another entry behind it.
func (s *Stories) went(i int) bool {
	x := &s.all[i]
	return !x.late && slices.ContainsFunc(s.all[i+1:], func(y told) bool {
		return y.late && y.number == x.number && y.conn == x.conn && y.file == x.file
	})
}

// isFile reports whether a capture is the one that a name means: its whole name
// or the last part, with or without what says that it is compressed.
func isFile(capture, name string) bool {
	for _, ext := range [...]string{"", ".gz", ".xz", ".zst"} {
		at := strings.TrimSuffix(capture, ext)
		if at == name || strings.HasSuffix(at, "/"+name) {
			return true
		}
	}
	return false
}

// cutFrame reads FILE:FRAME.
func cutFrame(text string) (file string, number int, ok bool) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 || strings.Contains(text, "]") {
		return "", 0, false
	}
	if _, err := netip.ParseAddr(text[:i]); err == nil { // ADDRESS:PORT
		return "", 0, false
	}
	if _, err := ParseQuestion(text, ""); err == nil {
		return "", 0, false
	}
	n := 0
	if _, err := fmt.Sscanf(text[i+1:], "%d", &n); err != nil || n < 1 {
		return "", 0, false
	}
	return text[:i], n, true
}

func (s *Stories) connection(text string) (*Conn, error) {
	n := 0
	if _, err := fmt.Sscanf(text, "%d", &n); err == nil && fmt.Sprint(n) == text {
		if n < 1 || n > len(s.Conns) {
			return nil, fmt.Errorf("%s: there are connections 1 to %d; see ovn-replay connections", text, len(s.Conns))
		}
		return s.Conns[n-1], nil
	}
	q, err := ParseQuestion(text, "")
	if err != nil {
		return nil, fmt.Errorf("%s: give FILE:FRAME, a connection's number, or ADDRESS[:PORT] of one of its ends", text)
	}
	var first *Conn
	for _, c := range s.Conns { // one in trouble, if there is one
		switch {
		case s.role(c, &q) == "":
		case c.Dropped() > 0 || c.Dir[1].Packets == 0:
			return c, nil
		case first == nil:
			first = c
		}
	}
	if first == nil {
		return nil, fmt.Errorf("%s: no connection in the captures had it", text)
	}
	return first, nil
}

// maxLines is how long a story may be.
const maxLines = 10

func (s *Stories) tell(x *told, most int) []string {
	r := x.record
	lines := []string{fmt.Sprintf("%s:%d entered at %s (%s): %s", x.file, x.number, r.At(), x.host, r.Packet)}
	add := func(format string, args ...any) {
		line := fmt.Sprintf(format, args...)
		if len(lines) < most && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	if x.conn != nil {
		which := "a packet of"
		switch {
		case x.about:
			which = "an error about"
		case x.reply:
			which = "an answer of"
		}
		row := s.Row(x.conn)
		add("%s conn %d: %s %s asked %s", which, x.conn.ID, row.Proto, row.Client, row.Asked)
	}
	for i := range r.NAT {
		n := &r.NAT[i]
		add("translated: %s %s", n, cmp.Or(r.TranslatedBy(i), "at "+n.Stage))
	}
	if y := s.first(x); y.unserved != "" && y.conn != nil && !y.reply {
		add("not given a backend: %s", y.unserved)
	}
	if s := r.Untranslated(); s != "" {
		add("not translated back: %s", s)
	} else if x.binding != "" && !strings.Contains(r.Fate(), "it answers ") {
		add("needed: %s", x.binding)
	}
	first := s.first(x)
	if first != x {
		add("first: %s", first.record.Fate())
	}
	add("%s", r.Fate())
	for y := s.further(x); y != nil && len(lines) < most; y = s.further(y) {
		add("from there it entered at %s (%s) as %s:%d: %s", y.record.At(), y.host, y.file, y.number, y.record.Fate())
	}
	if where := s.strayed(x); where != "" {
		add("astray: %s", where)
	}
	s.strange(x, add)
	s.unsent(x, add)
	s.unnatted(x, add)
	if y := s.complete(x); y != nil {
		add("the datagram was complete with %s:%d: %s", y.file, y.number, y.record.Fate())
	} else if x.waits() {
		add("nothing in the captures completes the datagram: conntrack gives it up after a while")
	}
	s.unseen(x, add)
	for _, d := range r.Decided {
		if d.Kind == why.Marked.String() {
			add("marked: %s", d.Text)
		} else if d.Object != nil && d.Kind != "translated" && d.Rewrite == "" &&
			!strings.Contains(r.Fate(), d.Object.String()) {
			add("asked for by: %s", d.Object)
		}
	}
	s.conversation(x, add)
	if y, how := s.sibling(first); y != nil && len(lines)+3 <= most { // a comparison of one side tells nothing
		s.parting(first, y, how, add)
	} else if s.spelled >= maxSpelled {
		add("nothing like it fared otherwise among the %d packets that are kept to compare", maxSpelled)
	}
	for _, n := range r.Notes {
		if remarkable(n.Reason) {
			add("note: %s", n.Reason)
		}
	}
	return lines
}

// remarkable reports whether a note may tell why a packet fared as it did: it is about
// what conntrack or the network forgot, or did not take in, or about a choice.
func remarkable(note string) bool {
	for _, r := range [...]trace.Reason{trace.NotCommitted, trace.NotInZone, trace.NotTranslated, trace.Expired,
		trace.LostAffinity, trace.Racing, trace.Younger, trace.TieUndefined, trace.GuessBackend, trace.GuessNextHop,
		trace.GuessPort, trace.GuessMember, trace.ApproxAction} {
		if note == r.String() {
			return true
		}
	}
	return strings.HasPrefix(note, "its connection was never committed")
}

// complete is the fragment with which the datagram was complete that a fragment
// waited for; nil if it waited for none, or in vain.
func (s *Stories) complete(x *told) *told {
	if !x.waits() {
		return nil
	}
	for i := range s.all {
		y := &s.all[i]
		if y.of == x.of && y.file == x.file && y.number > x.number && y.record != nil && !y.waits() {
			return y
		}
	}
	return nil
}

// waits reports whether a packet is a fragment that waited for the rest of its datagram.
func (x *told) waits() bool {
	return x.of != (replay.DatagramKey{}) && x.record != nil && x.record.Drop != nil &&
		x.record.Drop.Reason == trace.DropFragment.String()
}

// toWires are the packets that left to physical networks.
func toWires(out *sim.Outcome) (list []string) {
	for i := range out.Outputs {
		if o := &out.Outputs[i]; o.Port.Type == network.Localnet {
			list = append(list, o.Headers().Describe(o.Data))
		}
	}
	return list
}

// further is a packet that left to a physical network where it entered again, at another chassis or
// in another zone; nil if it did not.
func (s *Stories) further(x *told) *told {
	if len(x.left) == 0 || x.conn == nil {
		return nil
	}
	behind := false
	for i := range s.all {
		y := &s.all[i]
		if behind && y.conn == x.conn && y.reply == x.reply && y.record != nil && y.record.At() != x.record.At() &&
			slices.Contains(x.left, y.record.Packet) {
			return y
		}
		behind = behind || y == x
	}
	return nil
}

// first is the packet until it was held, x itself if it was not.
func (s *Stories) first(x *told) *told {
	for i := range s.all {
		if y := &s.all[i]; y.file == x.file && y.number == x.number && y.record != nil {
			return y
		}
	}
	return x
}

// conversation says what else is wrong with the packet's connection.
func (s *Stories) conversation(x *told, add func(string, ...any)) {
	c := x.conn
	if c == nil {
		return
	}
	if n := c.Dir[0].Retransmissions + c.Dir[1].Retransmissions; n > 0 {
		add("sent again: %d of the connection's packets", n)
	}
	if x.arrived && !x.reply && c.Dir[1].Packets == 0 && c.To.Port != "" {
		add("nothing of an answer entered at %s: who is there did not answer, or the capture does not show it",
			c.To.Port)
	}
	if s := c.Stale(); s != "" {
		add("stale: %s", s)
	}
	for _, g := range c.Flapping() {
		add("its packets were given several members of %s", g)
	}
}

// unseen tells of a packet that was to leave where a capture was taken, and is
// longer than any that the capture shows to leave there.
func (s *Stories) unseen(x *told, add func(string, ...any)) {
	for _, o := range x.record.Outputs {
		longest, captured := s.longest[o.Port]
		if !captured {
			longest, captured = s.Ledger.names.longest(o.Port)
		}
		if captured && o.Bytes > longest {
			add("not seen to leave at %s: %d bytes, longer than anything seen there (%d): is its MTU smaller?", o.Port,
				o.Bytes, longest)
			return
		}
	}
}

// sibling finds a packet like x that fared otherwise: of the same connection and
// direction, else of another with the same service, address or client.
func (s *Stories) sibling(x *told) (best *told, how string) {
	if x.conn == nil || x.late || x.waits() {
		return nil, ""
	}
	score := 0
	for i := range s.all {
		y := &s.all[i]
		if y == x || y.record == nil || y.late || y.waits() || y.conn == nil ||
			s.succeeded(y) == s.succeeded(x) && !otherwise(x, y) {
			continue
		}
		if n, what := likeness(x, y); n > score {
			best, how, score = y, what, n
		}
	}
	return best, how
}

// succeeded reports whether a packet came to where it was to.
func (s *Stories) succeeded(x *told) bool { return x.arrived && s.strayed(x) == "" }

// otherwise reports whether two packets of one direction of a connection that
// both arrived were translated differently.
func otherwise(x, y *told) bool {
	return x.conn == y.conn && x.reply == y.reply && x.arrived && len(x.record.NAT) != len(y.record.NAT)
}

// sameClientText is that packets have the client alone in common.
const sameClientText = "of the same client"

// likeness is how much alike two packets are, and in what.
func likeness(x, y *told) (int, string) {
	a, b := x.conn, y.conn
	switch {
	case a == b && x.reply == y.reply:
		return 7, "of the same connection"
	case x.reply != y.reply || x.record.Inport != y.record.Inport && a != b && !sameEnd(&a.Asked, &b.Asked):
		return 0, ""
	case a.Asked.Dst == b.Asked.Dst && a.Asked.DstPort == b.Asked.DstPort && a.Asked.Proto == b.Asked.Proto:
		return 6, "to the same service"
	case a.Asked.Dst == b.Asked.Dst && a.Asked.DstPort == b.Asked.DstPort && a.Asked.HasPorts() && b.Asked.HasPorts():
		return 5, "to the same service by another protocol"
	case a.Asked.Dst == b.Asked.Dst && a.Asked.Src == b.Asked.Src:
		return 4, "between the same addresses"
	case a.Asked.Dst == b.Asked.Dst:
		return 3, "to the same address"
	case a.Asked.Src == b.Asked.Src:
		return 2, sameClientText
	}
	return 0, ""
}

func sameEnd(a, b *nat.Tuple) bool { return a.Src == b.Src || a.Dst == b.Dst }

// parting tells where the ways of two packets part.
func (s *Stories) parting(x, y *told, how string, add func(string, ...any)) {
	fared := "did not arrive"
	switch {
	case s.succeeded(y):
		fared = "arrived"
	case y.arrived:
		fared = "went astray"
	}
	here, there := within(x, y), within(y, x)
	i := 0
	for i < len(here) && i < len(there) && here[i].same(there[i]) {
		i++
	}
	if i == len(here) && i == len(there) || how == sameClientText && i < len(here) && leads(here[i].flow, x) {
		return
	}
	j := i
	if k, l := decisive(here, there, i, x); k > 0 {
		i, j = k, l
	}
	add("compared with %s:%d %s, %s, which %s:", y.file, y.number, y.record.Packet, how, fared)
	for _, side := range []struct {
		name string
		way  []step
		i    int
	}{{"there", there, j}, {"here", here, i}} {
		if i := side.i; i < len(side.way) {
			add("  %s %s", side.name, s.stepText(side.way[i]))
		} else {
			add("  %s it went no further", side.name)
		}
	}
}

// decisive finds where two ways that part at i, in a stage which only prepares for those of ACLs, differ in the flow
// that decided about x: of each way the place, 0 if there is none.
func decisive(here, there []step, i int, x *told) (int, int) {
	if i >= len(here) || i >= len(there) || !prepares(here[i].flow) || !prepares(there[i].flow) {
		return 0, 0
	}
	for j, s := range here[i:] {
		if s.flow == nil || !slices.ContainsFunc(x.record.Decided, func(d replay.DecisionInfo) bool {
			return d.Flow == s.flow.UUID && d.Kind != why.Translated.String()
		}) {
			continue
		}
		for k, t := range there[i:] {
			at := t.flow != nil && t.datapath.UUID == s.datapath.UUID && t.flow.StageName() == s.flow.StageName()
			if at && !s.same(t) {
				return i + j, i + k
			}
		}
	}
	return 0, 0
}

// prepares reports whether a flow is in a stage that only prepares for ACLs: what it sets they ask for.
func prepares(f *network.Flow) bool {
	return f != nil && (strings.HasSuffix(f.Stage, "_pre_acl") || strings.HasSuffix(f.Stage, "_acl_hint"))
}

// same reports whether two packets met the same at a step: flows that say the same are the
// same, if the network has become another meanwhile and lists them anew, or elsewhere in the stage.
func (s step) same(t step) bool {
	if s.datapath.UUID != t.datapath.UUID || s.flow == t.flow || s.flow == nil || t.flow == nil {
		return s.datapath.UUID == t.datapath.UUID && s.flow == t.flow
	}
	f, g := s.flow, t.flow
	return f.StageName() == g.StageName() && f.Match == g.Match && f.Actions == g.Actions
}

// leads reports whether a flow that did not decide about a packet is one of those
// that find the way to an address: by them the ways of packets to different ones part,
// which tells nothing.
func leads(f *network.Flow, x *told) bool {
	if f == nil || slices.ContainsFunc(x.record.Decided, func(d replay.DecisionInfo) bool { return d.Flow == f.UUID }) {
		return false
	}
	return slices.ContainsFunc([]string{"_l2_lkup", "_ip_routing", "_pre_stateful", "_lb", "lr_in_dnat", "lr_in_defrag",
		"lr_in_unsnat", "_arp_resolve"}, func(part string) bool { return strings.Contains(f.Stage, part) })
}

// within leaves of a packet's way what can be compared with another's: of those
// that entered at different ports, what comes from the first router on that
// both pass.
func within(x, y *told) []step {
	if x.record.Inport == y.record.Inport {
		return x.way
	}
	passed := map[string]bool{}
	for _, s := range y.way {
		passed[s.datapath.UUID] = true
	}
	for i, s := range x.way {
		if s.datapath.Router && passed[s.datapath.UUID] {
			// What a router's stages before those of addresses do is the port's.
			for i < len(x.way) && x.way[i].datapath == s.datapath && ofPort(x.way[i].flow) {
				i++
			}
			return x.way[i:]
		}
	}
	return nil
}

// ofPort reports whether a flow is in a stage that tells router ports apart.
func ofPort(f *network.Flow) bool {
	return f != nil && (strings.HasPrefix(f.Stage, "lr_in_admission") || strings.HasSuffix(f.Stage, "_neighbor"))
}

func (s *Stories) stepText(at step) string {
	if at.flow == nil {
		return "no flow matched in " + at.datapath.Called()
	}
	text := fmt.Sprintf("flow %.8s of %s of %s: %s -> %s", at.flow.UUID, at.flow.StageName(), at.datapath.Called(),
		cut(at.flow.Match, 160), cut(at.flow.Actions, 60))
	if o := at.object; o != nil {
		text += ", " + o.String()
	}
	return text
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n-3] + "..."
	}
	return s
}
