package main

import (
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ovnreplay/pcap"
)

// commented are the comments of each packet of a capture, without those that name its file.
func commented(t *testing.T, file string) (all [][]string) {
	t.Helper()
	text := strings.TrimSpace(tsharked(t, file, "-T", "fields", "-E", "separator=/t", "-E", "aggregator=|", "-e",
		"frame.interface_name", "-e", "frame.comment"))
	for line := range strings.Lines(text) {
		all = append(all, slices.DeleteFunc(strings.FieldsFunc(line, func(r rune) bool {
			return strings.ContainsRune("\t|\n", r)
		}), func(c string) bool {
			key, _, _ := strings.Cut(c, ": ")
			return key == "from" || key == "observed" || key == "cause"
		}))
	}
	return all
}

// same holds the comments of packets against those that are wanted.
func same(t *testing.T, what string, got, want [][]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d packets, want %d", what, len(got), len(want))
	}
	for i := range got {
		if strings.Join(got[i], "\n") != strings.Join(want[i], "\n") {
			t.Errorf("%s: packet %d has the comments\n%s\nwant\n%s", what, i+1, strings.Join(got[i], "\n"),
				strings.Join(want[i], "\n"))
			return
		}
	}
}

// An annotated capture that is read again becomes one with the same comments, not with both sets,
// and what verifying predicted or inferred is none of its packets.
func TestAnnotatedAgain(t *testing.T) {
	t.Parallel()
	const dir = cases + "/nodeport/"
	for _, x := range []struct{ command, captures string }{
		{"run", "-r CASE/client.pcap@breth0_ovn-worker -r CASE/nginx.pcap --epb-verdict"},
		{"verify", "-r CASE/client.pcap@breth0_ovn-worker2 -r CASE/nginx.pcap"},
	} {
		t.Run(x.command, func(t *testing.T) {
			first, second := filepath.Join(t.TempDir(), "1.pcapng"), filepath.Join(t.TempDir(), "2.pcapng")
			args := strings.Fields(strings.ReplaceAll(x.captures, "CASE/", dir))
			_, told, _ := replayed(t, append([]string{x.command, "-q", "--db", dir + "sb.db", "-w", first}, args...)...)
			_, again, _ := replayed(t, x.command, "-q", "--db", dir+"sb.db", "-w", second, "-r", first)
			want := commented(t, first)
			if !strings.Contains(told, "\n") || len(want) == 0 {
				t.Fatalf("%d packets: %s", len(want), told)
			}
			same(t, x.command, commented(t, second), want)
			if x.command == "verify" && again != told {
				t.Errorf("verify says\n%swant\n%s", again, told)
			}
			if given := verdicts(t, first); (x.command == "run") != (given > 0) || verdicts(t, second) > 0 {
				t.Error("a verdict of an earlier replay stays, or there is none at first")
			}
			if about := sections(t, second)[0]; strings.Count(about, "database: ") != 1 {
				t.Errorf("the section has the comments %q", about)
			}
		})
	}
}

// verdicts counts the epb_verdict options of a capture.
func verdicts(t *testing.T, file string) (n int) {
	for _, rec := range records(t, file) {
		for _, o := range rec.Options {
			if o.Code == 7 {
				n++
			}
		}
	}
	return n
}

// sections are the comments of a capture's sections.
func sections(t *testing.T, file string) (all []string) {
	t.Helper()
	r := eachRecord(t, file, func(*pcap.Record) {})
	for _, s := range r.Sections() {
		all = append(all, strings.Join(s.Comments, "\n"))
	}
	return all
}

func eachRecord(t *testing.T, file string, do func(*pcap.Record)) *pcap.Reader {
	t.Helper()
	r, err := pcap.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var rec pcap.Record
	for {
		switch err := r.Next(&rec); err {
		case nil:
			do(&rec)
		case io.EOF:
			return r
		default:
			t.Fatal(err)
		}
	}
}

// Comments that others wrote stay: such as look like ours in a capture that is not, and those in
// ours that do not.
func TestForeignCommentsStay(t *testing.T) {
	t.Parallel()
	r, err := pcap.Open(cases + "/nodeport/client.pcap")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var rec pcap.Record
	if err := r.Next(&rec); err != nil {
		t.Fatal(err)
	}
	ours := []string{"ovn-replay: dropped", "from: x.pcap:1 at p", "conn: 1"}
	for _, x := range []struct {
		program        string
		comments, stay []string
		packets        int
	}{
		{"Dumpcap", ours, ours, 1},
		{"Dumpcap", []string{"ovn-replay: predicted output at p"}, []string{"ovn-replay: predicted output at p"}, 1},
		{"ovn-replayed", ours, ours, 1},
		{"ovn-replay 1.2", ours, nil, 1},
		{"ovn-replay", append(slices.Clone(ours), "look here", "note: it"), []string{"look here", "note: it"}, 1},
		{"ovn-replay", append([]string{"note: mine"}, ours...), []string{"note: mine"}, 1},
		{"ovn-replay", []string{"ovn-replay: predicted output at p"}, nil, 0},
		{"ovn-replay", []string{"ovn-replay: predicted instead at p"}, nil, 0},
		{"ovn-replay", []string{"ovn-replay: unexpected at p"}, nil, 0},
		{"ovn-replay", []string{"ovn-replay: hop at p of d"}, nil, 0},
		{"ovn-replay", []string{"ovn-replay: delivered to p", "from: a:1 at p", "inferred: why"}, nil, 0},
		{"ovn-replay", []string{"ovn-replay: missing at p"}, nil, 1},
	} {
		var in strings.Builder
		w, err := pcap.NewWriter(&in, pcap.Section{Application: x.program})
		if err != nil {
			t.Fatal(err)
		}
		w.AddInterface(pcap.InterfaceInfo{Name: "breth0_ovn-worker", LinkType: pcap.LinkEthernet})
		w.WritePacket(&pcap.Packet{Time: rec.Time, Data: rec.Data, Comments: x.comments, Direction: pcap.DirectionIn})
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		var stay []string
		packets := 0
		eachRecord(t, write(t, "in.pcapng", []byte(in.String())), func(rec *pcap.Record) {
			packets++
			stay = append(stay, rec.Comments...)
		})
		if packets != x.packets || !slices.Equal(stay, x.stay) {
			t.Errorf("%s %q: %d packets, comments %q, want %d, %q", x.program, x.comments, packets, stay, x.packets,
				x.stay)
		}
	}
}
