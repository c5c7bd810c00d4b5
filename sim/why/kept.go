package why

import (
	"ovnreplay/sim"
	"ovnreplay/sim/trace"
)

// A session keeps of the network what its packets met, and no tables. What is said of a
// packet by looking at all of the network, or into tables, is noted with it.

// Keep notes on a packet what who has its trace alone could not say of it.
func (x *Explainer) Keep(out *sim.Outcome) {
	t := &out.Trace
	missed := ""
	if !out.Late && (out.Verdict != sim.Delivered || !known(t)) {
		missed, _ = x.unanswered(out)
	}
	// All is asked before anything is noted: that makes the trace another.
	outlived, needed, unserved := x.outlived(out), x.Needed(out), x.Unserved(out)
	told, stale := "", ""
	if missed != "" || out.Verdict != sim.Delivered || Instead(out) {
		told, stale = x.told(out)
	}
	says(t, trace.Missed, 0, missed)
	for i, s := range outlived {
		says(t, trace.Outlived, i, s)
	}
	says(t, trace.Outlived, len(t.NAT), stale)
	says(t, trace.Needed, 0, needed)
	says(t, trace.Unserved, 0, unserved)
	says(t, trace.Told, 0, told)
}

// outlived is what each of a packet's translations uses and the network no longer has; nil if
// that is nothing.
func (x *Explainer) outlived(out *sim.Outcome) (list []string) {
	t := &out.Trace
	if len(t.NAT) == 0 {
		return nil
	}
	t.Each(func(_ *trace.Path, _ uint16, own []trace.Event) { // what translates is in no path
		for i := range own {
			if ev := &own[i]; ev.Kind == trace.NAT {
				s := x.Stale(&t.NAT[ev.Arg], ev.Datapath, out.Of.Time)
				if s != "" && list == nil {
					list = make([]string, len(t.NAT))
				}
				if s != "" {
					list[ev.Arg] = s
				}
			}
		}
	})
	return list
}

// told is why a packet ended, if that could not be told by its trace alone, and what it used that
// the network no longer has.
func (x *Explainer) told(out *sim.Outcome) (text, stale string) {
	d, ok := x.end(out)
	if !ok {
		return "", ""
	}
	alone := Explainer{Book: x.Book, Objects: x.Objects, sides: x.sides}
	if b, _ := alone.end(out); b.Text != d.Text {
		text = d.Text
	}
	return text, d.Stale
}

func says(t *trace.Trace, kind trace.Kind, of int, text string) {
	if text != "" {
		t.Says(kind, of, text)
	}
}
