package store

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// maxDictionary bounds the memory a compressed file may ask for: xz -9 and
// zstd --long=27 need no more.
const maxDictionary = 128 << 20

var (
	gzipMagic = []byte{0x1f, 0x8b}
	xzMagic   = []byte{0xfd, '7', 'z', 'X', 'Z', 0}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// decompress detects compression by magic. name is "" when there is none. The
// returned reader peeks; stop releases what the decompressor holds.
func decompress(r io.Reader) (out *bufio.Reader, name string, stop func(), err error) {
	stop = func() {}
	b := bufio.NewReaderSize(r, 4096)
	magic, _ := b.Peek(64)
	var d io.Reader
	switch {
	case bytes.HasPrefix(magic, gzipMagic):
		name = "gzip"
		d, err = gzip.NewReader(b)
	case bytes.HasPrefix(magic, xzMagic):
		name = "xz"
		if err = checkXZ(magic); err == nil {
			d, err = xz.NewReader(b)
		}
	case bytes.HasPrefix(magic, zstdMagic):
		name = "zstd"
		var z *zstd.Decoder
		z, err = zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxDictionary))
		if err == nil {
			d, stop = z, z.Close
		}
	default:
		return b, "", stop, nil
	}
	if err != nil {
		return nil, name, stop, fmt.Errorf("bad %s data: %w", name, err)
	}
	return bufio.NewReaderSize(d, 4096), name, stop, nil
}

// checkXZ refuses a file whose first block asks for an unreasonable
// dictionary, before the decompressor allocates it. (xz file format 1.1.0,
// sections 2.1.1, 3.1 and 5.3.1.)
func checkXZ(start []byte) error {
	const streamHeader = 12
	if len(start) < streamHeader+2 || start[streamHeader] == 0 {
		return nil // no block
	}
	p := start[streamHeader+1:]
	flags := p[0]
	p = p[1:]
	for range int(flags>>6&1) + int(flags>>7) { // compressed and uncompressed size
		for len(p) > 0 && p[0]&0x80 != 0 {
			p = p[1:]
		}
		if len(p) > 0 {
			p = p[1:]
		}
	}
	const lzma2 = 0x21
	if flags&3 != 0 || len(p) < 3 || p[0] != lzma2 || p[1] != 1 {
		return fmt.Errorf("filters other than LZMA2 are not supported")
	}
	size, err := lzma.DecodeDictCap(p[2])
	if err != nil {
		return err
	}
	if size > maxDictionary {
		return fmt.Errorf("it needs a dictionary of %d MiB, more than %d; compress it with xz -9 or less", size>>20, maxDictionary>>20)
	}
	return nil
}

// OpenFile opens a file for reading what is in it: it is decompressed if it is
// gzip, xz or zstd, whatever its name.
func OpenFile(name string) (io.ReadCloser, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	r, _, stop, err := decompress(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	return &readFile{Reader: r, file: f, stop: stop}, nil
}

type readFile struct {
	io.Reader
	file *os.File
	stop func()
}

// Close implements io.Closer.
func (f *readFile) Close() error {
	f.stop()
	return f.file.Close()
}
