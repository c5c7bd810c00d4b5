package inventory

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"ovnreplay/sim/printable"
	"ovnreplay/store"
)

// Transaction is what a transaction did, for people and machines.
type Transaction struct {
	Form
	Record  int      `json:"record"`
	Time    string   `json:"time,omitempty"`
	Comment string   `json:"comment,omitempty"`
	Changes []Change `json:"changes"`

	counted string
}

// Change is one row of it.
type Change struct {
	Table   string   `json:"table"`
	UUID    string   `json:"uuid"`
	What    string   `json:"what"` // insert, modify, delete
	Columns []string `json:"columns,omitempty"`
}

// OfTransaction describes a transaction of a database's history.
func OfTransaction(t *store.Transaction) *Transaction {
	s := &Transaction{Form: form, Record: t.Record, Comment: t.Comment, Changes: []Change{},
		counted: counted(t.Changes)}
	if !t.Time.IsZero() {
		s.Time = t.Time.Format("2006-01-02T15:04:05.000Z07:00")
	}
	for _, c := range t.Changes {
		s.Changes = append(s.Changes, Change{c.Table, c.UUID.String(), c.What(), c.Columns()})
	}
	return s
}

// Write writes it for people.
func (s *Transaction) Write(w io.Writer) {
	printable.Fprintf(w, "record %d  %s  %s\n", s.Record, cmp.Or(s.Time, "time unknown"), s.counted)
	if s.Comment != "" {
		for line := range strings.Lines(strings.TrimSpace(s.Comment)) {
			printable.Fprintf(w, "    comment: %s\n", strings.TrimSuffix(line, "\n"))
		}
	}
}

// counted counts changes by table.
func counted(changes []store.Change) string {
	type counts struct{ insert, modify, delete int }
	var tables []string
	by := make(map[string]*counts)
	for _, c := range changes {
		if by[c.Table] == nil {
			tables = append(tables, c.Table)
			by[c.Table] = &counts{}
		}
		switch c.What() {
		case "insert":
			by[c.Table].insert++
		case "delete":
			by[c.Table].delete++
		default:
			by[c.Table].modify++
		}
	}
	if len(tables) == 0 {
		return "nothing changed"
	}
	var parts []string
	for _, t := range tables {
		text := t
		for _, n := range []struct {
			sign  string
			count int
		}{{"+", by[t].insert}, {"~", by[t].modify}, {"-", by[t].delete}} {
			if n.count > 0 {
				text += fmt.Sprintf(" %s%d", n.sign, n.count)
			}
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}
