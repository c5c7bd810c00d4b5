package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ovnreplay/pcap"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/trace"
	"ovnreplay/store"
)

// replaySpec replays what a spec says and returns the JSON that run prints;
// with a session it goes on there.
func replaySpec(t *testing.T, s *spec, session string) string {
	t.Helper()
	ctx := context.Background()
	net, warnings, err := openNetwork(ctx, s.db, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var talk, out bytes.Buffer
	j, err := (&input{stderr: &talk, noAlign: true}).load(ctx, s, net, warnings)
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	p := &printer{job: j, out: bufio.NewWriter(&out), format: trace.JSONFormat, book: bookOf(j.engine)}
	feed := j.feed
	var h replay.Handler = p
	if session != "" {
		file, err := openSession(session)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		k, err := j.keep(file.Session, p)
		if err != nil {
			t.Fatal(err)
		}
		h, feed = k, k.feed
	}
	if err := errors.Join(feed(ctx, j.session(h, 0)), p.err, p.out.Flush()); err != nil {
		t.Fatal(err)
	}
	if said := talk.String(); said != "" && !strings.Contains(said, "hold") {
		t.Errorf("it says %q", talk.String())
	}
	return out.String()
}

// cutCase cuts the captures of a case into files of so many packets each, in
// the order of their times, and returns a spec for each cut.
func cutCase(t *testing.T, s *spec, packets int) []*spec {
	t.Helper()
	type record struct {
		capture int
		rec     pcap.Record
	}
	var all []record
	for i, c := range s.captures {
		r, err := pcap.Open(c.file)
		if err != nil {
			t.Fatal(err)
		}
		for {
			var rec pcap.Record
			if err := r.Next(&rec); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			rec.Data = bytes.Clone(rec.Data)
			all = append(all, record{i, rec})
		}
		r.Close()
	}
	slices.SortStableFunc(all, func(a, b record) int { return int(a.rec.Time - b.rec.Time) })
	dir := t.TempDir()
	var cuts []*spec
	for n := 0; len(all) > 0; n++ {
		part := all[:min(packets, len(all))]
		all = all[len(part):]
		cut := *s
		cut.captures = nil
		for i, c := range s.captures {
			var buf bytes.Buffer
			link := pcap.LinkEthernet
			for _, r := range part {
				if r.capture == i {
					link = r.rec.LinkType
				}
			}
			w, err := pcap.NewClassicWriter(&buf, pcap.ClassicOptions{LinkType: link})
			if err != nil {
				t.Fatal(err)
			}
			empty := true
			for _, r := range part {
				if r.capture == i {
					empty = false
					if err := w.WritePacket(r.rec.Time, r.rec.Data, r.rec.OrigLen); err != nil {
						t.Fatal(err)
					}
				}
			}
			w.Flush()
			c.file = filepath.Join(dir, fmt.Sprintf("%d-%s-%d.pcap", i, filepath.Base(c.file), n))
			if !empty || c.port != "" || c.kind != 0 {
				cut.captures = append(cut.captures, c)
			}
			if err := os.WriteFile(c.file, buf.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cuts = append(cuts, &cut)
	}
	return cuts
}

// sessionCases are those that the tests below use: TCP, UDP and ICMP through
// NAT and without, packets that wait, fragments, learning, several chassis.
var sessionCases = []string{
	"nodeport", "egress-snat-26.03", "seed-21.12", "udp-service", "icmp", "kube-cold-egress", "kube-fragments",
	"kube-affinity", "kube-idle", "cloud-snat", "cloud-cold", "cloud-fragments", "kube-known-connections",
}

// TestSessionGoesOn cuts cases at every third packet: replayed run by run with
// a session they give, byte for byte, what one run gives.
func TestSessionGoesOn(t *testing.T) {
	for _, name := range sessionCases {
		t.Run(name, func(t *testing.T) {
			s, err := readCase(filepath.Join(cases, name))
			if err != nil {
				t.Fatal(err)
			}
			cuts := cutCase(t, s, 3)
			whole := *s
			whole.captures = nil
			for _, c := range cuts {
				whole.captures = append(whole.captures, c.captures...)
			}
			want := replaySpec(t, &whole, "")
			session := filepath.Join(t.TempDir(), "s.db")
			var got strings.Builder
			for _, c := range cuts {
				got.WriteString(replaySpec(t, c, session))
			}
			end := *s
			end.captures = nil
			got.WriteString(replaySpec(t, &end, session))
			sameLines(t, "run by run", got.String(), want)
			status, shown, errs := replayed(t, "show", session, "--json")
			if status != exitOK {
				t.Fatal(errs)
			}
			sameLines(t, "shown", shown, want)
		})
	}
}

func sameLines(t *testing.T, what, got, want string) {
	t.Helper()
	if got == want && got != "" {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Fatalf("%s, line %d (of %d, want %d):\n%.900s\nwant\n%.900s", what, i+1, len(g), len(w), g[i], w[i])
		}
	}
	t.Fatalf("%s: %d lines, want %d", what, len(g), len(w))
}
