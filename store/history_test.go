package store

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"
)

func TestHistoryUntil(t *testing.T) {
	t.Parallel()
	path := write(t, "sb.db", strings.Join(small(), ""))
	at := func(ms int64) time.Time { return time.UnixMilli(ms) }
	for _, c := range []struct {
		ms      int64
		changes []string // as told by Until
		units   string   // Meter rows' name/unit at that time
		next    int64
	}{
		{0, nil, "first/", 2000},
		{1999, nil, "first/", 2000},
		{2000, []string{"modify " + uuidA + " unit"}, "first/kbps", 3000},
		{5000, []string{"modify " + uuidA + " unit", "insert " + uuidB + " "}, "first/kbps second/", 0},
	} {
		h, err := OpenHistory(context.Background(), path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		changes, err := h.Until(at(c.ms))
		if err != nil {
			t.Fatal(err)
		}
		var told, units []string
		for _, ch := range changes {
			told = append(told, ch.What()+" "+ch.UUID.String()+" "+strings.Join(ch.Columns(), ","))
		}
		for _, r := range h.Database().Table("Meter").Rows() {
			units = append(units, r.Text("name")+"/"+r.Text("unit"))
		}
		if strings.Join(told, ";") != strings.Join(c.changes, ";") || strings.Join(units, " ") != c.units {
			t.Errorf("until %d ms: %q, then %q", c.ms, told, units)
		}
		next, err := h.NextTime()
		if c.next == 0 && err != io.EOF || c.next != 0 && (err != nil || !next.Equal(at(c.next))) {
			t.Errorf("until %d ms: the next is of %v, %v", c.ms, next, err)
		}
		h.Close()
	}
}

// A clone stays as it was.
func TestClone(t *testing.T) {
	t.Parallel()
	h, err := OpenHistory(context.Background(), write(t, "sb.db", strings.Join(small(), "")), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if _, err := h.Next(); err != nil {
		t.Fatal(err)
	}
	was := h.Database().Clone()
	if _, err := h.Until(time.UnixMilli(9000)); err != nil {
		t.Fatal(err)
	}
	if r := was.Table("Meter").Rows(); len(r) != 1 || r[0].Has("unit") || was.Transactions != 1 {
		t.Errorf("the clone has %d rows, unit %q", len(r), r[0].Text("unit"))
	}
	if r := h.Database().Table("Meter").Rows(); len(r) != 2 || r[0].Text("unit") != "kbps" {
		t.Errorf("the database has %d rows, unit %q", len(r), r[0].Text("unit"))
	}
}

func mustHistory(t *testing.T, path string) *History {
	t.Helper()
	h, err := OpenHistory(context.Background(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}
