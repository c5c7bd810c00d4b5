package trace_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"ovnreplay/sim"
	"ovnreplay/sim/job"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/trace"
	"ovnreplay/testdata/golden"
)

// shown are packets whose traces have something of each kind: by case, numbers from
// 1 as they entered.
var shown = map[string][]int{
	"nodeport":               {1, 2}, // NAT there and back
	"kube-sctp":              {1},    // another protocol
	"cloud-arp-nd":           {2},    // ARP, neighbour solicitations
	"cloud-ecmp":             {1, 4}, // select
	"cloud-dhcpv4":           {1},    // options, an answer
	"cloud-dns":              {1},    // a look-up
	"cloud-sg-reject-in":     {1},    // a verdict, a block
	"cloud-lb-affinity":      {1, 5}, // what was learned
	"cloud-flood":            {1},    // a group
	"cloud-dhcpv6-ra":        {2},    // IPv6
	"kube-acl-verdicts":      {2},    // logs
	"cloud-fragments":        {2},    // fragments
	"cloud-frag-needed":      {3},    // check_pkt_larger, an error
	"kube-cold-egress":       {1},    // held
	"cloud-commit-all-26.03": {1},
	"cloud-l3-geneve":        {1}, // chassis
	"kube-forged-mac":        {1}, // drops
	"cloud-unknown":          {1}, // FDB
}

// writer writes traces in every form.
type writer struct {
	t     *testing.T
	book  *trace.Book
	n     int
	which []int
	out   bytes.Buffer
}

func (w *writer) Entered(f *replay.Frame, p *replay.Point, out *sim.Outcome) {
	w.n++
	asked := false
	for _, n := range w.which {
		asked = asked || n == w.n
	}
	tree := w.book.Tree(&out.Trace)
	lines := map[trace.Format]int{}
	var detailed string
	for _, form := range []trace.Format{trace.DetailedFormat, trace.SummaryFormat, trace.MinimalFormat} {
		var text strings.Builder
		if err := trace.WriteTree(&text, tree, form); err != nil {
			w.t.Fatal(err)
		}
		lines[form] = strings.Count(text.String(), "\n")
		if form == trace.DetailedFormat {
			detailed = text.String()
		}
		if asked {
			fmt.Fprintf(&w.out, "# packet %d at %s, form %d\n%s", w.n, p.Name(), form, text.String())
		}
	}
	// What is seen from outside is less than what was done, that less than why; and
	// no packet leaves that is not told.
	if lines[trace.MinimalFormat] > lines[trace.SummaryFormat] {
		w.t.Errorf("packet %d: the minimal form is longer than the summary", w.n)
	}
	if len(out.Outputs) > 0 && !strings.Contains(detailed, "output") {
		w.t.Errorf("packet %d leaves, and its trace says no output:\n%s", w.n, detailed)
	}
	if text, err := json.Marshal(w.book.JSON(&out.Trace, tree)); err != nil {
		w.t.Error(err)
	} else if w.n == w.which[0] {
		fmt.Fprintf(&w.out, "# JSON\n%s\n", text)
	}
}

func (w *writer) Observed(*replay.Frame, *replay.Point)        {}
func (w *writer) Skipped(*replay.Frame, *replay.Point, string) {}

// Traces of recorded packets, in ovn-trace's forms and as JSON. That the forms are
// ovn-trace's own is compared with it by "make parity".
func TestRecordedTraces(t *testing.T) {
	t.Parallel()
	for name, which := range shown {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := job.Spec{Case: filepath.Join("..", "..", "testdata", "cases", name), Stderr: io.Discard, Quiet: true}
			j, err := in.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer j.Close()
			w := &writer{t: t, book: j.Engine.Book(), which: which}
			if err := j.Run(t.Context(), j.Start(w, job.LookAhead)); err != nil {
				t.Fatal(err)
			}
			if w.out.Len() == 0 {
				t.Fatalf("only %d packets entered", w.n)
			}
			golden.Equal(t, filepath.Join("testdata", name+".txt"), w.out.Bytes())
		})
	}
}
