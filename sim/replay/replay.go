// Package replay replays captures on a network: it decides for every captured
// frame whether it entered OVN or left it, injects the first and holds the
// second against what the engine predicted.
//
// Frames are handed in one by one, in the order of the capture's clock, and
// results come out in the same order. The package reads no files and writes
// none.
package replay

import (
	"math"

	"ovnreplay/conntrack"
	"ovnreplay/sim"
)

// Frame is one captured frame.
type Frame struct {
	Capture int // which capture, an index into the session's points
	Number  int // of the frame in its capture, from 1
	Time    conntrack.Time
	Data    []byte // from the Ethernet header on
	Wire    int    // length on the wire
}

// Handler receives what a session finds. The arguments are valid during the call.
type Handler interface {
	// Entered is called for each frame that entered OVN, with its fate.
	Entered(f *Frame, p *Point, out *sim.Outcome)
	// Observed is called for each frame that left OVN.
	Observed(f *Frame, p *Point)
	// Skipped is called for each frame that could be neither, with the reason.
	Skipped(f *Frame, p *Point, why string)
}

// Session is one replay of captures taken at points.
type Session struct {
	Engine *sim.Engine

	points  []*Point
	owners  *Owners
	handler Handler
	queue   []*Frame // frames read ahead, for choices that a later frame shows
	free    []*Frame
	ahead   conntrack.Time
	later   []*Frame // than the frame being replayed
}

// NewSession returns a session on an engine. Frames are held back until one
// that is ahead later has come: so that a choice the datapath made at random
// can be read from the frame that shows it.
func NewSession(e *sim.Engine, points []*Point, h Handler, ahead conntrack.Time) *Session {
	s := &Session{Engine: e, points: points, owners: NewOwners(e.Net), handler: h, ahead: ahead}
	e.SetChooser(s)
	return s
}

// Add hands in the next frame; it is copied.
func (s *Session) Add(f Frame) {
	q := s.take()
	data := append(q.Data[:0], f.Data...)
	*q = f
	q.Data = data
	s.queue = append(s.queue, q)
	n := 0
	for n < len(s.queue) && s.queue[n].Time+s.ahead <= f.Time {
		s.replay(s.queue[n], s.queue[n+1:])
		n++
	}
	s.forget(n)
}

// Flush replays what was held back.
func (s *Session) Flush() {
	for i, f := range s.queue {
		s.replay(f, s.queue[i+1:])
	}
	s.forget(len(s.queue))
	s.later = nil
	s.release(math.MaxInt64)
}

// release replays the rest of packets that ovn-controller held and that go on
// by a moment. Handlers are called for each as for a frame that entered, with
// Outcome.Late set.
func (s *Session) release(by conntrack.Time) {
	for out := s.Engine.Advance(by); out != nil; out = s.Engine.Advance(by) {
		of := &out.Of
		capture := int(of.Ref >> 32)
		f := &Frame{Capture: capture, Number: int(uint32(of.Ref)), Time: of.Time, Data: of.Frame, Wire: of.Wire}
		p := s.points[capture]
		if p.Port != of.Port {
			p = &Point{Port: of.Port, Chassis: of.Chassis, Capture: p.Capture, Found: "VLAN tag"}
		}
		s.handler.Entered(f, p, out)
	}
}

func (s *Session) take() *Frame {
	if n := len(s.free); n > 0 {
		f := s.free[n-1]
		s.free = s.free[:n-1]
		return f
	}
	return new(Frame)
}

func (s *Session) forget(n int) {
	s.free = append(s.free, s.queue[:n]...)
	s.queue = s.queue[:copy(s.queue, s.queue[n:])]
}

func (s *Session) replay(f *Frame, later []*Frame) {
	s.later = later
	p := s.points[f.Capture]
	if len(f.Data) < 14 {
		s.handler.Skipped(f, p, "shorter than an Ethernet header")
		return
	}
	port := behind(p.Port, f.Data)
	if port == nil {
		s.handler.Skipped(f, p, "its VLAN is not the logical port's")
		return
	}
	if port != p.Port {
		p = &Point{Port: port, Chassis: p.Chassis, Capture: p.Capture, Found: "VLAN tag"}
	}
	switch s.owners.Direction(p.Port, p.Chassis, f.Data) {
	case Entered:
		s.release(f.Time)
		out := s.Engine.Inject(sim.Injection{
			Port: p.Port, Chassis: p.Chassis, Time: f.Time, Frame: f.Data, Wire: f.Wire,
			Ref: uint64(f.Capture)<<32 | uint64(uint32(f.Number)),
		})
		s.handler.Entered(f, p, out)
	case Left:
		s.Engine.Observe(p.Port, f.Data)
		s.handler.Observed(f, p)
	}
}
