package main

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ovnreplay/pcap"
	"ovnreplay/sim/network"
	"ovnreplay/sim/replay"
)

var nodeportFiles = map[string]string{
	"client.pcap": "breth0_ovn-worker",
	"nginx.pcap":  "default_nginx-deployment-9456bbbf9-x6pc6",
	"pod2.pcap":   "default_client-pod",
}

// One "any" capture of the whole host: the same packets, each seen on the
// device it came in and again on the bridge behind, and on the pods' devices.
func TestAnyCaptureOfTheHost(t *testing.T) {
	t.Parallel()
	c := openCase(t, cases+"/nodeport")
	var frames []frame
	ifindex := map[string]uint32{"client.pcap": 2, "nginx.pcap": 10, "pod2.pcap": 11}
	repeated := 0
	placedFrames(t, c, nodeportFiles, func(f frame, p *network.Port, d replay.Direction, file string) {
		out := d == replay.Left
		frames = append(frames, frame{f.time, cooked(f.data, ifindex[file], out), f.wire + 6})
		if p.Type == network.Localnet {
			frames = append(frames, frame{f.time + 1000, cooked(f.data, 3, out), f.wire + 6})
			repeated++
		}
	})
	frames = append(frames, frame{frames[0].time, append(make([]byte, 8),
		append([]byte{772 >> 8, 772 & 0xff}, make([]byte, 40)...)...), 50})
	slices.SortStableFunc(frames, func(a, b frame) int { return cmp.Compare(a.time, b.time) })
	file := write(t, "any.pcap", classic(t, pcap.LinkSLL2, frames))
	status, r := verified(t, "--db", c.dir+"/sb.db", "--ct-profile", "ovs-userspace", "-r",
		file+"@any@4da007a6-ed1d-45ff-bcf4-62ae8914bbbc")
	if status != exitOK || r.Entered != 21 || r.Matched != 20 || r.Autonomous != 1 || r.Repeated != repeated+1 {
		t.Errorf("exit status %d, entered %d of 21, matched %d of 20, autonomous %d of 1, repeated %d of %d", status,
			r.Entered, r.Matched, r.Autonomous, r.Repeated, repeated+1)
		_, text, _ := replayed(t, "verify", "--db", c.dir+"/sb.db", "--explain-points", "-r",
			file+"@any@4da007a6-ed1d-45ff-bcf4-62ae8914bbbc")
		t.Log(text)
	}
	// It is recognised without being told.
	_, _, told := replayed(t, "verify", "--db", c.dir+"/sb.db", "--explain-points", "-r", file)
	if !strings.Contains(told, "every interface of chassis 4da007a6") {
		t.Errorf("placed as %q", told)
	}
}

// Raw IP of both sides, without any Ethernet header.
func TestRawCaptures(t *testing.T) {
	t.Parallel()
	c := openCase(t, cases+"/nodeport")
	args := []string{"--db", c.dir + "/sb.db", "--ct-profile", "ovs-userspace"}
	for file, port := range nodeportFiles {
		var frames []frame
		for _, f := range framesOf(t, filepath.Join(c.dir, file)) {
			if f.data[12] == 8 && f.data[13] == 0 {
				frames = append(frames, frame{f.time, f.data[14:], f.wire - 14})
			}
		}
		args = append(args, "-r", write(t, file, classic(t, pcap.LinkRaw, frames))+"@"+port)
	}
	if status, r := verified(t, args...); status != exitOK || r.Matched != 20 || r.Inferred != 0 {
		t.Errorf("exit status %d, matched %d of 20, inferred %d, missing %v", status, r.Matched, r.Inferred, r.Missing)
	}
}

// shifted rewrites a capture with its clock ahead.
func shifted(t *testing.T, file string, by time.Duration) string {
	t.Helper()
	frames := framesOf(t, file)
	for i := range frames {
		frames[i].time += by.Nanoseconds()
	}
	return write(t, filepath.Base(file), classic(t, pcap.LinkEthernet, frames))
}

// A capture whose clock is 80 ms off is recognised by what would arrive before
// it is sent, and corrected; by hand too.
func TestShiftedClock(t *testing.T) {
	t.Parallel()
	dir := cases + "/nodeport"
	for _, by := range []time.Duration{80 * time.Millisecond, -80 * time.Millisecond, 3 * time.Hour} {
		base := []string{"--db", dir + "/sb.db", "--ct-profile", "ovs-userspace",
			"-r", dir + "/client.pcap@breth0_ovn-worker", "-r", shifted(t, dir+"/nginx.pcap", by) +
				"@default_nginx-deployment-9456bbbf9-x6pc6"}
		status, r := verified(t, base...)
		if status != exitOK || r.Matched != 20 || r.Inferred != 0 || len(r.Clocks) != 1 || !r.Clocks[0].Corrected {
			t.Errorf("%v: exit status %d, matched %d of 20, clocks %+v", by, status, r.Matched, r.Clocks)
			continue
		}
		if off := time.Duration(r.Clocks[0].Offset) + by; off.Abs() > time.Millisecond {
			t.Errorf("%v: corrected by %v", by, time.Duration(r.Clocks[0].Offset))
		}
		status, r = verified(t, append(base, "--no-align", "--offset", "nginx.pcap="+(-by).String())...)
		if status != exitOK || r.Matched != 20 {
			t.Errorf("%v by hand: exit status %d, matched %d of 20", by, status, r.Matched)
		}
	}
	// Clocks that agree are left alone.
	if _, r := verified(t, "--case", dir); len(r.Clocks) == 0 || r.Clocks[0].Corrected {
		t.Errorf("clocks that agree: %+v", r.Clocks)
	}
}

// quiet returns the middle of the longest time in which no packet is seen,
// before one of the server's: none is on its way then.
func quiet(frames []frame) (middle int64) {
	server := []byte{10, 244, 1, 3}
	slices.SortFunc(frames, func(a, b frame) int { return cmp.Compare(a.time, b.time) })
	longest := int64(0)
	for i := 1; i < len(frames); i++ {
		gap := frames[i].time - frames[i-1].time
		if gap > longest && bytes.Equal(frames[i].data[26:30], server) {
			longest, middle = gap, frames[i].time-gap/2
		}
	}
	return middle
}

// The captures begin in the middle of a connection. Where nothing may be inferred,
// and without a dump of the table, the reason is that it began before; where it may,
// its beginning is, and a cause says so; with a dump nothing is missing.
func TestFirstHalfCutOff(t *testing.T) {
	t.Parallel()
	dir := cases + "/seed-21.12"
	wire, pod := "@breth0_ovn-worker", "@default_nginx-deployment-9456bbbf9-x6pc6"
	client, server := framesOf(t, dir+"/client.pcap"), framesOf(t, dir+"/pod.pcap")
	middle := quiet(append(slices.Clone(client), server...))
	halves := func(frames []frame) (string, string) {
		i := slices.IndexFunc(frames, func(f frame) bool { return f.time > middle })
		return write(t, "first.pcap", classic(t, pcap.LinkEthernet, frames[:i])),
			write(t, "second.pcap", classic(t, pcap.LinkEthernet, frames[i:]))
	}
	c1, c2 := halves(client)
	n1, n2 := halves(server)
	base := []string{"--db", dir + "/sb.db", "--ct-profile", "ovs-userspace"}

	_, cold := verified(t, append(base, "-r", c2+wire, "-r", n2+pod, "--no-infer")...)
	if len(cold.Missing)+len(cold.Mismatched) == 0 {
		t.Errorf("nothing is missing although the connection's beginning is: %+v", cold)
	}
	began := 0
	for _, m := range slices.Concat(cold.Missing, cold.Mismatched) {
		if strings.Contains(m.Reason, "began before the capture") {
			began++
		}
	}
	if began == 0 {
		t.Errorf("no reason says that the connection began before the capture: %+v", cold.Missing)
	}

	said := func(g replay.Group) bool { return g.Cause == replay.CauseLate && g.Packets > 0 }
	if opened, r := verified(t, append(base, "-r", c2+wire, "-r", n2+pod)...); opened != exitOK ||
		r.Matched == 0 || !slices.ContainsFunc(r.Groups, said) {
		t.Errorf("a connection is not opened as a packet from its middle shows: exit status %d, %+v", opened, r)
	}

	status, dump, errs := replayed(t, append([]string{"conntrack", "export", "-r", c1 + wire, "-r", n1 + pod},
		base...)...)
	if status != exitOK || !strings.Contains(dump, "172.18.0.1") {
		t.Fatalf("export: exit status %d: %s%s", status, dump, errs)
	}
	status, warm := verified(t, append(base, "-r", c2+wire, "-r", n2+pod, "--ct-import",
		write(t, "dump.txt", []byte(dump)))...)
	if status != exitOK || warm.Matched == 0 || warm.Matched+warm.Autonomous != warm.Observed {
		t.Errorf("with the table: exit status %d, matched %d of %d, missing %+v", status, warm.Matched, warm.Observed,
			warm.Missing)
	}
}

// A rotated set is one capture.
func TestRotatedSet(t *testing.T) {
	t.Parallel()
	dir := cases + "/nodeport"
	frames := framesOf(t, dir+"/client.pcap")
	set := t.TempDir()
	for i, part := range [][]frame{frames[:7], frames[7:15], frames[15:]} {
		writeTo(t, filepath.Join(set, "cap."+string(rune('0'+i))+".pcap"), classic(t, pcap.LinkEthernet, part))
	}
	status, r := verified(t, "--db", dir+"/sb.db", "--ct-profile", "ovs-userspace", "-r",
		filepath.Join(set, "cap.*.pcap"), "-r", dir+"/nginx.pcap")
	if status != exitOK || r.Matched != 20 || r.Inferred != 0 {
		t.Errorf("exit status %d, matched %d of 20, %+v", status, r.Matched, r.Missing)
	}
}

// A pattern whose files are from different ports is several captures.
func TestPatternOfDifferentPorts(t *testing.T) {
	t.Parallel()
	dir := cases + "/nodeport"
	status, r := verified(t, "--db", dir+"/sb.db", "--ct-profile", "ovs-userspace", "-r", dir+"/[cn]*[tx].pcap")
	if status != exitOK || r.Matched != 20 || r.Inferred != 0 {
		t.Errorf("exit status %d, matched %d of 20, %+v", status, r.Matched, r.Missing)
	}
}

// A live capture is answered packet by packet: each before the next is there.
func TestLiveCapture(t *testing.T) {
	dir := cases + "/seed-21.12"
	capture := read(t, dir+"/client.pcap")
	in, feed := io.Pipe()
	lines := make(chan string, 100)
	out := lineWriter{lines: lines}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int)
	file := filepath.Join(t.TempDir(), "live.pcapng")
	go func() {
		done <- run(ctx, []string{"run", "--db", dir + "/sb.db", "-r", "-@breth0_ovn-worker", "-w", file, "--no-infer"},
			in, &out, io.Discard)
	}()
	sizes := frameSizes(capture)
	feed.Write(capture[:24])
	at, answers := 24, 0
	for i, n := range sizes[:4] {
		feed.Write(capture[at : at+n])
		at += n
		if i%2 == 1 { // an answer of the pod: nothing enters here
			continue
		}
		select {
		case <-lines:
			answers++
		case <-time.After(20 * time.Second):
			t.Fatalf("no answer to packet %d before the next one", i+1)
		}
	}
	// Interrupted, it ends cleanly: what was done so far is valid.
	cancel()
	select {
	case status := <-done:
		if status != exitSignal+int(syscall.SIGINT) {
			t.Errorf("interrupted: exit status %d", status)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end when interrupted")
	}
	if n := len(records(t, file)); n <= answers {
		t.Errorf("the annotated capture holds %d packets after %d answers", n, answers)
	}
}

// lineWriter hands on what is written to it.
type lineWriter struct{ lines chan string }

func (w *lineWriter) Write(p []byte) (int, error) {
	w.lines <- string(p)
	return len(p), nil
}

// frameSizes are the sizes of a little-endian classic pcap's records.
func frameSizes(capture []byte) (out []int) {
	for at := 24; at+16 <= len(capture); {
		n := 16 + (int(capture[at+8]) | int(capture[at+9])<<8)
		out = append(out, n)
		at += n
	}
	return out
}

// The interfaces of a pcapng say where its packets were captured: by name, or
// by the iface-id of Open vSwitch in a comment.
func TestPortsByInterfaceName(t *testing.T) {
	t.Parallel()
	dir := cases + "/nodeport"
	var b bytes.Buffer
	w, err := pcap.NewWriter(&b, pcap.Section{})
	if err != nil {
		t.Fatal(err)
	}
	var all []pcap.Packet
	for file, port := range nodeportFiles {
		info := pcap.InterfaceInfo{Name: port, LinkType: pcap.LinkEthernet}
		if file == "nginx.pcap" {
			info = pcap.InterfaceInfo{Name: "veth123",
				Comments: []string{"attached-mac=0a:58:0a:f4:01:03 iface-id=" + port}, LinkType: pcap.LinkEthernet}
		}
		i, err := w.AddInterface(info)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range framesOf(t, filepath.Join(dir, file)) {
			all = append(all, pcap.Packet{Interface: i, Time: f.time, Data: f.data, OrigLen: f.wire})
		}
	}
	slices.SortStableFunc(all, func(a, b pcap.Packet) int { return cmp.Compare(a.Time, b.Time) })
	for i := range all {
		if err := w.WritePacket(&all[i]); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	status, r := verified(t, "--db", dir+"/sb.db", "--ct-profile", "ovs-userspace", "-r",
		write(t, "all.pcapng", b.Bytes()))
	if status != exitOK || r.Matched != 20 || r.Autonomous != 1 || r.Inferred != 0 {
		t.Errorf("exit status %d, matched %d of 20, autonomous %d of 1", status, r.Matched, r.Autonomous)
	}
}

// The filter is the logical flow language, with the connection's state as the
// packet met it.
func TestFilter(t *testing.T) {
	t.Parallel()
	count := func(filter string) int {
		return len(packets(t, "nodeport", "--filter", filter))
	}
	all, replies := len(packets(t, "nodeport")), count("ct.rpl && tcp")
	if replies == 0 || replies >= all {
		t.Errorf("%d of %d packets are replies", replies, all)
	}
	if n := count("ip4.src == 10.244.0.0/16 && tcp.src == 80"); n != replies {
		t.Errorf("%d packets come from the server, %d are replies", n, replies)
	}
	sum := 0
	for _, port := range nodeportFiles {
		sum += count(`inport == "` + port + `"`)
	}
	if sum != all {
		t.Errorf("the ports' packets are %d, all are %d", sum, all)
	}
	status, _, errs := replayed(t, "run", "--case", cases+"/nodeport", "--filter", "ip4.dst = 1")
	if status != exitBad || !strings.Contains(errs, "--filter") || strings.Count(errs, "\n") != 1 {
		t.Errorf("a bad filter: exit status %d, %q", status, errs)
	}
}

// Fields that are told to be ignored do not make a difference.
func TestIgnoredField(t *testing.T) {
	t.Parallel()
	dir := cases + "/seed-21.12"
	changed := replaceFrames(t, read(t, dir+"/client.pcap"), func(n int, f []byte) {
		if n == 2 {
			f[14+1] = 0x10 // TOS, and the header's checksum with it
			f[14+11] -= 0x10
		}
	})
	args := []string{"--db", dir + "/sb.db", "-r", write(t, "client.pcap", changed) + "@breth0_ovn-worker", "-r", dir +
		"/pod.pcap"}
	status, r := verified(t, args...)
	if status != exitDifference || len(r.Mismatched) != 1 || r.Mismatched[0].Fields[0].Field != "ip.dscp" {
		t.Fatalf("exit status %d, mismatched %+v", status, r.Mismatched)
	}
	if status, r := verified(t, append(args, "--ignore", "ip.dscp")...); status != exitOK || r.Matched != 11 {
		t.Errorf("--ignore: exit status %d, matched %d of 11", status, r.Matched)
	}
}
