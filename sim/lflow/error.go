package lflow

import (
	"strings"
	"unicode/utf8"
)

// Error is why a match or actions were refused. Its text is OVN's own.
type Error struct {
	Src      string // what Pos and End refer to: the source after expansion of templates
	Pos, End int    // byte offsets of the offending token; equal at the end of input
	Msg      string
}

func (e *Error) Error() string { return e.Msg }

// Caret renders the source line the error is in, with a line below it that
// points at the place, for people to read. It ends without a newline.
func (e *Error) Caret() string {
	pos := min(max(e.Pos, 0), len(e.Src))
	end := min(max(e.End, pos), len(e.Src))
	start := strings.LastIndexByte(e.Src[:pos], '\n') + 1
	line := e.Src[start:]
	if i := strings.IndexByte(line, '\n'); i >= 0 {
		line = line[:i]
	}
	end = min(end, start+len(line))

	var b strings.Builder
	b.WriteString(line)
	b.WriteByte('\n')
	for _, r := range e.Src[start:pos] {
		if r != '\t' {
			r = ' '
		}
		b.WriteRune(r) // tabs stay, so that the columns line up
	}
	b.WriteByte('^')
	if n := utf8.RuneCountInString(e.Src[pos:max(pos, end)]); n > 1 {
		b.WriteString(strings.Repeat("~", n-1))
	}
	return b.String()
}
