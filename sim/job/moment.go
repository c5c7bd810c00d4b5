package job

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ovnreplay/conntrack"
	"ovnreplay/sim/network"
	"ovnreplay/sim/northbound"
	"ovnreplay/sim/printable"
	"ovnreplay/sim/recording"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

// The network is not the same at every moment: DBTime and Watch say whose
// network a packet meets.

// Words for DBTime: a database is followed through its history, or it is as it
// was last.
const (
	Follow = "follow"
	Last   = "last"
	off    = "off" // the same
)

// settles is how long before a packet the network may have changed and not be so yet.
const settles = time.Second

// still reports whether all packets meet the last network.
func (in *Spec) still() bool { return in.DBTime == "" || in.DBTime == Last }

// network reads the network that captures are placed in, and decides whether it is
// followed: without --db-time it is if the file's history knows it when the
// captures begin and it changed after.
func (in *Spec) network(ctx context.Context, spec *recording.Spec) (*network.Network, []error, error) {
	if in.DBTime == off {
		in.DBTime = Last
	}
	in.tellPipes(spec.DBs)
	switch {
	case in.Fixed && in.DBTime == "":
		net, warnings, err := in.last(ctx, spec)
		if err == nil {
			in.tellLast(net)
		}
		return net, warnings, err
	case in.Watch || in.DBTime == Last:
		return in.last(ctx, spec)
	case in.DBTime == "" && !followable(spec.DBs):
		return in.snapshot(ctx, spec)
	case in.DBTime != "" && in.DBTime != Follow:
		return in.fixed(ctx, spec.DBs)
	}
	begin, ok := spec.Begins()
	if !ok && in.DBTime == "" {
		return in.last(ctx, spec)
	}
	from := time.Unix(0, begin)
	past, err := southbound.OpenPasts(ctx, spec.DBs, in.Source, from.Add(-settles))
	if err == nil {
		in.remade = northbound.Remade(past.Remade)
	}
	_, apart := errors.AsType[*southbound.NotJoined](err)
	switch {
	case apart, in.DBTime == Follow && err != nil:
		return nil, nil, err
	case in.DBTime == Follow:
		if past.Since.After(from) {
			in.tellFirst(past.Since, "the captures")
		}
		in.tellFixed(past.Net)
		return past.Net, past.Warnings, nil
	case err != nil: // no history; what else is wrong with it opening it says better
		return in.snapshot(ctx, spec)
	case past.Since.After(from):
		in.remade = nil // all packets meet the last state
		in.tellYounger(past.Net, past.Changes > 0, past.Since, from)
		return in.last(ctx, spec)
	case past.Changes == 0:
		return past.Net, past.Warnings, nil
	}
	in.Tell("the network changed %s since just before the captures: each packet meets that of its own moment "+
		"(--db-time last: "+
		"the last)", times(past.Changes))
	in.tellFixed(past.Net)
	in.DBTime = Follow
	return past.Net, past.Warnings, nil
}

// tellLast says which state of a database is used that has been in others, and from what
// it says how to use another.
func (in *Spec) tellLast(net *network.Network) {
	for _, z := range net.AZs {
		if z.States > 1 {
			in.Tell("%s: the last of the %d states that it holds, of %s, is used (--db-time: that of another moment)",
				printable.Line(z.Source), z.States, z.AsOf.UTC().Format(time.RFC3339Nano))
		}
	}
}

// tellFixed says which zones are known at one moment only while others are followed.
func (in *Spec) tellFixed(net *network.Network) {
	for _, z := range net.AZs {
		if len(net.AZs) == 1 || z.States > 1 {
			continue
		}
		when := "an unknown moment"
		if !z.AsOf.IsZero() {
			when = z.AsOf.UTC().Format(time.RFC3339Nano)
		}
		in.Tell("zone %s (%s) holds one state, of %s: all packets meet that, while other zones are followed",
			printable.Line(z.Name), printable.Line(z.Source), when)
	}
}

// tellYounger says what a database that begins after the captures cannot tell, where
// it shows that the network was another.
func (in *Spec) tellYounger(net *network.Network, changed bool, since, from time.Time) {
	younger := net.Younger(from.UnixMilli())
	if !changed && younger == 0 {
		in.younger = fmt.Sprintf("the database begins at %s, after the captures: the network may have been another "+
			"then", since.UTC().Format(time.RFC3339))
		return
	}
	in.Tell("the database begins at %s, after the captures: what the network was before is not known, and all packets "+
		"meet its last state, but for the MAC bindings and FDB entries of it that came later (%d)",
		since.Format(time.RFC3339), younger)
}

// tellFirst says that packets from before a history begins meet what it begins with.
func (in *Spec) tellFirst(begins time.Time, after string) {
	in.Tell("the database begins at %s, after %s: what the network was before is not known, and packets meet its "+
		"first state", begins.UTC().Format(time.RFC3339Nano), after)
}

// snapshot is the network of a database without history, which may be of a time after
// the captures began, as its chassis tell or what was learned.
func (in *Spec) snapshot(ctx context.Context, spec *recording.Spec) (*network.Network, []error, error) {
	net, warnings, err := in.last(ctx, spec)
	if err != nil {
		return net, warnings, err
	}
	begin, ok := spec.Begins()
	if !ok || net.Stamp <= begin/1e6 {
		return net, warnings, nil
	}
	in.Tell("the database is of %s or later (its latest timestamp), when the captures had begun: what the network was "+
		"before is not known, and all packets meet what it is, but for its MAC bindings and FDB entries that came "+
		"later (%d)",
		time.UnixMilli(net.Stamp).UTC().Format(time.RFC3339), net.Younger(begin/1e6))
	return net, warnings, nil
}

// zones finds the databases that the sources hold, and says which could not be read.
func (in *Spec) zones(ctx context.Context, spec *recording.Spec) (err error) {
	spec.DBs, in.read, err = southbound.AZs(ctx, spec.DBs, in.Source)
	for _, p := range in.read.Passed {
		in.Tell("%s: this database is left out: %s", printable.Line(p.Path), printable.Line(p.Why))
	}
	return err
}

// last is the network as it was last.
func (in *Spec) last(ctx context.Context, spec *recording.Spec) (*network.Network, []error, error) {
	return southbound.OpenAll(ctx, spec.DBs, in.Source, in.read)
}

// followable reports whether one of several databases may have a history; of one,
// opening it tells, unless that can be done once only.
func followable(sources []string) bool {
	return len(sources) == 1 && !store.ReadOnce(sources[0]) || slices.ContainsFunc(sources, store.HasHistory)
}

// tellPipes says of databases that come through pipes that they are not followed.
func (in *Spec) tellPipes(sources []string) {
	for _, s := range sources {
		if store.ReadOnce(s) && in.DBTime == "" {
			in.Tell("%s: a pipe is read once: all packets meet the last state that comes through it", printable.Line(s))
		}
	}
}

// fixed returns the network of the moment that --db-time names.
func (in *Spec) fixed(ctx context.Context, sources []string) (*network.Network, []error, error) {
	t, err := parseTime(in.DBTime)
	if err != nil {
		return nil, nil, fmt.Errorf("--db-time %s: want follow, last, or a time such as 2026-11-22T10:00:35.5Z",
			in.DBTime)
	}
	f, err := southbound.Follow(ctx, sources, in.Source)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	remade, err := southbound.RemadeSince(ctx, sources, in.Source, t)
	if err != nil {
		return nil, nil, err
	}
	in.remade = northbound.Remade(remade)
	net, _, err := f.At(t)
	if begins := f.Begins(); err == nil && !begins.IsZero() {
		in.Tell("the database begins at %s, after --db-time: what the network was before is not known, and packets "+
			"meet its first state", begins.UTC().Format(time.RFC3339))
	}
	return net, f.Disagreements(), err
}

func parseTime(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("not a time: %s", s)
}

// changes returns the source of the network's changes for a session, nil if
// the network stays as it is, and a function that ends it.
func (in *Spec) changes(ctx context.Context, sources []string) (replay.Changes, func(), error) {
	switch {
	case in.Watch && in.DBTime != "":
		return nil, nil, fmt.Errorf("--watch follows a live server, --db-time a file's history: use one of them")
	case in.Watch:
		return in.watched(ctx, sources)
	case in.DBTime == Follow:
		return in.history(ctx, sources)
	}
	return nil, func() {}, nil
}

// history follows a database file's history on the capture's clock, and says when its
// zones begin to disagree and when they cease to.
func (in *Spec) history(ctx context.Context, sources []string) (replay.Changes, func(), error) {
	f, err := southbound.Follow(ctx, sources, in.Source)
	if err != nil {
		return nil, nil, err
	}
	d := discord{tell: in.Tell}
	return func(t conntrack.Time) (*network.Network, conntrack.Time, error) {
		net, changed, err := f.At(time.Unix(0, int64(t)))
		if err != nil || !changed {
			return nil, 0, err
		}
		d.become(f.Disagreements(), f.Since())
		return net, conntrack.Time(f.Since().UnixNano()), nil
	}, f.Close, nil
}

// discord is what zones that are followed do not agree on.
type discord struct {
	tell  func(format string, args ...any)
	stood []string
	begun bool
}

// become says what came and what went with a change of the network.
func (d *discord) become(all []error, since time.Time) {
	when := "since " + since.UTC().Format(time.RFC3339Nano)
	if !d.begun {
		when = "when the captures begin"
	}
	var stand []string
	for _, e := range all {
		text := printable.Errors(e)
		if stand = append(stand, text); !slices.Contains(d.stood, text) {
			d.tell("%s (%s)", text, when)
		}
	}
	for _, text := range d.stood {
		if !slices.Contains(stand, text) {
			d.tell("%s (until %s)", text, since.UTC().Format(time.RFC3339Nano))
		}
	}
	d.stood, d.begun = stand, true
}

// watched follows a live server: the packets of a live capture meet the
// network as it is when they are read.
func (in *Spec) watched(ctx context.Context, sources []string) (replay.Changes, func(), error) {
	if len(sources) > 1 {
		return nil, nil, fmt.Errorf("--watch follows one live server: of %d databases none can be watched",
			len(sources))
	}
	w, err := store.Watch(ctx, sources[0], in.Source)
	if err != nil {
		return nil, nil, err
	}
	return func(now conntrack.Time) (*network.Network, conntrack.Time, error) {
		select {
		case <-w.Changed():
		default:
			return nil, 0, nil
		}
		db, err := w.Database()
		if err != nil {
			return nil, 0, err
		}
		net, err := southbound.Load(db)
		return net, now, err
	}, w.Close, nil
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
