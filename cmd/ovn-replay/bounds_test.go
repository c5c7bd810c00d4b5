package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ovnreplay/nat/header"
)

// asCommand, in the environment, makes the test's own binary the program, with
// these arguments, one a line: a process of its own can be killed, and its
// memory measured.
const asCommand = "OVN_REPLAY_TEST_ARGUMENTS"

func init() {
	if args, ok := os.LookupEnv(asCommand); ok {
		os.Args = append([]string{"ovn-replay"}, strings.Split(args, "\n")...)
		main()
		os.Exit(0)
	}
}

// process is the program with its address space bounded, so that what takes
// all memory ends it rather than the machine.
func process(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", "-c", `ulimit -v 6291456; exec "$0"`, os.Args[0])
	cmd.Env = append(os.Environ(), asCommand+"="+strings.Join(args, "\n"), "XDG_STATE_HOME="+os.TempDir())
	return cmd
}

// gzipped is a header, and then n times a piece, compressed.
func gzipped(t *testing.T, header, piece string, n int, tail string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write([]byte(header))
	for range n {
		w.Write([]byte(piece))
	}
	w.Write([]byte(tail))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "input.gz")
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// What a few megabytes, or a file that claims to be large, may cost: 512 MiB
// and 10 s, and the program says what is wrong.
func TestHostileInput(t *testing.T) {
	const most = 512 << 20
	schema, err := os.ReadFile(filepath.Join(cases, "nodeport", "sb.db"))
	if err != nil {
		t.Fatal(err)
	}
	var n int
	first, _, _ := bytes.Cut(schema, []byte("\n"))
	if _, err := fmt.Sscanf(string(first), "OVSDB JSON %d", &n); err != nil {
		t.Fatal(err)
	}
	head := string(schema[:len(first)+1+n])
	claim := fmt.Sprintf("OVSDB JSON %d %040d\n", 3<<30, 0)
	pcap := "\xd4\xc3\xb2\xa1\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00\x01\x00\x00\x00"
	capture := filepath.Join(cases, "nodeport", "client.pcap")
	sparse := filepath.Join(t.TempDir(), "sparse.db")
	if err := errors.Join(os.WriteFile(sparse, []byte(fmt.Sprintf("OVSDB JSON %d %040d\n", int64(1)<<40, 0)), 0o600),
		os.Truncate(sparse, 1<<40)); err != nil {
		t.Fatal(err)
	}
	if err := makeFifo(filepath.Join(filepath.Dir(sparse), "fifo")); err != nil {
		t.Fatal(err)
	}
	megabyte := strings.Repeat("A", 1<<20)
	rows := strings.Repeat(`"00000000-0000-0000-0000-00000000000a":null,`, 20000)
	pcapng := "\x0a\x0d\x0d\x0a\x1c\x00\x00\x00\x4d\x3c\x2b\x1a\x01\x00\x00\x00" +
		"\xff\xff\xff\xff\xff\xff\xff\xff\x1c\x00\x00\x00" + "\x99\x00\x00\x00\x00\x00\x00\x70"
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"a long comment", []string{"db", "info", gzipped(t, head+claim+`{"_comment":"`, megabyte, 300, "")},
			"a value of more than 32 MiB"},
		{"a long value of no table", []string{"run", "--db", gzipped(t, head+claim+`{"_x":["`, megabyte, 300, ""), "-r",
			capture}, "a value of more than 32 MiB"},
		{"many changes", []string{"db", "info", gzipped(t, head+claim+`{"Meter":{`, rows, 300, "")}, "of memory"},
		{"much white space", []string{"db", "info", gzipped(t, head+claim+`{`, strings.Repeat(" ", 1<<20), 600, "")},
			"it unpacks to more than 128 times its size"},
		{"a dump", []string{"db", "info", gzipped(t, `{"caption":"Datapath_Binding `+
			`table","headings":["_uuid"],`+
			`"data":[`, strings.Repeat(`[["uuid","00000000-0000-0000-0000-00000000000a"]],`, 20000), 300, "")},
			"of memory"},
		{"a file with holes", []string{"db", "info", sparse}, "a value of more than 32 MiB"},
		{"a folder of such", []string{"db", "gather", filepath.Dir(sparse)}, "sparse.db is passed over"},
		{"a capture of zeros", []string{"run", "--format", "none", "--db", filepath.Join(cases, "nodeport", "sb.db"),
			"-r", gzipped(t, pcap, string(make([]byte, 1<<20)), 300, "") + "@breth0_ovn-worker"},
			"the file holds zeros where a record is due"},
		{"many small frames", []string{"run", "--format", "none", "--db", filepath.Join(cases, "nodeport", "sb.db"),
			"-r", denseCapture(t, 3_000_000) + "@breth0_ovn-worker"}, "give it unpacked"},
		{"a block of a gigabyte", []string{"run", "--db", filepath.Join(cases, "nodeport", "sb.db"), "-r",
			gzipped(t, pcapng, string(make([]byte, 1<<20)), 300, "")}, "input.gz"},
		{"a dump of connections", []string{"conntrack", "import", gzipped(t, "", megabyte, 300, "")}, "input.gz"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
			defer cancel()
			cmd := process(ctx, c.args...)
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState == nil || ctx.Err() != nil {
				t.Fatalf("it does not end: %v", err)
			}
			memory := maxMemory(cmd.ProcessState)
			status := cmd.ProcessState.ExitCode()
			if !strings.Contains(string(out), c.want) || bytes.Contains(out, []byte("goroutine ")) ||
				status != exitBad && c.args[1] != "gather" {
				t.Errorf("status %d: %.600s", status, out)
			}
			if took := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(); memory > most>>10 ||
				took > 10*time.Second {
				t.Errorf("%d MiB, %v", memory>>10, took)
			}
		})
	}
}

// denseCapture is a compressed capture of n frames that hardly differ.
func denseCapture(t *testing.T, n int) string {
	t.Helper()
	sample := read(t, filepath.Join(cases, "nodeport", "client.pcap"))
	frame := sample[40 : 40+binary.LittleEndian.Uint32(sample[32:])]
	piece := binary.LittleEndian.AppendUint32(nil, 1795341635)
	for _, v := range []uint32{0, uint32(len(frame)), uint32(len(frame))} {
		piece = binary.LittleEndian.AppendUint32(piece, v)
	}
	return gzipped(t, string(sample[:24]), strings.Repeat(string(append(piece, frame...)), 1000), n/1000, "")
}

// floods are kinds of frames to the nodePort of the recorded session, each from
// another source.
var floods = map[string]func(i int, eth []byte) []byte{
	"SYN": func(i int, eth []byte) []byte {
		tcp := []byte{byte(4 + i%100), 1, 0x75, 0x37, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 255, 255, 0, 0, 0, 0}
		return packetFrom(i, eth, 6, 0x40, tcp, 16)
	},
	"UDP": func(i int, eth []byte) []byte {
		return packetFrom(i, eth, 17, 0x40, []byte{byte(4 + i%100), 1, 0x75, 0x37, 0, 12, 0, 0, 1, 2, 3, 4}, 6)
	},
	"fragments": func(i int, eth []byte) []byte {
		return packetFrom(i, eth, 17, 0x20, []byte{byte(4 + i%100), 1, 0x75, 0x37, 0, 40, 0, 0, 1, 2, 3, 4, 5, 6,
			7, 8}, 0)
	},
	"ARP": func(i int, _ []byte) []byte {
		mac := []byte{2, 0, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}
		arp := append([]byte{0, 1, 8, 0, 6, 4, 0, 1}, mac...)
		arp = append(arp, 172, 18, byte(1+i>>8), byte(i), 0, 0, 0, 0, 0, 0, 172, 18, 0, 4)
		return append(append(append(bytes.Repeat([]byte{255}, 6), mac...), 8, 6), arp...)
	},
	"answers": func(i int, eth []byte) []byte { // to nobody's question: OVN sent them
		tcp := []byte{0x75, 0x37, byte(4 + i%100), 1, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x12, 255, 255, 0, 0, 0, 0}
		p := packetFrom(i, slices.Concat(eth[6:12], eth[:6], eth[12:]), 6, 0x40, tcp, 16)
		copy(p[26:], slices.Concat(p[30:34], p[26:30]))
		return p
	},
	"acknowledgements": func(i int, eth []byte) []byte { // of one connection's middle
		tcp := []byte{4, 1, 0x75, 0x37, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i), 0, 0, 0, 2, 0x50, 0x10,
			255, 255, 0, 0, 0, 0}
		p := packetFrom(0, eth, 6, 0x40, tcp, 16)
		p[18], p[19] = byte(i>>8), byte(i)
		p[24], p[25] = 0, 0
		binary.BigEndian.PutUint16(p[24:], header.Checksum(0, p[14:34]))
		return p
	},
	"stations": func(i int, _ []byte) []byte {
		mac := []byte{2, 0, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}
		return append(append(append(bytes.Repeat([]byte{255}, 6), mac...), 0x88, 0xb5), make([]byte, 46)...)
	},
}

// packetFrom is an IPv4 packet of source number i; at sum, if not 0, is its checksum.
func packetFrom(i int, eth []byte, proto, flags byte, payload []byte, at int) []byte {
	sum := func(b []byte) uint16 {
		s := uint32(0)
		for i := 0; i < len(b); i += 2 {
			s += uint32(binary.BigEndian.Uint16(b[i:]))
		}
		for s>>16 != 0 {
			s = s&0xffff + s>>16
		}
		return ^uint16(s)
	}
	src, dst := net.IPv4(20, byte(i>>16), byte(i>>8), byte(i)).To4(), net.IPv4(172, 18, 0, 4).To4()
	ip := append([]byte{0x45, 0, 0, byte(20 + len(payload)), byte(i >> 8), byte(i), flags, 0, 64, proto, 0, 0},
		append(src, dst...)...)
	binary.BigEndian.PutUint16(ip[10:], sum(ip))
	if at != 0 {
		pseudo := append(append(append(append([]byte{}, src...), dst...), 0, proto, 0, byte(len(payload))), payload...)
		binary.BigEndian.PutUint16(payload[at:], sum(pseudo))
	}
	return append(append(append([]byte{}, eth...), ip...), payload...)
}

// flood writes n SYNs, a microsecond apart.
func flood(t *testing.T, n int) string {
	t.Helper()
	return floodOf(t, "SYN", n)
}

// floodOf writes n frames of a kind, a microsecond apart.
func floodOf(t *testing.T, kind string, n int) string {
	t.Helper()
	eth := read(t, filepath.Join(cases, "nodeport", "client.pcap"))[40 : 40+14]
	out := binary.LittleEndian.AppendUint32(nil, 0xa1b23c4d)
	out = append(out, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0)
	for i := range n {
		frame := floods[kind](i, eth)
		for _, v := range []uint32{1795341635, uint32(i) * 1000, uint32(len(frame)), uint32(len(frame))} {
			out = binary.LittleEndian.AppendUint32(out, v)
		}
		out = append(out, frame...)
	}
	path := filepath.Join(t.TempDir(), kind+".pcap")
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// floodings are the floods, and what they meet besides: every source port used up
// (Open vSwitch's userspace looks for a free one by itself), or a switch that
// learns who is behind its ports.
var floodings = []struct{ what, frames, at, network, profile, says string }{
	{"SYN", "SYN", "breth0_ovn-worker", "nodeport/sb.db", "linux", ""},
	{"SYN, no source port left", "SYN", "breth0_ovn-worker", "nodeport/sb.db", "ovs-userspace",
		"SNAT had no source port left"},
	{"UDP", "UDP", "breth0_ovn-worker", "nodeport/sb.db", "linux", ""},
	{"fragments", "fragments", "breth0_ovn-worker", "nodeport/sb.db", "linux", ""},
	{"ARP", "ARP", "breth0_ovn-worker", "nodeport/sb.db", "linux", ""},
	{"FDB", "stations", "vm1", "cloud-unknown/sb.db.gz", "linux", "more FDB entries were learned at once"},
}

// The time that a packet takes does not grow with how many came before it: what
// did grow took four times as long here. Processor time, and if that has grown the least of
// what either takes in several tries, because others use the machine;
// docs/RELIABILITY.md has what a million takes.
func TestFloodsGrowLinearly(t *testing.T) {
	const few, many, most, tries = 30_000, 120_000, 1.5, 5
	for _, x := range floodings {
		files := map[int]string{few: floodOf(t, x.frames, few), many: floodOf(t, x.frames, many)}
		took := func(n int) time.Duration {
			cmd := process(t.Context(), "run", "--format", "none", "--db", filepath.Join(cases, x.network),
				"--ct-profile", x.profile, "-r", files[n]+"@"+x.at)
			if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), x.says) {
				t.Fatalf("%s: %v: %s", x.what, err, out)
			}
			return cmd.ProcessState.UserTime()
		}
		least, growth := map[int]time.Duration{few: time.Hour, many: time.Hour}, most+1
		for try := 0; try < tries && growth > most; try++ {
			for n := range files {
				least[n] = min(least[n], took(n))
			}
			growth = float64(least[many]) / float64(least[few]) * few / many
		}
		t.Logf("%s: a packet of %d takes %.2f times as long as one of %d", x.what, many, growth, few)
		if growth > most {
			t.Errorf("%s: a packet of %d takes %.2f times as long as one of %d", x.what, many, growth, few)
		}
	}
}

// A limit that is reached is said once, with how often and since when.
func TestFloodReachesLimits(t *testing.T) {
	profile := filepath.Join(t.TempDir(), "profile")
	if err := os.WriteFile(profile, []byte("max 500\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	db := filepath.Join(cases, "nodeport", "sb.db")
	status, _, errs := replayed(t, "run", "--db", db, "-r", flood(t, 3000)+"@breth0_ovn-worker", "--format", "none",
		"--ct-profile", profile)
	if status != exitOK || strings.Count(errs, "the connection table was full (500) on chassis") != 1 ||
		!strings.Contains(errs, " times since 2026-11-22T10:00:35.0") {
		t.Errorf("status %d, said %q", status, errs)
	}
}

// TestSessionKilledAndResumed kills a run that writes a session a dozen times, at
// random moments, and repeats it: in the end the session is the one that a run
// left alone makes, packet for packet.
func TestSessionKilledAndResumed(t *testing.T) {
	dir := t.TempDir()
	args := func(session string) []string {
		return []string{"run", "-q", "--format", "none", "--db", filepath.Join(cases, "nodeport", "sb.db"), "--session",
			filepath.Join(dir, session)}
	}
	const packets = 20000
	capture := flood(t, packets) + "@breth0_ovn-worker"
	if out, err := process(context.Background(), append(args("whole"), "-r", capture)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	rnd := rand.New(rand.NewPCG(12, 12))
	kills := 0
	for range 12 {
		cmd := process(context.Background(), append(args("killed"), "-r", capture)...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(50+rnd.IntN(250)) * time.Millisecond)
		if cmd.Process.Signal(syscall.SIGKILL) == nil {
			kills++
		}
		cmd.Wait()
	}
	if out, err := process(context.Background(),
		append(args("killed"), "-r", capture)...).CombinedOutput(); err != nil {
		t.Fatalf("after %d kills: %v: %s", kills, err, out)
	}
	_, want, _ := replayed(t, "show", filepath.Join(dir, "whole"))
	_, got, _ := replayed(t, "show", filepath.Join(dir, "killed"))
	if n := strings.Count(want, "\n"); n < packets {
		t.Fatalf("%d packets of %d are listed", n, packets)
	}
	if got != want {
		t.Errorf("after %d kills the session holds %d lines, want %d", kills, strings.Count(got, "\n"),
			strings.Count(want, "\n"))
	}
}

// What keeps something of each packet or connection keeps little of it: a capture of SYNs
// that compresses to a few megabytes took 2.3 GB for why and 760 MB for a report.
func TestAccountsAreBounded(t *testing.T) {
	const frames, most = 60_000, 512 << 20
	capture := flood(t, frames)
	for _, args := range [][]string{
		{"connections"}, {"who", "172.18.0.4"}, {"why", "172.18.0.4:30007"}, {"why", filepath.Base(capture) + ":50000"},
		{"report", "-o", filepath.Join(t.TempDir(), "page.html")},
	} {
		cmd := process(t.Context(), append(args, "--db", filepath.Join(cases, "nodeport", "sb.db"), "-r",
			capture+"@breth0_ovn-worker")...)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil || args[0] != "report" && err != nil || len(out) == 0 {
			t.Fatalf("%s: %v: %.300s", args, err, out)
		}
		if memory := maxMemory(cmd.ProcessState); memory > most>>10 {
			t.Errorf("%s: %d MiB", args, memory>>10)
		}
	}
}

// What led to a packet that was observed is sought among what was read ahead: of each of
// many flows the flow's own frames are looked at, where all were and this took 44 s; of a flow
// whose packets all come nowhere not each time all that are to come (60 s).
func TestAnswersWithoutQuestionsEndSoon(t *testing.T) {
	for kind, want := range map[string]string{"answers": "packets 60000: entered 0, observed 60000",
		"acknowledgements": "packets 60000: entered 60000, observed 0"} {
		cmd := process(t.Context(), "verify", "--db", filepath.Join(cases, "nodeport", "sb.db"), "-r",
			floodOf(t, kind, 60_000)+"@breth0_ovn-worker")
		out, _ := cmd.CombinedOutput()
		if took := cmd.ProcessState.UserTime(); took > 10*time.Second || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v: %.300s", kind, took, out)
		}
	}
}

// Which of several backends a connection has is read in the answers of those, not in all that
// was read ahead: 3 s for as many as here, of which most was that.
func TestBackendsAreFoundSoon(t *testing.T) {
	sample := read(t, filepath.Join(cases, "cloud-lb", "vm1.pcap"))
	out := slices.Clone(sample[:24])
	var syn []byte
	for at := 24; at+16 < len(sample) && syn == nil; {
		n := int(binary.LittleEndian.Uint32(sample[at+8:]))
		if f := sample[at+16 : at+16+n]; n > 54 && f[23] == header.ProtoTCP && f[47] == header.FlagSYN {
			syn = sample[at : at+16+n]
		}
		at += 16 + n
	}
	for i := range 60_000 {
		r := slices.Clone(syn)
		tcp := r[16+34:]
		binary.BigEndian.PutUint16(tcp, uint16(1024+i))
		binary.BigEndian.PutUint16(tcp[16:], 0)
		sum := header.Sum(header.Sum(uint64(header.ProtoTCP+len(tcp)), r[16+26:16+34]), tcp)
		binary.BigEndian.PutUint16(tcp[16:], ^header.Fold(sum))
		out = append(out, r...)
	}
	path := filepath.Join(t.TempDir(), "syn.pcap")
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := process(t.Context(), "verify", "--db", filepath.Join(cases, "cloud-lb", "sb.db.gz"), "-r", path+"@vm1")
	said, _ := cmd.CombinedOutput()
	if took := cmd.ProcessState.UserTime(); took > 5*time.Second ||
		!strings.Contains(string(said), "packets 60000: entered 60000") {
		t.Errorf("%v: %.600s", took, said)
	}
}

// Whatever is asked about is kept, however many packets came before it.
func TestWhyKeepsWhatIsAsked(t *testing.T) {
	capture := flood(t, 12_000)
	status, out, errs := replayed(t, "why", filepath.Base(capture)+":11500", "--db",
		filepath.Join(cases, "nodeport", "sb.db"), "-r", capture+"@breth0_ovn-worker")
	if status != exitOK || !strings.Contains(out, ":11500 entered at breth0_ovn-worker") ||
		!strings.Contains(out, "translated: DNAT ") {
		t.Errorf("status %d: %s%s", status, out, errs)
	}
}
