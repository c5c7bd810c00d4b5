package pcap

import (
	"encoding/binary"
	"slices"
)

// pcapng block types.
const (
	blockSection      = 0x0a0d0d0a
	blockInterface    = 1
	blockPacket       = 2 // obsolete
	blockSimplePacket = 3
	blockNames        = 4
	blockStatistics   = 5
	blockEnhanced     = 6
	blockJournal      = 9
	blockSecrets      = 10
	blockCustom       = 0x00000bad
	blockCustomNoCopy = 0x40000bad
)

// Option codes, by the blocks they belong to.
const (
	optEnd     = 0
	optComment = 1

	optCustomText       = 2988 // a private enterprise number, then the value
	optCustomBytes      = 2989
	optCustomTextNoCopy = 19372
	optCustomByteNoCopy = 19373

	optHardware    = 2 // section
	optOS          = 3
	optApplication = 4

	optName        = 2 // interface
	optDescription = 3
	optSpeed       = 8
	optResolution  = 9
	optTimeZone    = 10
	optFilter      = 11
	optIfOS        = 12
	optFCSLen      = 13
	optTimeOffset  = 14
	optIfHardware  = 15
	optTxSpeed     = 16
	optRxSpeed     = 17

	optFlags     = 2 // packet
	optDropCount = 4
	optPacketID  = 5
	optQueue     = 6
	optVerdict   = 7

	verdictTC = 1 // of an optVerdict: what Linux' traffic control decided

	optReceived = 4 // statistics
	optDropped  = 5
)

// magicSection begins every pcapng, in either byte order.
var magicSection = []byte{0x0a, 0x0d, 0x0d, 0x0a}

const byteOrderMagic = 0x1a2b3c4d

// Block is a pcapng block other than section, interface, packet or statistics,
// kept so that it can be written again. Numbers in Body are little-endian
// whatever the file's byte order was; what a custom block's maker put in it is
// left alone.
type Block struct {
	Type uint32
	Body []byte // between the two lengths, padded to 4 bytes

	// AfterFrame is the frame it followed, 0 when before the first.
	AfterFrame int
}

// pad4 is n rounded up to a multiple of four.
func pad4(n int) int { return (n + 3) &^ 3 }

// optionReader walks the options at the end of a block.
type optionReader struct {
	rest []byte
	big  bool
	bad  bool // an option claims more than the block holds
}

// next returns the next option; ok is false at the end, and when bad is set.
func (o *optionReader) next() (code uint16, value []byte, ok bool) {
	if len(o.rest) == 0 {
		return 0, nil, false
	}
	if len(o.rest) < 4 {
		o.bad = true
		return 0, nil, false
	}
	order := orderOf(o.big)
	code = order.Uint16(o.rest)
	n := int(order.Uint16(o.rest[2:]))
	if code == optEnd {
		return 0, nil, false
	}
	if 4+pad4(n) > len(o.rest) {
		o.bad = true
		return 0, nil, false
	}
	value = o.rest[4 : 4+n]
	o.rest = o.rest[4+pad4(n):]
	return code, value, true
}

func orderOf(big bool) binary.ByteOrder {
	if big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// isNoCopy tells options that may not be passed on once a file is changed.
func isNoCopy(code uint16) bool {
	return code == optCustomTextNoCopy || code == optCustomByteNoCopy
}

// littleEndianOption turns a packet option's number around, in place.
func littleEndianOption(code uint16, v []byte, big bool) {
	if !big {
		return
	}
	switch {
	case (code == optDropCount || code == optPacketID) && len(v) == 8, code == optQueue && len(v) == 4:
		slices.Reverse(v)
	case (code == optCustomText || code == optCustomBytes) && len(v) >= 4:
		slices.Reverse(v[:4])
	}
}

// littleEndianInterfaceOption does the same for an interface's options.
func littleEndianInterfaceOption(code uint16, v []byte, big bool) {
	if !big {
		return
	}
	switch {
	case (code == optSpeed || code == optTxSpeed || code == optRxSpeed) && len(v) == 8, code == optTimeZone &&
		len(v) == 4:
		slices.Reverse(v)
	case (code == optCustomText || code == optCustomBytes) && len(v) >= 4:
		slices.Reverse(v[:4])
	}
}

// littleEndianBody turns the numbers of a kept block around, in place. It
// returns false when the body does not hold what its type calls for.
func littleEndianBody(typ uint32, b []byte, big bool) bool {
	switch typ {
	case blockJournal: // text and opaque bytes
		return true
	case blockCustom:
		if len(b) < 4 {
			return false
		}
		if big {
			slices.Reverse(b[:4])
		}
		return true
	case blockSecrets:
		return littleEndianSecrets(b, big)
	case blockNames:
		return littleEndianNames(b, big)
	}
	return false
}

func littleEndianSecrets(b []byte, big bool) bool {
	if len(b) < 8 {
		return false
	}
	n := int64(orderOf(big).Uint32(b[4:]))
	if n > int64(len(b)-8) || 8+pad4(int(n)) > len(b) {
		return false
	}
	if big {
		slices.Reverse(b[:4])
		slices.Reverse(b[4:8])
	}
	return turnOptions(b[8+pad4(int(n)):], big)
}

func littleEndianNames(b []byte, big bool) bool {
	order := orderOf(big)
	for len(b) >= 4 {
		code, n := order.Uint16(b), pad4(int(order.Uint16(b[2:])))
		if big {
			slices.Reverse(b[:2])
			slices.Reverse(b[2:4])
		}
		if b = b[4:]; n > len(b) {
			return false
		}
		if b = b[n:]; code == 0 {
			return turnOptions(b, big)
		}
	}
	return len(b) == 0
}

// turnOptions makes option headers little-endian. Values of options beyond
// comments and custom ones are names and addresses, which have no order.
func turnOptions(b []byte, big bool) bool {
	order := orderOf(big)
	for len(b) >= 4 {
		code, n := order.Uint16(b), int(order.Uint16(b[2:]))
		if big {
			slices.Reverse(b[:2])
			slices.Reverse(b[2:4])
		}
		if b = b[4:]; pad4(n) > len(b) {
			return false
		}
		if big && (code == optCustomText || code == optCustomBytes) && n >= 4 {
			slices.Reverse(b[:4])
		}
		b = b[pad4(n):]
	}
	return len(b) == 0
}
