package printable

import (
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// Columns is how many columns of a terminal a text takes: characters of East Asia take two, marks
// that combine with the character before them none.
func Columns(s string) (n int) {
	for _, r := range s {
		n += columnsOf(r)
	}
	return n
}

func columnsOf(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// Padded is a text with blanks behind it, so that it takes at least so many columns.
func Padded(s string, columns int) string {
	return s + strings.Repeat(" ", max(0, columns-Columns(s)))
}

// Abbreviated takes characters out of the middle of a text that is too long, and has "…" there.
func Abbreviated(s string, columns int) string {
	if Columns(s) <= columns {
		return s
	}
	tail := (columns - 1) / 3
	head := Beginning(s, columns-1-tail)
	runes := []rune(s[len(head):])
	i := len(runes)
	for at := 0; i > 0 && at+columnsOf(runes[i-1]) <= tail; i-- {
		at += columnsOf(runes[i-1])
	}
	return head + "…" + string(runes[i:])
}

// Beginning is as much of a text as there are columns for.
func Beginning(s string, columns int) string {
	at := 0
	for i, r := range s {
		if at += columnsOf(r); at > columns {
			return s[:i]
		}
	}
	return s
}

// Wrapped breaks a text between words into lines of so many columns; a word that is longer is cut.
func Wrapped(text string, columns int) (lines []string) {
	for text = strings.TrimLeft(text, " "); text != ""; text = strings.TrimLeft(text, " ") {
		line := Beginning(text, columns)
		if line == "" {
			return append(lines, text) // there is no room at all
		}
		if rest := text[len(line):]; rest != "" && rest[0] != ' ' {
			i := strings.LastIndexByte(line, ' ')
			word, _, _ := strings.Cut(text[i+1:], " ")
			if i > columns/2 || i > 0 && Columns(word) <= columns { // a longer one is cut anyway
				line = line[:i]
			}
		}
		text = text[len(line):]
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return lines
}

// Count is a number of things: "1 packet", "2 packets", "2 switches".
func Count(n int, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case strings.HasSuffix(what, "ch"):
		what += "e"
	}
	return strconv.Itoa(n) + " " + what + "s"
}
