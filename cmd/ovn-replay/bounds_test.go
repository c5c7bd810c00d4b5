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
	"strings"
	"syscall"
	"testing"
	"time"
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
	if err := errors.Join(os.WriteFile(sparse, []byte(fmt.Sprintf("OVSDB JSON %d %040d\n", int64(1)<<40, 0)), 0o600), os.Truncate(sparse, 1<<40)); err != nil {
		t.Fatal(err)
	}
	if err := makeFifo(filepath.Join(filepath.Dir(sparse), "fifo")); err != nil {
		t.Fatal(err)
	}
	megabyte := strings.Repeat("A", 1<<20)
	rows := strings.Repeat(`"00000000-0000-0000-0000-00000000000a":null,`, 20000)
	pcapng := "\x0a\x0d\x0d\x0a\x1c\x00\x00\x00\x4d\x3c\x2b\x1a\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x1c\x00\x00\x00" + "\x99\x00\x00\x00\x00\x00\x00\x70"
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"a long comment", []string{"db", "info", gzipped(t, head+claim+`{"_comment":"`, megabyte, 300, "")}, "a value of more than 32 MiB"},
		{"a long value of no table", []string{"run", "--db", gzipped(t, head+claim+`{"_x":["`, megabyte, 300, ""), "-r", capture}, "a value of more than 32 MiB"},
		{"many changes", []string{"db", "info", gzipped(t, head+claim+`{"Meter":{`, rows, 300, "")}, "of memory"},
		{"much white space", []string{"db", "info", gzipped(t, head+claim+`{`, strings.Repeat(" ", 1<<20), 600, "")}, "it unpacks to more than 128 times its size"},
		{"a dump", []string{"db", "info", gzipped(t, `{"caption":"Datapath_Binding table","headings":["_uuid"],"data":[`, strings.Repeat(`[["uuid","00000000-0000-0000-0000-00000000000a"]],`, 20000), 300, "")}, "of memory"},
		{"a file with holes", []string{"db", "info", sparse}, "a value of more than 32 MiB"},
		{"a folder of such", []string{"db", "gather", filepath.Dir(sparse)}, "sparse.db is passed over"},
		{"a capture of zeros", []string{"run", "--format", "none", "--db", filepath.Join(cases, "nodeport", "sb.db"), "-r", gzipped(t, pcap, string(make([]byte, 1<<20)), 300, "") + "@breth0_ovn-worker"}, "the file holds zeros where a record is due"},
		{"a block of a gigabyte", []string{"run", "--db", filepath.Join(cases, "nodeport", "sb.db"), "-r", gzipped(t, pcapng, string(make([]byte, 1<<20)), 300, "")}, "input.gz"},
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
			if !strings.Contains(string(out), c.want) || bytes.Contains(out, []byte("goroutine ")) || status != exitBad && c.args[1] != "gather" {
				t.Errorf("status %d: %.600s", status, out)
			}
			if took := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(); memory > most>>10 || took > 10*time.Second {
				t.Errorf("%d MiB, %v", memory>>10, took)
			}
		})
	}
}

// flood writes n SYNs to the nodePort of the recorded session, each of another
// client, a microsecond apart.
func flood(t *testing.T, n int) string {
	t.Helper()
	sample, err := os.ReadFile(filepath.Join(cases, "nodeport", "client.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	eth := sample[40 : 40+14]
	out := binary.LittleEndian.AppendUint32(nil, 0xa1b23c4d)
	out = append(out, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0)
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
	for i := range n {
		src := net.IPv4(20, byte(i>>16), byte(i>>8), byte(i)).To4()
		dst := net.IPv4(172, 18, 0, 4).To4()
		ip := append([]byte{0x45, 0, 0, 40, byte(i >> 8), byte(i), 0x40, 0, 64, 6, 0, 0}, append(src, dst...)...)
		binary.BigEndian.PutUint16(ip[10:], sum(ip))
		tcp := []byte{byte(4 + i%100), 1, 0x75, 0x37, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 255, 255, 0, 0, 0, 0}
		pseudo := append(append(append(append([]byte{}, src...), dst...), 0, 6, 0, 20), tcp...)
		binary.BigEndian.PutUint16(tcp[16:], sum(pseudo))
		frame := append(append(append([]byte{}, eth...), ip...), tcp...)
		for _, v := range []uint32{1795341635, uint32(i) * 1000, uint32(len(frame)), uint32(len(frame))} {
			out = binary.LittleEndian.AppendUint32(out, v)
		}
		out = append(out, frame...)
	}
	path := filepath.Join(t.TempDir(), "flood.pcap")
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A limit that is reached is said once, with how often and since when.
func TestFloodReachesLimits(t *testing.T) {
	profile := filepath.Join(t.TempDir(), "profile")
	if err := os.WriteFile(profile, []byte("max 500\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	db := filepath.Join(cases, "nodeport", "sb.db")
	status, _, errs := replayed(t, "run", "--db", db, "-r", flood(t, 3000)+"@breth0_ovn-worker", "--format", "none", "--ct-profile", profile)
	if status != exitOK || strings.Count(errs, "the connection table was full (500) on chassis") != 1 || !strings.Contains(errs, " times since 2026-11-22T10:00:35.0") {
		t.Errorf("status %d, said %q", status, errs)
	}
}

// TestSessionKilledAndResumed kills a run that writes a session a dozen times, at
// random moments, and repeats it: in the end the session is the one that a run
// left alone makes, packet for packet.
func TestSessionKilledAndResumed(t *testing.T) {
	dir := t.TempDir()
	args := func(session string) []string {
		return []string{"run", "-q", "--format", "none", "--db", filepath.Join(cases, "nodeport", "sb.db"), "--session", filepath.Join(dir, session)}
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
	if out, err := process(context.Background(), append(args("killed"), "-r", capture)...).CombinedOutput(); err != nil {
		t.Fatalf("after %d kills: %v: %s", kills, err, out)
	}
	_, want, _ := replayed(t, "show", filepath.Join(dir, "whole"))
	_, got, _ := replayed(t, "show", filepath.Join(dir, "killed"))
	if n := strings.Count(want, "\n"); n < packets {
		t.Fatalf("%d packets of %d are listed", n, packets)
	}
	if got != want {
		t.Errorf("after %d kills the session holds %d lines, want %d", kills, strings.Count(got, "\n"), strings.Count(want, "\n"))
	}
}
