package show

import (
	"fmt"
	"slices"
	"strings"

	"ovnreplay/sim"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
)

// Only is kinds of packets that are shown; none means all.
type Only struct {
	kinds []func(*why.Explainer, *replay.Frame, *sim.Outcome) bool
	// Compared are verdicts of what was observed: matched, mismatched, missing,
	// unexpected; nil: all, unless kinds are given.
	Compared map[string]bool
}

// kinds are what --only takes.
var kinds = map[string]func(*why.Explainer, *replay.Frame, *sim.Outcome) bool{
	"delivered": func(_ *why.Explainer, _ *replay.Frame, out *sim.Outcome) bool {
		return out.Verdict == sim.Delivered && !why.Instead(out)
	},
	"dropped": func(_ *why.Explainer, _ *replay.Frame, out *sim.Outcome) bool { return out.Verdict == sim.Dropped },
	"consumed": func(_ *why.Explainer, _ *replay.Frame, out *sim.Outcome) bool {
		return out.Verdict == sim.Consumed || why.Instead(out)
	},
	"unknown":  func(_ *why.Explainer, _ *replay.Frame, out *sim.Outcome) bool { return out.Verdict == sim.Unknown },
	"natted":   func(x *why.Explainer, _ *replay.Frame, out *sim.Outcome) bool { return x.Translates(out) },
	"inferred": func(_ *why.Explainer, f *replay.Frame, _ *sim.Outcome) bool { return f.Inferred },
	"guessed": func(_ *why.Explainer, _ *replay.Frame, out *sim.Outcome) bool {
		for i := range out.Outputs {
			if out.Outputs[i].Guess {
				return true
			}
		}
		return false
	},
	"noted": func(_ *why.Explainer, _ *replay.Frame, out *sim.Outcome) bool {
		for _, ev := range out.Trace.Events() {
			if ev.Kind == trace.Note {
				return true
			}
		}
		return false
	},
}

// compared are the verdicts of what was observed.
var compared = []string{"matched", "mismatched", "missing", "unexpected"}

// Kinds are what --only takes, where packets are verified also of what was observed.
func Kinds(verified bool) []string {
	list := []string{"delivered", "dropped", "consumed", "unknown", "natted", "guessed", "inferred", "noted"}
	if verified {
		list = append(list, compared...)
	}
	return list
}

// ParseOnly parses kinds separated by commas. Where packets are verified they are
// also of what was observed.
func ParseOnly(text string, verified bool) (o Only, err error) {
	if text == "" {
		return o, nil
	}
	o.Compared = map[string]bool{}
	for name := range strings.SplitSeq(text, ",") {
		kind, verdict := kinds[name], slices.Contains(compared, name)
		switch {
		case kind != nil:
			o.kinds = append(o.kinds, kind)
		case verdict && verified:
			o.Compared[name] = true
		case verdict:
			return o, fmt.Errorf("--only %s: run compares nothing; use verify -w FILE --only %[1]s", name)
		default:
			return o, fmt.Errorf("--only %s: %q is no kind of packets; use %s", text, name,
				strings.Join(Kinds(verified), ", "))
		}
	}
	return o, nil
}

// Has reports whether a packet that entered is of one of the kinds.
func (o *Only) Has(x *why.Explainer, f *replay.Frame, out *sim.Outcome) bool {
	for _, is := range o.kinds {
		if is(x, f, out) {
			return true
		}
	}
	return len(o.kinds) == 0 && o.Compared == nil
}

// Counts sum up packets of a replay.
type Counts struct {
	entered                                                    int // all, whether they are summed up or not
	packets, delivered, dropped, consumed, unknown, translated int
}

// Add counts a packet.
func (c *Counts) Add(x *why.Explainer, out *sim.Outcome) {
	c.packets++
	switch {
	case out.Verdict == sim.Dropped:
		c.dropped++
	case out.Verdict == sim.Unknown:
		c.unknown++
	case out.Verdict == sim.Consumed, why.Instead(out):
		c.consumed++
	default:
		c.delivered++
	}
	if x.Translates(out) {
		c.translated++
	}
}

// String is the summary that run -q prints.
func (c *Counts) String() string {
	unknown := ""
	if c.unknown > 0 {
		unknown = fmt.Sprintf(", not known %d", c.unknown)
	}
	packets := fmt.Sprintf("entered %d", c.packets)
	if c.packets < c.entered {
		packets = fmt.Sprintf("selected %d, of %d that entered", c.packets, c.entered)
	}
	return fmt.Sprintf("packets %s: delivered %d, dropped %d, consumed %d%s; translated %d", packets, c.delivered,
		c.dropped, c.consumed, unknown, c.translated)
}
