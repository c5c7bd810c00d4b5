package pcap

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// Magic numbers of compressed data.
var (
	magicGzip = []byte{0x1f, 0x8b}
	magicXZ   = []byte{0xfd, '7', 'z', 'X', 'Z', 0}
	magicZstd = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// maxDictionary bounds the memory a compressed file may ask for: as much as
// the zstd command grants, twice what xz -9 writes.
const maxDictionary = 128 << 20

// decompress returns a reader of the plain bytes when the input is compressed,
// and what to close with it; nil when it is not.
func decompress(in *input) (plain io.Reader, closer func(), err error) {
	head, err := in.peek(len(magicXZ))
	switch {
	case bytes.HasPrefix(head, magicGzip):
		z, err := gzip.NewReader(in)
		return z, nil, err
	case bytes.HasPrefix(head, magicXZ):
		if err := checkXZDictionary(in); err != nil {
			return nil, nil, err
		}
		z, err := xz.ReaderConfig{DictCap: 1 << 16}.NewReader(in)
		return z, nil, err
	case bytes.HasPrefix(head, magicZstd):
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxDictionary), zstd.WithDecoderMaxMemory(1<<62))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}
	return nil, nil, nil
}

var errDictionary = errors.New("its xz dictionary is larger than 128 MiB")

// checkXZDictionary refuses a dictionary size the xz package would allocate at
// once. It knows the usual block header only: size, flags, optional sizes, one
// LZMA2 filter; any other is left to the xz package to refuse.
func checkXZDictionary(in *input) error {
	const streamHeader = 12
	head, err := in.peek(streamHeader + 1024)
	if len(head) < streamHeader+12 {
		return err
	}
	block := head[streamHeader:]
	flags, at := block[1], 2
	for _, bit := range []byte{0x40, 0x80} { // compressed size, uncompressed size
		for flags&bit != 0 && at < len(block)-4 && block[at]&0x80 != 0 {
			at++
		}
		if flags&bit != 0 {
			at++
		}
	}
	if block[0] == 0 || flags&3 != 0 || at+3 > len(block) || block[at] != 0x21 {
		return nil
	}
	// Sizes go 4 KiB, 6 KiB, 8 KiB, 12 KiB…: 2|bits&1 shifted by bits/2+11.
	if bits := block[at+2] & 0x3f; uint64(2|bits&1)<<(bits/2+11) > maxDictionary {
		return errDictionary
	}
	return nil
}

// Read and ReadByte give the bytes to a decompressor.
func (in *input) Read(p []byte) (int, error) {
	b, err := in.peek(1)
	if len(b) == 0 {
		return 0, err
	}
	n := copy(p, in.buf[in.start:in.end])
	in.discard(n)
	return n, nil
}

func (in *input) ReadByte() (byte, error) {
	b, err := in.peek(1)
	if len(b) == 0 {
		return 0, err
	}
	c := b[0]
	in.discard(1)
	return c, nil
}
