// Package compressed reads gzip, xz and zstd, told apart by their first bytes.
//
// Input is hostile: a few megabytes can claim a dictionary of gigabytes, or
// unpack to more than any disk holds. What a decompressor allocates and what it
// yields are bounded by the bytes that really came in, see Limits; the bound
// holds for compressed data within compressed data too, when they share a Meter.
package compressed

import (
	"bufio"
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Magic numbers of compressed data.
var (
	gzipMagic = []byte{0x1f, 0x8b}
	xzMagic   = []byte{0xfd, '7', 'z', 'X', 'Z', 0}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
	// zstdSkipped begins a frame that is to be passed over, with which pzstd begins each of
	// its own; its first byte is one of sixteen.
	zstdSkipped = []byte{0x2a, 0x4d, 0x18}
)

// maxDictionary bounds the dictionary a stream may ask for: as much as the zstd
// command grants, twice what xz -9 writes.
const maxDictionary = 128 << 20

// Name tells by its beginning how data are compressed: "gzip", "xz", "zstd", or
// "" if they are not.
func Name(start []byte) string {
	switch {
	case bytes.HasPrefix(start, gzipMagic):
		return "gzip"
	case bytes.HasPrefix(start, xzMagic):
		return "xz"
	case bytes.HasPrefix(start, zstdMagic),
		len(start) > 0 && start[0]>>4 == 5 && bytes.HasPrefix(start[1:], zstdSkipped):
		return "zstd"
	}
	return ""
}

// Limits bound what may be unpacked: Free bytes, and Ratio bytes for each byte
// that came in. The zero value does not bound it.
type Limits struct{ Free, Ratio int64 }

// Meter counts the bytes that come in from outside.
type Meter struct {
	r    io.Reader
	read int64 // from outside
	out  int64 // unpacked, by all streams
}

// NewMeter returns a Meter that counts what is read of r.
func NewMeter(r io.Reader) *Meter { return &Meter{r: r} }

// Read implements io.Reader.
func (m *Meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.read += int64(n)
	return n, err
}

// Bytes is how many bytes have come in.
func (m *Meter) Bytes() int64 { return m.read }

// BombError is data that unpack to more than Limits allow.
type BombError struct{ Limits Limits }

func (e *BombError) Error() string {
	return fmt.Sprintf("it unpacks to more than %d times its size (beyond %d MiB)", e.Limits.Ratio, e.Limits.Free>>20)
}

// bound is the limits of one stream, by what a meter counts.
type bound struct {
	Limits
	meter *Meter
}

// use counts n bytes more. What streams within a stream yield counts together: an archive
// may hold thousands of small ones.
func (b *bound) use(n int64) error {
	if b.meter.out += n; b.Ratio > 0 && b.meter.out > b.Free+b.Ratio*b.meter.read {
		return &BombError{b.Limits}
	}
	return nil
}

// Reader yields what is in a compressed stream.
type Reader struct {
	io.Reader
	out  bound
	stop func()
}

// NewReader reads the compressed data in r, which is read from meter in the
// end; name is what Name says of it.
func NewReader(r *bufio.Reader, name string, meter *Meter, limits Limits) (z *Reader, err error) {
	z = &Reader{out: bound{limits, meter}, stop: func() {}}
	switch name {
	case "gzip":
		z.Reader, err = gzip.NewReader(r)
	case "xz":
		z.Reader = &xzReader{in: r}
	case "zstd":
		var d *zstd.Decoder
		d, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxDictionary), zstd.WithDecoderMaxMemory(1<<62))
		if err == nil {
			z.Reader, z.stop = d, d.Close
		}
	default:
		err = fmt.Errorf("%q is no compression known", name)
	}
	return z, err
}

// Read implements io.Reader. A *BombError is final.
func (z *Reader) Read(p []byte) (int, error) {
	n, err := z.Reader.Read(p)
	if bomb := z.out.use(int64(n)); bomb != nil {
		return 0, bomb
	}
	return n, err
}

// Close releases what the decompressor holds, not the stream it reads.
func (z *Reader) Close() { z.stop() }
