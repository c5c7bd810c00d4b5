package pcap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"ovnreplay/pcap/compressed"
	"ovnreplay/pcap/filter"
)

// Options bound and shape reading. The zero value is the default.
type Options struct {
	// MaxPacket is the most bytes a packet may have; 0 means 256 KiB.
	MaxPacket int
	// MaxBlock is the most bytes a kept block other than a packet may have;
	// 0 means 16 MiB.
	MaxBlock int
	// Expansion bounds what a compressed capture unpacks to; zero means 1 GiB,
	// and beyond that 500 times the bytes of the file.
	Expansion compressed.Limits
	// MaxFrames is the most frames of a compressed capture; 0 means 100,000, and
	// what its bytes can hold.
	MaxFrames int
	// KeepBlocks keeps what a pcapng carries beside packets (name resolution,
	// decryption secrets, copiable custom blocks) for TakeBlocks. The caller
	// must take them as it reads, or they pile up.
	KeepBlocks bool
	// AttachBlocks, with KeepBlocks, hands them out with the record that they are
	// before: only those after the last are for TakeBlocks.
	AttachBlocks bool
	// Annotations delivers what an earlier replay added to a capture that it annotated, too: comments,
	// numbers and verdicts of packets, and packets that it predicted.
	Annotations bool
	// Filter selects the records that are delivered, as if the capture had been
	// made with it, but for their numbers: those are of the whole file. nil
	// selects all. It sees a frame as it was captured, with its tunnel headers.
	Filter *filter.Expr
}

func (o Options) withDefaults() Options {
	if o.MaxPacket <= 0 {
		o.MaxPacket = 256 << 10
	}
	if o.MaxBlock <= 0 {
		o.MaxBlock = 16 << 20
	}
	if o.Expansion == (compressed.Limits{}) {
		o.Expansion = expansion
	}
	return o
}

// Source is a stream of records: a Reader, a Set or a Merge. Next returns
// io.EOF at a clean end and a *FormatError at any other; both are final,
// except that a Merge goes on after a FormatError.
type Source interface {
	Next(*Record) error
}

// Reader reads one capture. It is not safe for concurrent use.
type Reader struct {
	// Clock corrects this capture's times. Set it before the first Next.
	Clock Clock

	name      string
	raw       *input // the file's bytes
	in        *input // the capture's, decompressed
	size      int64  // of the file; 0 when not known
	opts      Options
	format    format
	frame     int   // frames read
	err       error // final
	last      int64 // RawTime of the last record read
	latest    int64 // RawTime of the last record delivered
	filters   filters
	closers   []func() error
	kept      []Block
	keptBytes int
	counts    Counts
}

// Counts says what a reader has met so far.
type Counts struct {
	Frames        int   // delivered: those that the filter selects
	Bytes         int64 // of the decompressed capture
	Cut           int   // frames the snap length cut: their bytes cannot all be compared
	Backward      int   // frames earlier than the one before them
	SkippedBlocks int   // pcapng blocks of kinds not read, and those not kept
	Uncopiable    int   // custom blocks and options whose maker forbids copying
}

// format reads the records of one file format.
type format interface {
	// next fills rec, returning io.EOF at a clean end. The frame number is the
	// Reader's business.
	next(r *Reader, rec *Record) error
	name() string
}

// Open opens a capture file of any format; "-" is standard input.
func Open(path string) (*Reader, error) { return OpenWith(path, Options{}) }

// OpenWith is Open with options.
func OpenWith(path string, opts Options) (*Reader, error) {
	if path == "-" {
		return NewReaderWith(os.Stdin, "standard input", opts)
	}
	f, err := os.Open(path)
	if err != nil {
		var pe *os.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, &FormatError{File: path, Fault: ReadFailed, What: "cannot open the capture", Err: err,
			Advice: "check the name and permissions"}
	}
	r, err := NewReaderWith(f, path, opts)
	if err != nil {
		f.Close()
		return nil, err
	}
	r.closers = append(r.closers, f.Close)
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		r.size = info.Size()
	}
	return r, nil
}

// NewReader reads a capture of any format from src; name is for errors.
func NewReader(src io.Reader, name string) (*Reader, error) {
	return NewReaderWith(src, name, Options{})
}

// NewReaderWith is NewReader with options.
func NewReaderWith(src io.Reader, name string, opts Options) (*Reader, error) {
	in := newInput(src)
	r := &Reader{name: name, raw: in, in: in, opts: opts.withDefaults(), filters: filters{expr: opts.Filter}}
	if err := r.unpack(); err != nil {
		return nil, err
	}
	if err := r.detect(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Reader) unpack() error {
	plain, err := decompress(r.in, r.opts.Expansion)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return r.notCapture(nil, io.ErrUnexpectedEOF)
	}
	if err != nil {
		return &FormatError{File: r.name, Fault: Corrupt, What: "cannot be decompressed", Err: err,
			Advice: "check that the file is whole (gzip -t, xz -t, zstd -t)"}
	}
	if plain != nil {
		r.closers = append(r.closers, func() error { plain.Close(); return nil })
		r.in = newInput(plain)
	}
	return nil
}

func (r *Reader) detect() error {
	head, err := r.in.peek(4)
	if len(head) < 4 {
		return r.notCapture(head, err)
	}
	if bytes.Equal(head, magicSection) {
		r.format = new(ngFormat)
		return nil
	}
	c, err := newClassic(r, head)
	if err != nil {
		return err
	}
	if c == nil {
		more, err := r.in.peek(16)
		return r.notCapture(more, err)
	}
	r.format = c
	return r.filters.check(r.name, c.iface)
}

// notCapture names what the input is instead, as far as its first bytes tell.
func (r *Reader) notCapture(head []byte, err error) error {
	e := &FormatError{File: r.name, Fault: NotCapture, Advice: "give a pcap or pcapng file, plain or gzip, xz or zstd"}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		e.Fault, e.What, e.Advice = Truncated, "is compressed and cut off before its first packet",
			"copy or record the file again"
		return e
	}
	if err != nil && !errors.Is(err, io.EOF) {
		e.Fault, e.What, e.Err, e.Advice = ReadFailed, "cannot be read", err, "check that it is a readable file"
		return e
	}
	if len(head) == 0 {
		e.Fault, e.What, e.Advice = Empty, "is empty", "a capture has a header at least; record it again"
		return e
	}
	if begun(head) && errors.Is(err, io.EOF) {
		e.Fault, e.Advice = Truncated, "record the capture again"
		e.What = fmt.Sprintf("the file ends inside its header: %d bytes are there", len(head))
		return e
	}
	for _, k := range otherKinds {
		if bytes.HasPrefix(head, []byte(k.magic)) {
			e.What, e.Advice = "is not a capture but "+k.kind, k.advice
			return e
		}
	}
	e.What = fmt.Sprintf("is not a capture: it begins with % x (%q)", head, head)
	return e
}

// begun reports whether a file of these bytes alone may have been going to be a capture.
func begun(head []byte) bool {
	const gzip, xz, zstd = "\x1f\x8b", "\xfd7zXZ\x00", "\x28\xb5\x2f\xfd"
	for _, magic := range []uint32{magicMicro, magicNano, magicModified} {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			if bytes.HasPrefix(order.AppendUint32(nil, magic), head) {
				return true
			}
		}
	}
	for _, magic := range []string{string(magicSection), gzip, xz, zstd} {
		if strings.HasPrefix(magic, string(head)) {
			return true
		}
	}
	return false
}

// otherKinds are files people hand in by mistake.
var otherKinds = []struct{ magic, kind, advice string }{
	{"snoop\x00\x00\x00", "a Solaris snoop file", "convert it: editcap -F pcapng IN OUT"},
	{"\x1c\x00\x01\xac", "an IXIA capture", "convert it: editcap -F pcapng IN OUT"},
	{"\xac\x01\x00\x1c", "an IXIA capture", "convert it: editcap -F pcapng IN OUT"},
	{"\x1c\x00\x01\xab", "an IXIA capture", "convert it: editcap -F pcapng IN OUT"},
	{"\xab\x01\x00\x1c", "an IXIA capture", "convert it: editcap -F pcapng IN OUT"},
	{"BZh", "bzip2 data", "unpack it first: bunzip2"},
	{"\x04\x22\x4d\x18", "lz4 data", "unpack it first: unlz4"},
	{"PK\x03\x04", "a zip archive", "unpack it first: unzip"},
	{"OVSDB ", "an OVSDB database", "databases are given with --db"},
	{"\x1f\x8b", "compressed twice", "unpack it once: gunzip"},
}

// Next reads the next record that the filter selects into rec, reusing its
// buffers. What an earlier replay predicted was not captured, and is passed over.
func (r *Reader) Next(rec *Record) error {
	if r.err != nil {
		return r.err
	}
	for {
		rec.reset()
		if r.err = r.format.next(r, rec); r.err != nil {
			return r.err
		}
		r.frame++
		if err := r.dense(); err != nil {
			r.err = err
			return err
		}
		if rec.predicted {
			continue
		}
		selected, err := r.filters.selects(r.name, rec)
		if err != nil {
			r.err = err
			return err
		}
		r.last = rec.RawTime
		if selected {
			r.deliver(rec)
			return nil
		}
	}
}

// A frame of a capture differs from the one before it by its time at least, and
// takes some bytes however it is compressed: of real captures 20 to 30, of the
// densest 10. What has more frames was made to waste time, of which each takes as
// much as it would of a larger file; it is the small ones that nobody expects it of. What keeps
// something of each packet or connection is to stay within 512 MiB and 10 s for those.
const (
	denseFree  = 100_000
	denseLarge = 4 << 20 // bytes of the compressed file, from here on
	denseMore  = 8       // for each frame more
)

// dense is the error of a compressed capture with more frames than it can hold.
func (r *Reader) dense() error {
	if r.raw == r.in || r.opts.MaxFrames == 0 && r.frame <= denseFree {
		return nil
	}
	size, most := max(r.size, r.raw.offset()), int64(r.opts.MaxFrames)
	if most == 0 {
		if enough := denseLarge + denseMore*int64(r.frame-denseFree); r.size == 0 && size < enough {
			more, _ := r.raw.peek(int(enough - size)) // of a stream: an error is that of who reads on
			size += int64(len(more))
		}
		most = denseFree + max(size-denseLarge, 0)/denseMore
	}
	if int64(r.frame) > most {
		return &FormatError{File: r.name, Frame: r.frame, Offset: r.in.offset(), Fault: Corrupt,
			What: fmt.Sprintf("%d bytes of compressed data hold more than %d frames", size, most),
			Advice: "if it is a real capture, raise the limit with --max-frames, or give it unpacked; " +
				fmt.Sprintf("the %d frames before it were read", r.frame-1)}
	}
	return nil
}

// deliver counts a record and says where and when it is from.
func (r *Reader) deliver(rec *Record) {
	if r.counts.Frames++; r.counts.Frames > 1 && rec.RawTime < r.latest {
		r.counts.Backward++
	}
	if rec.Truncated() {
		r.counts.Cut++
	}
	rec.File, rec.Frame = r.name, r.frame
	if r.opts.AttachBlocks && r.kept != nil {
		rec.Blocks, r.kept, r.keptBytes = r.kept, nil, 0
	}
	r.latest = rec.RawTime
	rec.Time = r.Clock.Correct(rec.RawTime)
}

// Name is the capture's file name as given.
func (r *Reader) Name() string { return r.name }

// Format names the file's format: "pcap", "pcapng", …
func (r *Reader) Format() string { return r.format.name() }

// Counts tells what has been read so far.
func (r *Reader) Counts() Counts {
	c := r.counts
	c.Bytes = r.in.offset()
	return c
}

// Progress tells how many bytes of the file, compressed as it may be, have been
// taken in, and its size; 0 when that is not known, as of a stream.
func (r *Reader) Progress() (read, size int64) { return r.raw.offset(), r.size }

// TakeBlocks returns the blocks met since the last call (see Options.KeepBlocks).
func (r *Reader) TakeBlocks() []Block {
	b := r.kept
	r.kept, r.keptBytes = nil, 0
	return b
}

// Close releases the file. Records read before stay valid.
func (r *Reader) Close() error {
	var errs []error
	for i := len(r.closers) - 1; i >= 0; i-- {
		errs = append(errs, r.closers[i]())
	}
	r.closers = nil
	if r.err == nil {
		r.err = &FormatError{File: r.name, Fault: ReadFailed, What: "is closed"}
	}
	return errors.Join(errs...)
}

// fault makes the error for the record being read.
func (r *Reader) fault(f Fault, offset int64, advice, format string, args ...any) error {
	return &FormatError{File: r.name, Frame: r.frame + 1, Offset: offset, Fault: f,
		What: fmt.Sprintf(format, args...), Advice: advice}
}

// ended makes the error for an input that stops while want bytes of what were
// due at offset and got were there.
func (r *Reader) ended(what string, offset int64, got, want int64, err error) error {
	e := &FormatError{File: r.name, Frame: r.frame + 1, Offset: offset, Fault: Truncated,
		What:   fmt.Sprintf("the file ends inside %s: %d of %d bytes are there", what, got, want),
		Advice: fmt.Sprintf("the %d frames before it are good; copy or record the file again for the rest", r.frame)}
	if errors.Is(err, io.EOF) {
		return e
	}
	e.Fault, e.Err = ReadFailed, err
	if bomb := (*compressed.BombError)(nil); errors.As(err, &bomb) {
		e.Advice = "if it is a capture all the same, unpack it first; " + e.Advice
	}
	e.What = fmt.Sprintf("reading stopped inside %s: %d of %d bytes are there", what, got, want)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		e.Fault = Truncated
	}
	return e
}
