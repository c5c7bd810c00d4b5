package southbound

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"ovnreplay/store"
)

// The recording gave a load balancer another backend, and replaced rows: only of a row that stayed the flows
// were made of something else.
func TestRemade(t *testing.T) {
	t.Parallel()
	source := "../../testdata/reports/23.03/network-changes/sb.db.gz"
	changed := time.Date(2026, 11, 28, 10, 13, 57, 0, time.UTC)
	list, err := RemadeSince(context.Background(), []string{"unix:/none", source}, store.Options{}, changed)
	if err != nil {
		t.Fatal(err)
	}
	past, err := OpenPasts(context.Background(), []string{source}, store.Options{}, changed)
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(list, past.Remade) {
		t.Errorf("the past has %v, the history %v", past.Remade, list)
	}
	const balancer = "ab3c502f"
	if hints := slices.Collect(maps.Keys(list)); !slices.Equal(hints, []string{balancer}) ||
		list[balancer].Truncate(time.Second) != changed {
		t.Errorf("remade are %v, want load balancer %s at %v", list, balancer, changed)
	}
	after := changed.Add(time.Minute)
	list, err = RemadeSince(context.Background(), []string{source}, store.Options{}, after)
	if err != nil || len(list) > 0 {
		t.Errorf("after the recording %v (%v), want none", list, err)
	}
}
