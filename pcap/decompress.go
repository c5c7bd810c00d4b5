package pcap

import (
	"bufio"
	"io"

	"ovnreplay/pcap/compressed"
)

// expansion bounds what a compressed capture unpacks to. A flood of equal
// packets may well shrink to a thousandth; one of more than a gigabyte that
// does is made to waste time.
var expansion = compressed.Limits{Free: 1 << 30, Ratio: 500}

// decompress returns a reader of the plain bytes when the input is compressed,
// nil when it is not.
func decompress(in *input, limits compressed.Limits) (*compressed.Reader, error) {
	head, _ := in.peek(6)
	name := compressed.Name(head)
	if name == "" {
		return nil, nil
	}
	meter := compressed.NewMeter(in)
	return compressed.NewReader(bufio.NewReaderSize(meter, inputChunk), name, meter, limits)
}

// Read gives the bytes to a decompressor.
func (in *input) Read(p []byte) (int, error) {
	b, err := in.peek(1)
	if len(b) == 0 {
		return 0, err
	}
	n := copy(p, in.buf[in.start:in.end])
	in.discard(n)
	return n, nil
}

var _ io.Reader = (*input)(nil)
