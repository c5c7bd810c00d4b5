package northbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"ovnreplay/sim/network"
	"ovnreplay/store"
)

// The file of a server's database holds what it was before: rows that went, and what others
// said. A packet of then met flows that were made of those.

// withPast reads a database and, where its history tells, what its rows were before; where it does
// not, that they were another.
func withPast(ctx context.Context, source string, opts store.Options, remade Remade) (*network.Objects, error) {
	if !store.HasHistory(source) {
		db, err := store.Open(ctx, source, opts)
		if err != nil {
			return nil, err
		}
		objects, err := Load(db)
		if err != nil {
			return nil, err
		}
		return network.NewObjects(objects.Source, remade.note(objects.All, time.Time{})), nil
	}
	h, err := store.OpenHistory(ctx, source, opts)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	if _, err := h.Until(time.Time{}); err != nil { // what was there when the history begins
		return nil, err
	}
	begins, err := h.NextTime()
	if err != nil && !errors.Is(err, io.EOF) {
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
	all := remade.note(append(was, now.objects()...), begins)
	return network.NewObjects(h.Database().Source, all), ctx.Err()
}

// Remade tells when the logical flows of a row were last made of something else, by the beginning of
// its UUID. A database that has no history of that time knows the row as it became.
type Remade map[string]time.Time

// hintLen is how much of a row's UUID logical flows have.
const hintLen = 8

// note adds to rows that were another before a database's history begins, at no known time if it has none, a
// state of before that says so.
func (r Remade) note(all []*network.Object, begins time.Time) []*network.Object {
	first := map[string]*network.Object{} // of each row the first state that is known
	for _, o := range all {
		if was := first[o.UUID]; was == nil || o.Until != 0 && (was.Until == 0 || o.Until < was.Until) {
			first[o.UUID] = o
		}
	}
	for _, o := range slices.Clone(all) {
		at, remade := r[o.UUID[:min(hintLen, len(o.UUID))]]
		if first[o.UUID] != o || !remade || !begins.IsZero() && at.After(begins) {
			continue
		}
		was := *o
		was.Until = at.UnixNano()
		said := fmt.Sprintf("as of the snapshot, after a change at %s: ", at.UTC().Format(time.RFC3339))
		was.Text = said + o.Text
		if len(o.Parts) > 0 {
			was.Lead = said + o.Lead
		}
		all = append(all, &was)
	}
	return all
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
