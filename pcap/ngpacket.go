package pcap

// enhanced reads an Enhanced Packet Block: interface, time, lengths, bytes,
// options.
func (f *ngFormat) enhanced(r *Reader, rec *Record, at int64, b []byte) error {
	if len(b) < 20 {
		return f.damaged(r, at, "a packet block of %d bytes is too short", len(b)+12)
	}
	return f.timed(r, rec, at, f.u32(b), f.u64split(b[4:]), f.u32(b[12:]), f.u32(b[16:]), b[20:])
}

// obsolete reads the Packet Block that preceded it, whose interface number
// shares its word with a drop count.
func (f *ngFormat) obsolete(r *Reader, rec *Record, at int64, b []byte) error {
	if len(b) < 20 {
		return f.damaged(r, at, "a packet block of %d bytes is too short", len(b)+12)
	}
	return f.timed(r, rec, at, uint32(f.u16(b)), f.u64split(b[4:]), f.u32(b[12:]), f.u32(b[16:]), b[20:])
}

func (f *ngFormat) timed(r *Reader, rec *Record, at int64, id uint32, ticks uint64, captured, original uint32,
	rest []byte) error {
	if err := f.packet(r, rec, at, id, captured, original, rest); err != nil {
		return err
	}
	t, ok := rec.Interface.resolution.nanoseconds(ticks)
	if !ok {
		return f.damaged(r, at, "a packet's time is beyond the years 1678 to 2262 (timestamp %#x)", ticks)
	}
	rec.RawTime = t
	rest = rest[pad4(int(captured)):]
	if len(rest) == 0 {
		return nil
	}
	return f.packetOptions(r, rec, at, rest)
}

// simple reads a Simple Packet Block: interface 0, no time, and a captured
// length that follows from the snap length.
func (f *ngFormat) simple(r *Reader, rec *Record, at int64, b []byte) error {
	if len(b) < 4 {
		return f.damaged(r, at, "a packet block of %d bytes is too short", len(b)+12)
	}
	original := f.u32(b)
	captured := original
	if len(f.interfaces) > 0 && f.interfaces[0].SnapLen > 0 {
		captured = min(captured, f.interfaces[0].SnapLen)
	}
	if err := f.packet(r, rec, at, 0, captured, original, b[4:]); err != nil {
		return err
	}
	rec.RawTime, rec.Timeless = r.last, true
	return nil
}

// packet fills what every kind of packet block has.
func (f *ngFormat) packet(r *Reader, rec *Record, at int64, id, captured, original uint32, rest []byte) error {
	if int64(id) >= int64(len(f.interfaces)) {
		return f.damaged(r, at, "a packet names interface %d; the section has %d", id, len(f.interfaces))
	}
	if captured > uint32(r.opts.MaxPacket) {
		return r.fault(tooLong(captured), at,
			"the frames before it are good; the file is damaged here, or written with a larger bound",
			"a packet claims %d bytes, more than %d", captured, r.opts.MaxPacket)
	}
	if pad4(int(captured)) > len(rest) {
		return f.damaged(r, at, "a packet claims %d bytes, its block has room for %d", captured, len(rest))
	}
	rec.Interface = f.interfaces[id]
	rec.LinkType, rec.FCSLen = rec.Interface.LinkType, rec.Interface.FCSLen
	rec.OrigLen = int(original)
	rec.Data = append(rec.Data[:0], rest[:captured]...)
	return nil
}

// maxOptions bounds a packet's comments and options.
const maxOptions = 1 << 14

func (f *ngFormat) packetOptions(r *Reader, rec *Record, at int64, b []byte) error {
	opts := optionReader{rest: b, big: f.big}
	for code, v, ok := opts.next(); ok; code, v, ok = opts.next() {
		switch {
		case len(rec.Comments)+len(rec.Options) == maxOptions:
			return f.damaged(r, at, "a packet has more than %d options", maxOptions)
		case code == optComment:
			rec.Comments = append(rec.Comments, text(v))
		case code == optFlags && len(v) == 4:
			f.flags(rec, f.u32(v))
		case isNoCopy(code):
			r.counts.Uncopiable++
		default:
			littleEndianOption(code, rec.addOption(code, v), f.big)
		}
	}
	if opts.bad {
		return f.damaged(r, at, "an option of a packet reaches past its block's end")
	}
	if !r.opts.Annotations && f.sections[f.section].Annotated() {
		rec.unannotate()
	}
	return nil
}

// flags reads epb_flags: direction in bits 0-1, FCS length in bits 5-8.
func (f *ngFormat) flags(rec *Record, v uint32) {
	if d := Direction(v & 3); d <= DirectionOut {
		rec.Direction = d
	}
	if n := int(v >> 5 & 15); n > 0 {
		rec.FCSLen = n
	}
}
