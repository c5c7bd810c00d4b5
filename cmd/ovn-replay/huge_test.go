package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ovnreplay/pcap"
	"ovnreplay/sim/replay"
)

var hugeMB = flag.Int("huge", 60, "size in megabytes of the capture TestConstantMemory generates")

// download writes a capture of one long download through the nodePort, as the
// client and as the pod see it, until it is so many bytes long. Frames are
// those of the recorded case, with sequence numbers and identifications going
// on; the pod sends full segments, which the client acknowledges.
func download(t *testing.T, w io.WriteCloser, size int) (packets int) {
	defer w.Close()
	dir := cases + "/nodeport"
	client, pod := framesOf(t, dir+"/client.pcap"), framesOf(t, dir+"/nginx.pcap")
	pw, err := pcap.NewWriter(w, pcap.Section{})
	if err != nil {
		t.Error(err)
		return 0
	}
	for _, port := range []string{"breth0_ovn-worker", "default_nginx-deployment-9456bbbf9-x6pc6"} {
		if _, err := pw.AddInterface(pcap.InterfaceInfo{Name: port, LinkType: pcap.LinkEthernet}); err != nil {
			t.Error(err)
			return 0
		}
	}
	now, written := client[0].time, 0
	put := func(iface int, data []byte) {
		now += 20_000
		if err := pw.WritePacket(&pcap.Packet{Interface: iface, Time: now, Data: data}); err != nil {
			written = size // the reader has gone
		}
		written += len(data) + 32
		packets++
	}
	// The handshake and the request as recorded, each on both sides.
	for i := range 4 {
		if i == 1 {
			put(1, pod[1].data)
			put(0, client[1].data)
			continue
		}
		put(0, client[i].data)
		put(1, pod[i].data)
	}
	const size1 = 1360
	segmentIn, segmentOut := lengthened(pod[5].data, size1), lengthened(client[5].data, size1)
	ackIn, ackOut := append([]byte(nil), client[6].data...), append([]byte(nil), pod[6].data...)
	advance(ackIn, 1104, 42) // what the recorded one acknowledges is 256 bytes long
	advance(ackOut, 1104, 42)
	for written < size {
		put(1, segmentIn)
		put(0, segmentOut)
		put(0, ackIn)
		put(1, ackOut)
		for _, f := range [][]byte{segmentIn, segmentOut} {
			advance(f, size1, 38)
		}
		for _, f := range [][]byte{ackIn, ackOut} {
			advance(f, size1, 42)
		}
	}
	pw.Flush()
	return packets
}

// lengthened returns a TCP segment with as many bytes of payload, its
// checksums computed anew.
func lengthened(frame []byte, payload int) []byte {
	l4 := 34
	head := l4 + int(frame[l4+12]>>4)*4
	out := append(append([]byte(nil), frame[:head]...), make([]byte, payload)...)
	binary.BigEndian.PutUint16(out[16:], uint16(len(out)-14))
	sums(out)
	return out
}

// advance adds to a sequence (38) or acknowledgement number (42) and to the IP
// identification.
func advance(frame []byte, by uint32, at int) {
	binary.BigEndian.PutUint32(frame[at:], binary.BigEndian.Uint32(frame[at:])+by)
	binary.BigEndian.PutUint16(frame[18:], binary.BigEndian.Uint16(frame[18:])+1)
	sums(frame)
}

// sums computes the checksums of a TCP segment over IPv4 (RFC 1071).
func sums(f []byte) {
	sum := func(v uint32, b []byte) uint32 {
		for i := 0; i+1 < len(b); i += 2 {
			v += uint32(binary.BigEndian.Uint16(b[i:]))
		}
		if len(b)%2 == 1 {
			v += uint32(b[len(b)-1]) << 8
		}
		return v
	}
	fold := func(v uint32) uint16 {
		for v>>16 != 0 {
			v = v&0xffff + v>>16
		}
		return ^uint16(v)
	}
	f[24], f[25], f[50], f[51] = 0, 0, 0, 0
	binary.BigEndian.PutUint16(f[24:], fold(sum(0, f[14:34])))
	binary.BigEndian.PutUint16(f[50:], fold(sum(sum(6+uint32(len(f)-34), f[26:34]), f[34:])))
}

// A capture of any size is verified in the same memory, as it comes. It is measured
// in a process of its own: what cobra keeps of a command's flags, a whole run's
// streams with them, stays for as long as the process that runs hundreds.
func TestConstantMemory(t *testing.T) {
	const alone = "OVN_REPLAY_ALONE"
	if os.Getenv(alone) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestConstantMemory$", "-test.v", fmt.Sprint("-huge=", *hugeMB))
		cmd.Env = append(os.Environ(), alone+"=1")
		out, err := cmd.CombinedOutput()
		if t.Logf("%s", out); err != nil || !bytes.Contains(out, []byte("MB of heap")) {
			t.Error(err)
		}
		return
	}
	in, feed := io.Pipe()
	packets := 0
	written := make(chan struct{})
	go func() {
		packets = download(t, feed, *hugeMB<<20)
		close(written)
	}()
	var most atomic.Uint64
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(50 * time.Millisecond):
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most.Store(max(most.Load(), m.HeapInuse))
			}
		}
	}()
	begun := time.Now()
	var out, errs strings.Builder
	status := run(context.Background(), []string{"verify", "--json", "--db", cases + "/nodeport/sb.db", "--ct-profile",
		"ovs-userspace", "-r", "-"}, in, &out, &errs)
	close(done)
	<-written
	var r replay.Report
	if err := json.Unmarshal([]byte(out.String()), &r); err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	if status != exitOK || r.Packets != packets || r.Matched*2 != packets {
		t.Errorf("exit status %d, %d packets of %d, matched %d, %+.2v", status, r.Packets, packets, r.Matched,
			r.Missing)
	}
	mb := float64(most.Load()) / 1e6
	t.Logf("%d MB, %d packets in %v: at most %.0f MB of heap", *hugeMB, packets,
		time.Since(begun).Round(time.Millisecond), mb)
	if mb > 96 { // the goal is 64, of the program alone
		t.Errorf("%.0f MB of heap for a capture of %d MB", mb, *hugeMB)
	}
}
