package compressed

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"runtime"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// pack compresses with one of the three.
func pack(t testing.TB, name string, plain []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch name {
	case "gzip":
		w = gzip.NewWriter(&out)
	case "xz":
		w, err = xz.NewWriter(&out)
	case "zstd":
		w, err = zstd.NewWriter(&out)
	}
	if err == nil {
		_, err = w.Write(plain)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func open(data io.Reader, limits Limits) (*Reader, *Meter, error) {
	m := NewMeter(data)
	b := bufio.NewReader(m)
	start, _ := b.Peek(6)
	r, err := NewReader(b, Name(start), m, limits)
	return r, m, err
}

func TestBomb(t *testing.T) {
	t.Parallel()
	limits := Limits{Free: 1 << 20, Ratio: 100}
	for _, name := range []string{"gzip", "xz", "zstd"} {
		t.Run(name, func(t *testing.T) {
			bomb := pack(t, name, make([]byte, 32<<20))
			r, m, err := open(bytes.NewReader(bomb), limits)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			n, err := io.Copy(io.Discard, r)
			var e *BombError
			if !errors.As(err, &e) || n > limits.Free+limits.Ratio*m.Bytes() {
				t.Errorf("%d bytes of %d, error %v", n, len(bomb), err)
			}
			small := pack(t, name, make([]byte, 1<<20))
			if r, _, err = open(bytes.NewReader(small), limits); err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, r); err != nil || n != 1<<20 {
				t.Errorf("%d bytes that are free, error %v", n, err)
			}
		})
	}
}

// What is compressed twice is measured against what came in from outside.
func TestBombInBomb(t *testing.T) {
	t.Parallel()
	limits := Limits{Free: 1 << 20, Ratio: 100}
	twice := pack(t, "gzip", pack(t, "gzip", make([]byte, 200<<20)))
	outer, m, err := open(bytes.NewReader(twice), limits)
	if err != nil {
		t.Fatal(err)
	}
	inner, err := NewReader(bufio.NewReader(outer), "gzip", m, limits)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, inner); !errors.As(err, new(*BombError)) || n > 2<<20 {
		t.Errorf("%d bytes of %d, error %v", n, len(twice), err)
	}
}

// Streams within a stream count together: thousands of small ones are a bomb, too.
func TestManyStreamsInOne(t *testing.T) {
	t.Parallel()
	limits := Limits{Free: 1 << 20, Ratio: 100}
	small := pack(t, "gzip", make([]byte, 100<<10))
	outer, m, err := open(bytes.NewReader(pack(t, "gzip", bytes.Repeat(small, 500))), limits)
	if err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for range 500 {
		var inner *Reader
		one := bufio.NewReader(io.LimitReader(outer, int64(len(small))))
		if inner, err = NewReader(one, "gzip", m, limits); err != nil {
			break
		}
		n, copied := io.Copy(io.Discard, inner)
		if total += n; copied != nil {
			err = copied
			break
		}
	}
	if !errors.As(err, new(*BombError)) || total > 2<<20 {
		t.Errorf("%d bytes, error %v", total, err)
	}
}

// pzstd begins each frame of its own with one that is to be skipped, which tells its length.
func TestZstdThatBeginsWithASkippedFrame(t *testing.T) {
	t.Parallel()
	plain := []byte("what is in the file")
	frame := pack(t, "zstd", plain)
	skipped := binary.LittleEndian.AppendUint32([]byte{0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0}, uint32(len(frame)))
	r, _, err := open(bytes.NewReader(slices.Concat(skipped, frame, skipped, frame)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != string(plain)+string(plain) {
		t.Errorf("%q, error %v", got, err)
	}
}

// Each block, and each stream, of a few bytes may ask for a dictionary.
func TestXZManyDictionaries(t *testing.T) {
	one := pack(t, "xz", []byte("x"))
	h := one[12:24] // the block header
	h[4] = 30       // 128 MiB
	binary.LittleEndian.PutUint32(h[8:], crc32.ChecksumIEEE(h[:8]))
	many := bytes.Repeat(one, 1000)
	r, _, err := open(bytes.NewReader(many), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if n, err := io.Copy(io.Discard, r); err != nil || n != 1000 {
		t.Errorf("%d of 1000 streams, error %v", n, err)
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 2*maxDictionary {
		t.Errorf("%d MiB for dictionaries", took>>20)
	}
	// The second stream's dictionary is looked at as well as the first's.
	h[4] = 40
	binary.LittleEndian.PutUint32(h[8:], crc32.ChecksumIEEE(h[:8]))
	if r, _, err = open(bytes.NewReader(append(pack(t, "xz", []byte("first")), one...)), Limits{}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r); err != errXZDictionary {
		t.Errorf("error %v", err)
	}
}

func FuzzReader(f *testing.F) {
	for _, name := range []string{"gzip", "xz", "zstd"} {
		f.Add(pack(f, name, []byte("a few bytes, a few bytes, a few bytes")))
	}
	f.Add([]byte(run(f, "xz", "-0", "--check=none", "-c", "../testdata/client.pcap")))
	f.Fuzz(func(t *testing.T, data []byte) {
		limits := Limits{Free: 1 << 20, Ratio: 100}
		r, m, err := open(bytes.NewReader(data), limits)
		if err != nil {
			return
		}
		defer r.Close()
		if n, _ := io.Copy(io.Discard, r); n > limits.Free+limits.Ratio*m.Bytes() {
			t.Errorf("%d bytes of %d", n, len(data))
		}
	})
}
