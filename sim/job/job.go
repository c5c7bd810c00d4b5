package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"ovnreplay/conntrack"
	"ovnreplay/pcap"
	"ovnreplay/sim"
	"ovnreplay/sim/archive"
	"ovnreplay/sim/ledger"
	"ovnreplay/sim/network"
	"ovnreplay/sim/northbound"
	"ovnreplay/sim/printable"
	"ovnreplay/sim/recording"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/southbound"
	"ovnreplay/sim/why"
	"ovnreplay/store"
	"ovnreplay/store/output"
)

// Job is everything a replay needs, opened.
type Job struct {
	*recording.Recording
	Spec     *Spec // what it was opened from
	Filter   *replay.Filter
	Warnings []error          // damage after which the rest is still used
	Sources  []string         // of the databases
	Objects  *network.Objects // of the Northbound database, nil if there is none
	OpenFlow []string         // dumps of OpenFlow flows that the case holds
	changes  replay.Changes
	roster   *ledger.Roster                                          // of the session it is kept in, nil for none
	past     func(keep func(*network.Flow) bool) []network.Departure // see why.Explainer
	stop     func()                                                  // ends changes; nil if there are none
	lavish   func()                                                  // lets garbage pile up again; nil if it does
	Begun    bool                                                    // the captures are being read
}

// Open reads the database and opens the captures.
func (in *Spec) Open(ctx context.Context) (*Job, error) {
	spec, err := in.recording()
	if err != nil {
		return nil, err
	}
	files := output.Of(ctx)
	files.Reads(spec.Inputs()...)
	files.Reads(in.Source.Files(spec.DBs)...)
	files.Reads(in.NBs...)
	for _, w := range append(in.Writes, output.Destination{Name: "-"}) {
		if err := files.Check(w.Flag, w.Name); err != nil {
			return nil, err
		}
	}
	if err := in.zones(ctx, spec); err != nil {
		return nil, err
	}
	net, warnings, err := in.network(ctx, spec)
	if err != nil {
		return nil, err
	}
	changes, stop, err := in.changes(ctx, spec.DBs)
	if err != nil {
		return nil, err
	}
	j, err := in.Load(ctx, spec, net, warnings)
	if err != nil {
		stop()
		return nil, err
	}
	j.Sources, j.changes, j.stop = spec.DBs, changes, stop
	if in.younger != "" {
		j.Causes = append(j.Causes, replay.Group{Cause: replay.CauseDatabase, Evidence: []string{in.younger},
			Advice: "give the database of that time, one with its history or a backup"})
	}
	j.past = func(keep func(*network.Flow) bool) []network.Departure {
		list, err := southbound.Departed(ctx, j.Sources, in.Source, keep)
		if err != nil {
			j.Warnings = append(j.Warnings, fmt.Errorf("since when stale things are gone is not known: %w", err))
		}
		return list
	}
	if j.Objects, err = in.northbound(ctx, spec.DBs, net); err != nil {
		j.Close()
		return nil, err
	}
	return j, nil
}

// northbound reads the Northbound databases that are named, or else those that
// are found beside the Southbound databases.
func (in *Spec) northbound(ctx context.Context, southbound []string, net *network.Network) (*network.Objects, error) {
	if len(in.NBs) == 0 && in.Case != "" && !in.given("db") {
		return northbound.InCase(ctx, in.Case, in.Source, in.remade)
	}
	var all []*network.Objects
	for _, nb := range in.NBs {
		objects, err := northbound.Open(ctx, nb, in.Source, in.remade)
		if err != nil {
			return nil, fmt.Errorf("--nb: %w", err)
		}
		all = append(all, objects)
	}
	if len(in.NBs) == 0 {
		return in.beside(ctx, southbound, net), nil
	}
	return network.JoinObjects(all...), nil
}

// beside looks for the Northbound databases in what was named, which may be all that a
// cluster has, rather than beside the Southbound ones that were found in it.
func (in *Spec) beside(ctx context.Context, southbound []string, net *network.Network) *network.Objects {
	if len(in.DBs) > 0 {
		southbound = in.DBs
	}
	return northbound.Beside(ctx, southbound, in.Source, net, in.remade)
}

// Load builds the engine and opens the captures of a spec.
func (in *Spec) Load(ctx context.Context, s *recording.Spec, net *network.Network, warnings []error) (*Job, error) {
	lavish := func() {}
	if len(s.Imports)+len(s.Pins) > 0 {
		lavish = store.Frugal(ctx) // their entries are many, and stay
	}
	r, err := s.Open(ctx, net, in.files(), in.Tell)
	if err != nil {
		lavish()
		return nil, err
	}
	j := &Job{Recording: r, Spec: in, OpenFlow: s.OpenFlow, lavish: lavish}
	j.warn(warnings)
	if j.Filter, err = replay.NewFilter(j.Engine, in.Filter); err == nil {
		err = replay.KnownNames(j.Net, in.Filter)
	}
	if err != nil {
		j.Close()
		return nil, fmt.Errorf("--filter: %w", err)
	}
	return j, nil
}

// warn says what zones do not agree on, and keeps what is damaged.
func (j *Job) warn(warnings []error) {
	for _, w := range warnings {
		if _, ok := errors.AsType[*southbound.Disagreement](w); !ok {
			j.Warnings = append(j.Warnings, w)
		} else if j.Spec.DBTime != Follow { // else it is told when it is so
			j.Spec.Tell("%s", printable.Errors(w))
		}
	}
}

// LookAhead is how far behind the reading packets are replayed, so that a
// choice the datapath made at random is read from the frame that shows it.
const LookAhead = 2e9

// Ahead is LookAhead, or nothing where a capture may be live: there each packet
// is answered at once.
func (j *Job) Ahead() conntrack.Time {
	if j.Live() {
		return 0
	}
	return LookAhead
}

// Start begins the replay.
func (j *Job) Start(h replay.Handler, ahead conntrack.Time) *replay.Run {
	if j.changes != nil {
		h = replay.Handlers(&ledger.Marker{Why: j.Explainer(), Translations: j.roster != nil || j.Spec.KeepBlocks}, h)
	}
	if j.roster != nil {
		h = replay.Handlers(ledger.Noter{Why: j.Explainer(), Roster: j.roster}, h)
	}
	return j.Recording.Start(h, ahead, j.changes)
}

// Run hands every record of the captures to the session.
func (j *Job) Run(ctx context.Context, s *replay.Run) error {
	return errors.Join(j.FeedTo(ctx, s.Add, s.Flush), s.Err())
}

// FeedTo is Run with what is done with each record and at the end; it shows
// how far it is.
func (j *Job) FeedTo(ctx context.Context, add func(*pcap.Record), end func()) error {
	j.Begun = true
	output.Of(ctx).Begin()
	var screen io.Writer
	if !j.Spec.Quiet {
		screen = j.Spec.Stderr
	}
	show := output.NewProgress(screen, j.Progress)
	defer show.Clear()
	err := j.Feed(ctx, func(rec *pcap.Record) {
		add(rec)
		show.Step()
	}, end)
	show.Clear()
	b := replay.BoundsOf(j.Engine)
	b.Write(j.Spec.Stderr, "ovn-replay: ")
	err = errors.Join(err, Interrupted(ctx, show.Packets))
	if j.Spec.Explain {
		for _, t := range j.Taps {
			fmt.Fprint(j.Spec.Stderr, t.Explain())
		}
	}
	return err
}

// Keep goes on where the session in a file ended, and keeps the replay there.
// before, if not nil, gets what it holds already.
func (j *Job) Keep(ctx context.Context, session string, h replay.Handler, before Before) error {
	file, err := store.OpenSession(session, true)
	if err != nil {
		return err
	}
	if before != nil && file.Len() > 0 {
		err := archive.Check(file)
		if err == nil {
			err = archive.Each(ctx, file, 1, file.Len(), func(_ uint64, p *archive.Packet) error {
				before(&p.Frame, p.Point, &p.Outcome)
				return nil
			})
		}
		if err != nil {
			return errors.Join(err, file.Close())
		}
	}
	return errors.Join(j.KeepIn(ctx, file, h, j.Ahead()), file.Close())
}

// Before gets the packets that a session holds already.
type Before func(*replay.Frame, *replay.Point, *sim.Outcome)

// KeepIn is Keep with a file that is open, and how far behind the reading packets
// are replayed.
func (j *Job) KeepIn(ctx context.Context, file archive.File, h replay.Handler, ahead conntrack.Time) error {
	k, err := archive.Keep(file, j.Engine, j.Taps, archive.Source{Name: strings.Join(j.Sources, ", "),
		Objects: j.Objects}, h, j.Spec.Tell)
	if err != nil {
		return err
	}
	names, err := archive.Names(file)
	if err == nil {
		j.roster, err = ledger.NewRoster(j.Engine, names)
		k.Roster = j.roster
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file.Path(), err)
	}
	j.Taps, j.changes = k.Taps, k.Changes(j.changes)
	return k.Replay(j.Start(k, ahead), !j.Empty(), func(add func(*pcap.Record), end func()) error {
		return j.FeedTo(ctx, add, end)
	})
}

// On prepares the replay on another network, whose captures are this one's: they are
// handed to both.
func (j *Job) On(ctx context.Context, in *Spec) (*Job, error) {
	spec, err := in.recording()
	if err != nil {
		return nil, err
	}
	if err := in.zones(ctx, spec); err != nil {
		return nil, err
	}
	net, warnings, err := in.network(ctx, spec)
	if err != nil {
		return nil, err
	}
	r, err := j.Recording.On(net)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(spec.DBs, ", "), err)
	}
	other := &Job{Recording: r, Spec: in, Sources: spec.DBs, stop: func() {}}
	other.warn(warnings)
	if other.changes, other.stop, err = in.changes(ctx, spec.DBs); err != nil {
		r.Close()
		return nil, err
	}
	if other.Objects = in.beside(ctx, spec.DBs, net); other.Objects == nil && len(in.NBs) > 0 {
		other.Objects = j.Objects
	}
	if other.Filter, err = replay.NewFilter(other.Engine, in.Filter); err != nil {
		other.Close()
		return nil, fmt.Errorf("--filter: %w", err)
	}
	return other, nil
}

// Damaged is what was wrong with the inputs though the rest was used, nil if
// nothing was.
func (j *Job) Damaged() error { return errors.Join(j.Warnings...) }

// Interruption is the error of a replay that was interrupted: what was done is
// written, but the rest is not known.
type Interruption struct {
	Packets int
	Cause   error // the context's
}

// Error implements error.
func (i *Interruption) Error() string {
	return "interrupted after " + printable.Count(i.Packets, "packet") + ": no verdict"
}

// Interrupted returns the error of a replay that a context ended after so many
// packets: nil if it did not, or if it ended because nothing can be written.
func Interrupted(ctx context.Context, packets int) error {
	if ctx.Err() == nil || errors.As(context.Cause(ctx), new(*output.Error)) {
		return nil
	}
	return &Interruption{packets, context.Cause(ctx)}
}

// Explainer explains the job's packets.
func (j *Job) Explainer() *why.Explainer {
	x := why.New(j.Engine, j.Objects)
	x.Past = j.past
	return x
}

// Close closes the captures, and ends the following of the database.
func (j *Job) Close() {
	if j.stop != nil {
		j.stop()
	}
	if j.lavish != nil {
		j.lavish()
	}
	j.Recording.Close()
}
