package pcap

import (
	"bytes"
	"compress/gzip"
	"io"

	"github.com/klauspost/compress/zstd"
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
		return &xzReader{in: in}, nil, nil
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
