package southbound

import (
	"context"
	"time"

	"ovnreplay/sim/network"
	"ovnreplay/store"
)

// Follower gives the network of each moment of a database file's history.
// Standalone and clustered files hold every transaction since they were last
// compacted; the first of them stands for all the time before it.
type Follower struct {
	history *store.History
	net     *network.Network
}

// Follow opens a database file to follow its history. Close it after use.
func Follow(ctx context.Context, source string, opts store.Options) (*Follower, error) {
	h, err := store.OpenHistory(ctx, source, opts)
	if err != nil {
		return nil, err
	}
	return &Follower{history: h}, nil
}

// At returns the network as of time t, which must not be before that of the
// last call. changed tells that it is another Network than the last call's;
// it was loaded anew, and nothing of the former can be used with it.
func (f *Follower) At(t time.Time) (net *network.Network, changed bool, err error) {
	changes, err := f.history.Until(t)
	if err != nil {
		return nil, false, err
	}
	if f.net != nil && !Affects(changes) {
		return f.net, false, nil
	}
	if f.net, err = Load(f.history.Database()); err != nil {
		return nil, false, err
	}
	return f.net, true, nil
}

// Next is the time at which the database changes next, for whatever reason;
// ok is false when it changes no more.
func (f *Follower) Next() (t time.Time, ok bool) {
	t, err := f.history.NextTime()
	return t, err == nil
}

// Warnings tells what of the file was not used. It is complete once Next
// returned false.
func (f *Follower) Warnings() []error { return f.history.Database().Warnings }

// Close releases the file.
func (f *Follower) Close() { f.history.Close() }
