package ledger

import (
	"fmt"
	"hash/fnv"

	"ovnreplay/sim"
	"ovnreplay/sim/replay"
)

// A person who asks about a frame of a capture need not know whether it entered OVN
// there or left: of what left is told what entered and became it.

// seen is the frame that is asked about, which did not enter where it was captured.
type seen struct {
	file   string
	number int    // 0: there is no such frame
	left   string // what left, and where; "": it is none of OVN's
	why    string // what it is instead
	packet int    // the place in all of what became it, -1 if that is not known
}

// maxBecame bounds what is remembered of packets that left.
const maxBecame = 1 << 16

// asksFor reports whether a frame is the one that is asked about.
func (s *Stories) asksFor(f *replay.Frame) bool {
	file, number, ok := cutFrame(s.asked)
	return ok && f.Number == number && isFile(replay.NameOf(s.taps, f), file)
}

// Observed implements replay.Handler.
func (s *Stories) Observed(f *replay.Frame, p *replay.Point) {
	if p.Port == nil {
		return
	}
	s.longest[p.Port.Name] = max(s.longest[p.Port.Name], f.Wire)
	if !s.asksFor(f) {
		return
	}
	text := f.Headers().Describe(f.Data)
	s.seen = seen{replay.NameOf(s.taps, f), f.Number, p.Called() + ": " + text, "", -1}
	if i, known := s.became[leaves(p.Port.Name, text)]; known {
		s.seen.packet = int(i)
	}
}

// Skipped implements replay.Handler.
func (s *Stories) Skipped(f *replay.Frame, _ *replay.Point, why string) {
	if s.asksFor(f) {
		s.seen = seen{replay.NameOf(s.taps, f), f.Number, "", why, -1}
	}
}

// leaves is a packet and the port at which it leaves, as a number.
func leaves(port, text string) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, port, "\x00", text)
	return h.Sum64()
}

// leave notes what leaves of the packet that is entered into all next.
func (s *Stories) leave(out *sim.Outcome) {
	if s.became == nil {
		return
	}
	if len(s.became) >= maxBecame {
		clear(s.became)
	}
	for i := range out.Outputs {
		o := &out.Outputs[i]
		s.became[leaves(o.Port.Name, o.Headers().Describe(o.Data))] = int32(len(s.all))
	}
}

// observed answers for a frame that did not enter.
func (s *Stories) observed() (*Answer, error) {
	switch y := &s.seen; {
	case y.number == 0:
		return nil, fmt.Errorf("%s: the captures have no such frame; run lists what entered OVN", s.asked)
	case y.left == "":
		return s.answer([]string{fmt.Sprintf("%s:%d is none of OVN's packets: %s", y.file, y.number, y.why)}, nil), nil
	case y.packet < 0:
		return s.answer([]string{fmt.Sprintf("%s:%d left OVN at %s", y.file, y.number, y.left),
			"no packet in the captures was to become it: verify --list says more"}, nil), nil
	default:
		x := &s.all[y.packet]
		first := fmt.Sprintf("%s:%d left OVN at %s", y.file, y.number, y.left)
		return s.answer(append([]string{first}, s.story(x, maxLines-1)...), x), nil
	}
}
