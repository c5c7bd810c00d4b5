package conntrack

import (
	"encoding/binary"

	"ovnreplay/nat/header"
)

// segment is a TCP segment's header as trackers need it.
type segment struct {
	seq, ack uint32
	win      uint16
	flags    uint8
	length   uint32 // of the payload
	optLen   uint8
	cut      bool     // its options are not all there: the capture cut them off
	opt      [40]byte // options; a copy, because a slice kept here would cost an allocation
}

// read reads a TCP header; it is false when the header does not fit. length is that
// of header and payload by the IP header, of which l4 may hold less.
func (s *segment) read(l4 []byte, length int) bool {
	header := int(l4[12]>>4) * 4
	if header < 20 || header > length {
		*s = segment{}
		return false
	}
	s.seq, s.ack = binary.BigEndian.Uint32(l4[4:]), binary.BigEndian.Uint32(l4[8:])
	s.flags, s.win = l4[13], binary.BigEndian.Uint16(l4[14:])
	s.length = uint32(length - header)
	s.optLen = uint8(copy(s.opt[:], l4[20:max(20, min(header, len(l4)))]))
	s.cut = header > len(l4)
	return true
}

func (s *segment) options() []byte { return s.opt[:s.optLen] }

// end is the sequence number behind the segment.
func (s *segment) end() uint32 {
	e := s.seq + s.length
	if s.flags&header.FlagSYN != 0 {
		e++
	}
	if s.flags&header.FlagFIN != 0 {
		e++
	}
	return e
}

// before and after compare sequence numbers modulo 2^32.
func before(a, b uint32) bool { return int32(a-b) < 0 }
func after(a, b uint32) bool  { return int32(b-a) < 0 }

// maxScale is the largest window scale there is (RFC 7323).
const maxScale = 14
