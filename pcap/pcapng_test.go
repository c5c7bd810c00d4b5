package pcap

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestPcapngShapes reads what real tools rarely write, in both byte orders.
func TestPcapngShapes(t *testing.T) {
	t.Parallel()
	for _, big := range []bool{false, true} {
		t.Run(fmt.Sprintf("big=%v", big), func(t *testing.T) { testShapes(t, big) })
	}
}

// shapes is a file of two sections in different byte orders, every kind of
// packet block, and time resolutions other than the default.
func shapes(big bool) *ngBuilder {
	b := newNG(big)
	b.section(b.opt(optHardware, []byte("box")), b.opt(optApplication, []byte("app")),
		b.opt(optComment, []byte("hello")), b.opt(optEnd, nil))
	b.iface(1, 6, b.opt(optName, []byte("tap0")), b.opt(optDescription, []byte("vm")),
		b.opt(optFilter, []byte("\x00tcp")),
		b.opt(optResolution, []byte{9}), b.opt(optTimeOffset, b.u64(100)), b.opt(optSpeed, b.u64(10)),
		b.opt(optEnd, nil))
	b.iface(276, 0, b.opt(optResolution, []byte{0x80 | 10})) // 1/1024 s, options without an end marker
	b.epb(0, 5*billion+7, []byte("abcdef"), b.opt(optComment, []byte("one")), b.opt(optFlags, b.u32(2|4<<5)),
		b.opt(optComment, []byte("two")), b.opt(optDropCount, b.u64(3)), b.opt(optEnd, nil))
	b.epb(1, 3*1024+512, []byte("x"))
	b.block(0x12345678, []byte("unknown kinds are passed over"))
	b.spb(9, []byte("simple"))                                                     // cut to interface 0's 6 bytes
	b.block(blockPacket, b.u16(1, 77), b.u32(0, 1024, 2, 5), []byte("pb\x00\x00"), // obsolete
		b.opt(optFlags, b.u32(1)))
	b.block(blockStatistics, b.u32(0, 0, 0), b.opt(optReceived, b.u64(10)), b.opt(optDropped, b.u64(2)))
	other := newNG(!big) // a second section, in the other byte order, numbers its interfaces afresh
	other.section().iface(101, 0).epb(0, 1_000_001, []byte("E"))
	b.Write(other.Bytes())

	return b
}

// TestTsharkAgrees holds the reading of those shapes against tshark's.
func TestTsharkAgrees(t *testing.T) {
	t.Parallel()
	for _, big := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "shapes.pcapng")
		if err := os.WriteFile(path, shapes(big).Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(run(t, "tshark", "-r", path, "-T", "fields", "-e",
			"frame.number", "-e",
			"frame.cap_len",
			"-e", "frame.len", "-e", "frame.interface_id", "-e", "frame.comment", "-e", "frame.time_epoch", "-E",
			"separator=|", "-E", "aggregator=;")), "\n")
		got := readFile(t, path)
		if len(got) != len(lines) {
			t.Fatalf("%d frames, tshark has %d", len(got), len(lines))
		}
		for i, r := range got {
			at := fmt.Sprintf("%d.%09d", r.Time/billion, r.Time%billion)
			if r.Timeless {
				at = "" // tshark gives none
			}
			if want := fmt.Sprintf("%d|%d|%d|%d|%s|%s", r.Frame, len(r.Data), r.OrigLen, r.Interface.ID,
				strings.Join(r.Comments, ";"), at); lines[i] != want {
				t.Errorf("big %v: tshark says %s, we %s", big, lines[i], want)
			}
		}
	}
}

func testShapes(t *testing.T, big bool) {
	b := shapes(big)
	r := b.reader(t, Options{})
	got, err := readAll(r)
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		time          int64
		data          string
		orig          int
		link          LinkType
		iface         int
		dir           Direction
		timeless      bool
		comments, fcs int
	}{
		{105*billion + 7, "abcdef", 6, 1, 0, DirectionOut, false, 2, 4},
		{3*billion + billion/2, "x", 1, 276, 1, DirectionUnknown, false, 0, 0},
		{3*billion + billion/2, "simple", 9, 1, 0, DirectionUnknown, true, 0, 0},
		{1 * billion, "pb", 5, 276, 1, DirectionIn, false, 0, 0},
		{1_000_001_000, "E", 1, 101, 2, DirectionUnknown, false, 0, 0},
	}
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		if g.Time != w.time || string(g.Data) != w.data || g.OrigLen != w.orig || g.LinkType != w.link ||
			g.Interface.Index != w.iface ||
			g.Direction != w.dir || g.Timeless != w.timeless || len(g.Comments) != w.comments || g.FCSLen != w.fcs {
			t.Errorf("record %d: %+v, want %+v", i+1, g, w)
		}
	}
	first := got[0]
	if !reflect.DeepEqual(first.Comments, []string{"one", "two"}) {
		t.Errorf("comments %q", first.Comments)
	}
	if len(first.Options) != 1 || first.Options[0].Code != optDropCount ||
		!bytes.Equal(first.Options[0].Value, []byte{3, 0, 0, 0, 0, 0, 0, 0}) {
		t.Errorf("options %v, want a little-endian drop count of 3", first.Options)
	}
	i := first.Interface
	if i.Name != "tap0" || i.Description != "vm" || i.Filter != "tcp" || i.SnapLen != 6 || i.Received != 10 ||
		i.Dropped != 2 || !i.HasStatistics {
		t.Errorf("interface %+v", i)
	}
	if len(i.Options) != 1 || !bytes.Equal(i.Options[0].Value, []byte{10, 0, 0, 0, 0, 0, 0, 0}) {
		t.Errorf("interface options %v, want a little-endian speed of 10", i.Options)
	}
	s := r.Sections()
	if len(s) != 2 || s[0].Hardware != "box" || s[0].Application != "app" ||
		!reflect.DeepEqual(s[0].Comments, []string{"hello"}) {
		t.Errorf("sections %+v", s)
	}
	if c := r.Counts(); c.SkippedBlocks != 1 || c.Cut != 2 || c.Backward != 2 || c.Frames != 5 ||
		c.Bytes != int64(b.Len()) {
		t.Errorf("counts %+v", c)
	}
}

func TestResolutions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tsresol byte
		offset  int64
		ticks   uint64
		want    int64
		ok      bool
	}{
		{6, 0, 1_500_000, 1_500_000_000, true},
		{9, 0, 42, 42, true},
		{9, 0, math.MaxUint64, 0, false},
		{0, 0, 7, 7 * billion, true},
		{3, -2, 1500, -500_000_000, true},
		{12, 0, 1_999_999, 1999, true},
		{19, 0, 15_000_000_000_000_000_000, 1_500_000_000, true},
		{20, 0, math.MaxUint64, 184_467_440, true},
		{28, 0, math.MaxUint64, 1, true},
		{29, 0, math.MaxUint64, 0, true},
		{64, 0, math.MaxUint64, 0, true}, // 10^-64
		{127, 0, math.MaxUint64, 0, true},
		{0x80, 0, 3, 3 * billion, true},
		{0x80 | 1, 0, 3, 1_500_000_000, true},
		{0x80 | 32, 0, 5<<32 | 1<<31, 5_500_000_000, true},
		{0x80 | 63, 0, 3 << 62, 1_500_000_000, true},
		{0x80 | 64, 0, 1 << 63, 500_000_000, true},
		{0x80 | 66, 0, 1 << 63, 125_000_000, true},
		{0x80 | 127, 0, math.MaxUint64, 0, true},
		{6, math.MaxInt64, 1_000_000, 0, false},
		{6, math.MinInt64, 1_000_000, 0, false},
		{0, 0, math.MaxUint64, 0, false},
		{6, -1, 500_000, -500_000_000, true},
	} {
		r := parseResolution(c.tsresol)
		r.offset = c.offset
		got, ok := r.nanoseconds(c.ticks)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("if_tsresol %#x offset %d: %d ticks are %d ns, %v; want %d, %v", c.tsresol, c.offset, c.ticks,
				got, ok, c.want, c.ok)
		}
	}
}

// TestKeptBlocks passes name resolution, secrets and custom blocks through a
// reader and a writer, whatever the input's byte order.
func TestKeptBlocks(t *testing.T) {
	t.Parallel()
	build := func(big bool) *ngBuilder {
		b := newNG(big)
		b.section().iface(1, 0)
		b.block(blockNames, b.opt(1, append([]byte{10, 0, 0, 1}, "host\x00"...)), b.opt(0, nil),
			b.opt(optComment, []byte("from dns")), b.opt(optEnd, nil))
		b.epb(0, 1, []byte("p"))
		b.block(blockSecrets, b.u32(0x544c534b, 5), []byte("KEY=1\x00\x00\x00"), b.opt(optComment, []byte("tls")))
		b.block(blockCustom, b.u32(32473), []byte("anything"))
		b.block(blockCustomNoCopy, b.u32(32473), []byte("private!"))
		return b.epb(0, 2, []byte("q"))
	}
	want := build(false).reader(t, Options{KeepBlocks: true})
	if _, err := readAll(want); err != nil {
		t.Fatal(err)
	}
	kept := want.TakeBlocks()
	if len(kept) != 3 || kept[0].AfterFrame != 0 || kept[1].AfterFrame != 1 || kept[2].AfterFrame != 1 {
		t.Fatalf("kept %+v", kept)
	}
	big := build(true).reader(t, Options{KeepBlocks: true})
	if _, err := readAll(big); err != nil {
		t.Fatal(err)
	}
	if got := big.TakeBlocks(); !reflect.DeepEqual(got, kept) {
		t.Errorf("big-endian blocks differ:\n%s\n%s", hex.Dump(got[0].Body), hex.Dump(kept[0].Body))
	}
	if c := big.Counts(); c.Uncopiable != 1 {
		t.Errorf("%d uncopiable blocks, want 1", c.Uncopiable)
	}

	var out bytes.Buffer
	w, err := NewWriter(&out, Section{})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range kept {
		if err := w.WriteBlock(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	again, err := NewReaderWith(&out, "again", Options{KeepBlocks: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readAll(again); err != nil {
		t.Fatal(err)
	}
	for i, b := range again.TakeBlocks() {
		if b.Type != kept[i].Type || !bytes.Equal(b.Body, kept[i].Body) {
			t.Errorf("block %d changed on its way", i)
		}
	}
}
