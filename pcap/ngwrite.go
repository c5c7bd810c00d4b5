package pcap

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"unicode/utf8"
)

// maxOption is the most bytes an option's 16-bit length can tell.
const maxOption = 65535

// maxWritten bounds a block, so that Wireshark (16 MiB) reads it.
const maxWritten = 16 << 20

// Writer writes pcapng: one section, little-endian, nanoseconds. Interfaces
// may be added at any time before the packets that name them. It buffers;
// Flush hands everything written so far to the underlying writer. After an
// error of the underlying writer every call returns it.
type Writer struct {
	w          *bufio.Writer
	buf        []byte
	interfaces int
	packets    int
}

// NewWriter starts a section described by s, which may be empty.
func NewWriter(w io.Writer, s Section) (*Writer, error) {
	out := &Writer{w: bufio.NewWriterSize(w, 1<<16)}
	out.begin(blockSection)
	out.u32(byteOrderMagic)
	out.u32(1) // version 1.0
	out.u32(0xffffffff)
	out.u32(0xffffffff) // section length unknown
	out.options(
		textOption{optHardware, s.Hardware}, textOption{optOS, s.OS}, textOption{optApplication, s.Application})
	out.comments(s.Comments)
	return out, out.end()
}

// InterfaceInfo describes an interface to be written.
type InterfaceInfo struct {
	Name, Description, Filter, OS, Hardware string

	LinkType LinkType
	SnapLen  uint32 // bytes; 0 is unlimited
	FCSLen   int
	Comments []string
	Options  []Option // others, numbers little-endian
}

// Info is the interface as a writer takes it.
func (i *Interface) Info() InterfaceInfo {
	return InterfaceInfo{Name: i.Name, Description: i.Description, Filter: i.Filter, OS: i.OS, Hardware: i.Hardware,
		LinkType: i.LinkType, SnapLen: i.SnapLen, FCSLen: i.FCSLen, Comments: i.Comments, Options: i.Options}
}

// AddInterface writes an interface description and returns its number.
func (w *Writer) AddInterface(i InterfaceInfo) (int, error) {
	w.begin(blockInterface)
	w.u16(uint16(i.LinkType))
	w.u16(0)
	w.u32(i.SnapLen)
	w.options(textOption{optName, i.Name}, textOption{optDescription, i.Description},
		textOption{optIfOS, i.OS}, textOption{optIfHardware, i.Hardware})
	w.option(optResolution, []byte{9})
	if i.Filter != "" {
		w.options(textOption{optFilter, "\x00" + i.Filter})
	}
	if i.FCSLen > 0 {
		w.option(optFCSLen, []byte{byte(i.FCSLen)})
	}
	w.comments(i.Comments)
	for _, o := range i.Options {
		w.option(o.Code, o.Value)
	}
	if err := w.end(); err != nil {
		return 0, err
	}
	w.interfaces++
	return w.interfaces - 1, nil
}

// Packet is a packet to be written.
type Packet struct {
	Interface int   // as AddInterface numbered it
	Time      int64 // ns since the Unix epoch; not before it
	Data      []byte
	OrigLen   int // 0 is len(Data)
	Direction Direction
	// ID is the same for all records of one packet, whatever interfaces it was
	// seen at and whatever became of its bytes; 0 is not written.
	ID uint64
	// Verdict, if not VerdictNone, is what was decided about the packet.
	Verdict Verdict
	// Lines are comments before the others, one a line, as bytes that the writer
	// does not keep.
	Lines []byte
	// Comments may be of any length: one above 65,535 bytes becomes several
	// comment options, split between characters. Bytes that are no UTF-8
	// become U+FFFD.
	Comments []string
	Options  []Option // others, numbers little-endian; an ID or Verdict given replaces theirs
}

// Verdict is what was decided about a packet, written as an epb_verdict in the
// words of Linux' traffic control (linux/pkt_cls.h), which Wireshark shows. But
// what Wireshark 4.0 and its tools save of a capture with an epb_verdict of any
// kind is damaged: the option gets the code of epb_queue and a wrong length.
type Verdict uint8

// Verdicts.
const (
	VerdictNone   Verdict = iota
	VerdictPass           // TC_ACT_OK
	VerdictDrop           // TC_ACT_SHOT
	VerdictStolen         // TC_ACT_STOLEN: taken, and neither passed on nor dropped
)

// trafficControl gives the verdicts' numbers in traffic control.
var trafficControl = [...]uint64{VerdictPass: 0, VerdictDrop: 2, VerdictStolen: 4}

// WritePacket writes an Enhanced Packet Block.
func (w *Writer) WritePacket(p *Packet) error {
	w.packets++
	switch {
	case p.Interface < 0 || p.Interface >= w.interfaces:
		return fmt.Errorf("packet %d: interface %d of %d; add it first", w.packets, p.Interface, w.interfaces)
	case p.Time < 0:
		return fmt.Errorf("packet %d: time %d ns lies before 1970, which pcapng cannot say; correct the "+
			"capture's clock",
			w.packets, p.Time)
	}
	original := p.OrigLen
	if original == 0 {
		original = len(p.Data)
	}
	w.begin(blockEnhanced)
	w.u32(uint32(p.Interface))
	w.u32(uint32(uint64(p.Time) >> 32))
	w.u32(uint32(p.Time))
	w.u32(uint32(len(p.Data)))
	w.u32(uint32(original))
	w.bytes(p.Data)
	body := len(w.buf)
	if p.Direction != DirectionUnknown {
		w.optionHeader(optFlags, 4)
		w.u32(uint32(p.Direction))
	}
	if p.ID != 0 {
		w.optionHeader(optPacketID, 8)
		w.u64(p.ID)
	}
	if p.Verdict != VerdictNone {
		w.optionHeader(optVerdict, 9)
		w.buf = append(w.buf, verdictTC)
		w.u64(trafficControl[p.Verdict])
		w.pad(9)
	}
	w.lines(p.Lines)
	w.comments(p.Comments)
	for _, o := range p.Options {
		if o.Code == optPacketID && p.ID != 0 || o.Code == optVerdict && p.Verdict != VerdictNone {
			continue
		}
		w.option(o.Code, o.Value)
	}
	if len(w.buf) > body {
		w.optionHeader(optEnd, 0)
	}
	return w.finish()
}

// Name is what people call an address.
type Name struct {
	Addr netip.Addr
	Name string
}

// WriteNames writes the names of addresses (a Name Resolution Block): those who
// open the file see them in place of the addresses, if they want to. It is of
// no use after the packets.
func (w *Writer) WriteNames(names []Name) error {
	const ip4, ip6, end = 1, 2, 0
	for len(names) > 0 {
		w.begin(blockNames)
		for len(names) > 0 && len(w.buf) < maxNames {
			n := names[0]
			names = names[1:]
			addr, code := n.Addr.Unmap().AsSlice(), uint16(ip4)
			if len(addr) == 16 {
				code = ip6
			}
			name := strings.ReplaceAll(n.Name, "\x00", "")
			name = strings.ToValidUTF8(name[:min(len(name), maxName)], "")
			if len(addr) == 0 || name == "" {
				continue
			}
			w.optionHeader(code, len(addr)+len(name)+1)
			w.buf = append(append(append(w.buf, addr...), name...), 0)
			w.pad(len(addr) + len(name) + 1)
		}
		w.optionHeader(end, 0)
		if err := w.finish(); err != nil {
			return err
		}
	}
	return nil
}

// maxNames is after how many bytes of names another block begins, maxName how
// long one may be: what Wireshark takes.
const (
	maxNames = 1 << 20
	maxName  = 63
)

// WriteBlock writes a block kept by a Reader.
func (w *Writer) WriteBlock(b Block) error {
	w.begin(b.Type)
	w.bytes(b.Body)
	return w.finish()
}

// Packets returns how many packets were written.
func (w *Writer) Packets() int { return w.packets }

// Flush hands on what has been written.
func (w *Writer) Flush() error { return w.w.Flush() }

func (w *Writer) begin(typ uint32) {
	w.buf = w.buf[:0]
	w.u32(typ)
	w.u32(0) // length, known at the end
}

// end closes the options and the block.
func (w *Writer) end() error {
	w.optionHeader(optEnd, 0)
	return w.finish()
}

func (w *Writer) finish() error {
	n := len(w.buf) + 4
	if n > maxWritten {
		return fmt.Errorf("packet %d: a block of %d bytes is more than readers take (%d); shorten its comments",
			w.packets, n, maxWritten)
	}
	w.u32(uint32(n))
	binary.LittleEndian.PutUint32(w.buf[4:], uint32(n))
	_, err := w.w.Write(w.buf)
	return err
}

func (w *Writer) u16(v uint16) { w.buf = binary.LittleEndian.AppendUint16(w.buf, v) }
func (w *Writer) u32(v uint32) { w.buf = binary.LittleEndian.AppendUint32(w.buf, v) }
func (w *Writer) u64(v uint64) { w.buf = binary.LittleEndian.AppendUint64(w.buf, v) }

// bytes appends b, padded to four bytes.
func (w *Writer) bytes(b []byte) {
	w.buf = append(w.buf, b...)
	w.pad(len(b))
}

func (w *Writer) pad(n int) {
	for ; n%4 != 0; n++ {
		w.buf = append(w.buf, 0)
	}
}

func (w *Writer) optionHeader(code uint16, n int) {
	w.u16(code)
	w.u16(uint16(n))
}

// option writes raw bytes, cut to what an option can hold. The end marker is
// the Writer's own to write.
func (w *Writer) option(code uint16, v []byte) {
	if code == optEnd {
		return
	}
	v = v[:min(len(v), maxOption)]
	w.optionHeader(code, len(v))
	w.bytes(v)
}

// textOption is a string option; an empty one is not written.
type textOption struct {
	code uint16
	text string
}

func (w *Writer) options(list ...textOption) {
	for _, o := range list {
		if o.text == "" {
			continue
		}
		s := strings.ToValidUTF8(o.text, "\uFFFD")
		w.textOption(o.code, s[:cut(s)])
	}
}

func (w *Writer) textOption(code uint16, s string) {
	w.optionHeader(code, len(s))
	w.buf = append(w.buf, s...)
	w.pad(len(s))
}

func (w *Writer) comments(list []string) {
	for _, c := range list {
		c = strings.ToValidUTF8(c, "\uFFFD")
		for len(c) > 0 {
			n := cut(c)
			w.textOption(optComment, c[:n])
			c = c[n:]
		}
	}
}

// lines writes each line as a comment; empty ones are left out.
func (w *Writer) lines(b []byte) {
	if !utf8.Valid(b) {
		b = bytes.ToValidUTF8(b, []byte("\uFFFD"))
	}
	for len(b) > 0 {
		line := b
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			line, b = b[:i], b[i+1:]
		} else {
			b = nil
		}
		if len(line) > maxOption {
			w.comments([]string{string(line)})
		} else if len(line) > 0 {
			w.optionHeader(optComment, len(line))
			w.bytes(line)
		}
	}
}

// cut is how much of s an option holds without splitting a character.
func cut(s string) int {
	if len(s) <= maxOption {
		return len(s)
	}
	n := maxOption
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return n
}
