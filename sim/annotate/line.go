package annotate

import (
	"bytes"
	"unicode/utf8"

	"ovnreplay/pcap"
	"ovnreplay/sim/printable"
)

// MaxComment is the most bytes a comment has: of 240 that Wireshark shows, it
// takes some for "Expert Info (Comment/Comment): ".
const MaxComment = 200

// appendWrapped appends "key: text" and a line's end; text of more than a line
// is broken between words, or where it must.
func appendWrapped(b []byte, key string, text []byte, end string) []byte {
	room := MaxComment - len(key) - len(": ")
	for first := true; ; first = false {
		b = append(append(b, key...), ": "...)
		limit := room
		if !first {
			b = append(b, "…"...)
			limit -= len("…")
		}
		if len(text) <= limit {
			return append(append(b, text...), end...)
		}
		n := bytes.LastIndexByte(text[:limit], ' ')
		if n <= limit/2 {
			for n = limit; n > 0 && !utf8.RuneStart(text[n]); n-- {
			}
		}
		b = append(append(b, text[:n]...), '\n')
		text = text[n:]
	}
}

// appendClean appends a name from a database or a capture so that it stays on
// its line and does nothing to a terminal.
func appendClean(b []byte, s string) []byte { return append(b, printable.Line(s)...) }

// clean returns s with what is not to be printed escaped.
func clean(s string) string { return printable.Line(s) }

// worded is how texts of the captures are written again.
var worded = pcap.Wording{Name: printable.Line, Comment: printable.Text}

// comments are those of a capture, fit to be shown.
func comments(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = printable.Text(s)
	}
	return out
}

// appendOnce appends a line to lines unless it is one of them.
func appendOnce(lines, line []byte) []byte {
	for rest := lines; len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n') + 1
		if bytes.HasPrefix(rest, line) && len(line) <= i {
			return lines
		}
		rest = rest[i:]
	}
	return append(lines, line...)
}
