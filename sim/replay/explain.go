package replay

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"ovnreplay/conntrack"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
)

func (v *Verifier) net() *network.Network { return v.run.Engine.Net }

// facts are what the match and the actions of the flow with an index say.
func (v *Verifier) facts(flow int32) *why.Facts {
	if v.parsed == nil {
		v.parsed = why.New(v.run.Engine, nil)
	}
	return v.parsed.Facts(v.net().Flows[flow])
}

func (v *Verifier) item(w *waiter) Item {
	file := w.file
	if file == "" {
		file = v.run.Taps[w.capture].Name
	}
	it := Item{
		Capture: file, Frame: w.number, Port: w.where.Name(), called: w.where.Called(),
		Chassis: w.where.Chassis.Name,
		Time:    Moment(w.time), Inferred: w.inferred, Packet: w.Headers().Describe(w.data),
		Hex: hex.EncodeToString(w.data), data: slices.Clone(w.data), wire: w.wire,
	}
	if w.predicted {
		origin := w.origin
		it.From = &origin
	}
	return it
}

// ref names a flow.
func (v *Verifier) ref(p visit) *FlowRef {
	net := v.net()
	d := net.Datapaths[p.datapath]
	r := &FlowRef{Datapath: d.Name, called: d.Called()}
	if p.flow < 0 {
		r.Stage = v.stageOf(p)
		return r
	}
	f := net.Flows[p.flow]
	r.UUID, r.Stage, r.Match, r.Hint = f.UUID, f.StageName(), f.Match, f.StageHint
	return r
}

// stageOf names a table by what other flows of it say.
func (v *Verifier) stageOf(p visit) string {
	side := 0
	if p.egress {
		side = 1
	}
	flows := v.net().Datapaths[p.datapath].Flows[side]
	if int(p.table) < len(flows) && len(flows[p.table]) > 0 {
		return flows[p.table][0].StageName()
	}
	return fmt.Sprintf("table %d", p.table)
}

// mismatch describes how a prediction and an observation differ.
func (v *Verifier) mismatch(p, o *waiter) Item {
	it := v.item(o)
	origin := p.origin
	it.From, it.Inferred = &origin, p.inferred
	it.predicted, it.predictedWire = slices.Clone(p.data), p.wire
	if p.point.port < 0 && !alikeKeys(p, o) {
		it.Fields = keyDifferences(p, o)
	}
	predicted, observed := p.data, o.data
	if (p.bare || o.bare) && len(predicted) >= 12 && len(observed) >= 12 {
		observed = slices.Concat(predicted[:12], observed[12:])
	}
	if string(predicted) != string(observed) || len(it.Fields) == 0 {
		it.Fields = append(it.Fields, differences(p.original, predicted, observed)...)
	}
	it.Fields = append(it.Fields, o.outer...)
	first := -1
	for i := range it.Fields {
		d := &it.Fields[i]
		at := v.writer(&p.way, d.Field)
		if at < 0 {
			continue
		}
		f := v.net().Flows[p.way.way.steps()[at].flow]
		d.Flow, d.Stage = f.UUID, f.StageName()
		if first < 0 || at < first {
			first = at
		}
	}
	if first < 0 && len(p.way.way.steps()) > 0 {
		first = len(p.way.way.steps()) - 1
	}
	if first >= 0 {
		it.Flow = v.ref(p.way.way.steps()[first].visit)
	}
	it.Suspects = v.suspects(&p.way, it.Flow)
	it.Reason = plural(len(it.Fields), "field") + " differ"
	if len(it.Fields) == 1 {
		it.Reason += "s"
	}
	it.Reason += p.way.tracked()
	return it
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func alikeKeys(a, b *waiter) bool {
	return a.keys.datapath == b.keys.datapath && a.keys.inport == b.keys.inport && a.keys.outport == b.keys.outport
}

func keyDifferences(p, o *waiter) (out []Difference) {
	for _, k := range []struct {
		name string
		p, o uint32
	}{
		{"tunnel datapath key", p.keys.datapath, o.keys.datapath},
		{"tunnel inport key", p.keys.inport, o.keys.inport},
		{"tunnel outport key", p.keys.outport, o.keys.outport},
	} {
		if k.p != k.o {
			out = append(out, Difference{Field: k.name, Predicted: fmt.Sprint(k.p), Observed: fmt.Sprint(k.o)})
		}
	}
	return out
}

// writer returns the position on a packet's way of the flow that last set a
// field, -1 if none did. For addresses and ports it is the flow that
// translated them.
func (v *Verifier) writer(x *fate, name string) int {
	if isTupleField(name) {
		dst := strings.HasSuffix(name, ".dst")
		for _, n := range slices.Backward(x.nat) {
			if n.dst == dst {
				return x.position(n.flow)
			}
		}
	}
	for i, s := range slices.Backward(x.way.steps()) {
		if s.flow >= 0 && writes(v.run.Engine.Compiled(s.flow).Ops, name) {
			return i
		}
	}
	return -1
}

// position returns where a packet last met a flow, -1 if nowhere.
func (x *fate) position(flow int32) int {
	for i, s := range slices.Backward(x.way.steps()) {
		if s.flow == flow {
			return i
		}
	}
	return -1
}

// writes reports whether actions set the field that a Difference names.
func writes(ops []table.Op, name string) bool {
	return slices.ContainsFunc(ops, func(op table.Op) bool {
		switch op.Code {
		case lflow.OpLoad, lflow.OpMove, lflow.OpPop:
			return op.Dst.Field.String() == name
		case lflow.OpExchange:
			return op.A.Field.String() == name || op.B.Field.String() == name
		case lflow.OpDecTTL:
			return name == "ip.ttl"
		case lflow.OpGetMACBind:
			return name == "eth.dst"
		case lflow.OpPutOpts, lflow.OpDHCPRelay:
			return strings.HasSuffix(name, ofPayload)
		case lflow.OpResult:
			return op.Result == lflow.DNSLookup && strings.HasSuffix(name, ofPayload)
		}
		return writes(op.Inner, name)
	})
}

// suspects are the flows that decide most: the one that dropped the packet,
// those that translated it, routed it, and admitted it; but for the one named
// already.
func (v *Verifier) suspects(x *fate, named *FlowRef) (out []FlowRef) {
	add := func(p visit) {
		r := v.ref(p)
		if r.UUID == "" || named != nil && r.UUID == named.UUID || len(out) >= 4 ||
			slices.ContainsFunc(out, func(o FlowRef) bool { return o.UUID == r.UUID }) {
			return
		}
		out = append(out, *r)
	}
	for _, n := range x.nat {
		if i := x.position(n.flow); i >= 0 {
			add(x.way.steps()[i].visit)
		}
	}
	for _, s := range x.way.steps() {
		if s.flow >= 0 && v.isChoice(s.visit, "ip_routing") {
			add(s.visit)
		}
	}
	for _, s := range x.way.steps() {
		if s.flow >= 0 && v.isChoice(s.visit, "acl") {
			add(s.visit)
		}
	}
	return out
}

// isChoice reports whether a flow of a kind of stage decides by more than
// being there: it is not the stage's default.
func (v *Verifier) isChoice(p visit, stage string) bool {
	f := v.net().Flows[p.flow]
	if f.Priority == 0 || !strings.Contains(f.Stage, stage) {
		return false
	}
	for _, aside := range [...]string{"pre_acl", "acl_hint", "acl_after", "acl_action", "routing_pre", "routing_ecmp"} {
		if strings.Contains(f.Stage, aside) && !(aside == "routing_ecmp" && v.facts(p.flow).Sends) {
			return false
		}
	}
	return !v.facts(p.flow).Always
}

// explainMissing says why an observed packet was not predicted: what became of
// the packet that should have led to it.
func (v *Verifier) explainMissing(w *waiter, it *Item) {
	found := v.fate(w, w.id)
	if found == nil {
		found = v.fate(w, v.run.history.pieces.with(&w.seg, w.seg.start))
	}
	answer := false
	if found == nil && w.point.port > 0 && isAnswer(w) {
		if found = v.fate(w, v.run.history.asked(w)); found != nil && found.time > w.time {
			found = nil
		}
		answer = found != nil
	}
	if found == nil {
		it.Reason = v.neverEntered(w)
		return
	}
	it.From = &Origin{Capture: v.fileOf(found.capture, found.file), Frame: found.number, Port: found.port,
		Conn: int(found.conn)}
	it.Inferred = found.inferred
	var where visit
	it.Reason, where = v.fateOf(found, w, answer)
	if where.flow >= 0 || found.verdict != sim.Delivered && len(found.way.steps()) > 0 {
		it.Flow = v.ref(where)
	}
	it.Reason += found.tracked()
	it.Suspects = v.suspects(found, it.Flow)
}

// isAnswer reports whether a frame may be OVN's own answer to another.
func isAnswer(w *waiter) bool {
	h := w.Headers()
	if _, isIP := identify(w.data, h); !isIP || couldBeMade(h) {
		return true
	}
	return isEchoReply(uint8(h.Key.Get(field.IPProto)), h)
}

// fate finds what became of the packet of an identity before, or else near,
// an observation.
func (v *Verifier) fate(w *waiter, id uint64) (found *fate) {
	if id == 0 {
		return nil
	}
	known := numbered(w.data, w.Headers())
	v.run.history.fates.each(id, func(x *fate) bool { // newest first
		switch {
		case !known && max(x.time-w.time, w.time-x.time) > againTime && !x.waits:
		case v.echoes(x, w), v.cameAs(x, w), resolution(w.Headers()) && x.original != endpoints(w.Headers()):
		case found == nil, x.time <= w.time && found.time > w.time,
			found.verdict == sim.Delivered && !found.waits && x.number == found.number && x.capture == found.capture:
			found = x
		}
		return true
	})
	return found
}

// cameAs reports whether what entered came to where a frame was observed as another frame,
// nearer to it: datagrams without an id that begin alike have one identity.
func (v *Verifier) cameAs(x *fate, w *waiter) (found bool) {
	if w.predicted || w.point.port <= 0 || x.verdict != sim.Delivered {
		return false
	}
	if !slices.Contains(x.outs, v.net().Ports[w.point.port]) {
		// who sent it gets it back from the same port of its own
		return x.at == w.point && x.original[0].port != endpoints(w.Headers())[0].port
	}
	apart := func(t conntrack.Time) conntrack.Time { return max(t-x.time, x.time-t) }
	v.run.history.seen.each(w.id, func(y *sighting) bool {
		found = y.at == w.point && (y.number != w.number || y.capture != w.capture) && apart(y.time) < apart(w.time) &&
			apart(y.time) <= againTime
		return !found
	})
	return found
}

// echoes reports whether what entered is the copy, come over a wire to another chassis,
// of an observed question for an Ethernet address that the router of its own chassis
// asked: it is no packet of which that could have come.
func (v *Verifier) echoes(x *fate, w *waiter) bool {
	if w.predicted || w.point.port <= 0 || !resolution(w.Headers()) || x.at.chassis == w.point.chassis ||
		x.at.port <= 0 || !leadsOut(v.net().Ports[x.at.port]) || !leadsOut(v.net().Ports[w.point.port]) {
		return false
	}
	sent := v.run.owners.send[macAt(w.data[6:])]
	return sent != nil && sent.has(v.net().Chassis[w.point.chassis])
}

// fateOf says in words what became of an injected packet that was observed
// elsewhere, and which flow is to blame.
// answer: the observed packet is not it, but OVN's answer to it.
func (v *Verifier) fateOf(x *fate, w *waiter, answer bool) (string, visit) {
	from := fmt.Sprintf("%s frame %d entered at %s", v.fileOf(x.capture, x.file), x.number, x.port)
	if answer {
		from = "OVN's answer to " + from
		from = strings.Replace(from, " entered at ", ", which entered at ", 1)
	}
	at := x.way.last()
	if where, what := v.otherAddress(x, w); where >= 0 && !answer {
		to := "was dropped"
		switch {
		case x.verdict == sim.Delivered && len(x.outs) == 0:
			to = "was answered by OVN"
		case x.verdict == sim.Delivered:
			to = "left at " + names(x.outs)
		}
		return fmt.Sprintf("%s, but was given another %s and %s", from, what, to), x.way.steps()[where].visit
	}
	switch {
	case x.waits:
		if i := v.router(x); i >= 0 {
			at = x.way.steps()[i].visit
		}
		return from + ", but waits for a next hop that does not answer: the route is named that chose it", at
	case x.verdict == sim.Delivered:
		if i := v.chooser(x, w); i >= 0 {
			at = x.way.steps()[i].visit
		}
		if len(x.outs) == 0 {
			return from + ", but was answered by OVN", at
		}
		return fmt.Sprintf("%s, but was predicted to leave at %s", from, names(x.outs)), at
	case x.drop == trace.DropFragment:
		return fmt.Sprintf("%s, but at %s waits for the rest of its datagram", from, v.ref(at).Stage), at
	case x.verdict == sim.Consumed:
		return fmt.Sprintf("%s, but ovn-controller took it at %s", from, v.ref(at).Stage), at
	}
	why := fmt.Sprintf("%s, but was dropped at %s of %s: %s", from, v.ref(at).Stage, v.ref(at).Datapath, x.drop)
	if i := v.chooser(x, w); i >= 0 && !explicit(x.drop) {
		at = x.way.steps()[i].visit
	}
	return why, at
}

// explicit reports whether a flow itself says that packets end there.
func explicit(r trace.Reason) bool { return r == trace.DropAction || r == trace.DropConsumed }

func names(ports []*network.Port) string {
	var out []string
	for _, p := range ports {
		if !slices.Contains(out, p.Name) {
			out = append(out, p.Name)
		}
	}
	return strings.Join(out, ", ")
}

func (v *Verifier) fileOf(capture int, file string) string {
	if file != "" {
		return file
	}
	return v.run.Taps[capture].Name
}

// otherAddress finds the flow that gave a packet another address or port than
// was observed; -1 if translation went as observed.
func (v *Verifier) otherAddress(x *fate, w *waiter) (int, string) {
	if _, ok := identify(w.data, w.Headers()); !ok {
		return -1, ""
	}
	seen, is, by := endpoints(w.Headers()), x.original, [2]int32{-1, -1}
	for _, n := range x.nat {
		side := 0
		if n.dst {
			side = 1
		}
		is[side], by[side] = n.to, n.flow
	}
	// Where it goes first: what is answered on the way is translated back.
	const source, destination = 0, 1
	for _, side := range [...]int{destination, source} {
		if is[side] != seen[side] && by[side] >= 0 {
			return x.position(by[side]), [...]string{"source", "destination"}[side]
		}
	}
	return -1, ""
}

// router returns the position of the last flow that chose a route, -1 if none.
func (v *Verifier) router(x *fate) int {
	for i, s := range slices.Backward(x.way.steps()) {
		if s.flow >= 0 && v.isChoice(s.visit, "ip_routing") {
			return i
		}
	}
	return -1
}

// chooser returns the position of the flow that sent the packet another way
// than to where it was observed: the first that chose an outport from which
// the observed port's datapath is not reached. -1 if none did.
func (v *Verifier) chooser(x *fate, w *waiter) int {
	net := v.net()
	if w.point.port <= 0 {
		return v.router(x)
	}
	target := net.Ports[w.point.port]
	for i, s := range x.way.steps() {
		if s.flow < 0 || s.egress {
			continue
		}
		for _, op := range v.run.Engine.Compiled(s.flow).Ops {
			if op.Code != lflow.OpLoad || op.Dst.Field != field.Outport || op.Value.Lo == 0 ||
				op.Value.Lo >= uint64(len(net.Ports)) {
				continue
			}
			if !leads(net.Ports[op.Value.Lo], target) {
				if j := v.routeBefore(x, i); j >= 0 {
					return j
				}
				return i
			}
		}
	}
	return -1
}

// routeBefore returns the routing flow in the same datapath and pipeline as a
// flow that chose the outport, which may only have followed it.
func (v *Verifier) routeBefore(x *fate, i int) int {
	for j := i; j >= 0 && x.way.steps()[j].datapath == x.way.steps()[i].datapath && !x.way.steps()[j].egress; j-- {
		if x.way.steps()[j].flow >= 0 && v.isChoice(x.way.steps()[j].visit, "ip_routing") {
			return j
		}
	}
	return -1
}

// leads reports whether a packet sent to a port may come out at another:
// through peers, without passing a datapath twice.
func leads(from, to *network.Port) bool {
	if from == to || from.Distributed == to {
		return true
	}
	if from.Distributed != nil {
		from = from.Distributed
	}
	if from.Peer == nil {
		return false
	}
	seen := map[*network.Datapath]bool{from.Datapath: true}
	queue := []*network.Datapath{from.Peer.Datapath}
	for len(queue) > 0 {
		dp := queue[0]
		queue = queue[1:]
		if seen[dp] {
			continue
		}
		seen[dp] = true
		if dp == to.Datapath {
			return true
		}
		for _, p := range dp.Ports {
			if p.Peer != nil {
				queue = append(queue, p.Peer.Datapath)
			}
		}
	}
	return false
}

// neverEntered says why a packet that was observed is in no capture on its way in.
func (v *Verifier) neverEntered(w *waiter) string {
	if w.where.Port != nil {
		if why := v.run.inferrer.unknown(w); why != "" {
			return "observed, but never entered: " + why
		}
		for i, t := range v.run.Taps {
			s := v.spans[i]
			if i == w.capture || s == nil || v.at(t, w.point) {
				continue
			}
			if w.time < s.first {
				return fmt.Sprintf("observed, but never entered: before %s begins (%s)", t.Name, Timestamp(s.first))
			}
			if w.time > s.last+2e9 {
				return fmt.Sprintf("observed, but never entered: after %s ends (%s)", t.Name, Timestamp(s.last))
			}
		}
	}
	if !opens(w.Headers()) {
		return "observed, but never entered: no packet in the captures leads to it, and its connection began " +
			"before them or elsewhere"
	}
	return "observed, but never entered: no packet in the captures leads to it"
}

// at reports whether a capture was taken at a point.
func (v *Verifier) at(t *Tap, k pointKey) bool {
	return slices.ContainsFunc(t.Sites(), func(s *Site) bool {
		switch {
		case s.Kind == AtPort:
			return keyOf(s.Port, s.Chassis) == k ||
				slices.ContainsFunc(s.Port.Containers, func(c *network.Port) bool { return keyOf(c, s.Chassis) == k })
		case k.port > 0:
			return s.Kind == AtHost && s.Chassis.Index == k.chassis
		}
		return s.Chassis.Index == k.chassis || s.Chassis.Index == -1-k.port
	})
}

// unknown says why the sender of an observed packet, which no capture shows,
// cannot be told; "" if there is no such reason.
func (inf *inferrer) unknown(w *waiter) string {
	if _, ok := identify(w.data, w.Headers()); !ok {
		return ""
	}
	e := endpoints(w.Headers())
	src := addrOf(w.Headers(), e[0])
	owners := inf.s.owners.byIP[src]
	for _, p := range owners {
		if p.Datapath.Router {
			return fmt.Sprintf("its sender is behind SNAT (%s is %s's own address) and in no capture", src,
				p.Datapath.Called())
		}
	}
	if inf.s.owners.announced[src] != 0 && len(owners) == 0 {
		return fmt.Sprintf("its sender is behind SNAT (%s stands for others) and in no capture", src)
	}
	return ""
}

// explainUnexpected says why a predicted packet was not observed.
func (v *Verifier) explainUnexpected(w *waiter, it *Item) {
	it.Reason = "predicted to leave here, but not in the capture"
	for i, t := range v.run.Taps {
		s := v.spans[i]
		if !v.at(t, w.point) {
			continue
		}
		switch {
		case s == nil:
			it.Reason = fmt.Sprintf("predicted to leave here, but %s holds no packets", t.Name)
		case w.time > s.last:
			it.Reason = fmt.Sprintf("predicted to leave here after the last packet of %s (%s): the capture may "+
				"have stopped",
				t.Name, Timestamp(s.last))
		case w.time < s.first:
			it.Reason = fmt.Sprintf("predicted to leave here before the first packet of %s (%s): the capture may "+
				"have begun "+
				"later", t.Name, Timestamp(s.first))
		}
	}
	v.run.history.seen.each(w.id, func(x *sighting) bool {
		if x.at == w.point || x.at == (pointKey{}) { // on its way, in a tunnel
			return true
		}
		it.Reason = fmt.Sprintf("predicted to leave here, but observed at %s (%s frame %d)", x.port,
			v.fileOf(x.capture, x.file), x.number)
		return false
	})
	at := -1
	for i, s := range w.way.way.steps() {
		// northd's own flows there let pass what no ACL is about
		if s.flow >= 0 && v.isChoice(s.visit, "acl") && v.facts(s.flow).Admits &&
			v.net().Flows[s.flow].StageHint != "" {
			at = i
		}
	}
	if at < 0 {
		at = v.lastNAT(w)
	}
	if at >= 0 {
		it.Flow = v.ref(w.way.way.steps()[at].visit)
	} else if n := len(w.way.way.steps()); n > 0 {
		it.Flow = v.ref(w.way.way.steps()[n-1].visit)
	}
	it.Reason += w.way.tracked()
	it.Suspects = v.suspects(&w.way, it.Flow)
}

func (v *Verifier) lastNAT(w *waiter) int {
	for _, n := range slices.Backward(w.way.nat) {
		return w.way.position(n.flow)
	}
	return -1
}

// Key parses an item's packet, for filters.
func (it *Item) Key() (k field.Key) {
	packet.Parse(it.data, &k)
	return k
}
