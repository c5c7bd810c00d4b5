package lflow

import (
	"fmt"
	"math/big"
	"math/bits"
	"net/netip"
	"strconv"

	"ovnreplay/sim/field"
)

// wideNumber is an integer, and its mask, of which one has more than 128
// bits. OVN's lexer takes up to 1024, so that the error comes from the field
// that cannot hold it.
type wideNumber struct{ value, mask *big.Int }

const wideBits = 1024

// number takes the numeric constant at lx.pos and its mask, if it has one.
func (lx *lexer) number(t *Token) (msg string) {
	if msg = lx.plainNumber(t); msg != "" || lx.at(lx.pos) != '/' {
		return msg
	}
	lx.pos++
	var mask Token
	if msg = lx.plainNumber(&mask); msg != "" {
		return msg
	}
	t.Type = TokenMaskedInteger
	prefix := int64(uint32(mask.Value.Lo))
	switch {
	case t.Format == mask.Format:
		t.Mask = mask.Value
	case t.Format == FormatIPv4 && mask.Format == FormatDecimal && prefix <= 32:
		t.Mask = field.Ones(32).AndNot(field.Ones(32 - int(prefix)))
	case t.Format == FormatIPv6 && mask.Format == FormatDecimal && prefix <= 128:
		t.Mask = field.Ones(128).AndNot(field.Ones(128 - int(prefix)))
	case t.Format == FormatDecimal && mask.Format == FormatHexadecimal && t.Value.IsZero():
		t.Format, t.Mask = FormatHexadecimal, mask.Value
	default:
		return "Value and mask have incompatible formats."
	}
	t.wide = maskWide(t, &mask)
	t.Value = t.Value.And(t.Mask)
	return ""
}

// maskWide joins value and mask of which one is wide; nil if neither is or
// the mask leaves 128 bits.
func maskWide(value, mask *Token) *wideNumber {
	if mask.wide == nil {
		return nil
	}
	v := fromUint128(value.Value)
	if value.wide != nil {
		v = value.wide.value
	}
	return &wideNumber{new(big.Int).And(v, mask.wide.value), mask.wide.value}
}

func fromUint128(v field.Uint128) *big.Int {
	b := v.Bytes()
	return new(big.Int).SetBytes(b[:])
}

// plainNumber takes the number at lx.pos, without a mask.
func (lx *lexer) plainNumber(t *Token) (msg string) {
	s := lx.src[lx.pos : lx.pos+numberRun(lx.src[lx.pos:])]
	lx.pos += len(s)
	t.Type = TokenInteger
	switch {
	case s == "":
		return "Integer constant expected."
	case len(s) == 17 && parseEthernet(s, &t.Value):
		t.Format = FormatEthernet
	case allDigits(s):
		return parseDecimal(s, t)
	case s[0] == '0' && (s[1] == 'x' || s[1] == 'X'):
		return parseHex(s, t)
	default:
		return parseAddress(s, t)
	}
	return ""
}

// numberRun returns the extent of the constant s begins with. Two dots end it
// (1..2 is a range), and so does a colon after a dot (1.2.3.4:80 is an address
// and a port), which even IPv4-mapped IPv6 addresses do not have.
func numberRun(s string) int {
	dot := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
		case c == ':' && !dot:
		case c == '.' && !(i+1 < len(s) && s[i+1] == '.'):
			dot = true
		default:
			return i
		}
	}
	return len(s)
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}

func parseDecimal(s string, t *Token) (msg string) {
	t.Format = FormatDecimal
	if s[0] == '0' && len(s) > 1 {
		return "Decimal constants must not have leading zeros."
	}
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return "Decimal constants must be less than 2**64."
	}
	t.Value = field.U64(v)
	return ""
}

func parseHex(s string, t *Token) (msg string) {
	t.Format = FormatHexadecimal
	digits := s[2:]
	if digits == "" {
		return fmt.Sprintf("Hex digits expected following 0%c.", s[1])
	}
	// OVN reads from the right, so a digit too many is found before a bad one left of it.
	for i := len(digits) - 1; i >= 0; i-- {
		switch {
		case !isHex(digits[i]):
			return "Invalid syntax in hexadecimal constant."
		case digits[i] != '0' && len(digits)-1-i >= wideBits/4:
			return fmt.Sprintf("Hexadecimal constant requires more than %d bits.", wideBits)
		}
	}
	for i := 0; i < len(digits); i++ {
		t.Value = t.Value.Lsh(4).Or(field.U64(uint64(hexValue(digits[i]))))
	}
	if len(digits) > 32 {
		if v, _ := new(big.Int).SetString(digits, 16); v.BitLen() > 128 {
			t.wide = &wideNumber{value: v}
		}
	}
	return ""
}

func hexValue(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}

// parseEthernet reads six groups of hex digits. OVN scans each as a C integer
// cut to 8 bits, of any length and with 0x before it if one likes.
func parseEthernet(s string, v *field.Uint128) bool {
	var mac uint64
	for group := 0; ; group++ {
		if len(s) > 1 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
			s = s[2:]
		}
		n := hexRun(s)
		if n == 0 {
			return false
		}
		mac = mac<<8 | uint64(hexValue(s[n-1]))
		if n > 1 {
			mac |= uint64(hexValue(s[n-2])) << 4
		}
		switch s = s[n:]; {
		case group == 5:
			*v = field.U64(mac)
			return s == ""
		case s == "" || s[0] != ':':
			return false
		}
		s = s[1:]
	}
}

func parseAddress(s string, t *Token) (msg string) {
	if len(s) < 46 {
		if addr, err := netip.ParseAddr(s); err == nil {
			t.Value = addressValue(addr)
			t.Format = FormatIPv6
			if addr.Is4() {
				t.Format = FormatIPv4
			}
			return ""
		}
	}
	return "Invalid numeric constant."
}

func addressValue(addr netip.Addr) field.Uint128 {
	if addr.Is4() {
		b := addr.As4()
		return field.U64(uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3]))
	}
	return field.FromBytes(addr.As16())
}

// appendNumber appends a constant as it was written, masks in their shortest form.
func appendNumber(b []byte, value, mask field.Uint128, masked bool, format Format, wide *wideNumber) []byte {
	if wide != nil {
		b = append(append(b, "0x"...), wide.value.Text(16)...)
		if wide.value.Sign() == 0 {
			b = append(b[:len(b)-3], '0')
		}
		if masked {
			b = append(append(b, "/0x"...), wide.mask.Text(16)...)
		}
		return b
	}
	format = fitting(format, value, mask, masked)
	b = appendValue(b, value, format)
	if !masked {
		return b
	}
	b = append(b, '/')
	width := 0
	switch format {
	case FormatIPv4:
		width = 32
	case FormatIPv6:
		width = 128
	}
	if width > 0 {
		if n := mask.OnesCount(); mask == field.Ones(width).AndNot(field.Ones(width-n)) {
			return strconv.AppendInt(b, int64(n), 10)
		}
	}
	return appendValue(b, mask, format)
}

// fitting returns format, or hexadecimal when format cannot show the number.
func fitting(format Format, value, mask field.Uint128, masked bool) Format {
	width := 128
	switch format {
	case FormatDecimal:
		width = 64
	case FormatIPv4:
		width = 32
	case FormatEthernet:
		width = 48
	case FormatIPv6:
	default:
		format = FormatHexadecimal
	}
	if value.Len() > width || masked && mask.Len() > width {
		return FormatHexadecimal
	}
	return format
}

func appendValue(b []byte, v field.Uint128, format Format) []byte {
	switch format {
	case FormatDecimal:
		return strconv.AppendUint(b, v.Lo, 10)
	case FormatIPv4:
		return appendIPv4(b, uint32(v.Lo))
	case FormatIPv6:
		return appendIPv6(b, v)
	case FormatEthernet:
		for i := 5; i >= 0; i-- {
			c := byte(v.Lo >> (8 * i))
			b = append(b, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15], ':')
		}
		return b[:len(b)-1]
	}
	return appendHex(b, v)
}

// appendHex appends v as 0x…, but 0 as 0.
func appendHex(b []byte, v field.Uint128) []byte {
	if v.IsZero() {
		return append(b, '0')
	}
	b = append(b, "0x"...)
	if v.Hi == 0 {
		return strconv.AppendUint(b, v.Lo, 16)
	}
	b = strconv.AppendUint(b, v.Hi, 16)
	for i := bits.LeadingZeros64(v.Lo|1) / 4; i > 0; i-- {
		b = append(b, '0')
	}
	return strconv.AppendUint(b, v.Lo, 16)
}

func appendIPv4(b []byte, v uint32) []byte {
	for shift := 24; shift >= 0; shift -= 8 {
		b = strconv.AppendUint(b, uint64(byte(v>>shift)), 10)
		b = append(b, '.')
	}
	return b[:len(b)-1]
}

// appendIPv6 appends v as the C library's inet_ntop writes it: RFC 5952, and
// dotted quads after ::ffff: and after :: alone.
func appendIPv6(b []byte, v field.Uint128) []byte {
	high := v.Rsh(32)
	if high == field.U64(0xffff) || high.IsZero() && v.Lo>>16 != 0 {
		b = append(b, "::"...)
		if !high.IsZero() {
			b = append(b, "ffff:"...)
		}
		return appendIPv4(b, uint32(v.Lo))
	}
	return netip.AddrFrom16(v.Bytes()).AppendTo(b)
}

// numberWidth is the least number of bits that hold the constant; addresses
// have the width of their kind.
func numberWidth(c *Constant) int {
	v := c.Value
	if c.Masked {
		v = c.Mask
	}
	if c.wide != nil {
		if c.Masked {
			return c.wide.mask.BitLen()
		}
		return c.wide.value.BitLen()
	}
	if !c.Masked {
		switch c.Format {
		case FormatIPv4:
			return 32
		case FormatIPv6:
			return 128
		case FormatEthernet:
			return 48
		}
	}
	return v.Len()
}
