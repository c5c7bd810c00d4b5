package southbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"ovnreplay/store"
)

// Remade tells when logical flows that were made of a Northbound row were last made of something else: by
// the beginning of the row's UUID, as flows note it. Before that moment the row was not what it is since.
type Remade map[string]time.Time

// RemadeSince reads of the histories of database files which flows were made anew after a moment. Sources that
// are no files have none.
func RemadeSince(ctx context.Context, sources []string, opts store.Options, from time.Time) (Remade, error) {
	all := Remade{}
	for _, source := range sources {
		if !store.HasHistory(source) {
			continue
		}
		if err := all.read(ctx, source, opts, from); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (r Remade) read(ctx context.Context, source string, opts store.Options, from time.Time) error {
	h, err := store.OpenHistory(ctx, source, opts)
	if err != nil {
		return err
	}
	defer h.Close()
	if _, err := h.Until(from); err != nil {
		return err
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		t, err := h.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		r.follow(t)
	}
}

// place is where flows of one row are comparable: northd makes one of a row for each of its parts, and puts
// another in its place when that part changes.
type place struct{ hint, stage string }

// follow notes the rows of which a transaction took flows away and put others in their place.
func (r Remade) follow(t *store.Transaction) {
	gone, came := map[place]map[string]bool{}, map[place]map[string]bool{}
	note := func(to map[place]map[string]bool, row *store.Row) {
		if row == nil {
			return
		}
		p := place{row.Get("external_ids", "stage-hint"), row.Get("external_ids", "stage-name")}
		if p.hint == "" {
			return
		}
		if to[p] == nil {
			to[p] = map[string]bool{}
		}
		to[p][fmt.Sprintln(row.Integer("priority"), row.Text("match"), row.Text("actions"))] = true
	}
	for _, c := range t.Changes {
		if c.Table == "Logical_Flow" {
			note(gone, c.Old)
			note(came, c.New)
		}
	}
	for p, were := range gone {
		if differ(were, came[p]) && differ(came[p], were) && t.Time.After(r[p.hint]) {
			r[p.hint] = t.Time
		}
	}
}

// differ reports whether one has what the other has not.
func differ(one, other map[string]bool) bool {
	for s := range one {
		if !other[s] {
			return true
		}
	}
	return false
}
