package compressed

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"math"

	"github.com/ulikunitz/xz/lzma"
)

// xzReader unpacks .xz (The .xz File Format, version 1.2.1): streams of blocks
// of LZMA2 data, each stream closed by an index. The xz package's own container
// reader is not used because it takes a file cut between two blocks for a whole
// one, and allocates whatever dictionary a block header claims.
type xzReader struct {
	in     *bufio.Reader
	read   int64 // bytes consumed, for the padding to four
	check  byte  // the stream's kind of integrity check
	hash   hash.Hash
	block  *lzma.Reader2 // nil between blocks
	blocks uint64        // in this stream
	inside bool          // a stream is open

	// dictionaries bounds what the blocks' dictionaries take together: a few
	// bytes of a block can ask for 128 MiB.
	dictionaries bound
}

var (
	errXZ           = errors.New("xz data is damaged")
	errXZCheck      = errors.New("xz data is damaged: a checksum does not match")
	errXZKind       = errors.New("xz data uses a filter other than LZMA2, or an unknown check; repack it with xz")
	errXZDictionary = errors.New("xz data asks for a dictionary of more than 128 MiB; repack it with xz -9 or less")
)

// Sizes and kinds of .xz.
const (
	xzStreamHeader = 12
	xzNoCheck      = 0
	xzCRC32        = 1
	xzCRC64        = 4
	xzSHA256       = 10
	xzLZMA2        = 0x21
)

func (z *xzReader) Read(p []byte) (int, error) {
	for len(p) > 0 {
		if z.block == nil {
			if err := z.open(); err != nil {
				return 0, err
			}
			continue
		}
		n, err := z.block.Read(p)
		if z.hash != nil {
			z.hash.Write(p[:n])
		}
		if err == io.EOF {
			z.block = nil
			err = z.endBlock()
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, nil
}

// open goes on to the next block, over the ends and beginnings of streams. It
// returns io.EOF at the end of the last stream only.
func (z *xzReader) open() error {
	if !z.inside {
		return z.stream()
	}
	first, err := z.take(1)
	if err != nil {
		return err
	}
	if first[0] == 0 {
		z.inside = false
		return z.index()
	}
	return z.blockHeader(first[0])
}

// stream reads a stream header, and the zero padding that may precede it.
func (z *xzReader) stream() error {
	for {
		b, err := z.in.Peek(4)
		if len(b) == 0 {
			return err
		}
		if len(b) < 4 {
			return unexpected(err)
		}
		if z.read == 0 || !bytes.Equal(b, []byte{0, 0, 0, 0}) {
			break
		}
		z.in.Discard(4)
		z.read += 4
	}
	h, err := z.take(xzStreamHeader)
	if err != nil {
		return err
	}
	if !bytes.Equal(h[:6], xzMagic) || h[6] != 0 || crc32.ChecksumIEEE(h[6:8]) != binary.LittleEndian.Uint32(h[8:]) {
		return errXZ
	}
	switch z.check = h[7]; z.check {
	case xzNoCheck:
		z.hash = nil
	case xzCRC32:
		z.hash = crc32.NewIEEE()
	case xzCRC64:
		z.hash = crc64.New(crc64.MakeTable(crc64.ECMA))
	case xzSHA256:
		z.hash = sha256.New()
	default:
		return errXZKind
	}
	z.inside, z.blocks = true, 0
	return nil
}

// blockHeader reads the rest of a block header whose size byte is given: flags,
// optional sizes, one LZMA2 filter, padding, checksum.
func (z *xzReader) blockHeader(size byte) error {
	n := 4 * (int(size) + 1)
	rest, err := z.take(n - 1)
	if err != nil {
		return err
	}
	h := append([]byte{size}, rest...)
	if crc32.ChecksumIEEE(h[:n-4]) != binary.LittleEndian.Uint32(h[n-4:]) {
		return errXZCheck
	}
	b := bytes.NewReader(h[2 : n-4])
	plain := uint64(math.MaxUint64)
	for _, sizeGiven := range []byte{0x40, 0x80} { // compressed, uncompressed
		if h[1]&sizeGiven != 0 {
			if plain, err = binary.ReadUvarint(b); err != nil {
				return errXZ
			}
		}
	}
	if h[1]&0x80 == 0 {
		plain = math.MaxUint64
	}
	id, _ := binary.ReadUvarint(b)
	properties, _ := binary.ReadUvarint(b)
	bits, err := b.ReadByte()
	if h[1]&0x3f != 0 || id != xzLZMA2 || properties != 1 || err != nil || bits > 40 {
		return errXZKind
	}
	// Sizes go 4 KiB, 6 KiB, 8 KiB, 12 KiB…: 2|bits&1 shifted by bits/2+11.
	dictionary := uint64(2|bits&1) << (bits/2 + 11)
	if dictionary > maxDictionary {
		return errXZDictionary
	}
	dictionary = max(min(dictionary, plain), lzma.MinDictCap) // no distance leads further back
	if err := z.dictionaries.use(int64(dictionary)); err != nil {
		return err
	}
	if z.hash != nil {
		z.hash.Reset()
	}
	z.blocks++
	z.block, err = lzma.Reader2Config{DictCap: int(dictionary)}.NewReader2(counted{z})
	return err
}

// endBlock reads a block's padding and check.
func (z *xzReader) endBlock() error {
	pad, err := z.take(int(-z.read & 3))
	if err != nil {
		return err
	}
	if len(bytes.Trim(pad, "\x00")) > 0 {
		return errXZ
	}
	if z.hash == nil {
		return nil
	}
	sum := z.hash.Sum(nil)
	if z.check == xzCRC32 || z.check == xzCRC64 { // stored little-endian, Go sums big-endian
		for i, j := 0, len(sum)-1; i < j; i, j = i+1, j-1 {
			sum[i], sum[j] = sum[j], sum[i]
		}
	}
	got, err := z.take(len(sum))
	if err != nil {
		return err
	}
	if !bytes.Equal(got, sum) {
		return errXZCheck
	}
	return nil
}

// index reads a stream's end: the list of blocks, after its zero byte, and the
// footer.
func (z *xzReader) index() error {
	start := z.read - 1
	crc := crc32.NewIEEE()
	crc.Write([]byte{0})
	b := &hashedBytes{z: z, sum: crc}
	records, err := binary.ReadUvarint(b)
	if err == nil && records != z.blocks {
		return errXZ
	}
	for i := uint64(0); i < 2*records && err == nil; i++ {
		_, err = binary.ReadUvarint(b)
	}
	for err == nil && (z.read-start)&3 != 0 {
		_, err = b.ReadByte()
	}
	if err != nil {
		return unexpected(err)
	}
	sum, err := z.take(4)
	if err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(sum) != crc.Sum32() {
		return errXZCheck
	}
	size := z.read - start
	f, err := z.take(12)
	if err != nil {
		return err
	}
	if crc32.ChecksumIEEE(f[4:10]) != binary.LittleEndian.Uint32(f) || string(f[10:]) != "YZ" ||
		4*(int64(binary.LittleEndian.Uint32(f[4:]))+1) != size || f[9] != z.check {
		return errXZ
	}
	return nil
}

// take consumes n bytes; the slice is good until the next read.
func (z *xzReader) take(n int) ([]byte, error) {
	b, err := z.in.Peek(n)
	if len(b) < n {
		return nil, unexpected(err)
	}
	z.in.Discard(n)
	z.read += int64(n)
	return b, nil
}

// unexpected is the error of data that ends inside something.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// counted hands bytes to the LZMA2 decoder, which takes exactly its own.
type counted struct{ z *xzReader }

func (c counted) Read(p []byte) (int, error) {
	n, err := c.z.in.Read(p)
	c.z.read += int64(n)
	return n, err
}

// hashedBytes hands out single bytes and sums them.
type hashedBytes struct {
	z   *xzReader
	sum hash.Hash32
}

func (h *hashedBytes) ReadByte() (byte, error) {
	b, err := h.z.take(1)
	if err != nil {
		return 0, err
	}
	h.sum.Write(b)
	return b[0], nil
}
