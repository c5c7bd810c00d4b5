package pcap

import (
	"encoding/binary"
	"strings"
)

// Wording makes text that a capture carries fit to be shown: names stay on a line, comments may
// have several. What it leaves as it was is written as it was.
type Wording struct{ Name, Comment func(string) string }

// Options are options with the texts among them put so. Custom ones have a text behind
// their maker's number; the others of packets and interfaces are numbers and addresses.
func (w Wording) Options(list []Option) []Option {
	out := make([]Option, len(list))
	for i, o := range list {
		out[i] = Option{o.Code, w.option(o.Code, o.Value)}
	}
	return out
}

func (w Wording) option(code uint16, v []byte) []byte {
	switch {
	case code == optComment:
		return fitting("", w.Comment(text(v)))
	case code == optCustomText && len(v) > 4:
		return fitting(string(v[:4]), w.Comment(text(v[4:])))
	}
	return v
}

// fitting is what a record holds of a text behind its first bytes.
func fitting(head, s string) []byte {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if over := len(head) + len(s) - maxOption; over > 0 {
		s = strings.ToValidUTF8(s[:len(s)-over], "")
	}
	return append([]byte(head), s...)
}

// Block is a kept block with its names and comments put so. Secrets, journals and what a custom block's
// maker put in it are data, as a packet's bytes are, and stay.
func (w Wording) Block(b Block) Block {
	switch b.Type {
	case blockNames:
		b.Body = w.names(b.Body)
	case blockSecrets:
		head := min(len(b.Body), 8)
		if head == 8 {
			head = min(len(b.Body), 8+pad4(int(binary.LittleEndian.Uint32(b.Body[4:]))))
		}
		b.Body = appendRecords(b.Body[:head:head], b.Body[head:], w.option)
	}
	return b
}

// addressLengths are those of the addresses that records of a name resolution block begin with.
var addressLengths = map[uint16]int{1: 4, 2: 16, 3: 6, 4: 8}

// names puts the records of a name resolution block, which end with one of no code, and its options.
func (w Wording) names(b []byte) []byte {
	const dnsName, end = 2, 0
	ended := false
	return appendRecords(nil, b, func(code uint16, v []byte) []byte {
		n := addressLengths[code]
		switch {
		case code == end:
			ended = true
		case ended && code == dnsName:
			return fitting("", w.Name(text(v)))
		case ended:
			return w.option(code, v)
		case n > 0 && len(v) > n:
			names := strings.Split(text(v[n:]), "\x00")
			for i := range names {
				names[i] = w.Name(names[i])
			}
			return fitting(string(v[:n]), strings.Join(names, "\x00")+"\x00")
		}
		return v
	})
}

// appendRecords appends records, and what change makes of each one's value. What claims more than there is stays.
func appendRecords(out, b []byte, change func(code uint16, v []byte) []byte) []byte {
	for len(b) >= 4 {
		code, n := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
		if 4+pad4(n) > len(b) {
			break
		}
		v := change(code, b[4:4+n])
		out = binary.LittleEndian.AppendUint16(out, code)
		out = binary.LittleEndian.AppendUint16(out, uint16(len(v)))
		out = append(append(out, v...), make([]byte, pad4(len(v))-len(v))...)
		b = b[4+pad4(n):]
	}
	return append(out, b...)
}
