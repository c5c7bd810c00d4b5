package pcap

import (
	"bytes"
	"encoding/binary"
)

// Classic pcap: a 24-byte file header, then per packet a 16-byte header (24 in
// the Kuznetzov-modified form) and the bytes.
const (
	classicHeader = 24
	magicMicro    = 0xa1b2c3d4
	magicNano     = 0xa1b23c4d
	magicModified = 0xa1b2cd34 // patched libpcap of the 1990s: adds ifindex, protocol, packet type
)

type classicFormat struct {
	order     binary.ByteOrder
	big       bool // order, without a dynamic call per field
	kind      string
	perRecord int // record header bytes
	tick      int64
	minor     uint16
	iface     *Interface
}

func (c *classicFormat) name() string { return c.kind }

// newClassic reads the file header; nil when the magic is not pcap's.
func newClassic(r *Reader, magic []byte) (*classicFormat, error) {
	c := classicOf(magic)
	if c == nil {
		return nil, nil
	}
	h, err := r.in.peek(classicHeader)
	if len(h) < classicHeader {
		e := r.ended("the file header", 0, int64(len(h)), classicHeader, err).(*FormatError)
		e.Frame, e.Advice = 0, "record the capture again"
		return nil, e
	}
	major := c.order.Uint16(h[4:])
	c.minor = c.order.Uint16(h[6:])
	if major != 2 {
		e := r.fault(Unsupported, 4, "convert it: editcap -F pcapng IN OUT", "pcap version %d.%d is not read", major,
			c.minor).(*FormatError)
		e.Frame = 0
		return nil, e
	}
	// The top bits of the link type may tell of a frame check sequence.
	network := c.order.Uint32(h[20:])
	if network&0x03ffffff > 0xffff {
		e := r.fault(Unsupported, 20, "no such link type is registered; record the capture again", "link type %d",
			network&0x03ffffff).(*FormatError)
		e.Frame = 0
		return nil, e
	}
	c.iface = &Interface{LinkType: LinkType(network), BigEndian: c.big, SnapLen: c.order.Uint32(h[16:])}
	if network&0x04000000 != 0 {
		c.iface.FCSLen = 2 * int(network>>28)
	}
	r.in.discard(classicHeader)
	return c, nil
}

func classicOf(magic []byte) *classicFormat {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		c := &classicFormat{order: order, big: order == binary.ByteOrder(binary.BigEndian), perRecord: 16, tick: 1000}
		switch order.Uint32(magic) {
		case magicMicro:
			c.kind = "pcap"
		case magicNano:
			c.kind, c.tick = "nanosecond pcap", 1
		case magicModified:
			c.kind, c.perRecord = "modified pcap", 24
		default:
			continue
		}
		return c
	}
	return nil
}

func (c *classicFormat) u32(b []byte) uint32 {
	if c.big {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

func (c *classicFormat) next(r *Reader, rec *Record) error {
	at := r.in.offset()
	h, err := r.in.peek(c.perRecord)
	if len(h) < c.perRecord {
		if atEnd(len(h), err) {
			return err
		}
		return r.ended("a record header", at, int64(len(h)), int64(c.perRecord), err)
	}
	captured, original := c.lengths(h)
	if original == 0 && !bytes.ContainsFunc(h, func(r rune) bool { return r != 0 }) {
		return r.fault(Truncated, at, "the frames before it are good; the file was not written to its end",
			"the file holds zeros where a record is due")
	}
	if captured > uint32(r.opts.MaxPacket) {
		return r.fault(tooLong(captured), at,
			"the frames before it are good; the file is damaged here, or written with a larger bound",
			"a record claims %d bytes, more than %d", captured, r.opts.MaxPacket)
	}
	total := c.perRecord + int(captured)
	if h, err = r.in.peek(total); len(h) < total {
		return r.ended("a record", at, int64(len(h)), int64(total), err)
	}
	rec.RawTime = int64(c.u32(h))*billion + int64(c.u32(h[4:]))*c.tick
	rec.OrigLen = int(original)
	rec.LinkType, rec.Interface, rec.FCSLen = c.iface.LinkType, c.iface, c.iface.FCSLen
	if c.perRecord == 24 {
		rec.IfIndex = int(c.u32(h[16:]))
		rec.Direction = packetType(uint16(h[22])).Direction()
	}
	rec.Data = append(rec.Data[:0], h[c.perRecord:]...)
	r.in.discard(total)
	return nil
}

// lengths reads captured and original length. Files before version 2.3 have
// them the other way round; 2.3 itself has both ways in the field.
func (c *classicFormat) lengths(h []byte) (captured, original uint32) {
	captured, original = c.u32(h[8:]), c.u32(h[12:])
	if c.minor < 3 || c.minor == 3 && captured > original {
		captured, original = original, captured
	}
	return captured, original
}

// tooLong tells a size some writer may really have meant from nonsense.
func tooLong(n uint32) Fault {
	if n <= 64<<20 {
		return TooLarge
	}
	return Corrupt
}
