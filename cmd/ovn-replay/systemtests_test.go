package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ovnreplay/nat"
	"ovnreplay/pcap"
	"ovnreplay/sim/replay"
	"ovnreplay/store"
)

// The recordings of OVN's own system tests, an archive of cases for each release.
const systemTests = "../../testdata/system-tests"

// suites are the archives: how many recordings each has, and how many of those are
// predicted at least.
var suites = []struct {
	release, archive string
	all, perfect     int
}{
	{"23.03", "recordings.tar.xz", 130, 127},
	{"26.03", "recordings-26.03.tar.xz", 167, 165},
}

// exception is a recording that is not predicted, and why: the reason lies in the
// recording, and is one that the test can check.
type exception struct {
	Release   string `json:"release"`
	Recording string `json:"recording"`
	Reason    string `json:"reason"`
	Holds     string `json:"holds"`           // which check shows that it does
	Table     bool   `json:"table,omitempty"` // of the connection table at the end alone
}

// holds are the checks.
var holds = map[string]func(*systemTest, *testing.T) bool{
	"no captures":       func(s *systemTest, _ *testing.T) bool { return len(s.captures) == 0 },
	"connection unseen": (*systemTest).connectionUnseen,
	"choice unseen":     (*systemTest).choiceUnseen,
	"nothing left": func(s *systemTest, _ *testing.T) bool {
		return s.report.Observed == 0 && len(s.items()) == 0
	},
	"never learned": (*systemTest).neverLearned,
}

// systemTest is one of the recordings, verified.
type systemTest struct {
	name, dir string
	captures  []string
	report    replay.Report
	perfect   bool
	why       string
}

// Every recording is predicted, byte for byte and in its table at the end, or
// listed with a reason that still holds.
func TestSystemTestsArePredicted(t *testing.T) {
	var list []exception
	text, err := os.ReadFile(filepath.Join(systemTests, "exceptions.json"))
	if err == nil {
		err = json.Unmarshal(text, &list)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, suite := range suites {
		t.Run(suite.release, func(t *testing.T) {
			t.Parallel()
			exceptions := map[string]exception{}
			for _, x := range list {
				if x.Release == suite.release {
					exceptions[x.Recording] = x
				}
			}
			dirs, _ := filepath.Glob(filepath.Join(unpackSystemTestsOf(t, suite.archive, ""), "*"))
			if len(dirs) != suite.all {
				t.Fatalf("%d recordings, want %d", len(dirs), suite.all)
			}
			perfect := 0
			for _, d := range dirs {
				if predicted(t, d, exceptions) {
					perfect++
				}
			}
			for name := range exceptions {
				t.Errorf("%s is listed as an exception, but there is no such recording", name)
			}
			t.Logf("%d of %d recordings are perfect", perfect, len(dirs))
			if perfect < suite.perfect {
				t.Errorf("%d recordings are perfect, want %d", perfect, suite.perfect)
			}
		})
	}
}

// predicted checks a recording, and takes it out of the exceptions. It returns
// whether every packet is predicted.
func predicted(t *testing.T, dir string, exceptions map[string]exception) bool {
	t.Helper()
	s := verifySystemTest(t, dir)
	x, listed := exceptions[s.name]
	delete(exceptions, s.name)
	differs := compareTables(t, dir)
	switch {
	case listed && !x.Table && s.perfect, listed && x.Table && (differs == "" || !s.perfect):
		t.Errorf("%s is listed as an exception (%s), but is predicted", s.name, x.Reason)
	case !listed && !s.perfect:
		t.Errorf("%s: %s", s.name, s.why)
	case !listed && differs != "":
		t.Errorf("%s: the table at the end: %s", s.name, differs)
	case listed && (holds[x.Holds] == nil || !holds[x.Holds](s, t)):
		t.Errorf("%s: %q does not hold any more: %s", s.name, x.Holds, x.Reason)
	}
	return s.perfect
}

// unpackSystemTests writes the recordings whose names begin so where they can be read.
func unpackSystemTests(t *testing.T, prefixes ...string) string {
	t.Helper()
	return unpackSystemTestsOf(t, "recordings.tar.xz", prefixes...)
}

func unpackSystemTestsOf(t *testing.T, archive string, prefixes ...string) string {
	t.Helper()
	f, err := store.OpenFile(filepath.Join(systemTests, archive))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dir := t.TempDir()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err == io.EOF {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir ||
			!slices.ContainsFunc(prefixes,
				func(p string) bool { return strings.HasPrefix(strings.TrimPrefix(h.Name, "./"), p) }) {
			continue
		}
		text, err := io.ReadAll(r)
		if err == nil {
			err = errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, text, 0o644))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func verifySystemTest(t *testing.T, dir string) *systemTest {
	t.Helper()
	s := &systemTest{name: filepath.Base(dir), dir: dir}
	s.captures, _ = filepath.Glob(filepath.Join(dir, "*.pcap"))
	var out, talk bytes.Buffer
	cmd := newVerifyCommand(nil, &out, &talk)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetArgs([]string{"--case", dir, "--json"})
	err := cmd.ExecuteContext(context.Background())
	if json.Unmarshal(out.Bytes(), &s.report) != nil && err == nil {
		t.Fatalf("%s: %s", s.name, out.String())
	}
	s.perfect = err == nil && len(s.captures) > 0
	s.why = talk.String()
	if err != nil {
		s.why = err.Error()
	}
	for _, it := range s.items() {
		s.why += "; " + it.Packet + ": " + it.Reason
	}
	return s
}

func (s *systemTest) items() []replay.Item {
	return slices.Concat(s.report.Mismatched, s.report.Missing, s.report.Unexpected)
}

// compareTables returns how the table at the end differs from the real one.
func compareTables(t *testing.T, dir string) string {
	t.Helper()
	dumps, _ := filepath.Glob(filepath.Join(dir, "conntrack-after.txt"))
	captures, _ := filepath.Glob(filepath.Join(dir, "*.pcap"))
	if len(dumps) == 0 || len(captures) == 0 {
		return ""
	}
	out, err := conntrackCommand(t, "list", "-q", "--case", dir, "--compare", dumps[0])
	if err != nil && out == "" {
		return err.Error()
	}
	return out
}

// frames calls each with every frame of the captures.
func (s *systemTest) frames(t *testing.T, each func(file string, at int64, frame []byte)) {
	t.Helper()
	for _, file := range s.captures {
		set, err := pcap.OpenSet(file, pcap.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var rec pcap.Record
		for set.Next(&rec) == nil {
			each(filepath.Base(file), rec.Time, rec.Data)
		}
		set.Close()
	}
}

// dated is when a transaction was committed, in milliseconds.
var dated = regexp.MustCompile(`"_date":(\d+)`)

// neverLearned: what is predicted and did not come waits for a MAC binding that the
// database did not have until long after: ovn-controller was cut off from it.
func (s *systemTest) neverLearned(t *testing.T) bool {
	history, err := os.ReadFile(filepath.Join(s.dir, "sb.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range s.items() {
		words := strings.Fields(it.Packet)
		if len(words) < 4 {
			return false
		}
		for line := range bytes.Lines(history) {
			m := dated.FindSubmatch(line)
			if m == nil || !bytes.Contains(line, []byte(`"ip":"`+words[3]+`"`)) {
				continue
			}
			if at, err := strconv.ParseInt(string(m[1]), 10, 64); err != nil || at*1e6 < int64(it.Time)+30e9 {
				return false
			}
		}
	}
	return len(s.items()) > 0 && len(s.report.Missing)+len(s.report.Mismatched) == 0
}

// differing is a connection whose choice of a backend differs, as compareTables has it.
var differing = regexp.MustCompile(`^different: tcp,orig=\(src=([^,]+),dst=([^,]+),sport=(\d+),.*state=SYN_SENT\)` +
	`: reply `)

// choiceUnseen: of each connection that differs, no capture but its client's holds a
// packet: all are to the virtual address still.
func (s *systemTest) choiceUnseen(t *testing.T) bool {
	lines := strings.Split(strings.TrimSpace(compareTables(t, s.dir)), "\n")
	seen := 0
	for _, line := range lines {
		m := differing.FindStringSubmatch(line)
		if m == nil {
			return false
		}
		elsewhere := false
		s.frames(t, func(_ string, _ int64, b []byte) {
			if len(b) < 54 {
				return
			}
			tuple, ok := nat.ParseTuple(b[14:])
			if ok && fmt.Sprint(tuple.SrcPort) == m[3] && tuple.SrcAddr().String() == m[1] {
				seen++
				elsewhere = elsewhere || tuple.DstAddr().String() != m[2]
			}
		})
		if elsewhere {
			return false
		}
	}
	return seen > 0
}

// unseenEntry is a connection that the real table has and ours has not.
var unseenEntry = regexp.MustCompile(`^missing: udp,orig=\(src=([^,]+),dst=[^,]+,sport=(\d+),`)

// connectionUnseen: no capture holds a packet of the connections that the real table
// has more.
func (s *systemTest) connectionUnseen(t *testing.T) bool {
	held := true
	for _, line := range strings.Split(strings.TrimSpace(compareTables(t, s.dir)), "\n") {
		m := unseenEntry.FindStringSubmatch(line)
		if m == nil {
			return false
		}
		s.frames(t, func(_ string, _ int64, b []byte) {
			if len(b) < 42 || b[23] != 17 {
				return
			}
			tuple, ok := nat.ParseTuple(b[14:])
			if ok && fmt.Sprint(tuple.SrcPort) == m[2] && tuple.SrcAddr().String() == m[1] {
				held = false
			}
		})
	}
	return held
}

// A packet that came before a change was in the switch is told with the moment of
// the change.
func TestRacesWithDatabase(t *testing.T) {
	t.Parallel()
	dir := unpackSystemTests(t, "285-")
	s := verifySystemTest(t, filepath.Join(dir, "285-acl-and-committing-to-conntrack"))
	if r := s.report.Races; !s.perfect || len(r) != 1 || r[0].Port != "vm1" || r[0].Frame != 40 ||
		(r[0].Time-r[0].Change)/1e6 != 32 {
		t.Errorf("perfect %v, races %+v (%s)", s.perfect, r, s.why)
	}
}

// A client that captures show at another backend than the one it sticks to went
// there because the switch had forgotten: it is said, and learned anew.
func TestLostAffinityIsSaid(t *testing.T) {
	t.Parallel()
	const name = "237-load-balancing-affinity-sessions-ipv4.seg2"
	dir := unpackSystemTests(t, name)
	status, out, talk := replayed(t, "run", "--case", filepath.Join(dir, name), "--filter", "tcp.src == 58656")
	if first, _, _ := strings.Cut(out, "\n"); status != 0 ||
		!strings.Contains(first, "the switch has forgotten the backend its client sticks to") {
		t.Errorf("status %d: %s%s", status, first, talk)
	}
}

// With the first capture left out, what its port sent is inferred from what the
// others show, and nothing else is expected of them.
func TestSystemTestsWithoutACapture(t *testing.T) {
	t.Parallel()
	for name, inferred := range map[string]int{
		"001-2-lrs-connected-via-ls-gateway-router-snat-and-dnat.seg0": 9,
		"037-load-balancing-same-subnet":                               137,
		"061-multiple-gateway-routers-load-balancing-ipv6":             69,
		"137-load-balancer-for-container-ports":                        5, // of addresses that no port has
		"293-ovn-mirroring":                                            15,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(unpackSystemTests(t, name), name)
			leaveOut(t, dir)
			s := verifySystemTest(t, dir)
			if !s.perfect || s.report.Inferred != inferred {
				t.Errorf("perfect %v, inferred %d: %s", s.perfect, s.report.Inferred, s.why)
			}
		})
	}
}

// leaveOut takes the first capture out of a case.
func leaveOut(t *testing.T, dir string) {
	t.Helper()
	var c map[string]any
	file := filepath.Join(dir, "case.json")
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	c["captures"] = c["captures"].([]any)[1:]
	text, err = json.Marshal(c)
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Captures that begin later than the network's changes did lack questions whose
// answers they hold: those are inferred while a change is on its way.
func TestSystemTestFromItsMiddle(t *testing.T) {
	t.Parallel()
	const name = "245-snat-in-separate-zone-from-dnat"
	dir := filepath.Join(unpackSystemTests(t, name), name)
	files, _ := filepath.Glob(filepath.Join(dir, "*.pcap*"))
	for _, file := range files {
		leaveOutFrames(t, file, 5)
	}
	if s := verifySystemTest(t, dir); !s.perfect || s.report.Inferred == 0 {
		t.Errorf("perfect %v, inferred %d: %s", s.perfect, s.report.Inferred, s.why)
	}
}

// leaveOutFrames takes the first frames out of a pcap.
func leaveOutFrames(t *testing.T, file string, n int) {
	t.Helper()
	f, err := store.OpenFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	f.Close()
	if err != nil {
		t.Fatal(err)
	}
	const fileHeader, recordHeader = 24, 16
	at := fileHeader
	for ; n > 0 && at+recordHeader <= len(b); n-- {
		at += recordHeader + int(binary.LittleEndian.Uint32(b[at+8:]))
	}
	if err := os.WriteFile(file, append(b[:fileHeader:fileHeader], b[min(at, len(b)):]...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What captures show of a setting of Open vSwitch is said, and used.
func TestSmallFragmentsAreTracked(t *testing.T) {
	t.Parallel()
	const name = "137-acl-ct-translation-udp-fragmentation.seg1"
	s := verifySystemTest(t, filepath.Join(unpackSystemTestsOf(t, "recordings-26.03.tar.xz", name), name))
	if x := s.report.Small; !s.perfect || len(x) != 1 || x[0].Chassis != "hv1" || x[0].Bytes != 900 || x[0].Frame != 3 {
		t.Errorf("perfect %v, small fragments %+v (%s)", s.perfect, x, s.why)
	}
}

// What meters keep from ovn-controller is predicted packet by packet, and not taken for what
// captures lost or show twice: the sender makes the same frame again within a millisecond.
func TestMetersAreKept(t *testing.T) {
	t.Parallel()
	s := verifySystemTest(t, filepath.Join(unpackSystemTests(t, "189-"), "189-ovn-copp"))
	if !s.perfect || len(s.report.Groups) > 0 || s.report.Repeated > 0 {
		t.Errorf("perfect %t, %d repeated, %v; %s", s.perfect, s.report.Repeated, s.report.Groups, s.why)
	}
	if !strings.Contains(s.why, "meter acl-meter: 47 times since") {
		t.Errorf("what was told: %s", s.why)
	}
}
