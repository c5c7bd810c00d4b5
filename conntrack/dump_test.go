package conntrack

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"ovnreplay/nat"
)

// TestDumpsComeBack: what is read from a real dump is written as it was, and
// a table filled from it lists the same.
func TestDumpsComeBack(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob("testdata/dumps/*.txt")
	if len(files) < 8 {
		t.Fatalf("only %d dumps", len(files))
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			f, p := formatOf(t, name)
			es, err := ReadDump(bytes.NewReader(text), file)
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.Count(string(text), "\n"); len(es) != want {
				t.Fatalf("%d entries of %d lines", len(es), want)
			}
			same(t, "read and written", es, f, text)
			ct := NewTable(Options{Profile: p})
			if err := ct.Import(1000*Second, es); err != nil {
				t.Fatal(err)
			}
			for i := range es {
				es[i].ID = 0
			}
			var want bytes.Buffer
			WriteDump(&want, es, f)
			same(t, "imported and exported", ct.Entries(1000*Second), f, want.Bytes())
			if d := Compare(ct.Entries(0), es); d != nil {
				t.Errorf("compare: %v", &d[0])
			}
		})
	}
}

// formatOf reads a dump's format and profile off its name: FORMAT.PROFILE[.more].
func formatOf(t *testing.T, name string) (Format, Profile) {
	t.Helper()
	part := strings.Split(name, ".")
	f, err := ParseFormat(part[0])
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParseProfile(part[1])
	if err != nil {
		t.Fatal(err)
	}
	return f, p
}

func same(t *testing.T, what string, es []Entry, f Format, want []byte) {
	t.Helper()
	var got bytes.Buffer
	if err := WriteDump(&got, es, f); err != nil {
		t.Fatal(err)
	}
	a, b := strings.Split(got.String(), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			t.Errorf("%s: line %d\n%s, want\n%s", what, i+1, get(a, i), get(b, i))
			return
		}
	}
}

func get(s []string, i int) string {
	if i < len(s) {
		return s[i]
	}
	return "nothing"
}

// A dump is taken some time after the last packet: connections that had little time
// left are in none, unless one is that had less.
func TestEndedBeforeDump(t *testing.T) {
	t.Parallel()
	entry := func(port uint16, left Time) Entry {
		return Entry{Zone: 1, Orig: nat.Tuple{Proto: 17, SrcPort: port}, Timeout: left * Second}
	}
	ours := []Entry{entry(1, 2), entry(2, 5), entry(3, 20), entry(4, 100)}
	for _, tt := range []struct {
		theirs []int // of ours
		rest   string
		after  Time
	}{
		{[]int{0, 1, 2, 3}, "", 0},
		{[]int{2, 3}, "", 5 * Second},
		{[]int{1, 2, 3}, "", 2 * Second},
		{[]int{0, 2, 3}, "2", 0},       // 1 had less time left
		{[]int{1, 3}, "3", 2 * Second}, // that had more than 2, which is there
		{[]int{}, "4", 20 * Second},
	} {
		var theirs []Entry
		for _, i := range tt.theirs {
			theirs = append(theirs, ours[i])
		}
		ds, after := Ended(Compare(ours, theirs), ours)
		var rest []string
		for _, d := range ds {
			rest = append(rest, fmt.Sprint(d.Ours.Orig.SrcPort))
		}
		if got := strings.Join(rest, " "); got != tt.rest || after != tt.after {
			t.Errorf("%v: differ %q after %v, want %q after %v", tt.theirs, got, after, tt.rest, tt.after)
		}
	}
}

func TestBadDumps(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ line, want string }{
		{"hello", "d:1:1: not a line of a conntrack dump"},
		{"tcp,orig=(src=10.0.0.1", "d:1:23: the line ends within parentheses"},
		{"tcp,orig=(src=10.0.0.1x,dst=10.0.0.2,sport=1,dport=2),reply=()", `d:1:11: "10.0.0.1x" is not an address`},
		{"xyz,orig=(src=10.0.0.1)", `d:1:1: unknown protocol "xyz"`},
		{"tcp,orig=(src=10.0.0.1,dst=10.0.0.2,sport=70000,dport=2)", `d:1:37: "70000" is not a number up to 65535`},
		{"tcp,orig=(src=10.0.0.1,dst=10.0.0.2,sport=7,dport=2)", "d:1:1: no reply tuple"},
		{"tcp,orig=(src=1.0.0.1,dst=1.0.0.2),reply=(src=1.0.0.2,dst=1.0.0.1),colour=red",
			`d:1:68: unknown field "colour"`},
		{"tcp      6 119 TIME_WAIT src=127.0.0.1 dst=127.0.0.1 sport=a", `d:1:54: "a" is not a number up to 65535`},
		{"tcp,orig=((src=1.0.0.1))", "d:1:11: misplaced parenthesis"},
	} {
		_, err := ReadDump(strings.NewReader(tt.line+"\n"), "d")
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s:\n%v, want\n%s", tt.line, err, tt.want)
		}
	}
	es, err := ReadDump(strings.NewReader("\nudp,orig=(src=1.1.1.1,dst=2.2.2.2,sport=1,dport=2),reply=(src=2.2.2.2,"+
		"dst=1.1.1.1,sport=2,dport=1)\n"), "d")
	if err != nil || len(es) != 1 {
		t.Fatalf("%v %v", es, err)
	}
	ct := NewTable(Options{})
	if err := ct.Import(1, append(es, es...)); err == nil || !strings.HasPrefix(err.Error(), "entry 2 ") {
		t.Errorf("one tuple twice: %v", err)
	}
}

// A session that began before the capture goes on right after an import.
func TestImportedConnectionGoesOn(t *testing.T) {
	t.Parallel()
	const dump = "tcp,orig=(src=10.0.0.1,dst=172.18.0.4,sport=1000,dport=30007),reply=(src=10.244.1.3,dst=10.0.0.1," +
		"sport=80,dport=1000),zone=1,mark=2,protoinfo=(state=ESTABLISHED)\n"
	profiles(t, func(t *testing.T, p Profile) {
		es, err := ReadDump(strings.NewReader(dump), "d")
		if err != nil {
			t.Fatal(err)
		}
		ct := NewTable(Options{Profile: p})
		if err := ct.Import(Second, es); err != nil {
			t.Fatal(err)
		}
		reply := tcpPacket("10.244.1.3", 80, "10.0.0.1", 1000, tcpSeg{flags: "PA", seq: 4e9, ack: 7, payload: "data"})
		m, o := do(t, ct, 2, reply, unnat)
		want(t, "reply", m, "est|rpl|snat")
		if o.After.SrcPort != 30007 || m.Mark != 2 {
			t.Errorf("after: %v mark %d", &o.After, m.Mark)
		}
		ask := tcpPacket("10.0.0.1", 1000, "172.18.0.4", 30007, tcpSeg{flags: "A", seq: 7, ack: 4e9 + 4})
		m, o = do(t, ct, 2, ask, unnat)
		if p == Linux {
			want(t, "ack", m, "est|snat|dnat") // the kernel runs DNATed packets past its source side too
		} else {
			want(t, "ack", m, "est|dnat")
		}
		if o.After.DstPort != 80 {
			t.Errorf("after: %v", &o.After)
		}
	})
}

func TestCompare(t *testing.T) {
	t.Parallel()
	read := func(lines ...string) []Entry {
		es, err := ReadDump(strings.NewReader(strings.Join(lines, "\n")), "d")
		if err != nil {
			t.Fatal(err)
		}
		return es
	}
	const a = "udp,orig=(src=1.1.1.1,dst=2.2.2.2,sport=1,dport=2),reply=(src=2.2.2.2,dst=1.1.1.1,sport=2," +
		"dport=1),zone=3"
	const b = "udp,orig=(src=1.1.1.1,dst=2.2.2.2,sport=1,dport=2),reply=(src=2.2.2.2,dst=9.1.1.1,sport=2,dport=1)," +
		"zone=3,mark=5"
	const c = "icmp,orig=(src=1.1.1.1,dst=2.2.2.2,id=1,type=8,code=0),reply=(src=2.2.2.2,dst=1.1.1.1,id=1," +
		"type=0,code=0)"
	for _, tt := range []struct {
		ours, theirs []Entry
		want         []string
	}{
		{read(a, c), read(c, a), nil},
		{read(a, c), read(a), []string{"stale: " + c}},
		{read(a), read(a, c), []string{"missing: " + c}},
		{read(a), read(b), []string{"different: " + a +
			": reply udp 2.2.2.2:2 -> 1.1.1.1:1, theirs udp 2.2.2.2:2 -> 9.1.1.1:1, mark 0, theirs 5"}},
	} {
		var got []string
		for _, d := range Compare(tt.ours, tt.theirs) {
			got = append(got, d.String())
		}
		if strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
		}
	}
}

func TestZones(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"rtoe-GR_ovn-worker 2\nGR_ovn-worker_dnat 4\n\na_snat 0\n",
		`{ct-zone-GR_ovn-worker_dnat="4", ct-zone-a_snat="0", ct-zone-rtoe-GR_ovn-worker="2", hostname=x}` + "\n",
		"external_ids : {ct-zone-GR_ovn-worker_dnat=\"4\", ct-zone-a_snat=\"0\"}\nct-zone-rtoe-GR_ovn-worker=2\n",
	} {
		z, err := ReadZones(strings.NewReader(text), "z")
		if err != nil || len(z) != 3 || z["rtoe-GR_ovn-worker"] != 2 || z["GR_ovn-worker_dnat"] != 4 ||
			z["a_snat"] != 0 {
			t.Errorf("%s: %v %v", text, z, err)
		}
		es := []Entry{{Zone: 4}, {Zone: 7}}
		unknown := z.Rezone(es, func(name string) (uint16, bool) { return 40, name == "GR_ovn-worker_dnat" })
		if es[0].Zone != 40 || es[1].Zone != 7 || len(unknown) != 1 || unknown[0] != 7 {
			t.Errorf("rezoned: %v, unknown %v", es, unknown)
		}
	}
	if _, err := ReadZones(strings.NewReader("a 1\nb x\n"), "z"); err == nil ||
		err.Error() != `z:2:1: "x" is not a zone number` {
		t.Errorf("%v", err)
	}
}

// An entry of a dump keeps what is its own, not the line that it was read from: a table has
// a million of them.
func TestDumpKeepsNoLines(t *testing.T) {
	const n, most = 20_000, 360
	var dump strings.Builder
	for i := range n {
		fmt.Fprintf(&dump, "tcp,orig=(src=10.0.%d.%d,dst=172.18.0.4,sport=9,dport=80,packets=%0200d),", i>>8, i&255, i)
		fmt.Fprintf(&dump, "reply=(src=10.1.1.1,dst=10.0.%d.%d,sport=80,dport=9),zone=7,helper=ftp,", i>>8, i&255)
		fmt.Fprintln(&dump, "protoinfo=(state_orig=ESTABLISHED,state_reply=ESTABLISHED)")
	}
	alive := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := alive()
	es, err := ReadDump(strings.NewReader(dump.String()), "dump")
	if err != nil || len(es) != n {
		t.Fatal(len(es), err)
	}
	if each := (int64(alive()) - int64(before)) / n; each > most {
		t.Errorf("%d bytes an entry, of at most %d", each, most)
	}
	if es[1].State != "ESTABLISHED" || es[n-1].Helper != "ftp" {
		t.Errorf("%+v", es[1])
	}
	runtime.KeepAlive(dump.String())
}

// Of two equal entries of a dump one is ours, the other is missing; what is alike is no difference.
func TestCompareTwins(t *testing.T) {
	e := Entry{Zone: 3, Orig: nat.Tuple{Proto: 6, Src: [16]byte{1}, Dst: [16]byte{2}}}
	marked := e
	marked.Mark = 5
	for i, tt := range []struct {
		ours, theirs []Entry
		want         string
	}{
		{[]Entry{e}, []Entry{e}, "[]"},
		{[]Entry{e}, []Entry{e, e}, "[missing]"},
		{[]Entry{e}, []Entry{marked, e}, "[missing different]"},
		{nil, []Entry{e, e}, "[missing missing]"},
		{[]Entry{e}, nil, "[stale]"},
		{[]Entry{e, marked}, []Entry{marked}, "[]"}, // the later one
	} {
		var kinds []DifferenceKind
		for _, d := range Compare(tt.ours, tt.theirs) {
			kinds = append(kinds, d.Kind)
		}
		if got := fmt.Sprint(kinds); got != tt.want {
			t.Errorf("%d: %s, not %s", i, got, tt.want)
		}
	}
}
