package pcap

import (
	"encoding/binary"
	"strings"
	"unsafe"
)

// maxInterfaces bounds the interfaces of a file.
const maxInterfaces = 1 << 16

// ngFormat reads pcapng: a section header in either byte order, interface
// descriptions, packets of three kinds, and what else may lie between.
type ngFormat struct {
	big        bool // the current section's byte order
	section    int  // 0-based; -1 would be before the first, which detect excludes
	sections   []Section
	interfaces []*Interface // of the current section
	total      int          // over all sections
}

// Section is what a section header says about the capture's making.
type Section struct {
	Hardware, OS, Application string
	Comments                  []string
}

// Sections returns the section headers read so far; none for classic pcap.
func (r *Reader) Sections() []Section {
	if f, ok := r.format.(*ngFormat); ok {
		return f.sections
	}
	return nil
}

func (f *ngFormat) name() string { return "pcapng" }

func (f *ngFormat) u16(b []byte) uint16 {
	if f.big {
		return binary.BigEndian.Uint16(b)
	}
	return binary.LittleEndian.Uint16(b)
}

func (f *ngFormat) u32(b []byte) uint32 {
	if f.big {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

// u64 reads a 64-bit number, u64split one stored as high word, low word.
func (f *ngFormat) u64(b []byte) uint64 { return orderOf(f.big).Uint64(b) }

func (f *ngFormat) u64split(b []byte) uint64 {
	return uint64(f.u32(b))<<32 | uint64(f.u32(b[4:]))
}

// next walks blocks until a packet. A block's bytes are looked at in the
// input's buffer and consumed once it has been understood.
func (f *ngFormat) next(r *Reader, rec *Record) error {
	for {
		at := r.in.offset()
		h, err := r.in.peek(8)
		if len(h) < 8 {
			if atEnd(len(h), err) {
				return err
			}
			return r.ended("a block header", at, int64(len(h)), 8, err)
		}
		typ := f.u32(h)
		if typ == blockSection { // reads the same in both byte orders
			if err := f.sectionOrder(r, at); err != nil {
				return err
			}
			h, _ = r.in.peek(8)
		}
		length := f.u32(h[4:])
		if length < 12 || length%4 != 0 {
			return r.fault(Corrupt, at, "the frames before it are good; the file is damaged here",
				"a block of type %#x claims a length of %d", typ, length)
		}
		body, err := f.body(r, at, typ, length)
		if err != nil {
			return err
		}
		isPacket := false
		if body != nil {
			if isPacket, err = f.block(r, rec, at, typ, body); err != nil {
				return err
			}
			r.in.discard(int(length))
		}
		if isPacket {
			return nil
		}
	}
}

// body returns a block's bytes between its lengths, or nil after skipping a
// block that is not read.
func (f *ngFormat) body(r *Reader, at int64, typ, length uint32) ([]byte, error) {
	limit, wanted := r.opts.MaxBlock, true
	switch typ {
	case blockEnhanced, blockPacket, blockSimplePacket:
		limit += r.opts.MaxPacket
	case blockSection, blockInterface, blockStatistics:
	case blockNames, blockSecrets, blockCustom, blockJournal:
		wanted = r.opts.KeepBlocks
	default:
		wanted = false
	}
	if !wanted {
		return nil, f.skip(r, at, typ, length)
	}
	if int64(length) > int64(limit) {
		return nil, r.fault(tooLong(length), at,
			"the frames before it are good; the file is damaged here, or made by a writer without bounds",
			"a block of type %#x claims %d bytes, more than %d", typ, length, limit)
	}
	b, err := r.in.peek(int(length))
	if len(b) < int(length) {
		return nil, r.ended("a block", at, int64(len(b)), int64(length), err)
	}
	if trailer := f.u32(b[length-4:]); trailer != length {
		return nil, f.trailerFault(r, at, length, trailer)
	}
	return b[8 : length-4], nil
}

func (f *ngFormat) trailerFault(r *Reader, at int64, length, trailer uint32) error {
	return r.fault(Corrupt, at, "the frames before it are good; the file is damaged here",
		"a block says it has %d bytes at its start and %d at its end", length, trailer)
}

// skip passes over a block without holding it.
func (f *ngFormat) skip(r *Reader, at int64, typ, length uint32) error {
	r.counts.SkippedBlocks++
	if typ == blockCustomNoCopy {
		r.counts.Uncopiable++
	}
	n, err := r.in.skip(int64(length) - 4)
	if err != nil {
		return r.ended("a block", at, n, int64(length), err)
	}
	b, err := r.in.peek(4)
	if len(b) < 4 {
		return r.ended("a block", at, n+int64(len(b)), int64(length), err)
	}
	if trailer := f.u32(b); trailer != length {
		return f.trailerFault(r, at, length, trailer)
	}
	r.in.discard(4)
	return nil
}

// block takes in one block; true when it filled rec.
func (f *ngFormat) block(r *Reader, rec *Record, at int64, typ uint32, body []byte) (bool, error) {
	switch typ {
	case blockEnhanced:
		return true, f.enhanced(r, rec, at, body)
	case blockSimplePacket:
		return true, f.simple(r, rec, at, body)
	case blockPacket:
		return true, f.obsolete(r, rec, at, body)
	case blockSection:
		return false, f.sectionHeader(r, at, body)
	case blockInterface:
		return false, f.interfaceBlock(r, at, body)
	case blockStatistics:
		return false, f.statistics(r, at, body)
	}
	if r.keptBytes += len(body) + int(unsafe.Sizeof(Block{})); r.keptBytes > maxKept {
		r.counts.SkippedBlocks++
		return false, nil
	}
	kept := Block{Type: typ, Body: append([]byte(nil), body...), AfterFrame: r.frame}
	if !littleEndianBody(typ, kept.Body, f.big) {
		return false, f.damaged(r, at, "a block of type %#x contradicts itself", typ)
	}
	r.kept = append(r.kept, kept)
	return false, nil
}

// maxKept bounds the blocks that are kept between two packets.
const maxKept = 64 << 20

func (f *ngFormat) damaged(r *Reader, at int64, format string, args ...any) error {
	return r.fault(Corrupt, at, "the frames before it are good; the file is damaged here", format, args...)
}

// sectionOrder learns the byte order of the section that begins here.
func (f *ngFormat) sectionOrder(r *Reader, at int64) error {
	h, err := r.in.peek(12)
	if len(h) < 12 {
		return r.ended("a section header", at, int64(len(h)), 28, err)
	}
	switch {
	case binary.LittleEndian.Uint32(h[8:]) == byteOrderMagic:
		f.big = false
	case binary.BigEndian.Uint32(h[8:]) == byteOrderMagic:
		f.big = true
	default:
		return f.damaged(r, at, "a section header has the byte-order magic % x", h[8:12])
	}
	return nil
}

func (f *ngFormat) sectionHeader(r *Reader, at int64, b []byte) error {
	if len(b) < 16 {
		return f.damaged(r, at, "a section header of %d bytes is too short", len(b)+12)
	}
	if major, minor := f.u16(b[4:]), f.u16(b[6:]); major != 1 {
		return r.fault(Unsupported, at, "convert it: editcap -F pcapng IN OUT",
			"pcapng version %d.%d is not read", major, minor)
	}
	var s Section
	opts := optionReader{rest: b[16:], big: f.big}
	for code, v, ok := opts.next(); ok; code, v, ok = opts.next() {
		switch code {
		case optComment:
			s.Comments = append(s.Comments, text(v))
		case optHardware:
			s.Hardware = text(v)
		case optOS:
			s.OS = text(v)
		case optApplication:
			s.Application = text(v)
		}
	}
	if opts.bad {
		return f.damaged(r, at, "an option of a section header reaches past its end")
	}
	f.section = len(f.sections)
	f.sections = append(f.sections, s)
	f.interfaces = nil // earlier records still point to the old ones
	return nil
}

func (f *ngFormat) interfaceBlock(r *Reader, at int64, b []byte) error {
	if len(b) < 8 {
		return f.damaged(r, at, "an interface description of %d bytes is too short", len(b)+12)
	}
	if f.total >= maxInterfaces {
		return r.fault(TooLarge, at, "the frames before it are good", "the file has more than %d interfaces",
			maxInterfaces)
	}
	i := &Interface{Index: f.total, Section: f.section, ID: len(f.interfaces), BigEndian: f.big,
		Annotated: f.sections[f.section].Annotated(),
		LinkType:  LinkType(f.u16(b)), SnapLen: f.u32(b[4:]), resolution: microseconds}
	var offset int64
	opts := optionReader{rest: b[8:], big: f.big}
	for code, v, ok := opts.next(); ok; code, v, ok = opts.next() {
		if code == optTimeOffset && len(v) == 8 {
			offset = int64(f.u64(v))
			continue
		}
		f.interfaceOption(r, i, code, v)
	}
	if opts.bad {
		return f.damaged(r, at, "an option of an interface description reaches past its end")
	}
	i.resolution.offset = offset
	f.interfaces = append(f.interfaces, i)
	f.total++
	return nil
}

func (f *ngFormat) interfaceOption(r *Reader, i *Interface, code uint16, v []byte) {
	switch {
	case code == optComment:
		i.Comments = append(i.Comments, text(v))
	case code == optName:
		i.Name = text(v)
	case code == optDescription:
		i.Description = text(v)
	case code == optFilter && len(v) > 0 && v[0] == 0: // other kinds are compiled filters
		i.Filter = text(v[1:])
	case code == optIfOS:
		i.OS = text(v)
	case code == optIfHardware:
		i.Hardware = text(v)
	case code == optFCSLen && len(v) == 1:
		i.FCSLen = int(v[0])
	case code == optResolution && len(v) == 1:
		i.resolution = parseResolution(v[0])
	case isNoCopy(code):
		r.counts.Uncopiable++
	default:
		v = append([]byte(nil), v...)
		littleEndianInterfaceOption(code, v, f.big)
		i.Options = append(i.Options, Option{code, v})
	}
}

func (f *ngFormat) statistics(r *Reader, at int64, b []byte) error {
	if len(b) < 12 || int64(f.u32(b)) >= int64(len(f.interfaces)) {
		return f.damaged(r, at, "interface statistics of no known interface")
	}
	i := f.interfaces[f.u32(b)]
	opts := optionReader{rest: b[12:], big: f.big}
	for code, v, ok := opts.next(); ok; code, v, ok = opts.next() {
		switch {
		case code == optReceived && len(v) == 8:
			i.Received, i.HasStatistics = f.u64(v), true
		case code == optDropped && len(v) == 8:
			i.Dropped, i.HasStatistics = f.u64(v), true
		}
	}
	if opts.bad {
		return f.damaged(r, at, "an option of interface statistics reaches past their end")
	}
	return nil
}

// text is an option's string: some writers end it with a NUL.
func text(v []byte) string { return strings.TrimRight(string(v), "\x00") }
