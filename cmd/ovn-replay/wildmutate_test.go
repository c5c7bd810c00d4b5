package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"ovnreplay/pcap"
	"ovnreplay/sim/network"
)

// What engineers really hand over, made of a clean recorded case: captures with
// offloads, cut frames, loss, duplicates and crooked clocks. Written down from
// what Linux shows on pairs of veth and network cards; it shares no code with
// what it tests but the reading of captures.

// wildFrame is a captured frame.
type wildFrame struct {
	ts   int64
	data []byte
	wire int
}

// wildCapture is a capture of a case.
type wildCapture struct {
	underlay            bool
	file, port, chassis string
	link                uint32
	frames              []wildFrame
	// What mutations did: how many frames they took away, showed twice, left to a
	// card, took the tag off, and cut.
	removed, twice, sums, untagged, cut int
	lost                                []wildFrame // those taken away
}

// wildCase is a case in memory.
type wildCase struct {
	dir      string
	json     map[string]any
	captures []*wildCapture
	vifs     map[string]map[string]bool // port -> its Ethernet addresses
	inside   map[string]bool            // those of OVN's own ports
	endpoint map[string]string          // tunnel address -> chassis
	args     []string
}

// wildPacket is where the parts of an IP packet are.
type wildPacket struct {
	l3, l4, end int
	proto       byte
	v6, whole   bool
	fragment    bool
}

func parseWild(d []byte) (p wildPacket, ok bool) {
	if len(d) < 14 {
		return p, false
	}
	typ, at := binary.BigEndian.Uint16(d[12:]), 14
	for (typ == 0x8100 || typ == 0x88a8) && len(d) >= at+4 {
		typ, at = binary.BigEndian.Uint16(d[at+2:]), at+4
	}
	p.l3 = at
	switch {
	case typ == 0x0800 && len(d) >= at+20:
		p.l4, p.proto = at+int(d[at]&15)*4, d[at+9]
		p.end = at + int(binary.BigEndian.Uint16(d[at+2:]))
		if p.end == at { // of BIG TCP
			p.end = len(d)
		}
		p.fragment = binary.BigEndian.Uint16(d[at+6:])&0x3fff != 0
	case typ == 0x86dd && len(d) >= at+40:
		p.v6, p.l4, p.proto = true, at+40, d[at+6]
		p.end = p.l4 + int(binary.BigEndian.Uint16(d[at+4:]))
	default:
		return p, false
	}
	p.whole = len(d) >= p.end
	return p, true
}

func ones(sum uint32, b []byte) uint32 {
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return sum
}

// sums are a packet's complete and its partial transport checksum.
func (p *wildPacket) sums(d []byte) (full, partial uint16, at int) {
	addrs := d[p.l3+12 : p.l3+20]
	if p.v6 {
		addrs = d[p.l3+8 : p.l3+40]
	}
	at = p.l4 + 16
	if p.proto == 17 {
		at = p.l4 + 6
	}
	pseudo := ones(uint32(p.proto)+uint32(p.end-p.l4), addrs)
	rest := slices.Clone(d[p.l4:p.end])
	rest[at-p.l4], rest[at-p.l4+1] = 0, 0
	full = ^uint16(ones(pseudo, rest))
	if p.proto == 17 && full == 0 {
		full = 0xffff
	}
	return full, uint16(pseudo), at
}

// offload leaves a frame's checksum to the network card.
func (f *wildFrame) offload() bool {
	p, ok := parseWild(f.data)
	if !ok || p.proto != 6 && p.proto != 17 || p.fragment || !p.whole {
		return false
	}
	_, partial, at := p.sums(f.data)
	if p.proto == 17 && f.data[at]|f.data[at+1] == 0 {
		return false
	}
	f.data = slices.Clone(f.data)
	binary.BigEndian.PutUint16(f.data[at:], partial)
	return true
}

// wildRun is TCP segments becoming one.
type wildRun struct {
	frame   wildFrame
	p       wildPacket
	payload []byte
	last    int64
	flags   byte
	n       int
}

// merge makes one frame of TCP segments that follow each other, as GRO and
// what a stack hands to a card that segments do.
func (c *wildCapture) merge(want func(*wildFrame) bool, most int) {
	var order []*wildRun
	open := map[string]*wildRun{}
	for i := range c.frames {
		f := c.frames[i]
		r := &wildRun{frame: f, n: 1}
		order = append(order, r)
		p, ok := parseWild(f.data)
		if !ok || p.proto != 6 || p.fragment || !p.whole || !want(&f) {
			continue
		}
		header := int(f.data[p.l4+12]>>4) * 4
		r.p, r.payload, r.flags, r.last = p, f.data[p.l4+header:p.end], f.data[p.l4+13], f.ts
		key := string(f.data[p.l3+8:p.l4+4]) + string(f.data[:12])
		if !p.v6 { // without TTL and header checksum
			key = string(f.data[p.l3+12:p.l4+4]) + string(f.data[:12])
		}
		if len(r.payload) == 0 || r.flags&6 != 0 {
			delete(open, key)
			continue
		}
		if o := open[key]; o != nil && o.takes(r, most) {
			o.payload = append(slices.Clip(o.payload), r.payload...)
			o.last, o.flags, o.n = f.ts, o.flags|r.flags&9, o.n+1
			order = order[:len(order)-1]
			continue
		}
		open[key] = r
	}
	c.frames = nil
	for _, r := range order {
		if r.n > 1 {
			r.rebuild()
		}
		c.frames = append(c.frames, r.frame)
	}
}

func (r *wildRun) takes(next *wildRun, most int) bool {
	a, b := r.frame.data[r.p.l4:], next.frame.data[next.p.l4:]
	options := r.p.l4 + 20
	return binary.BigEndian.Uint32(a[4:])+uint32(len(r.payload)) == binary.BigEndian.Uint32(b[4:]) &&
		bytes.Equal(a[8:12], b[8:12]) && bytes.Equal(a[14:16], b[14:16]) &&
		bytes.Equal(r.frame.data[options:r.p.end-r.first()],
			next.frame.data[next.p.l4+20:next.p.end-len(next.payload)]) &&
		len(r.payload)+len(next.payload) <= most && next.frame.ts-r.last < 5e6 && r.flags&1 == 0
}

// first is the length of the run's first payload.
func (r *wildRun) first() int {
	return r.p.end - r.p.l4 - int(r.frame.data[r.p.l4+12]>>4)*4
}

func (r *wildRun) rebuild() {
	p := r.p
	d := append(slices.Clone(r.frame.data[:p.end-r.first()]), r.payload...)
	d[p.l4+13] = r.flags
	if p.v6 {
		binary.BigEndian.PutUint16(d[p.l3+4:], uint16(len(d)-p.l4))
	} else {
		binary.BigEndian.PutUint16(d[p.l3+2:], uint16(len(d)-p.l3))
		binary.BigEndian.PutUint16(d[p.l3+10:], 0)
		binary.BigEndian.PutUint16(d[p.l3+10:], ^uint16(ones(0, d[p.l3:p.l4])))
	}
	p.end = len(d)
	full, _, at := p.sums(d)
	binary.BigEndian.PutUint16(d[at:], full)
	r.frame.data, r.frame.wire = d, len(d)
}

// openWild reads a case.
func openWild(t *testing.T, dir string, net *network.Network) *wildCase {
	t.Helper()
	c := &wildCase{dir: dir, vifs: map[string]map[string]bool{}, inside: map[string]bool{},
		endpoint: map[string]string{}}
	if err := json.Unmarshal(read(t, dir+"/case.json"), &c.json); err != nil {
		t.Fatal(err)
	}
	chassis, _ := c.json["chassis"].(string)
	for _, kind := range []string{"captures", "underlay"} {
		list, _ := c.json[kind].([]any)
		for _, e := range list {
			entry := e.(map[string]any)
			x := &wildCapture{underlay: kind == "underlay", chassis: chassis}
			x.port, _ = entry["port"].(string)
			for _, name := range []string{"underlay", "chassis"} {
				if s, ok := entry[name].(string); ok {
					x.chassis = s
				}
			}
			x.read(t, filepath.Join(dir, entry["file"].(string)))
			x.file = strings.TrimSuffix(entry["file"].(string), ".gz")
			c.captures = append(c.captures, x)
		}
	}
	for _, p := range net.Ports[1:] {
		for _, a := range p.Addresses {
			m := string(a.MAC[:])
			if p.Type == network.VIF || p.Type == network.Localport || p.Type == network.Virtual {
				if c.vifs[p.Name] == nil {
					c.vifs[p.Name] = map[string]bool{}
				}
				c.vifs[p.Name][m] = true
			} else {
				c.inside[m] = true
			}
		}
		for _, a := range net.Announced(p) {
			c.inside[string(a.MAC[:])] = true
		}
	}
	for _, h := range net.Chassis {
		for _, e := range h.Encaps {
			c.endpoint[e.IP] = h.Name
		}
	}
	return c
}

func (x *wildCapture) read(t *testing.T, file string) {
	t.Helper()
	r, err := pcap.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	x.link = 1
	for {
		var rec pcap.Record
		err := r.Next(&rec)
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		x.link = uint32(rec.LinkType)
		x.frames = append(x.frames, wildFrame{rec.Time, slices.Clone(rec.Data), rec.OrigLen})
	}
}

// leaveOut takes a capture out of the case and returns its name.
func (c *wildCase) leaveOut(i int) string {
	file := c.captures[i].file
	c.captures = slices.Delete(c.captures, i, i+1)
	for _, kind := range []string{"captures", "underlay"} {
		if list, ok := c.json[kind].([]any); ok {
			c.json[kind] = slices.DeleteFunc(list, func(e any) bool {
				return strings.TrimSuffix(e.(map[string]any)["file"].(string), ".gz") == file
			})
		}
	}
	return file
}

// isVIF: the capture is of the interface of a workload.
func (c *wildCase) isVIF(x *wildCapture) bool { return !x.underlay && c.vifs[x.port] != nil }

// entered: by its sender's address, the frame goes into OVN.
func (c *wildCase) entered(x *wildCapture, f *wildFrame) bool {
	if len(f.data) < 14 {
		return false
	}
	src := f.data[6:12]
	if own := c.vifs[x.port]; own != nil {
		return own[string(src)]
	}
	for _, set := range c.vifs {
		if set[string(src)] {
			return false
		}
	}
	return !c.inside[string(src)]
}

// mutate applies one mutation: NAME or NAME=VALUE.
func (c *wildCase) mutate(m string, random *rand.Rand) {
	name, text, _ := strings.Cut(m, "=")
	value, _ := strconv.ParseFloat(text, 64)
	var used []*wildCapture
	var times []int64
	hosts := map[string]bool{}
	for _, x := range c.captures {
		hosts[x.chassis] = hosts[x.chassis] || x.chassis != ""
		if len(x.frames) == 0 {
			continue
		}
		used = append(used, x)
		if !x.underlay {
			for i := range x.frames {
				times = append(times, x.frames[i].ts)
			}
		}
	}
	delete(hosts, "")
	slices.Sort(times)
	names := slices.Sorted(maps.Keys(hosts))
	at := func(q float64) int64 { return times[int(q*float64(len(times)-1))] }
	for i, x := range used {
		n := i
		if len(names) > 1 {
			n = slices.Index(names, x.chassis)
		}
		c.mutateCapture(x, wildStep{name, value, i, n, times[0], at(min(value, 1)), random})
	}
	switch name {
	case "any":
		c.cook(names)
	case "sll":
		c.withoutInterface()
	}
}

// withoutInterface makes SLL of SLL2, as libpcap before 1.10 writes it of all interfaces.
func (c *wildCase) withoutInterface() {
	for _, x := range c.captures {
		x.link = 113
		for i := range x.frames {
			f := &x.frames[i]
			d := []byte{0, f.data[10], f.data[8], f.data[9], 0, f.data[11]}
			d = append(append(d, f.data[12:20]...), f.data[0], f.data[1])
			f.data, f.wire = append(d, f.data[20:]...), f.wire-4
		}
	}
}

// wildStep is a mutation of one capture.
type wildStep struct {
	name     string
	value    float64
	i, host  int
	start    int64 // of all captures
	fraction int64 // the moment after a fraction of the packets
	random   *rand.Rand
}

func (c *wildCase) mutateCapture(x *wildCapture, s wildStep) {
	vif, first := c.isVIF(x), s.i == 0
	before := len(x.frames)
	into := func(f *wildFrame) bool { return c.entered(x, f) }
	each := func(change func(f *wildFrame)) {
		for i := range x.frames {
			change(&x.frames[i])
		}
	}
	keep := func(keep func(f *wildFrame) bool) {
		x.frames = slices.DeleteFunc(x.frames, func(f wildFrame) bool {
			kept := keep(&f)
			if !kept {
				x.lost = append(x.lost, f)
			}
			return !kept
		})
		x.removed += before - len(x.frames)
	}
	switch s.name {
	case "csum", "csum-local":
		each(func(f *wildFrame) {
			if !x.underlay && (s.name == "csum-local" || vif && into(f)) && f.offload() {
				x.sums++
			}
		})
	case "gso":
		if vif {
			x.merge(into, 64000)
		}
	case "gro":
		if vif {
			x.merge(func(f *wildFrame) bool { return !into(f) }, 20000)
		}
	case "snap":
		each(func(f *wildFrame) { x.shorten(f, int(s.value)) })
	case "snapmix":
		each(func(f *wildFrame) { x.shorten(f, [...]int{64, 128}[s.i%2]) })
	case "loss":
		keep(func(*wildFrame) bool { return s.random.Float64() >= s.value })
	case "late", "lateall":
		if first || s.name == "lateall" {
			keep(func(f *wildFrame) bool { return f.ts >= s.fraction })
		}
	case "early":
		if first {
			keep(func(f *wildFrame) bool { return f.ts <= s.fraction })
		}
	case "dup", "dupall":
		if first || s.name == "dupall" {
			var frames []wildFrame
			each(func(f *wildFrame) {
				frames = append(frames, *f, wildFrame{f.ts + 2000, f.data, f.wire})
			})
			x.twice += len(x.frames)
			x.frames = frames
		}
	case "skew":
		each(func(f *wildFrame) { f.ts += int64(float64(s.host) * s.value * 1e6) })
	case "drift":
		if !first {
			each(func(f *wildFrame) { f.ts += int64(float64(f.ts-s.start) * s.value / 1e6) })
		}
	case "res":
		if first {
			each(func(f *wildFrame) { f.ts -= f.ts % int64(s.value*1000) })
		}
	case "noarp":
		keep(func(f *wildFrame) bool { return len(f.data) < 14 || f.data[12] != 8 || f.data[13] != 6 })
	case "untag":
		each(func(f *wildFrame) {
			if !x.underlay && len(f.data) > 18 && f.data[12] == 0x81 && f.data[13] == 0 {
				f.data, f.wire = append(slices.Clone(f.data[:12]), f.data[16:]...), f.wire-4
				x.untagged++
			}
		})
	case "fill": // a span port shows what network cards fill up
		each(func(f *wildFrame) {
			if n := 60 - len(f.data); n > 0 && !x.underlay && len(c.vifs[x.port]) == 0 && len(f.data) == f.wire {
				f.data, f.wire = append(slices.Clone(f.data), make([]byte, n)...), 60
			}
		})
	case "swap": // what several queues captured, written as it came
		for i := 0; i+1 < len(x.frames); i++ {
			if x.frames[i+1].ts-x.frames[i].ts < 1e6 {
				x.frames[i], x.frames[i+1] = x.frames[i+1], x.frames[i]
				i++
			}
		}
	case "any", "sll":
	default:
		panic("no mutation " + s.name)
	}
}

// shorten cuts a frame.
func (x *wildCapture) shorten(f *wildFrame, most int) {
	if len(f.data) > most {
		f.data = f.data[:most]
		x.cut++
	}
}

// cook makes one capture of all interfaces of each host, as tcpdump -i any
// writes it (SLL2).
func (c *wildCase) cook(hosts []string) {
	c.args = nil
	var all []*wildCapture
	for n, h := range hosts {
		y := &wildCapture{file: fmt.Sprintf("any-%d.pcap", n), chassis: h, link: 276}
		for k, x := range c.captures {
			if x.chassis != h {
				continue
			}
			for i := range x.frames {
				f := &x.frames[i]
				kind := byte(4) // sent by this host
				group := f.data[0] & 1
				if string(f.data[:6]) == "\xff\xff\xff\xff\xff\xff" {
					group = 1
				} else if group == 1 {
					group = 2
				}
				if x.underlay {
					if len(f.data) >= 30 && c.endpoint[fmt.Sprintf("%d.%d.%d.%d", f.data[26], f.data[27], f.data[28],
						f.data[29])] != h {
						kind = 0
					}
				} else if c.entered(x, f) {
					if kind = 3; group != 0 { // broadcast, multicast
						kind = group
					}
				}
				y.frames = append(y.frames, cookedFrame(f, kind, uint32(k+3)))
			}
		}
		sort.SliceStable(y.frames, func(i, j int) bool { return y.frames[i].ts < y.frames[j].ts })
		all = append(all, y)
		c.args = append(c.args, y.file+"@any@"+h)
	}
	c.captures = all
}

func cookedFrame(f *wildFrame, kind byte, index uint32) wildFrame {
	d := append([]byte{f.data[12], f.data[13], 0, 0}, binary.BigEndian.AppendUint32(nil, index)...)
	d = append(d, 0, 1, kind, 6)
	d = append(append(d, f.data[6:12]...), 0, 0)
	return wildFrame{f.ts, append(d, f.data[14:]...), f.wire + 6}
}

// save writes the case and returns the arguments that read it.
func (c *wildCase) save(t *testing.T, dir string) []string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	j := maps.Clone(c.json)
	delete(j, "openflow")
	link := func(v any) {
		name, _ := v.(string)
		if m, ok := v.(map[string]any); ok {
			name, _ = m["file"].(string)
		}
		if os.Getenv("WILD_KEEP") != "" && name != "" { // what a case is of may be unpacked for this test only
			if text, err := os.ReadFile(filepath.Join(c.dir, name)); err == nil {
				_ = os.WriteFile(filepath.Join(dir, name), text, 0o600)
			}
			return
		}
		if whole, err := filepath.Abs(filepath.Join(c.dir, name)); err == nil && name != "" {
			_ = os.Symlink(whole, filepath.Join(dir, name)) // two entries may name one file
		}
	}
	for _, key := range []string{"db", "ct_zones", "conntrack", "ct_profile"} {
		switch v := j[key].(type) {
		case map[string]any:
			for _, e := range v {
				if list, ok := e.([]any); ok {
					for _, one := range list {
						link(one)
					}
				}
				link(e)
			}
		case []any:
			for _, e := range v {
				link(e)
			}
		default:
			link(v)
		}
	}
	if c.args == nil {
		for _, kind := range []string{"captures", "underlay"} {
			list, _ := j[kind].([]any)
			var out []any
			for _, e := range list {
				entry := maps.Clone(e.(map[string]any))
				entry["file"] = strings.TrimSuffix(entry["file"].(string), ".gz")
				out = append(out, entry)
			}
			j[kind] = out
		}
	}
	for _, x := range c.captures {
		x.write(t, filepath.Join(dir, x.file))
	}
	text, err := json.MarshalIndent(j, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/case.json", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if c.args == nil {
		return []string{"--case", dir}
	}
	return c.anyArgs(dir)
}

// anyArgs are the arguments for captures of whole hosts: those of the case
// beside them.
func (c *wildCase) anyArgs(dir string) []string {
	args := []string{"--db", filepath.Join(dir, c.json["db"].(string))}
	if p, _ := c.json["ct_profile"].(string); p != "" {
		args = append(args, "--ct-profile", p)
	}
	switch v := c.json["ct_zones"].(type) {
	case string:
		arg := filepath.Join(dir, v)
		if chassis, _ := c.json["chassis"].(string); chassis != "" {
			arg += "@" + chassis
		}
		args = append(args, "--ct-zones", arg)
	case map[string]any:
		for _, chassis := range slices.Sorted(maps.Keys(v)) {
			args = append(args, "--ct-zones", filepath.Join(dir, v[chassis].(string))+"@"+chassis)
		}
	}
	for _, a := range c.args {
		args = append(args, "-r", filepath.Join(dir, a))
	}
	return args
}

func (x *wildCapture) write(t *testing.T, file string) {
	t.Helper()
	var b bytes.Buffer
	put := func(v ...uint32) {
		for _, one := range v {
			b.Write(binary.LittleEndian.AppendUint32(nil, one))
		}
	}
	put(0xa1b23c4d, 2|4<<16, 0, 0, 262144, x.link)
	for _, f := range x.frames {
		put(uint32(f.ts/1e9), uint32(f.ts%1e9), uint32(len(f.data)), uint32(f.wire))
		b.Write(f.data)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
