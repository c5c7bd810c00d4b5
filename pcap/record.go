package pcap

import (
	"errors"
	"fmt"
	"unsafe"
)

// Direction is which way a packet crossed the captured interface.
type Direction uint8

// Directions, with the values of epb_flags bits 0-1.
const (
	DirectionUnknown Direction = iota
	DirectionIn                // received by the interface
	DirectionOut               // sent by the interface
)

func (d Direction) String() string {
	switch d {
	case DirectionIn:
		return "in"
	case DirectionOut:
		return "out"
	}
	return "unknown"
}

// Record is one captured packet. Next reuses its buffers: Data, Comments and
// Options are valid until the same Record is handed to Next again, whatever
// the reader does meanwhile. Use CopyFrom to keep one longer.
type Record struct {
	File    string // name of the file it came from
	Capture int    // index of the capture within a Merge, else 0
	Frame   int    // 1-based number within File

	// Time is nanoseconds since the Unix epoch, after the capture's clock
	// correction (see Clock). RawTime is what the file says.
	Time, RawTime int64
	// Timeless: the record carries no time (Simple Packet Block); Time is that
	// of the record before it.
	Timeless bool

	Data    []byte // captured bytes
	OrigLen int    // length on the wire; more than len(Data) when cut by the snap length

	LinkType  LinkType
	Interface *Interface // never nil after Next
	IfIndex   int        // kernel interface index (modified pcap), else 0
	Direction Direction
	FCSLen    int // bytes of frame check sequence at the end of Data

	Comments []string
	// Options are the packet's other pcapng options; numbers in the values of
	// known ones are little-endian whatever the file's byte order was.
	Options []Option
	// Blocks are those met since the record before (see Options.AttachBlocks).
	Blocks []Block

	optionBytes []byte
	predicted   bool // by an earlier replay: in no capture
}

// Truncated reports whether the snap length cut the packet.
func (r *Record) Truncated() bool { return r.OrigLen > len(r.Data) }

// Size is about how many bytes the record takes: what it carries beside the packet may be
// far more than that.
func (r *Record) Size() int { return cap(r.Data) + r.aside() }

// aside is what it carries beside the packet.
func (r *Record) aside() int {
	n := cap(r.optionBytes) + cap(r.Options)*int(unsafe.Sizeof(Option{}))
	for _, c := range r.Comments {
		n += len(c) + int(unsafe.Sizeof(c))
	}
	for i := range r.Blocks {
		n += cap(r.Blocks[i].Body) + int(unsafe.Sizeof(Block{}))
	}
	return n
}

// CopyFrom makes r a copy of src that shares no buffer with it.
func (r *Record) CopyFrom(src *Record) {
	data, comments, options, optionBytes := r.Data, r.Comments, r.Options, r.optionBytes
	*r = *src
	r.Data = append(data[:0], src.Data...)
	r.Comments = append(comments[:0], src.Comments...)
	r.Options, r.optionBytes = options[:0], optionBytes[:0]
	for _, o := range src.Options {
		r.addOption(o.Code, o.Value)
	}
}

// addOption appends an option whose value is copied to the record's own buffer.
func (r *Record) addOption(code uint16, value []byte) []byte {
	n := len(r.optionBytes)
	r.optionBytes = append(r.optionBytes, value...)
	v := r.optionBytes[n:len(r.optionBytes):len(r.optionBytes)]
	r.Options = append(r.Options, Option{code, v})
	return v
}

// reset clears what not every record sets, keeping the buffers.
func (r *Record) reset() {
	r.Capture, r.IfIndex, r.FCSLen = 0, 0, 0
	r.Timeless, r.predicted, r.Direction = false, false, DirectionUnknown
	r.Comments, r.Options, r.optionBytes = r.Comments[:0], r.Options[:0], r.optionBytes[:0]
	r.Blocks = nil
}

// Option is a pcapng option.
type Option struct {
	Code  uint16
	Value []byte
}

// Interface describes where packets were captured. It does not change once
// delivered with a record, but for the statistics at its end.
type Interface struct {
	Index   int // 0-based, over all sections of the file
	Section int // 0-based section of the file
	ID      int // 0-based number within the section

	LinkType LinkType
	// BigEndian is the byte order of the file or section, which is the
	// capturing host's: that of the address family of NULL frames.
	BigEndian bool
	SnapLen   uint32 // bytes; 0 is unlimited
	FCSLen    int    // bytes of frame check sequence on each packet

	Name        string
	Description string
	Filter      string // capture filter, as text
	OS          string
	Hardware    string
	Comments    []string
	Annotated   bool     // by an earlier replay: what it is called is a port's name
	Options     []Option // the others, raw, in the section's byte order

	// Received and Dropped come from an Interface Statistics Block, which
	// usually follows the packets; HasStatistics tells whether one was seen.
	// Dropped counts packets the capture lost: a packet not seen here may be one.
	Received, Dropped uint64
	HasStatistics     bool

	resolution resolution
}

// Fault is the kind of a FormatError.
type Fault uint8

// Faults.
const (
	Truncated   Fault = iota + 1 // the input ends inside something
	Corrupt                      // the input contradicts its format
	NotCapture                   // the input is something else
	Unsupported                  // valid, but a kind that is not read
	TooLarge                     // a length above the configured bound
	ReadFailed                   // the operating system refused
	Empty                        // the input has no bytes
)

func (f Fault) String() string {
	return [...]string{"", "truncated", "corrupt", "not a capture", "unsupported", "too large", "read failed",
		"empty"}[f]
}

// FormatError says where and why reading a capture stopped. The records
// delivered before it are good.
type FormatError struct {
	File   string
	Frame  int   // the frame that could not be read, 1-based; 0 when before any
	Offset int64 // byte offset, of the decompressed data for a compressed file
	Fault  Fault
	What   string // what is wrong
	Advice string // what to do
	Err    error  // the cause, if another error is it
}

func (e *FormatError) Error() string {
	where := ""
	if e.Frame > 0 {
		where = fmt.Sprintf(": frame %d, offset %d", e.Frame, e.Offset)
	}
	s := e.File + where + ": " + e.What
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Advice != "" {
		s += "; " + e.Advice
	}
	return s
}

// Packetless reports whether err says that a capture has nothing, or was cut before the end of its
// first packet: whoever wrote it was ended too soon.
func Packetless(err error) bool {
	e := new(FormatError)
	return errors.As(err, &e) && (e.Fault == Empty || e.Fault == Truncated && e.Frame <= 1)
}

func (e *FormatError) Unwrap() error { return e.Err }
