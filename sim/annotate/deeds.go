package annotate

import (
	"ovnreplay/sim/network"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
)

// deed is what a flow does to packets in a datapath, in words.
type deed struct {
	row  string // the Northbound row behind it, "" if none is known
	kind why.Kind
	text string // of what reroutes or marks
}

// doer is a flow in a datapath.
type doer struct {
	flow     *network.Flow
	datapath int32
}

// deed puts what a flow does in words, once.
func (t *teller) deed(f *network.Flow, datapath int32) deed {
	if t.objects != t.why.Objects || t.deeds == nil || len(t.deeds) >= maxBriefs {
		t.objects, t.deeds = t.why.Objects, map[doer]deed{}
	}
	k := doer{f, datapath}
	x, ok := t.deeds[k]
	if !ok {
		if o := t.why.Object(f); o != nil {
			x.row = o.String()
		}
		if d, does := t.why.Beside(f, datapath); does {
			x.kind, x.text = d.Kind, d.Text
		}
		t.deeds[k] = x
	}
	return x
}

// bears reports whether an event is that a flow matched which changes the packet or its way by itself.
func (t *teller) bears(ev *trace.Event) bool {
	if ev.Kind != trace.Match {
		return false
	}
	f := t.book.Net.Flows[ev.Flow]
	_, marks := t.why.Marks(f)
	return marks || t.why.Reroutes(f) || t.rewrites(ev)
}

// diverts tells of a flow that chooses the packet's way, or marks it.
func (t *teller) diverts(ev *trace.Event) {
	if !t.bears(ev) {
		return
	}
	if d := t.deed(t.book.Net.Flows[ev.Flow], ev.Datapath); d.kind == why.Rerouted || d.kind == why.Marked {
		t.beside = t.once(t.beside, d.kind.String(), appendClean(t.value[:0], d.text))
	}
}

// passedBy tells which binding an answer passed by; what the network no longer has of it a note says.
func (t *teller) passedBy(d *why.Decision) {
	t.beside = t.once(t.beside, d.Kind.String(), appendClean(t.value[:0], d.Text))
}

// appendBy appends the row behind a flow, if one is known.
func appendBy(b []byte, row string) []byte {
	if row == "" {
		return b
	}
	return appendClean(append(b, " by "...), row)
}
