package replay_test

import (
	"context"
	"fmt"

	"ovnreplay/sim/recording"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

// A recorded case is replayed, and what left OVN held against the prediction.
func Example() {
	ctx, files := context.Background(), recording.Files{Open: store.OpenFile}
	spec := must(recording.ReadCase("../../testdata/cases/nodeport", files))
	net, _, err := southbound.OpenAll(ctx, spec.DBs, store.Options{}, nil)
	if err != nil {
		panic(err)
	}
	r := must(spec.Open(ctx, net, files, nil))
	defer r.Close()

	v := replay.NewVerifier(replay.VerifyOptions{})
	s := r.Start(v, 2e9, nil) // it looks two seconds ahead for what OVN chose at random
	if err := r.Feed(ctx, s.Add, s.Flush); err != nil {
		panic(err)
	}
	report := v.Finish()
	fmt.Println(report.Packets, "packets,", report.Entered, "entered,", report.Matched, "of", report.Observed,
		"matched:", report.OK())
	// Output: 42 packets, 21 entered, 20 of 21 matched: true
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
