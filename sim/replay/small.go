package replay

import (
	"strings"

	"ovnreplay/nat"
	"ovnreplay/sim/printable"
)

// Open vSwitch's userspace datapath refuses fragments below a size that its operator
// can set, and no database says to what. What came out says it: a fragment that is
// too small is not tracked, and goes on at once if at all, while those of a datagram
// that is tracked wait for the last of them.

// Small is a setting that captures show: a chassis tracks fragments of Bytes.
type Small struct {
	Chassis string `json:"chassis"`
	V6      bool   `json:"v6,omitempty"`
	Bytes   int    `json:"bytes"`
	Capture string `json:"capture"`
	Frame   int    `json:"frame"`
}

// maxSiblings bounds how far the other fragments of a datagram are looked for.
const maxSiblings = 512

// allowSmall makes a chassis track fragments as small as a frame that enters, if
// captures show that it does.
func (s *Run) allowSmall(f *Frame) {
	p, ok := fragmentOf(f)
	if !ok || !p.More || !s.Engine.TooSmall(f.point.Chassis, p.Tuple.V6, p.Total) || !s.waits(f, &p) {
		return
	}
	s.Engine.AllowFragments(f.point.Chassis, p.Tuple.V6, p.Total)
	if h, ok := s.handler.(allower); ok {
		h.small(Small{f.point.Chassis.Name, p.Tuple.V6, p.Total, s.name(f), f.Number})
	}
}

// fragmentOf reads a frame that is a whole fragment of an IP packet.
func fragmentOf(f *Frame) (p nat.Packet, ok bool) {
	l := &f.Headers().Layout
	if l.L3 == 0 || l.L3 >= l.L3End || l.L3End > len(f.Data) {
		return p, false
	}
	ok = p.Parse(f.Data[l.L3:l.L3End]) == nat.NoFault && p.Fragment && !p.Cut
	return p, ok
}

// waits reports whether a fragment left, nowhere before the last of its datagram had
// entered where it did.
func (s *Run) waits(f *Frame, p *nat.Packet) bool {
	last, ended := f.Time, false
	for i, g := range s.queue[s.head:] {
		if i == maxSiblings || ended {
			break
		}
		if g.Capture != f.Capture || g.dir != Entered || g.skip != "" {
			continue
		}
		q, ok := fragmentOf(g)
		if ok && q.FragID == p.FragID && q.Tuple.Src == p.Tuple.Src && q.Tuple.Dst == p.Tuple.Dst {
			last, ended = g.Time, !q.More
		}
	}
	left := false
	for l, n := s.alike(f.id).first, 0; f.id != 0 && l != nil && n < maxAlike; l, n = l.same, n+1 {
		if l.dir == Left && l.Capture != f.Capture && l.Time >= f.Time {
			if l.Time < last {
				return false
			}
			left = true
		}
	}
	return left && ended
}

// maxSmalls bounds how many such settings are listed.
const maxSmalls = 100

func (v *Verifier) small(x Small) {
	if len(v.Report.Small) < maxSmalls {
		v.Report.Small = append(v.Report.Small, x)
	}
}

// writeSmall says which fragments the switches take though they usually would not.
func (r *Report) writeSmall(b *strings.Builder) {
	for i := range r.Small {
		x := &r.Small[i]
		setting, family := "min_frag_v4", "IPv4"
		if x.V6 {
			setting, family = "min_frag_v6", "IPv6"
		}
		printable.Fprintf(b, "setting: Open vSwitch of %s tracks %s fragments of %d bytes, as %s frame %d shows (in "+
			"a profile: %s)\n", x.Chassis, family, x.Bytes, x.Capture, x.Frame, setting)
	}
}
