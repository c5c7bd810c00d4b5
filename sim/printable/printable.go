// Package printable makes text of unknown origin fit for a terminal. Names,
// comments and file names come from databases, captures and archives that others
// made; what a terminal or a pager would obey, or would show as something else
// than it is, is shown as an escape (CWE-150): control characters of C0 and C1,
// DEL, marks of direction, whatever else is no graphic character, and bytes that
// are no UTF-8.
//
// Escapes are \xNN for bytes and C0, \uNNNN (a surrogate pair beyond U+FFFF) for
// the rest. JSON writes C0 and invalid UTF-8 in its own way: what is left to this
// package there is written so that it stays JSON.
package printable

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Line returns s fit to be part of a line: line feeds, tabs and carriage returns
// are escapes, too.
func Line(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x7f {
			return string(escape(make([]byte, 0, len(s)+16), []byte(s), false))
		}
	}
	return s
}

// Text returns s fit for text of several lines: line feeds and tabs stay, and what ends a line with a
// carriage return, too, ends it without.
func Text(s string) string {
	if plain([]byte(s)) {
		return s
	}
	return string(escape(nil, []byte(strings.ReplaceAll(s, "\r\n", "\n")), true))
}

// Append appends what Line makes of p, which may be b's own room behind its end.
func Append(b, p []byte) []byte {
	for i, c := range p {
		if c < ' ' || c >= 0x7f {
			return append(append(b, p[:i]...), escape(nil, p[i:], false)...)
		}
	}
	return append(b, p...)
}

// Errors returns an error's text on one line; what several errors say is said once, and of what is very
// long, which repeats what is wrong, the beginning and the end.
func Errors(err error) string {
	var lines []string
	for line := range strings.Lines(err.Error()) {
		if line = cut(strings.Join(strings.Fields(line), " ")); !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, " ")
}

// cut leaves out the middle of a long line.
func cut(line string) string {
	const most, head, tail = 4000, 1000, 500
	if len(line) <= most {
		return line
	}
	from, to := head, len(line)-tail
	for from > 0 && !utf8.RuneStart(line[from]) {
		from--
	}
	for to < len(line) && !utf8.RuneStart(line[to]) {
		to++
	}
	return fmt.Sprintf("%s (%d bytes left out) %s", line[:from], to-from, line[to:])
}

// Writer makes what is written to it fit for a terminal, but for line feeds and
// tabs. A character may come in several writes.
type Writer struct {
	w    io.Writer
	rest []byte // the beginning of a character
	buf  []byte
}

// NewWriter returns a Writer that writes to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	if len(w.rest) == 0 && plain(p) {
		return w.w.Write(p)
	}
	text := append(w.rest, p...)
	end := whole(text)
	w.buf = escape(w.buf[:0], text[:end], true)
	w.rest = append([]byte(nil), text[end:]...)
	if _, err := w.w.Write(w.buf); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush writes the beginning of a character that did not go on.
func (w *Writer) Flush() error {
	if len(w.rest) == 0 {
		return nil
	}
	b := escape(nil, w.rest, true)
	w.rest = nil
	_, err := w.w.Write(b)
	return err
}

// plain reports whether p is ASCII that needs no escape.
func plain(p []byte) bool {
	for ; len(p) >= 32; p = p[32:] {
		b := (*[32]byte)(p)
		odd := strange(binary.LittleEndian.Uint64(b[0:])) | strange(binary.LittleEndian.Uint64(b[8:])) |
			strange(binary.LittleEndian.Uint64(b[16:])) | strange(binary.LittleEndian.Uint64(b[24:]))
		if odd&high != 0 && !graphic(b[:]) {
			return false
		}
	}
	return graphic(p)
}

const low, high = 0x0101010101010101, 0x8080808080808080

// strange has the highest bits set of those of eight bytes that are to be looked at:
// above 0x7e adding 1 sets it, below ' ' taking ' ' away clears it.
func strange(w uint64) uint64 { return w | ((w &^ high) + low) | ^((w | high) - low*' ') }

func graphic(p []byte) bool {
	for _, c := range p {
		if (c < ' ' && c != '\n' && c != '\t') || c >= 0x7f {
			return false
		}
	}
	return true
}

// whole is where the last character of p that is not all there begins.
func whole(p []byte) int {
	for i := len(p) - 1; i >= 0 && i >= len(p)-utf8.UTFMax; i-- {
		if utf8.RuneStart(p[i]) {
			if utf8.FullRune(p[i:]) {
				return len(p)
			}
			return i
		}
	}
	return len(p)
}

// escape appends p to buf; layout leaves line feeds and tabs.
func escape(buf, p []byte, layout bool) []byte {
	for len(p) > 0 {
		r, n := utf8.DecodeRune(p)
		switch {
		case r == utf8.RuneError && n == 1:
			buf = fmt.Appendf(buf, `\x%02x`, p[0])
		case layout && (r == '\n' || r == '\t'), strconv.IsPrint(r):
			buf = append(buf, p[:n]...)
		case r == '\n':
			buf = append(buf, `\n`...)
		case r == '\t':
			buf = append(buf, `\t`...)
		case r == '\r':
			buf = append(buf, `\r`...)
		case r < ' ':
			buf = fmt.Appendf(buf, `\x%02x`, r)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			buf = fmt.Appendf(buf, `\u%04x\u%04x`, hi, lo)
		default:
			buf = fmt.Appendf(buf, `\u%04x`, r)
		}
		p = p[n:]
	}
	return buf
}

// Fprintf is fmt.Fprintf, but that what is not the format's own stays on its
// line: each operand is fit for it, whatever it says.
func Fprintf(w io.Writer, format string, operands ...any) (int, error) {
	for i, v := range operands {
		operands[i] = operand{v}
	}
	return fmt.Fprintf(w, format, operands...)
}

type operand struct{ v any }

// Format implements fmt.Formatter.
func (o operand) Format(f fmt.State, verb rune) {
	io.WriteString(f, Line(fmt.Sprintf(fmt.FormatString(f, verb), o.v)))
}

// JSON appends JSON text in which each string reads as it would be printed, but
// for line feeds and tabs: what decodes it, and shows it to people, need not look.
func JSON(buf, text []byte) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		escaped := r == '\\' && len(text) > 1
		if escaped {
			switch n = 2; text[1] {
			case 'u':
				n = min(6, len(text))
				v, err := strconv.ParseUint(string(text[2:n]), 16, 16)
				escaped = err == nil && !strconv.IsPrint(rune(v)) && !utf16.IsSurrogate(rune(v))
			case 'b', 'f', 'r':
			default:
				escaped = false
			}
		}
		switch {
		case escaped:
			buf = append(append(buf, '\\'), text[:n]...)
		case r >= 0x7f && !strconv.IsPrint(r):
			shown := escape(nil, text[:n], false)
			buf = append(buf, bytes.ReplaceAll(shown, []byte(`\`), []byte(`\\`))...)
		default:
			buf = append(buf, text[:n]...)
		}
		text = text[n:]
	}
	return buf
}
