package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ovnreplay/store/output"
)

// Interrupted while a database loads, or while the other end of a pipe is not
// there, a command ends at once, with the words and the status of a replay.
func TestInterruptedBeforeCaptures(t *testing.T) {
	dir := t.TempDir()
	nodeport := filepath.Join(cases, "nodeport")
	for _, args := range []string{
		"run --json --db PIPE -r CASE/client.pcap", "verify --db PIPE -r CASE/client.pcap",
		"diff --db PIPE --db CASE/sb.db -r CASE/client.pcap",
		"report -o DIR/r.html --db PIPE -r CASE/client.pcap", "trace --db PIPE -r CASE/client.pcap#1", "db info PIPE",
		"run --format=json --db PIPE -r CASE/client.pcap", "who 10.0.0.1 --json=true --db PIPE -r CASE/client.pcap",
		"conntrack states -r PIPE",
		"run --db CASE/sb.db -r PIPE --format none -w DIR/out.pcapng",
		"run --db CASE/sb.db -r CASE/client.pcap --ct-import PIPE",
		"connections --db PIPE -r CASE/client.pcap --json",
		"run --db CASE/sb.db -r CASE/client.pcap --format none -w PIPE",
	} {
		pipe := filepath.Join(t.TempDir(), "pipe")
		if err := makeFifo(pipe); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancelCause(t.Context())
		time.AfterFunc(50*time.Millisecond, func() { stop(output.Signalled{Signal: syscall.SIGTERM}) })
		begun := time.Now()
		var out, errs bytes.Buffer
		args = strings.NewReplacer("PIPE", pipe, "CASE", nodeport, "DIR", dir).Replace(args)
		status := run(ctx, strings.Fields(args), strings.NewReader(""), &out, &errs)
		took := time.Since(begun)
		if status != exitSignal+int(syscall.SIGTERM) ||
			!strings.Contains(errs.String(), "interrupted after 0 packets: no verdict") || took > 5*time.Second {
			t.Errorf("%s: exit status %d after %v: %s", args, status, took, errs.String())
		}
		if strings.Contains(args, "json") && !strings.Contains(out.String(), `"interrupted":true`) {
			t.Errorf("%s: %s", args, out.String())
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

// Whoever reads a pipe and takes nothing keeps an interrupted command for a while,
// not for ever; what else it writes is complete.
func TestInterruptedWhileReaderStalls(t *testing.T) {
	flooded := floodOf(t, "UDP", 3000) // several times what pipes and buffers hold
	for _, args := range []string{
		"run --json -w FILE", "run --format detailed --session FILE", "run -w PIPE --format none",
	} {
		dir := t.TempDir()
		file, pipe := filepath.Join(dir, "out"), filepath.Join(dir, "pipe")
		if err := makeFifo(pipe); err != nil {
			t.Fatal(err)
		}
		args := strings.Fields(strings.NewReplacer("FILE", file, "PIPE", pipe).Replace(args))
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		reader, err := os.OpenFile(pipe, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
		ctx, stop := context.WithCancelCause(t.Context())
		var signalled atomic.Int64
		time.AfterFunc(3*time.Second, func() {
			signalled.Store(time.Now().UnixNano())
			stop(output.Signalled{Signal: syscall.SIGINT})
		})
		var errs bytes.Buffer
		status := run(ctx, append(args, "--db", filepath.Join(cases, "nodeport", "sb.db"), "-r",
			flooded+"@breth0_ovn-worker"), strings.NewReader(""), w, &errs)
		took := time.Since(time.Unix(0, signalled.Load()))
		if status != exitSignal+int(syscall.SIGINT) || took > 2*output.Patience+time.Second ||
			!strings.Contains(errs.String(), "interrupted after ") {
			t.Errorf("%s: exit status %d after %v: %s", args, status, took, errs.String())
		}
		if args[len(args)-2] == "-w" && enhancedPackets(read(t, file)) == 0 {
			t.Errorf("%s: nothing is in the annotated capture", args)
		}
	}
}

// While a live capture pauses, all that came of it is to be seen in what -w
// writes, a file or standard output.
func TestLiveIsSeenAtOnce(t *testing.T) {
	const most = 200 * time.Millisecond
	data := read(t, filepath.Join(cases, "nodeport", "client.pcap"))
	for _, to := range []string{"-", filepath.Join(t.TempDir(), "out.pcapng")} {
		header, rest := data[:24], data[24:]
		in, feed, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		var out growing
		ended := make(chan int, 1)
		var errs bytes.Buffer
		go func() {
			ended <- run(t.Context(), []string{"run", "--db", filepath.Join(cases, "nodeport", "sb.db"), "-r",
				"-@breth0_ovn-worker", "--format", "none", "-w", to}, in, &out, &errs)
		}()
		seen := func() int {
			if to == "-" {
				return enhancedPackets(out.bytes())
			}
			b, _ := os.ReadFile(to)
			return enhancedPackets(b)
		}
		feed.Write(header)
		for n := 1; n <= 5; n++ {
			size := 16 + int(binary.LittleEndian.Uint32(rest[8:]))
			feed.Write(rest[:size])
			rest = rest[size:]
			at := time.Now()
			for seen() < 2*n && time.Since(at) < 20*time.Second { // what entered, and what left
				time.Sleep(time.Millisecond)
			}
			if took := time.Since(at); took > most && n > 1 { // before the first, the database is read
				t.Errorf("-w %s: packet %d is seen after %v", to, n, took)
			}
		}
		feed.Close()
		if status := <-ended; status != exitOK {
			t.Errorf("-w %s: exit status %d, %s", to, status, errs.String())
		}
	}
}

// growing is what is written to it, to be looked at meanwhile.
type growing struct {
	mu sync.Mutex
	b  []byte
}

func (g *growing) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.b = append(g.b, p...)
	return len(p), nil
}

func (g *growing) bytes() []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	return bytes.Clone(g.b)
}

// enhancedPackets counts the whole packet blocks of a pcapng that is being written.
func enhancedPackets(b []byte) (n int) {
	for len(b) >= 12 {
		size := int(binary.LittleEndian.Uint32(b[4:]))
		if size < 12 || size > len(b) {
			break
		}
		if binary.LittleEndian.Uint32(b) == 6 {
			n++
		}
		b = b[size:]
	}
	return n
}

// A capture that is cut gives what it holds, however it is compressed, and the
// message names it; what is told is told of what could be read.
func TestCutCaptureKeepsWhatItHolds(t *testing.T) {
	dir := t.TempDir()
	data := read(t, filepath.Join(cases, "nodeport", "client.pcap"))
	for _, how := range []string{"gz", "xz", "zst"} {
		file := filepath.Join(dir, "cut@"+how+".pcap")
		packed := pack(t, how, data)
		if err := os.WriteFile(file, packed[:len(packed)-120], 0o600); err != nil {
			t.Fatal(err)
		}
		status, out, errs := replayed(t, "run", "-q", "--db", filepath.Join(cases, "nodeport", "sb.db"), "-r",
			file+"@breth0_ovn-worker")
		if how == "zst" && strings.Contains(errs, "cut off before its first packet") {
			continue // all is one block, which is not there
		}
		if status != exitBad || !strings.Contains(out, "packets entered 1") ||
			!strings.Contains(errs, file+": frame ") || !strings.Contains(errs, "frames before it are good") {
			t.Errorf("%s: exit status %d, %s%s", how, status, out, errs)
		}
		_, out, _ = replayed(t, "verify", "--db", filepath.Join(cases, "nodeport", "sb.db"), "-r",
			file+"@breth0_ovn-worker", "-r", filepath.Join(cases, "nodeport", "nginx.pcap"))
		if !strings.Contains(out, "everything observed was predicted, byte for byte, of what could be read\n") {
			t.Errorf("%s: %s", how, out)
		}
	}
}
