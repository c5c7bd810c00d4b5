package southbound

import (
	"context"
	"io"
	"time"

	"ovnreplay/sim/network"
	"ovnreplay/store"
)

// Follower gives the network of each moment of a database file's history, or of
// several zones' files joined. Standalone and clustered files hold every
// transaction since they were last compacted; the first of them stands for all
// the time before it.
type Follower struct {
	histories []*store.History
	net       *network.Network
	since     time.Time
	begins    time.Time // see Begins
}

// Follow opens database files to follow their history. Close it after use.
func Follow(ctx context.Context, sources []string, opts store.Options) (*Follower, error) {
	f := &Follower{}
	for _, source := range sources {
		h, err := store.OpenHistory(ctx, source, opts)
		if err != nil {
			f.Close()
			return nil, err
		}
		f.histories = append(f.histories, h)
	}
	return f, nil
}

// At returns the network as of time t, which must not be before that of the
// last call; or as of a moment before, if a port was unbound then: it is to be
// called again until nothing has changed. changed tells that it is another Network than the last call's;
// it was loaded anew, and nothing of the former can be used with it.
func (f *Follower) At(t time.Time) (net *network.Network, changed bool, err error) {
	for _, h := range f.histories {
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
	nets := make([]*network.Network, len(f.histories))
	for i, h := range f.histories {
		if nets[i], err = Load(h.Database()); err != nil {
			return nil, false, err
		}
	}
	f.net, err = network.Join(nets...)
	return f.net, true, err
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
	for _, h := range f.histories {
		if next, err := h.NextTime(); err == nil && (!ok || next.Before(t)) {
			t, ok = next, true
		}
	}
	return t, ok
}

// Warnings tells what of the file was not used. It is complete once Next
// returned false.
func (f *Follower) Warnings() (all []error) {
	for _, h := range f.histories {
		all = append(all, h.Database().Warnings...)
	}
	return all
}

// Close releases the files.
func (f *Follower) Close() {
	for _, h := range f.histories {
		h.Close()
	}
}
