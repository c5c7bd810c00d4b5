package pcap

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestCutAnywhere cuts captures at every byte: all whole frames are delivered,
// and a cut inside something is an error that names the place.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"client.pcap", "client.pcapng", "nginx.any.pcap"} {
		t.Run(name, func(t *testing.T) {
			data := mustRead(t, filepath.Join("testdata", name))
			ends := frameEnds(t, data)
			for n := range len(data) {
				whole := 0
				for whole < len(ends) && ends[whole] <= int64(n) {
					whole++
				}
				r, err := NewReader(bytes.NewReader(data[:n]), "cut")
				var got []*Record
				if err == nil {
					got, err = readAll(r)
				}
				if len(got) != whole {
					t.Fatalf("cut at %d: %d frames, want %d", n, len(got), whole)
				}
				clean := whole > 0 && ends[whole-1] == int64(n)
				var fe *FormatError
				switch {
				case err == nil && !clean && whole > 0:
					t.Fatalf("cut at %d inside frame %d: no error", n, whole+1)
				case err == nil:
				case clean:
					t.Fatalf("cut at %d after frame %d: %v", n, whole, err)
				case !errors.As(err, &fe):
					t.Fatalf("cut at %d: %T %v", n, err, err)
				case whole > 0 && (fe.Fault != Truncated || fe.Frame != whole+1 || fe.Offset != ends[whole-1]):
					t.Fatalf("cut at %d: %+v, want frame %d at offset %d", n, fe, whole+1, ends[whole-1])
				}
			}
		})
	}
}

// frameEnds is the offset at which each frame of a capture ends.
func frameEnds(t *testing.T, data []byte) (ends []int64) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(data), "whole")
	if err != nil {
		t.Fatal(err)
	}
	var rec Record
	for r.Next(&rec) == nil {
		ends = append(ends, r.Counts().Bytes)
	}
	return ends
}

func TestFaults(t *testing.T) {
	t.Parallel()
	valid := mustRead(t, "testdata/client.pcap")
	edit := func(at int, b ...byte) []byte {
		out := bytes.Clone(valid)
		copy(out[at:], b)
		return out
	}
	ng := func(build func(b *ngBuilder)) []byte {
		b := newNG(false)
		build(b.section().iface(1, 0).epb(0, 1, []byte("good")))
		return b.Bytes()
	}
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "f: is empty; a capture has a header at least; record it again"},
		{"text", []byte("hello, world and more"),
			`f: is not a capture: it begins with 68 65 6c 6c 6f 2c 20 77 6f 72 6c 64 20 61 6e 64 ("hello, world ` +
				`and"); give a pcap or pcapng file, plain or gzip, xz or zstd`},
		{"two bytes", []byte("hi"), `f: is not a capture: it begins with 68 69 ("hi"); give a pcap or pcapng file, ` +
			`plain or gzip, xz or zstd`},
		{"database", []byte("OVSDB JSON 10 abc"), "f: is not a capture but an OVSDB database; databases are given " +
			"with --db"},
		{"snoop", []byte("snoop\x00\x00\x00\x00\x00\x00\x02"),
			"f: is not a capture but a Solaris snoop file; convert it: editcap -F pcapng IN OUT"},
		{"half a header", valid[:20],
			"f: the file ends inside the file header: 20 of 24 bytes are there; record the capture again"},
		{"version", edit(4, 9), "f: pcap version 9.4 is not read; convert it: editcap -F pcapng IN OUT"},
		{"cut", valid[:100], "f: frame 1, offset 24: the file ends inside a record: 76 of 90 bytes are there; the " +
			"0 frames before it are good; copy or record the file again for the rest"},
		{"cut header", valid[:30], "f: frame 1, offset 24: the file ends inside a record header: 6 of 16 bytes " +
			"are there; the 0 frames before it are good; copy or record the file again for the rest"},
		{"absurd length", edit(32, 0xff, 0xff, 0xff, 0xff),
			"f: frame 1, offset 24: a record claims 4294967295 bytes, more than 262144; the frames before it are " +
				"good; the file is damaged here, or written with a larger bound"},
		{"zero block", ng(func(b *ngBuilder) { b.Write(make([]byte, 12)) }),
			"f: frame 2, offset 84: a block of type 0x0 claims a length of 0; the frames before it are good; the " +
				"file is damaged here"},
		{"odd block", ng(func(b *ngBuilder) { b.Write(b.u32(6, 33)) }),
			"f: frame 2, offset 84: a block of type 0x6 claims a length of 33; the frames before it are good; the " +
				"file is damaged here"},
		{"trailer", ng(func(b *ngBuilder) { b.Write(b.u32(1, 20, 1, 0, 24)) }),
			"f: frame 2, offset 84: a block says it has 20 bytes at its start and 24 at its end; the frames " +
				"before it are good; the file is damaged here"},
		{"trailer of a skipped block", ng(func(b *ngBuilder) { b.Write(b.u32(99, 16, 1, 20)) }),
			"f: frame 2, offset 84: a block says it has 16 bytes at its start and 20 at its end; the frames " +
				"before it are good; the file is damaged here"},
		{"no such interface", ng(func(b *ngBuilder) { b.epb(7, 0, nil) }),
			"f: frame 2, offset 84: a packet names interface 7; the section has 1; the frames before it are good; " +
				"the file is damaged here"},
		{"section forgets interfaces", ng(func(b *ngBuilder) { b.section().epb(0, 0, nil) }),
			"f: frame 2, offset 112: a packet names interface 0; the section has 0; the frames before it are good; " +
				"the file is damaged here"},
		{"packet larger than its block", ng(func(b *ngBuilder) {
			b.block(6, b.u32(0, 0, 0, 100, 100), []byte("short..."))
		}),
			"f: frame 2, offset 84: a packet claims 100 bytes, its block has room for 8; the frames before it are " +
				"good; the file is damaged here"},
		{"option past its end", ng(func(b *ngBuilder) { b.epb(0, 0, nil, b.u16(1, 9)) }),
			"f: frame 2, offset 84: an option of a packet reaches past its block's end; the frames before it are " +
				"good; the file is damaged here"},
		{"time beyond reach", ng(func(b *ngBuilder) { b.epb(0, 1<<63, nil) }),
			"f: frame 2, offset 84: a packet's time is beyond the years 1678 to 2262 (timestamp " +
				"0x8000000000000000); the frames before it are good; the file is damaged here"},
		{"byte order", ng(func(b *ngBuilder) { b.Write(b.u32(blockSection, 28, 0, 0)) }),
			"f: frame 2, offset 84: a section header has the byte-order magic 00 00 00 00; the frames before it are " +
				"good; the file is damaged here"},
		{"huge block", ng(func(b *ngBuilder) { b.Write(b.u32(6, 1<<30)) }),
			"f: frame 2, offset 84: a block of type 0x6 claims 1073741824 bytes, more than 17039360; the frames " +
				"before it are good; the file is damaged here, or made by a writer without bounds"},
		{"huge unknown block", ng(func(b *ngBuilder) { b.Write(b.u32(99, 1<<30)) }),
			"f: frame 2, offset 84: the file ends inside a block: 8 of 1073741824 bytes are there; the 1 frames " +
				"before it are good; copy or record the file again for the rest"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := NewReader(bytes.NewReader(c.data), "f")
			if err == nil {
				_, err = readAll(r)
			}
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// TestErrorIsFinal: an error comes again rather than something after it.
func TestErrorIsFinal(t *testing.T) {
	t.Parallel()
	data := mustRead(t, "testdata/client.pcap")
	r, err := NewReader(bytes.NewReader(data[:200]), "cut")
	if err != nil {
		t.Fatal(err)
	}
	_, first := readAll(r)
	if second := r.Next(new(Record)); first == nil || second != first {
		t.Errorf("first %v, then %v", first, second)
	}
}

func TestOpenFaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for path, want := range map[string]string{
		filepath.Join(dir, "absent"): "cannot open the capture: no such file or directory; check the name and " +
			"permissions",
		dir: "cannot be read: read " + dir + ": is a directory; check that it is a readable file",
	} {
		if _, err := Open(path); err == nil || !strings.HasPrefix(err.Error(), path+": ") ||
			!strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestClaimsCostNothing: a small input that claims much must not make the reader allocate it.
func TestClaimsCostNothing(t *testing.T) {
	var inputs [][]byte
	b := newNG(false)
	b.section().iface(1, 0)
	for _, typ := range []uint32{blockEnhanced, blockSecrets, blockNames, blockInterface, 99} {
		inputs = append(inputs, append(bytes.Clone(b.Bytes()), b.u32(typ, 16<<20)...))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, in := range inputs {
		r, err := NewReaderWith(bytes.NewReader(in), "claims", Options{KeepBlocks: true, MaxBlock: 64 << 20,
			MaxPacket: 64 << 20})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := readAll(r); err == nil {
			t.Error("no error")
		}
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > uint64(len(inputs))*(inputChunk+64<<10) {
		t.Errorf("%d bytes allocated for %d inputs of some hundred bytes", got, len(inputs))
	}
}

// TestPacketByPacket: a stream's record is delivered as soon as its last byte is there.
func TestPacketByPacket(t *testing.T) {
	t.Parallel()
	data := mustRead(t, "testdata/client.pcap")
	ends := frameEnds(t, data)
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pr.Close()
	if _, err := pw.Write(data[:24]); err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(pr, "pipe")
	if err != nil {
		t.Fatal(err)
	}
	var rec Record
	at := int64(24)
	for i, end := range ends {
		if _, err := pw.Write(data[at:end]); err != nil { // nothing more until this one is answered
			t.Fatal(err)
		}
		if err := r.Next(&rec); err != nil || rec.Frame != i+1 {
			t.Fatalf("frame %d: %v", i+1, err)
		}
		at = end
	}
	pw.Close()
	if err := r.Next(&rec); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}
