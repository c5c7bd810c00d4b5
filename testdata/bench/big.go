package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

// A packet between two pods of the cluster that testdata/bigdb makes.
const (
	bigSwitch, bigPort = "node1", "default_pod0"
	bigSrc, bigDst     = "10.128.1.3", "10.128.2.3"
	bigMAC, bigRouter  = "\x0a\x58\x05\x01\x00\x03", "\x0a\x58\x02\x01\x00\x00"
	bigFlow            = `inport == "default_pod0" && eth.src == 0a:58:05:01:00:03 && eth.dst == 0a:58:02:01:00:00 ` +
		`&& ip4.src == 10.128.1.3 && ip4.dst == 10.128.2.3 && ip.ttl == 64 && udp && udp.src == 4000 && udp.dst == 8080`
)

// databases measures what a big cluster's database costs: to read it, to trace
// one packet in it, and packets that find nothing compiled, or all.
func (b *bench) databases(short bool) error {
	if b.big == "" {
		return nil
	}
	read, err := b.run(b.program, "db", "info", b.big)
	if err != nil {
		return err
	}
	start, err := b.start(b.big, nil)
	if err != nil {
		return err
	}
	b.rows = append(b.rows, row{"load a 100-node cluster (db info)", "0.1 s, 60 MB; ovn-trace / 25",
		fmt.Sprintf("%.2f s, %.0f MB", read.cpu.Seconds(), megabytes(read.rss)), against(start, read.cpu)})
	if err := b.traces(start); err != nil {
		return err
	}
	if err := b.bigPackets(); err != nil {
		return err
	}
	if short {
		return nil
	}
	return b.million()
}

// traces measures trace, start to exit, against the start of ovn-trace's daemon.
func (b *bench) traces(start time.Duration) error {
	if err := os.Setenv("XDG_STATE_HOME", b.dir); err != nil {
		return err
	}
	if out, err := exec.Command(b.program, "db", "snapshot", b.big, "bench").CombinedOutput(); err != nil {
		return fmt.Errorf("db snapshot: %w: %s", err, out)
	}
	for _, x := range []struct{ what, goal, db string }{
		{"trace of one packet on it, start to exit", "150 ms", b.big},
		{"the same from a snapshot", "60 ms", "snapshot:bench"},
	} {
		u, err := b.run(b.program, "trace", "--db", x.db, bigSwitch, bigFlow, "--minimal")
		if err != nil {
			return err
		}
		b.rows = append(b.rows, row{x.what, x.goal, fmt.Sprintf("%.0f ms, %.0f MB", us(u.cpu)/1000, megabytes(u.rss)),
			against(start, u.cpu)})
	}
	return nil
}

// bigPackets measures, in this process, a packet on the big cluster: the first,
// for which its stages are compiled, and later ones.
func (b *bench) bigPackets() error {
	net, _, err := southbound.Open(context.Background(), b.big, store.Options{})
	if err != nil {
		return err
	}
	in := sim.Injection{Port: net.Port(bigPort), Time: conntrack.Second, Frame: bigFrame()}
	in.Chassis = in.Port.ActiveChassis()
	var cold, warm time.Duration
	for i := range 5 {
		e, err := sim.New(net, sim.Options{Conntrack: conntrack.Options{Profile: conntrack.OVSUserspace}})
		if err != nil {
			return err
		}
		before := cpuTime()
		out := e.Inject(in)
		if took := cpuTime() - before; i == 0 || took < cold {
			cold = took
		}
		if len(out.Outputs) != 1 {
			return fmt.Errorf("the packet of the big cluster was %v", out.Verdict)
		}
		const packets = 50_000
		before = cpuTime()
		for range packets {
			in.Time += 1000
			e.Inject(in)
		}
		if took := (cpuTime() - before) / packets; i == 0 || took < warm {
			warm = took
		}
	}
	anchor, err := b.daemon(b.big, bigSwitch, bigFlow, 20)
	if err != nil {
		return err
	}
	b.rows = append(b.rows,
		row{"cold packet on it, nothing compiled (engine alone)", "50 us", fmt.Sprintf("%.0f us", us(cold)),
			against(anchor, cold)},
		row{"warm packet on it (engine alone)", "ovn-trace / 10,000", fmt.Sprintf("%.2f us", us(warm)),
			against(anchor, warm)})
	b.least("a warm packet of the big cluster", anchor, warm, leastBigRatio)
	if anchor > 0 {
		b.rows = append(b.rows, row{"anchor: this packet, ovn-trace's daemon on it", "",
			fmt.Sprintf("%.0f us", us(anchor)), "1"})
	}
	return nil
}

// bigFrame is the packet, with 64 bytes of payload.
func bigFrame() []byte {
	const payload = 64
	f := append([]byte(bigRouter+bigMAC), 0x08, 0x00)
	ip := []byte{0x45, 0, 0, 28 + payload, 0, 1, 0, 0, 64, header.ProtoUDP, 0, 0}
	ip = append(append(ip, netip.MustParseAddr(bigSrc).AsSlice()...), netip.MustParseAddr(bigDst).AsSlice()...)
	binary.BigEndian.PutUint16(ip[10:], sum(ip))
	f = append(f, ip...)
	f = append(f, 4000>>8, 4000&0xff, 8080>>8, 8080&0xff, 0, 8+payload, 0, 0) // no checksum
	return append(f, make([]byte, payload)...)
}

// sum is the checksum of an IP header (RFC 1071).
func sum(b []byte) uint16 {
	s := uint32(0)
	for i := 0; i < len(b); i += 2 {
		s += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for s>>16 != 0 {
		s = s&0xffff + s>>16
	}
	return ^uint16(s)
}

// million measures the reading of a million flows: the cluster's, and copies of
// them that match other packets, as transactions of their own.
func (b *bench) million() error {
	const rows = 1_000_000
	path := filepath.Join(b.dir, "million.db")
	if err := multiply(b.big, path, rows); err != nil {
		return err
	}
	defer os.Remove(path)
	runs := b.runs
	b.runs = 1
	u, err := b.run(b.program, "db", "info", path)
	b.runs = runs
	if err != nil {
		return err
	}
	b.rows = append(b.rows, row{"load 1,000,000 flow rows (db info)", "8 s, 2 GB",
		fmt.Sprintf("%.1f s, %.0f MB", u.cpu.Seconds(), megabytes(u.rss)), ""})
	return nil
}

// multiply writes a database again, with copies of its flows until there are so many.
func multiply(from, to string, flows int) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var tables map[string]json.RawMessage
	for rest := text; ; {
		line, after, ok := bytes.Cut(rest, []byte("\n"))
		words := strings.Fields(string(line)) // OVSDB JSON length hash
		if !ok || len(words) != 4 {
			break
		}
		n, err := strconv.Atoi(words[2])
		if err != nil || n > len(after) {
			return fmt.Errorf("%s: record of %s bytes", from, words[2])
		}
		if err := json.Unmarshal(after[:n], &tables); err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
		rest = after[n:]
	}
	var all map[string]map[string]json.RawMessage
	if err := json.Unmarshal(tables["Logical_Flow"], &all); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	w.Write(text)
	for n, copied := len(all), 1; n < flows; n, copied = n+len(all), copied+1 {
		if err := writeCopy(w, all, copied); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// writeCopy writes a transaction that adds flows like those that there are, of
// other UUIDs and matches.
func writeCopy(w io.Writer, all map[string]map[string]json.RawMessage, n int) error {
	flows := make(map[string]map[string]json.RawMessage, len(all))
	for uuid, flow := range all {
		other := make(map[string]json.RawMessage, len(flow))
		for k, v := range flow {
			other[k] = v
		}
		var match string
		if err := json.Unmarshal(flow["match"], &match); err != nil {
			return err
		}
		other["match"], _ = json.Marshal(fmt.Sprintf("(%s) && ip.ttl == %d", match, n))
		flows[fmt.Sprintf("%08x%s", n<<20, uuid[8:])] = other
	}
	body, err := json.Marshal(map[string]any{"Logical_Flow": flows})
	if err != nil {
		return err
	}
	body = append(body, '\n')
	hash := sha1.Sum(body)
	if _, err = fmt.Fprintf(w, "OVSDB JSON %d %s\n", len(body), hex.EncodeToString(hash[:])); err == nil {
		_, err = w.Write(body)
	}
	return err
}

func megabytes(kB int64) float64 { return float64(kB) / 1024 }
