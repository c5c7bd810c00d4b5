package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"ovnreplay/sim/network"
	"ovnreplay/sim/printable"
	"ovnreplay/sim/recording"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

// Moment says when a packet was captured, if it was.
type Moment func() (t time.Time, ok bool, err error)

// ForTrace opens what one packet is traced in: the databases, or else the case's,
// or else that of this host; and what else the case says, nothing without one. A
// packet of a capture meets the network of its moment, where a history tells it.
func (in *Spec) ForTrace(ctx context.Context, moment Moment) (*network.Network, *recording.Spec, error) {
	s := &recording.Spec{}
	if in.Case != "" {
		var err error
		if s, err = recording.ReadCase(in.Case, in.files()); err != nil {
			return nil, nil, err
		}
	}
	if len(in.DBs) > 0 {
		s.DBs = in.DBs
	}
	if len(s.DBs) == 0 {
		s.DBs = []string{store.DefaultSource()}
	}
	s.Profile = cmp.Or(in.Profile, s.Profile)
	if err := in.zones(ctx, s); err != nil {
		return nil, nil, err
	}
	net, warnings, err := in.traced(ctx, s, moment)
	for _, w := range warnings {
		fmt.Fprintf(in.Stderr, "ovn-replay: warning: %s\n", printable.Errors(w))
	}
	return net, s, err
}

// traced is the network that one packet meets.
func (in *Spec) traced(ctx context.Context, s *recording.Spec, moment Moment) (*network.Network, []error, error) {
	switch in.DBTime {
	case Last:
		return in.last(ctx, s)
	case "", Follow:
	default:
		return in.fixed(ctx, s.DBs)
	}
	at, captured, err := moment()
	switch {
	case err != nil:
		return nil, nil, err
	case in.DBTime == Follow && !captured:
		return nil, nil, errors.New("--db-time follow: the packet is of no capture, and has no moment: give it with " +
			"-r FILE#N, or a time")
	case captured:
		net, warnings, err := in.met(ctx, s.DBs, at)
		if err == nil || in.DBTime == Follow {
			return net, warnings, err
		}
	}
	net, warnings, err := in.last(ctx, s)
	if err == nil {
		in.tellLast(net)
	}
	return net, warnings, err
}

// met is the network that a packet met at a moment, an error if no history tells.
func (in *Spec) met(ctx context.Context, sources []string, at time.Time) (*network.Network, []error, error) {
	f, err := southbound.Follow(ctx, sources, in.Source)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	net, _, err := f.At(at)
	if err != nil {
		return nil, nil, err
	}
	if begins := f.Begins(); !begins.IsZero() {
		if in.DBTime == "" {
			return nil, nil, errors.New("the history begins after the packet")
		}
		in.tellFirst(begins, "the packet")
	}
	later, err := f.Rest(ctx)
	if err != nil {
		return nil, nil, err
	}
	if later > 0 {
		in.Tell("the network changed %s after the packet was captured: it meets that of its own moment, %s "+
			"(--db-time last: the last)", times(later), at.UTC().Format(time.RFC3339Nano))
		in.tellFixed(net)
	}
	return net, append(f.Disagreements(), f.Warnings()...), nil
}
