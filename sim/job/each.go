package job

import (
	"context"
	"errors"
	"fmt"

	"ovnreplay/conntrack"
	"ovnreplay/sim/archive"
	"ovnreplay/sim/ledger"
	"ovnreplay/sim/network"
	"ovnreplay/sim/printable"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
	"ovnreplay/store"
)

// Make makes a handler of packets; the job is nil for those of a session.
type Make func(*why.Explainer, *Job) (replay.Handler, error)

// Each hands every packet to a handler: of the session that is named, as they
// were kept, or else, if that is "", by replaying. make is called once, before the
// first.
func (in *Spec) Each(ctx context.Context, session string, make Make) error {
	if session != "" {
		if err := in.BesideSession(); err != nil {
			return err
		}
		return kept(ctx, session, make)
	}
	j, err := in.Open(ctx)
	if err != nil {
		return err
	}
	defer j.Close()
	h, err := make(j.Explainer(), j)
	if err != nil {
		return err
	}
	return errors.Join(j.Run(ctx, j.Start(h, j.Ahead())), j.Damaged())
}

// OpenKept opens a session whose packets are to be read.
func OpenKept(path string) (*store.Session, error) {
	file, err := store.OpenSession(path, false)
	if err != nil {
		return nil, err
	}
	if err := archive.Check(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// kept reads the packets of a session.
func kept(ctx context.Context, session string, make Make) error {
	file, err := OpenKept(session)
	if err != nil {
		return err
	}
	defer file.Close()
	names, err := archive.Names(file)
	if err != nil {
		return err
	}
	named, err := ledger.ReadRoster(names)
	if err != nil {
		return fmt.Errorf("%s: %w", file.Path(), err)
	}
	x := &why.Explainer{Book: &trace.Book{Net: &network.Network{}}, Names: named.At}
	h, err := make(x, nil)
	if err != nil {
		return err
	}
	return archive.Each(ctx, file, 1, file.Len(), func(_ uint64, p *archive.Packet) error {
		x.Book, x.Objects, x.KeptElsewhere = p.Book, p.Objects, p.Elsewhere
		if p.Frame.File == "" {
			p.Frame.File = p.Capture
		}
		p.Outcome.Of.Frame, p.Outcome.Of.Time = p.Frame.Data, p.Frame.Time
		h.Entered(&p.Frame, p.Point, &p.Outcome)
		return nil
	})
}

// Listings returns the connections that the engine has now, of one chassis and one zone if
// they are named.
func (j *Job) Listings(chassis, zone string) (list []conntrack.Listing, err error) {
	only := j.Net.ChassisByName(chassis)
	if only == nil && chassis != "" {
		return nil, fmt.Errorf("--chassis: %w", j.Net.NoChassis(chassis))
	}
	for _, c := range j.Net.Chassis {
		if only == nil || c == only {
			name := func(zone uint16) string { return j.Engine.ZoneName(int32(c.Index), zone) }
			list = append(list, conntrack.List(j.Engine.Conntrack(c), printable.Line(c.Name), zone, name))
		}
	}
	return list, nil
}
