package northbound

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"ovnreplay/sim/network"
	"ovnreplay/store"
)

// The file of a server's database holds what it was before: rows that went, and what others
// said. A packet of then met flows that were made of those.

// withPast reads a database and, where its history tells, what its rows were before.
func withPast(ctx context.Context, source string, opts store.Options) (*network.Objects, error) {
	if !store.HasHistory(source) {
		db, err := store.Open(ctx, source, opts)
		if err != nil {
			return nil, err
		}
		return Load(db)
	}
	h, err := store.OpenHistory(ctx, source, opts)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	if _, err := h.Until(time.Time{}); err != nil { // what was there when the history begins
		return nil, err
	}
	l := loader{db: h.Database(), of: map[store.UUID]string{}}
	l.parents()
	var was []*network.Object
	for ctx.Err() == nil {
		t, err := h.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		if was = l.changed(was, t); len(was) > 2*maxPast {
			was = slices.Clone(was[len(was)-maxPast:])
		}
	}
	now := loader{db: h.Database(), of: map[store.UUID]string{}}
	now.parents()
	return network.NewObjects(h.Database().Source, append(was, now.objects()...)), ctx.Err()
}

// maxPast is how many states of before are kept, the last ones.
const maxPast = 1 << 14

// changed adds what rows were until a transaction, and notes to whom those after it belong.
func (l *loader) changed(was []*network.Object, t *store.Transaction) []*network.Object {
	for _, c := range t.Changes {
		for _, k := range kinds {
			if k.table != c.Table || c.Old == nil || t.Time.IsZero() {
				continue
			}
			old := l.object(k.table, c.Old, k.text)
			if c.New == nil || l.object(k.table, c.New, k.text).String() != old.String() {
				old.Until = t.Time.UnixNano()
				was = append(was, old)
			}
		}
	}
	for _, c := range t.Changes {
		for _, o := range owners {
			if o.table == c.Table && c.New != nil {
				l.adopt(c.New, o.word, o.columns)
			}
		}
	}
	return was
}

// adopt notes that what a row names belongs to it, unless it does to another.
func (l *loader) adopt(r *store.Row, word, columns string) {
	for column := range strings.FieldsSeq(columns) {
		for u := range r.Refs(column) {
			if l.of[u] == "" {
				l.of[u] = word + " " + called(r)
			}
		}
	}
}
