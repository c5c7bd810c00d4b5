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

	"ovnreplay/conntrack"
	"ovnreplay/pcap"
	"ovnreplay/sim"
	"ovnreplay/sim/archive"
	"ovnreplay/sim/job"
	"ovnreplay/sim/recording"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/show"
	"ovnreplay/sim/southbound"
	"ovnreplay/sim/trace"
	"ovnreplay/store"
)

// replaySpec replays what a spec says and returns the JSON that run prints;
// with a session it goes on there.
func replaySpec(t *testing.T, s *recording.Spec, session string) string {
	t.Helper()
	ctx := context.Background()
	net, warnings, err := southbound.OpenAll(ctx, s.DBs, store.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var talk, out bytes.Buffer
	j, err := (&job.Spec{Stderr: &talk, NoAlign: true}).Load(ctx, s, net, warnings)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	p := show.New(j, bufio.NewWriter(&out), trace.JSONFormat)
	if session != "" {
		file, err2 := store.OpenSession(session, true)
		if err2 != nil {
			t.Fatal(err2)
		}
		defer file.Close()
		err = keepIn(ctx, j, file, p)
	} else {
		err = j.Run(ctx, j.Start(p, 0))
	}
	if err := errors.Join(err, p.Err, p.Out.Flush()); err != nil {
		t.Fatal(err)
	}
	if said := talk.String(); said != "" && !strings.Contains(said, "hold") {
		t.Errorf("it says %q", talk.String())
	}
	return out.String()
}

// keepIn is what Job.Keep does with a file that is open.
func keepIn(ctx context.Context, j *job.Job, file archive.File, p *show.Printer) error {
	before := p.Before()
	err := archive.Each(ctx, file, 1, file.Len(), func(_ uint64, kept *archive.Packet) error {
		before(&kept.Frame, kept.Point, &kept.Outcome)
		return nil
	})
	return errors.Join(err, j.KeepIn(ctx, file, p, 0))
}

// cutCase cuts the captures of a case into files of so many packets each, in
// the order of their times, and returns a spec for each cut.
func cutCase(t *testing.T, s *recording.Spec, packets int) []*recording.Spec {
	t.Helper()
	type record struct {
		capture int
		rec     pcap.Record
	}
	var all []record
	for i, c := range s.Captures {
		r, err := pcap.Open(c.File)
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
	var cuts []*recording.Spec
	for n := 0; len(all) > 0; n++ {
		part := all[:min(packets, len(all))]
		all = all[len(part):]
		cut := *s
		cut.Captures = nil
		for i, c := range s.Captures {
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
			c.File = filepath.Join(dir, fmt.Sprintf("%d-%s-%d.pcap", i, filepath.Base(c.File), n))
			if !empty || c.Port != "" || c.Kind != 0 {
				cut.Captures = append(cut.Captures, c)
			}
			if err := os.WriteFile(c.File, buf.Bytes(), 0o600); err != nil {
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
	"kube-idle", "kube-affinity", "cloud-snat", "cloud-cold", "cloud-fragments", "kube-known-connections",
	"ic-warm", "ic-nodeport",
}

// TestSessionGoesOn cuts cases at every third packet: replayed run by run with
// a session they give, byte for byte, what one run gives.
func TestSessionGoesOn(t *testing.T) {
	t.Parallel()
	for _, name := range sessionCases {
		t.Run(name, func(t *testing.T) {
			s, err := recording.ReadCase(filepath.Join(cases, name), filesOf(nil))
			if err != nil {
				t.Fatal(err)
			}
			cuts := cutCase(t, s, 3)
			whole := *s
			whole.Captures = nil
			for _, c := range cuts {
				whole.Captures = append(whole.Captures, c.Captures...)
			}
			want := replaySpec(t, &whole, "")
			session := filepath.Join(t.TempDir(), "s.db")
			var got strings.Builder
			for _, c := range cuts {
				got.WriteString(replaySpec(t, c, session))
			}
			end := *s
			end.Captures = nil
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

// TestShow holds what show prints of a stored packet against what run printed
// of it, in every format, names of the Northbound database included.
func TestShow(t *testing.T) {
	t.Parallel()
	more := []string{"kube-acl-verdicts", "kube-template", "cloud-flood", "cloud-dhcpv4", "cloud-dns", "kube-multicast",
		"kube-ctl-lb-reject",
		"../reports/23.03/asked-for", "../reports/23.03/os-sg-drop"}
	for _, name := range append(more, sessionCases...) {
		dir := filepath.Join(cases, name)
		session := filepath.Join(t.TempDir(), "s.db")
		status, lines, errs := replayed(t, "run", "--case", dir, "--session", session)
		if status != exitOK {
			t.Fatalf("%s: %s", name, errs)
		}
		packets := slices.DeleteFunc(strings.Split(strings.TrimSpace(lines), "\n"),
			func(l string) bool { return strings.Contains(l, " skipped: ") })
		all := fmt.Sprintf("1-%d", len(packets))
		_, list, _ := replayed(t, "show", session)
		for i, l := range strings.Split(strings.TrimRight(list, "\n"), "\n") {
			if want := fmt.Sprintf("%6d  %s", i+1, packets[i]); l != want {
				t.Errorf("%s: the list has %q, want %q", name, l, want)
			}
		}
		for _, format := range []string{"detailed", "summary", "minimal", "json"} {
			_, want, _ := replayed(t, "run", "--case", dir, "--format", format)
			status, got, errs := replayed(t, "show", session, all, "--format", format)
			if status != exitOK {
				t.Fatalf("%s: %s", name, errs)
			}
			sameLines(t, name+" "+format, got, want)
		}
	}
}

// TestSessionInterrupted takes the file as it is in the middle of a replay, as
// a kill leaves it: replaying the same captures again goes on from there.
func TestSessionInterrupted(t *testing.T) {
	for _, name := range []string{"nodeport", "kube-fragments", "kube-cold-egress"} {
		s, err := recording.ReadCase(filepath.Join(cases, name), filesOf(nil))
		if err != nil {
			t.Fatal(err)
		}
		want := strings.SplitAfter(replaySpec(t, s, ""), "\n")
		for _, at := range []int{1, 6, len(want) / 2} {
			session := cutShort(t, s, at)
			file, err := store.OpenSession(session, false)
			if err != nil {
				t.Fatal(err)
			}
			kept := int(file.Len())
			file.Close()
			if kept != at {
				t.Fatalf("%s: %d packets are kept, %d were committed", name, kept, at)
			}
			got := resumed(t, s, session)
			sameLines(t, fmt.Sprintf("%s, after %d packets", name, kept), got, strings.Join(want[kept:], ""))
			_, shown, _ := replayed(t, "show", session, "--json")
			sameLines(t, name+", shown", shown, strings.Join(want, ""))
		}
	}
}

// cutShort returns a session of which at packets were committed.
func cutShort(t *testing.T, s *recording.Spec, at int) string {
	t.Helper()
	net, _, err := southbound.OpenAll(context.Background(), s.DBs, store.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	j, err := (&job.Spec{Stderr: io.Discard, NoAlign: true}).Load(context.Background(), s, net, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	dir := t.TempDir()
	path := filepath.Join(dir, "whole.db")
	file, err := store.OpenSession(path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	c := &copier{t: t, from: path, to: filepath.Join(dir, "cut.db"), at: at}
	k, err := archive.Keep(file, j.Engine, j.Taps, archive.Source{Name: strings.Join(j.Sources, ", ")}, c, quietly)
	if err != nil {
		t.Fatal(err)
	}
	k.Every, k.Share = 1, 1<<30
	if err := k.Replay(j.Start(k, 0), true, feeding(j)); err != nil {
		t.Fatal(err)
	}
	return c.to
}

// quietly tells nothing.
func quietly(string, ...any) {}

// feeding is the job's feed as a keeper takes it.
func feeding(j *job.Job) func(func(*pcap.Record), func()) error {
	return func(add func(*pcap.Record), end func()) error { return j.FeedTo(context.Background(), add, end) }
}

// copier copies a file when it is told of one packet more than so many.
type copier struct {
	t        *testing.T
	from, to string
	at, n    int
}

func (c *copier) Entered(*replay.Frame, *replay.Point, *sim.Outcome) {
	if c.n++; c.n != c.at+1 {
		return
	}
	b, err := os.ReadFile(c.from)
	if err == nil {
		err = os.WriteFile(c.to, b, 0o600)
	}
	if err != nil {
		c.t.Error(err)
	}
}

func (c *copier) Observed(*replay.Frame, *replay.Point)        {}
func (c *copier) Skipped(*replay.Frame, *replay.Point, string) {}

// resumed is replaySpec for captures of which a part is in the session.
func resumed(t *testing.T, s *recording.Spec, session string) string {
	t.Helper()
	net, _, err := southbound.OpenAll(context.Background(), s.DBs, store.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var talk, out bytes.Buffer
	j, err := (&job.Spec{Stderr: &talk, NoAlign: true}).Load(context.Background(), s, net, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	file, err := store.OpenSession(session, true)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	p := show.New(j, bufio.NewWriter(&out), trace.JSONFormat)
	if err := errors.Join(keepIn(context.Background(), j, file, p), p.Err); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(talk.String(), "already") {
		t.Errorf("it says %q, nothing of frames that are there already", talk.String())
	}
	return out.String()
}

// repeater hands each packet on many times, as if it came again and again.
type repeater struct {
	*archive.Keeper
	times int
}

func (r repeater) Entered(f *replay.Frame, p *replay.Point, out *sim.Outcome) {
	outputs := slices.Clone(out.Outputs)
	for i := range r.times {
		g, o := *f, *out
		shift := conntrack.Time(i) * 7654321
		g.Number += i * 50
		g.Time += shift
		o.Outputs = slices.Clone(outputs)
		for n := range o.Outputs {
			o.Outputs[n].Time += shift
		}
		r.Keeper.Entered(&g, p, &o)
	}
}

// maxPacketBytes is what a packet along a known path may cost.
const maxPacketBytes = 24

// TestSessionSize keeps 100,000 packets along the paths of one session: they
// cost little more than the paths.
func TestSessionSize(t *testing.T) {
	t.Parallel()
	s, err := recording.ReadCase(filepath.Join(cases, "nodeport"), filesOf(nil))
	if err != nil {
		t.Fatal(err)
	}
	net, _, err := southbound.OpenAll(context.Background(), s.DBs, store.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	size := func(times int) (bytes int64, packets uint64) {
		j, err := (&job.Spec{Stderr: io.Discard}).Load(context.Background(), s, net, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		path := filepath.Join(t.TempDir(), "s.db")
		file, err := store.OpenSession(path, true)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		k, err := archive.Keep(file, j.Engine, j.Taps, archive.Source{Name: strings.Join(j.Sources, ", ")},
			show.New(j, nil, trace.NoFormat), quietly)
		if err != nil {
			t.Fatal(err)
		}
		if err := k.Replay(j.Start(repeater{k, times}, 0), true, feeding(j)); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size(), file.Len()
	}
	paths, few := size(1)
	all, many := size(int(100_000/few) + 1)
	each := float64(all-paths) / float64(many-few)
	t.Logf("%d packets take %d bytes, %d take %d: %.1f bytes a packet", few, paths, many, all, each)
	if each > maxPacketBytes || many < 100_000 {
		t.Errorf("a packet costs %.1f bytes, want %d at most", each, maxPacketBytes)
	}
}

func TestSessionRefusals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	nodeport, other := filepath.Join(cases, "nodeport"), filepath.Join(cases, "egress-snat-26.03")
	session := filepath.Join(dir, "s.db")
	if status, _, errs := replayed(t, "run", "--case", nodeport, "--session", session); status != exitOK {
		t.Fatal(errs)
	}
	text := filepath.Join(dir, "text")
	os.WriteFile(text, bytes.Repeat([]byte("text\n"), 1000), 0o600)
	for _, test := range []struct {
		args string
		want string
	}{
		{"run --case " + nodeport + " --ct-profile linux --session " + session,
			"made with connection tracking of ovs-userspace"},
		{"run --case " + nodeport + " --session " + text, "is not a session of ovn-replay"},
		{"show " + filepath.Join(dir, "missing"), `make a session with "ovn-replay run --session FILE"`},
		{"show " + session + " 100000", "there is no packet 100000: the session has 21"},
		{"show " + session + " x", `"x": not a packet's number`},
		{"show " + session + " 0", "numbered from 1"},
		{"show " + session + " --format xml", "no such format"},
	} {
		status, _, errs := replayed(t, strings.Fields(test.args)...)
		if status != exitBad || !strings.Contains(errs, test.want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: status %d, %q; want %q", test.args, status, errs, test.want)
		}
	}
	status, _, errs := replayed(t, "run", "--case", other, "--session", session, "--format", "none")
	if status != exitOK || !strings.Contains(errs, "the network has changed since") {
		t.Errorf("another network: status %d, %q", status, errs)
	}
	if _, shown, errs := replayed(t, "show", session, "2", "--format", "minimal"); !strings.Contains(shown,
		"default_nginx-deployment-9456bbbf9-x6pc6") {
		t.Errorf("a packet of before is shown as %q, %q", shown, errs)
	}
}

// TestSessionHeldByAnother opens a session that is being written.
func TestSessionHeldByAnother(t *testing.T) {
	session := filepath.Join(t.TempDir(), "s.db")
	file, err := store.OpenSession(session, true)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, args := range []string{"show " + session, "run --case " + filepath.Join(cases, "nodeport") + " --session " +
		session} {
		status, _, errs := replayed(t, strings.Fields(args)...)
		if status != exitBad || !strings.Contains(errs, "holds this session; wait until it is done") {
			t.Errorf("%s: status %d, %q", args, status, errs)
		}
	}
}

func TestSessionTables(t *testing.T) {
	t.Parallel()
	session := filepath.Join(t.TempDir(), "s.db")
	if status, _, errs := replayed(t, "run", "--case", filepath.Join(cases, "nodeport"), "--session",
		session); status != exitOK {
		t.Fatal(errs)
	}
	file, err := store.OpenSession(session, false)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	tables, now, err := archive.Tables(file)
	if err != nil || len(tables) != 1 {
		t.Fatalf("%d tables, error %v", len(tables), err)
	}
	entries := tables[0].Table.Entries(now)
	if len(entries) == 0 {
		t.Fatal("no connections")
	}
	net, _, err := southbound.Open(context.Background(), filepath.Join(cases, "nodeport", "sb.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := sim.New(net, sim.Options{Conntrack: conntrack.Options{Profile: conntrack.OVSUserspace}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Load(file, e, "the database", t.Logf); err != nil {
		t.Fatal(err)
	}
	if got := e.Conntrack(net.ChassisByName(tables[0].Chassis)).Entries(now); len(got) != len(entries) {
		t.Errorf("%d connections loaded, the session has %d", len(got), len(entries))
	}
}

// A hypothetical packet meets the real connections of a session, the session's
// tables can be listed, and each of its packets asked about with ovn-trace.
func TestSessionAnswersQuestions(t *testing.T) {
	t.Parallel()
	session := filepath.Join(t.TempDir(), "s.db")
	if status, _, errs := replayed(t, "run", "--case", cases+"/nodeport", "--session", session, "--format",
		"none"); status != exitOK {
		t.Fatal(errs)
	}
	question := `inport == "default_nginx-deployment-9456bbbf9-x6pc6" && eth.src == 0a:58:0a:f4:01:03 && eth.dst == ` +
		`0a:58:0a:f4:01:01 && ip4.src == 10.244.1.3 && ip4.dst == 100.64.0.3 && ip.ttl == 64 && tcp.src == 80 && ` +
		`tcp.dst == 47306 && tcp.flags == 16`
	args := []string{"trace", "--db", cases + "/nodeport/sb.db", "--ct-profile", "ovs-userspace", "--minimal", question}
	status, out, errs := replayed(t, append(args, "--session", session)...)
	if status != exitOK || !strings.Contains(out, "un-SNAT 100.64.0.3:47306 -> 172.18.0.1:47306") ||
		!strings.Contains(out, `output("breth0_ovn-worker")`) {
		t.Errorf("exit status %d\n%s%s", status, out, errs)
	}
	if _, out, _ := replayed(t, args...); strings.Contains(out, "un-SNAT 100") {
		t.Error("without the session the packet is un-NATed too: the test tests nothing")
	}
	if status, out, errs := replayed(t, "conntrack", "list", session, "--format", "dpctl"); status != exitOK ||
		strings.Count(out, "\n") != 6 {
		t.Errorf("exit status %d, want 6 connections\n%s%s", status, out, errs)
	}
	status, out, errs = replayed(t, "show", session, "2", "--as-ovn-trace")
	if status != exitOK || !strings.HasPrefix(out, "ovn-trace --ct ") ||
		!strings.Contains(out, "--lb-dst 10.244.1.3:80") ||
		!strings.Contains(out, `inport == "breth0_ovn-worker" && `) || !strings.Contains(out, "tcp.dst == 30007") {
		t.Errorf("exit status %d\n%s%s", status, out, errs)
	}
}

// A session has the names of pods, services and VMs that the network had: what is
// asked of it is answered as it is from the captures.
func TestSessionNames(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"cases/nodeport", "cases/kube-hairpin-26.03", "cases/cloud-lb", "cases/ic-warm",
		"reports/23.03/os-sg-drop", "cases/cloud-fragments", "cases/kube-port-unreachable-snat"} {
		of := filepath.Join("../../testdata", dir)
		path := filepath.Join(t.TempDir(), "s.db")
		if code, _, stderr := replayed(t, "run", "-q", "--case", of, "--session", path); code != 0 {
			t.Fatalf("%s: %s", dir, stderr)
		}
		_, want, _ := replayed(t, "connections", "--case", of)
		_, got, stderr := replayed(t, "connections", "--session", path)
		if got != want || !strings.Contains(want, " (") {
			t.Errorf("%s: its session says\n%s%sthe captures\n%s", dir, got, stderr, want)
		}
	}
}

// A replay that is kept meets the network of each packet's moment, as one does that is
// not: of databases with a history, without being told to.
func TestSessionFollowsTheNetwork(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"cases/ic-changes", "reports/23.03/network-changes"} {
		of := filepath.Join("../../testdata", dir)
		want := replayedWell(t, "run", "--case", of)
		session := filepath.Join(t.TempDir(), "s.db")
		if got := replayedWell(t, "run", "--case", of, "--session", session); got != want {
			t.Errorf("%s: with --session\n%s\nwithout\n%s", dir, got, want)
		}
	}
}
