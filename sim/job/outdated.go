package job

import (
	"context"
	"fmt"
	"math"
	"time"

	"ovnreplay/conntrack"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/southbound"
)

// ByHistory says which differences a change of the database explains: those
// that are gone when the packets meet the network of their own moment. It
// replays once more, and only if the database file holds such changes.
func (j *Job) ByHistory(ctx context.Context, opts replay.VerifyOptions, r *replay.Report) {
	lists := [][]replay.Item{r.Mismatched, r.Missing, r.Unexpected}
	if r.OK() || r.Interrupted || r.Unverified != "" || !j.Spec.still() || j.Spec.Watch || j.Live() ||
		!j.changedSince(ctx, earliest(lists)) {
		return
	}
	again := *j.Spec
	again.DBTime = Follow
	again.Explain = false
	j2, err := again.Open(ctx)
	if err != nil {
		return // what could not be opened a second time explains nothing
	}
	defer j2.Close()
	v := replay.NewVerifier(replay.VerifyOptions{Window: opts.Window, Ignore: opts.Ignore, Strict: opts.Strict})
	if err := j2.Run(ctx, j2.Start(v, LookAhead)); err != nil {
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
				list[i].Reason = fmt.Sprintf("the database changed meanwhile: with --db-time follow there is no "+
					"difference here "+
					"(%s)", list[i].Reason)
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
func (j *Job) changedSince(ctx context.Context, t conntrack.Time) bool {
	f, err := southbound.Follow(ctx, j.Sources, j.Spec.Source)
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
