package replay

import (
	"regexp"
	"strings"
	"testing"

	"ovnreplay/sim/printable"
	"ovnreplay/sim/why"
)

// shown is what a terminal shows of records, without its colours.
func shown(l *Lines, records ...*Record) string {
	all := ""
	for _, r := range records {
		all += l.Record(r)
	}
	return regexp.MustCompile("\x1b\\[[0-9]*m").ReplaceAllString(all, "")
}

// On a terminal every line fits, verdict and cause are on it, and a translation
// is told once.
func TestLines(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("very-", 20) + "long"
	records := []*Record{
		{Time: "2026-11-22T11:32:44.407899000Z", Capture: "/tmp/a/client.pcap", Frame: 1, Inport: "breth0_ovn-worker",
			Packet: "tcp 172.18.0.1:53642 > 172.18.0.4:30007 [S]", Verdict: "delivered",
			Outputs: []OutInfo{{Port: "default_nginx-deployment-9456bbbf9-x6pc6"}},
			NAT:     []NATInfo{{Kind: "DNAT", From: "172.18.0.4:30007", To: "10.244.1.3:80"}}},
		{Time: "2026-11-23T00:00:00.000001000Z", Capture: long, Frame: 123456, Inport: long, Packet: long,
			Verdict: "delivered",
			Outputs: []OutInfo{{Port: long}},
			NAT:     []NATInfo{{Kind: "DNAT", From: "172.18.0.4:30007", To: "10.244.1.3:80"}}},
		{Time: "2026-11-23T00:00:00.000002000Z", Capture: "c.pcap", Frame: 3, Inport: "虚拟机虚拟机虚拟机虚拟机", Packet: "udp",
			Verdict: "dropped", Drop: &DropInfo{Stage: "ls_in_acl_eval", Reason: "drop"},
			Notes: []NoteInfo{{Reason: long + " " + long + " " + long}}},
	}
	for _, width := range []int{40, 80, 100, 104, 120, 200} {
		for _, colour := range []bool{false, true} {
			plain := shown(&Lines{Width: width, Colour: colour}, records...)
			if all := shown(&Lines{Width: width}, records...); all != plain {
				t.Errorf("colours change what is told: %q", plain)
			}
			for line := range strings.Lines(plain) {
				if n := printable.Columns(strings.TrimSuffix(line, "\n")); n > width {
					t.Errorf("%d of %d columns: %q", n, width, line)
				}
			}
			for _, want := range []string{"2026-11-22 UTC\n", "2026-11-23 UTC\n", " client.pcap:1 ", " dropped",
				"at ls_in_acl_eval", "tcp 172.18.0.1:53642 > 172.18.0.4:30007 [S]", "DNAT"} {
				if width >= 80 && strings.Count(plain, want) != 1 {
					t.Errorf("at %d, %q is not there once:\n%s", width, want, plain)
				}
			}
		}
	}
}

// A packet's headers are whole wherever a line has room for them, and a port has one name in all columns.
func TestLinesCutNames(t *testing.T) {
	t.Parallel()
	pod, packet := "default_nginx-deployment-9456bbbf9-x6pc6", "tcp [2001:db8:1::10]:80 > [2001:db8:2::20]:53642 [S.]"
	to := &Record{Time: "2026-11-22T11:32:44.407899000Z", Capture: "client.pcap", Frame: 1,
		Inport: "breth0_ovn-worker", Packet: "tcp 172.18.0.1:53642 > 172.18.0.4:30007 [P.]", Verdict: "delivered",
		Outputs: []OutInfo{{Port: pod}}}
	from := &Record{Time: to.Time, Capture: "pod.pcap", Frame: 2, Inport: pod, Packet: packet, Verdict: "dropped",
		Drop: &DropInfo{Stage: "ls_in_apply_port_sec", Reason: "drop"}}
	for _, width := range []int{72, 80, 104, 120, 132, 200} {
		plain := shown(&Lines{Width: width}, to, from, to, from)
		if strings.Count(plain, packet) != 2 || strings.Count(plain, to.Packet) != 2 {
			t.Errorf("at %d, headers are cut:\n%s", width, plain)
		}
		name := printable.Abbreviated(pod, max(leastName, strings.Index(plain, "…")))
		if i := strings.Index(plain, "default_"); i >= 0 {
			name, _, _ = strings.Cut(plain[i:], "\n")
		}
		if strings.Count(plain, name) != 4 {
			t.Errorf("at %d, %q is not there four times:\n%s", width, name, plain)
		}
	}
}

// Of frames that are skipped for one reason the first is shown, whole.
func TestLinesOfSkipped(t *testing.T) {
	t.Parallel()
	l := &Lines{Width: 80}
	const text = "skipped at underlay of compute-1: BFD between chassis; others like it are not shown"
	first := l.Skipped("/tmp/underlay.pcap", 1, 0, "underlay of compute-1", "BFD between chassis")
	if got := strings.Join(strings.Fields(first), " "); got != "1970-01-01 UTC 00:00:00.000000 underlay.pcap:1 "+text {
		t.Errorf("%q", got)
	}
	if again := l.Skipped("/tmp/underlay.pcap", 2, 1, "underlay of compute-1", "BFD between chassis"); again != "" {
		t.Errorf("again: %q", again)
	}
	if other := l.Skipped("/tmp/underlay.pcap", 3, 2, "underlay of compute-2", "BFD between chassis"); other == "" {
		t.Error("of another place none is shown")
	}
}

// What begins a packet's first line moves all of it to the right.
func TestLinesBefore(t *testing.T) {
	t.Parallel()
	r := &Record{Time: "2026-11-22T11:32:44.407899000Z", Capture: "client.pcap", Frame: 1, Inport: "p",
		Packet: "tcp 172.18.0.1:53642 > 172.18.0.4:30007 [P.]", Verdict: "delivered", Outputs: []OutInfo{{Port: "q"}},
		NAT: []NATInfo{{Kind: "DNAT", From: "172.18.0.4:30007", To: "10.244.1.3:80"}}}
	for _, width := range []int{40, 80, 120} {
		_, plain, _ := strings.Cut(shown(&Lines{Width: width}, r), "\n")
		_, got, _ := strings.Cut(shown(&Lines{Width: width, Before: "17: "}, r), "\n")
		want := "17: " + strings.TrimSuffix(strings.ReplaceAll(plain, "\n", "\n    "), "    ")
		if got != want {
			t.Errorf("at %d:\n%swant\n%s", width, got, want)
		}
	}
}

// What a line says of a packet, a terminal says, too; of a flow's packets once.
func TestLinesTellAll(t *testing.T) {
	t.Parallel()
	r := &Record{Time: "2026-11-22T11:32:44.407899000Z", Capture: "c.pcap", Frame: 1, Inport: "p",
		Packet: "tcp 10.0.0.1:80 > 10.0.0.2:5000 [S.]", Verdict: "delivered", Outputs: []OutInfo{{Port: "q"}},
		Path: []PathInfo{{Lacking: true}}, Inferred: "its answer was seen",
		NAT:   []NATInfo{{Kind: "stateless DNAT", To: "10.0.0.3"}},
		Notes: []NoteInfo{{Reason: "choice read from a capture"}}}
	for _, kind := range []why.Kind{why.Rewritten, why.Marked, why.Untranslated} {
		r.Decided = append(r.Decided, DecisionInfo{Kind: kind.String(), Text: "by flow of " + kind.String()})
	}
	r.Decided = append(r.Decided, DecisionInfo{Kind: "rerouted", Text: "by policy"})
	l := &Lines{Width: 120}
	first := shown(l, r)
	for _, want := range []string{"stateless DNAT", "rerouted by policy", "marked by flow",
		"not translated back: by flow", "inferred: its answer", "finding: no OpenFlow flows of 1",
		"note: choice read"} {
		if !strings.Contains(first, want) || !strings.Contains(r.Line(), strings.TrimPrefix(want, "note: ")) {
			t.Errorf("%q is not told:\n%s%s", want, first, r.Line())
		}
	}
	r.Packet = "tcp 10.0.0.1:80 > 10.0.0.2:5000 [.]"
	if again := shown(l, r); strings.Count(again, "\n") != 1 {
		t.Errorf("it is told again:\n%s", again)
	}
	r.Packet = "tcp 10.0.0.1:80 > 10.0.0.2:5001 [S.]"
	if other := shown(l, r); strings.Count(other, "\n") != strings.Count(first, "\n")-1 { // the date is known
		t.Errorf("of another flow it is not told:\n%s", other)
	}
}

// Verdicts stay in their column, however long headers are: those of IPv6 move it, once.
func TestLinesOfIPv6(t *testing.T) {
	t.Parallel()
	record := func(packet string) *Record {
		return &Record{Time: "2026-11-22T11:32:44.407899000Z", Capture: "provider-c3.pcap", Frame: 10,
			Inport: "provnet", Packet: packet, Verdict: "delivered", Outputs: []OutInfo{{Port: "vm3"}}}
	}
	for _, width := range []int{120, 140, 200} {
		l := &Lines{Width: width}
		shown(l, record("tcp [2001:db8:113::50]:50 > [2001:db8:113::10]:5021 [S.]"))
		column := -1
		for _, packet := range []string{
			"tcp [2001:db8:113::50]:80 > [2001:db8:113::10]:56021 [S.]", "tcp 10.0.0.1:80 > 10.0.0.2:5000 [.]",
			"tcp [fd01:a::12]:56021 > [2001:db8:113::50]:80 [S]", "icmp6 fe80::1 > ff02::1:ff00:10 neighbor asked",
		} {
			line := shown(l, record(packet))
			at := strings.Index(line, " to vm3")
			if strings.Count(line, "\n") != 1 || column >= 0 && at != column {
				t.Errorf("at %d, column %d:\n%s", width, column, line)
			}
			column = at
		}
		// What has no room beside a port's name moves nothing.
		shown(l, record("tcp "+strings.Repeat("1234:", 40)))
		if at := strings.Index(shown(l, record("udp")), " to vm3"); at != column {
			t.Errorf("at %d, moved to %d from %d", width, at, column)
		}
	}
}
