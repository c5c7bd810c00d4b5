package store

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"ovnreplay/pcap/compressed"
)

// expansion bounds what a compressed file unpacks to. Databases shrink to a
// tenth or twentieth.
var expansion = compressed.Limits{Free: 64 << 20, Ratio: 128}

// decompress detects compression by magic. name is "" when there is none. The
// returned reader peeks; stop releases what the decompressor holds. r is read
// from meter in the end.
func decompress(r io.Reader, meter *compressed.Meter, limits compressed.Limits) (out *bufio.Reader, name string,
	stop func(), err error) {
	b := bufio.NewReaderSize(r, 4096)
	magic, _ := b.Peek(6)
	if name = compressed.Name(magic); name == "" {
		return b, "", func() {}, nil
	}
	z, err := compressed.NewReader(b, name, meter, limits)
	if err != nil {
		return nil, name, z.Close, fmt.Errorf("bad %s data: %w", name, err)
	}
	return bufio.NewReaderSize(z, 4096), name, z.Close, nil
}

// OpenFile opens a file for reading what is in it: it is decompressed if it is
// gzip, xz or zstd, whatever its name.
func OpenFile(name string) (io.ReadCloser, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	meter := compressed.NewMeter(f)
	r, _, stop, err := decompress(meter, meter, expansion)
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
