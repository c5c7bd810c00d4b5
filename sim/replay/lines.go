package replay

import (
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"ovnreplay/sim/printable"
)

// Lines writes records as lines for a terminal: columns of the same width, files
// by their last name, what was translated when that is new, and nothing beyond
// the terminal's width. What is piped is for Record.Line, which never changes
// its form.
type Lines struct {
	Width  int    // of the terminal, in characters, without Before
	Before string // what a packet's first line begins with
	Colour bool

	date     string
	file, in int // widths so far
	known    map[string]bool
}

// Widths of the columns: what they begin with, and never exceed.
const (
	timeWidth          = 15
	fileWidth, maxFile = 14, 22
	portWidth, maxPort = 10, 20
	packetWidth        = 44
)

// maxKnown bounds the translations that are remembered as shown.
const maxKnown = 1 << 16

// Record returns a record's lines, each with its end.
func (l *Lines) Record(r *Record) string {
	var b strings.Builder
	if date := r.Time[:10]; date != l.date {
		l.date = date
		fmt.Fprintf(&b, "%s\n", l.paint(dim, date+" UTC"))
	}
	file := fmt.Sprintf("%s:%d", filepath.Base(r.Capture), r.Frame)
	l.file = grown(l.file, file, fileWidth, min(maxFile, l.Width/5))
	l.in = grown(l.in, r.At(), portWidth, min(maxPort, l.Width/6))
	b.WriteString(l.Before + l.paint(dim, r.Time[11:11+timeWidth]) + " " + padded(file, l.file) + " " +
		padded(r.At(), l.in) + " ")
	used := timeWidth + l.file + l.in + 3
	packet := min(packetWidth, max(12, l.Width-used-18))
	b.WriteString(padded(r.Packet, packet) + " ")
	used += packet + 1
	fate, more := l.fate(r)
	fate = printable.Line(fate)
	if used+utf8.RuneCountInString(fate) > l.Width {
		if r.Verdict != "delivered" {
			fate, more = r.Verdict, strings.TrimPrefix(r.Fate(), r.Verdict+" ")
		}
		fate = shortened(fate, max(9, l.Width-used))
	}
	b.WriteString(l.paint(colours[r.Verdict], fate) + "\n")
	for _, text := range append(l.news(r), more) {
		if text != "" {
			b.WriteString(l.wrapped(text))
		}
	}
	return b.String()
}

// Skipped returns the line of a frame that was not replayed.
func (l *Lines) Skipped(capture string, frame int, at, why string) string {
	text := fmt.Sprintf("%s:%d at %s skipped: %s", filepath.Base(capture), frame, at, why)
	return strings.Repeat(" ", timeWidth+1) + l.paint(dim, shortened(text, max(20, l.Width-timeWidth-1))) + "\n"
}

// fate returns what became of the packet in a few words, and the rest of it.
func (l *Lines) fate(r *Record) (short, more string) {
	full := r.Fate()
	switch {
	case r.Verdict == "delivered" && len(r.Outputs) == 1 && r.end() == nil:
		return "to " + r.Outputs[0].Port, ""
	case r.Verdict == "delivered" && r.end() == nil:
		return fmt.Sprintf("to %d ports", len(r.Outputs)), full
	case r.Drop != nil:
		return "dropped at " + r.Drop.Stage, strings.TrimPrefix(full, r.Verdict+" at "+r.Drop.Stage+": ")
	}
	return r.Verdict, strings.TrimPrefix(strings.TrimPrefix(full, r.Verdict+", "), r.Verdict+": ")
}

// news are the lines on what is not yet known of the packet's connection, or
// otherwise remarkable.
func (l *Lines) news(r *Record) (out []string) {
	var nat []string
	for i, n := range r.NAT {
		text := fmt.Sprintf("%s %s -> %s", n.Kind, n.From, n.To)
		if d := r.nth("translated", i); d != nil && d.Object != nil && !strings.HasPrefix(n.Kind, "un-") {
			text += " by " + d.Object.String()
		}
		nat = append(nat, text)
	}
	if key := strings.Join(nat, ", "); key != "" && !l.known[key] {
		if l.known == nil || len(l.known) >= maxKnown {
			l.known = map[string]bool{}
		}
		l.known[key] = true
		out = append(out, key)
	}
	if r.Inferred != "" {
		out = append(out, "inferred: "+r.Inferred)
	}
	for _, n := range r.Notes {
		if text := "note: " + n.Reason; !strings.Contains(strings.Join(out, "\n"), text) {
			out = append(out, text)
		}
	}
	return out
}

// wrapped returns a text in lines of the terminal's width, set in.
func (l *Lines) wrapped(text string) string {
	const in = timeWidth + 1
	room := max(20, l.Width-in)
	var b strings.Builder
	for text = printable.Line(text); text != ""; {
		line := text
		if utf8.RuneCountInString(line) > room {
			line = string([]rune(line)[:room])
			i := strings.LastIndexByte(line, ' ')
			word, _, _ := strings.Cut(text[i+1:], " ")
			if i > room/2 || i > 0 && utf8.RuneCountInString(word) <= room { // a longer one is cut anyway
				line = line[:i]
			}
		}
		text = strings.TrimPrefix(text[len(line):], " ")
		b.WriteString(strings.Repeat(" ", in) + l.paint(dim, line) + "\n")
	}
	return b.String()
}

func grown(width int, text string, least, most int) int {
	return min(most, max(width, least, utf8.RuneCountInString(text)))
}

// padded returns a text in exactly so many characters.
func padded(s string, width int) string {
	s = shortened(printable.Line(s), width)
	return s + strings.Repeat(" ", width-utf8.RuneCountInString(s))
}

// shortened takes characters out of the middle of a text that is too long.
func shortened(s string, width int) string {
	runes := []rune(s)
	if len(runes) <= width {
		return s
	}
	tail := (width - 1) / 3
	return string(runes[:width-1-tail]) + "…" + string(runes[len(runes)-tail:])
}

// Colours of a terminal (ECMA-48, "SGR").
const dim = "2"

var colours = map[string]string{"delivered": "32", "dropped": "31", "consumed": "33", "not known": "33"}

func (l *Lines) paint(colour, text string) string {
	text = printable.Line(text)
	if !l.Colour || colour == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}
