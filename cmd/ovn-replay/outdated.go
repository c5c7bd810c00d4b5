package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"ovnreplay/conntrack"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/southbound"
)

// byHistory says which differences a change of the database explains: those
// that are gone when the packets meet the network of their own moment. It
// replays once more, and only if the database file holds such changes.
func (o *verifyOptions) byHistory(ctx context.Context, j *job, r *replay.Report) {
	lists := [][]replay.Item{r.Mismatched, r.Missing, r.Unexpected}
	if r.OK() || r.Interrupted || r.Unverified != "" || !o.moment.still() || o.moment.watch || j.Live() || !changedSince(ctx, o, j.sources, earliest(lists)) {
		return
	}
	again := *o
	again.moment.dbTime = follows
	again.explain = false
	j2, err := again.open(ctx)
	if err != nil {
		return // what could not be opened a second time explains nothing
	}
	defer j2.close()
	v := replay.NewVerifier(replay.VerifyOptions{Window: conntrack.Time(o.window), Ignore: o.ignore, Strict: o.strict})
	if err := j2.feed(ctx, j2.session(v, lookAhead)); err != nil {
		return
	}
	followed := v.Finish()
	still := map[itemKey]bool{}
	for _, list := range [][]replay.Item{followed.Mismatched, followed.Missing, followed.Unexpected} {
		for i := range list {
			still[keyOfItem(&list[i])] = true
		}
	}
	for _, list := range lists {
		for i := range list {
			if !still[keyOfItem(&list[i])] {
				r.Outdated++
				list[i].Reason = fmt.Sprintf("the database changed meanwhile: with --db-time follow there is no difference here (%s)", list[i].Reason)
			}
		}
	}
}

type itemKey struct {
	capture string
	frame   int
	port    string
}

func keyOfItem(it *replay.Item) itemKey { return itemKey{it.Capture, it.Frame, it.Port} }

func earliest(lists [][]replay.Item) conntrack.Time {
	first := replay.Moment(math.MaxInt64)
	for _, list := range lists {
		for i := range list {
			first = min(first, list[i].Time)
		}
	}
	return conntrack.Time(first)
}

// lead is how long before a difference a change may have come that led to it:
// connections live on with what was decided when they began.
const lead = 10 * time.Minute

// changedSince reports whether the database is a file that changed after a
// moment, or shortly before.
func changedSince(ctx context.Context, o *verifyOptions, sources []string, t conntrack.Time) bool {
	f, err := southbound.Follow(ctx, sources, o.source)
	if err != nil {
		return false // not a file with a history
	}
	defer f.Close()
	if _, _, err := f.At(time.Unix(0, int64(t)).Add(-lead)); err != nil {
		return false
	}
	_, ok := f.Next()
	return ok
}
