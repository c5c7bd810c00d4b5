package southbound

import (
	"context"
	"io"
	"slices"
	"time"

	"ovnreplay/sim/network"
	"ovnreplay/store"
)

// Follower gives the network of each moment of a database file's history, or of
// several zones' files joined. Standalone and clustered files hold every
// transaction since they were last compacted; the first of them stands for all
// the time before it.
//
// A zone of several may be known at one moment only, as a server or a snapshot tells
// it: it stays as it is.
type Follower struct {
	zones   []zone
	net     *network.Network
	since   time.Time
	begins  time.Time // see Begins
	discord []network.Problem
}

// zone is a database that is followed, or one that has no history.
type zone struct {
	*store.History
	fixed *store.Database
}

// Database is the database as it is at the moment.
func (z zone) Database() *store.Database {
	if z.History == nil {
		return z.fixed
	}
	return z.History.Database()
}

// Follow opens database files to follow their history. Close it after use.
func Follow(ctx context.Context, sources []string, opts store.Options) (*Follower, error) {
	f := &Follower{}
	for _, source := range sources {
		var z zone
		var err error
		if len(sources) > 1 && !store.HasHistory(source) && slices.ContainsFunc(sources, store.HasHistory) {
			z.fixed, err = store.Open(ctx, source, opts)
		} else {
			z.History, err = store.OpenHistory(ctx, source, opts)
		}
		if err != nil {
			f.Close()
			return nil, err
		}
		f.zones = append(f.zones, z)
	}
	return f, nil
}

// histories are the zones that have one.
func (f *Follower) histories(yield func(*store.History) bool) {
	for _, z := range f.zones {
		if z.History != nil && !yield(z.History) {
			return
		}
	}
}

// At returns the network as of time t, which must not be before that of the
// last call; or as of a moment before, if a port was unbound then: it is to be
// called again until nothing has changed. changed tells that it is another Network than the last call's;
// it was loaded anew, and nothing of the former can be used with it.
func (f *Follower) At(t time.Time) (net *network.Network, changed bool, err error) {
	for h := range f.histories {
		for {
			next, err := h.NextTime()
			if err == io.EOF || h.Database().Transactions > 0 && next.After(t) {
				break
			}
			if err != nil {
				return nil, false, err
			}
			if h.Database().Transactions == 0 && next.After(t) {
				f.begins = latest(f.begins, next)
			}
			// The first record is there at any time, and dates need not ascend.
			changes, err := h.Until(earlier(next, t))
			if err != nil {
				return nil, false, err
			}
			if Affects(changes) {
				changed = true
				f.since = latest(f.since, next)
			}
			if f.net != nil && Unbinds(changes) {
				break
			}
		}
	}
	if f.net != nil && !changed {
		return f.net, false, nil
	}
	nets := make([]*network.Network, len(f.zones))
	for i, z := range f.zones {
		if nets[i], err = Load(z.Database()); err != nil {
			return nil, false, err
		}
	}
	known := problems(nets)
	if f.net, err = network.Join(nets...); err != nil {
		return nil, false, err
	}
	f.discord = f.net.Problems[known:]
	return f.net, true, nil
}

// Disagreements are what the zones do not agree on in the network that At returned last.
func (f *Follower) Disagreements() (all []error) {
	for _, p := range f.discord {
		all = append(all, &Disagreement{p})
	}
	return all
}

// Begins is when the history begins that knows least, if that was after the moment that
// At was asked for first; else zero.
func (f *Follower) Begins() time.Time { return f.begins }

// Since is when the network became what At returned last; zero if no transaction tells.
func (f *Follower) Since() time.Time { return f.since }

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Next is the time at which the database changes next, for whatever reason;
// ok is false when it changes no more.
func (f *Follower) Next() (t time.Time, ok bool) {
	for h := range f.histories {
		if next, err := h.NextTime(); err == nil && (!ok || next.Before(t)) {
			t, ok = next, true
		}
	}
	return t, ok
}

// Rest reads on to the end, and tells how many transactions change the network yet. At is
// not to be called after it.
func (f *Follower) Rest(ctx context.Context) (changes int, err error) {
	for h := range f.histories {
		for {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			t, err := h.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				return 0, err
			}
			if Affects(t.Changes) {
				changes++
			}
		}
	}
	for i, z := range f.zones {
		f.net.AZs[i].States = z.Database().Transactions
	}
	return changes, nil
}

// Warnings tells what of the file was not used. It is complete once Next
// returned false.
func (f *Follower) Warnings() (all []error) {
	for _, z := range f.zones {
		all = append(all, z.Database().Warnings...)
	}
	return all
}

// Close releases the files.
func (f *Follower) Close() {
	for h := range f.histories {
		h.Close()
	}
}
