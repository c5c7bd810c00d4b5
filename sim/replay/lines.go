package replay

import (
	"fmt"
	"path/filepath"
	"strings"

	"ovnreplay/conntrack"
	"ovnreplay/sim/printable"
	"ovnreplay/sim/trace"
)

// Lines writes records as lines for a terminal: columns of the same width, files
// by their last name, what is told of a flow's packets when that is new, and nothing
// beyond the terminal's width. What is piped is for Record.Line, which never changes
// its form.
//
// A wide terminal has a packet's time, frame, port, headers and fate on one line; one
// that has no room for that has the headers on a line of their own. Headers are never
// cut: what does not fit goes on the next line; and a port's name is always cut in the
// same way.
type Lines struct {
	Width  int    // of the terminal, in columns, without Before
	Before string // what a packet's first line begins with
	Colour bool

	date     string
	file, in int  // columns of frame and port so far
	packet   int  // and of headers, if more than packetWidth
	name     int  // the most that the name of a port takes
	wide     bool // all of a packet has room on a line
	slim     bool // not even port and fate have, beside time and frame
	known    map[string]bool
}

// Columns that things take, at least or at most.
const (
	timeWidth          = len("15:04:05.000000")
	fileWidth, maxFile = len("client.pcap:99"), 24
	leastName, maxName = 12, 44
	packetWidth        = len("tcp 172.18.0.1:53642 > 172.18.0.4:30007 [S.]")
	fateWidth          = len("to ")
)

// maxKnown bounds what is remembered as told.
const maxKnown = 1 << 16

// Expect has the columns fit captures from the first line on; nil Lines have none.
func (l *Lines) Expect(captures []*Tap) {
	if l == nil {
		return
	}
	for _, t := range captures {
		l.seen(t.Name, 99)
	}
	for _, t := range captures {
		for _, site := range t.Sites() {
			if site.Port != nil {
				l.room(l.named(site.Port.Called()))
			}
		}
	}
}

// room makes room for a port's name.
func (l *Lines) room(name string) { l.in = min(max(l.in, printable.Columns(name)), l.name) }

// long makes room for headers longer than usual, as those of IPv6 are, if a port has still room behind
// them; for all that are about as long at once.
func (l *Lines) long(headers string) {
	const step = 8
	n := (printable.Columns(headers) + step - 1) / step * step
	if l.fates(n)+fateWidth+l.in <= l.Width {
		l.packet = max(l.packet, n)
	}
}

// fates is the column of fates behind headers of so many columns.
func (l *Lines) fates(headers int) int {
	return timeWidth + l.file + l.in + max(headers, packetWidth) + 4
}

// seen makes room for the name of a frame, and settles how a line is laid out.
func (l *Lines) seen(capture string, frame int) string {
	name := fmt.Sprintf("%s:%d", filepath.Base(capture), frame)
	l.file = min(max(l.file, fileWidth, printable.Columns(name)), max(fileWidth, min(maxFile, l.Width/5)))
	room := l.Width - timeWidth - l.file - fateWidth - 3
	l.name = min((room-packetWidth-1)/2, maxName)
	if l.wide = l.name >= leastName; !l.wide {
		l.name = room / 2
	}
	if l.slim = l.name < leastName; l.slim {
		l.name = max((l.Width-timeWidth-fateWidth-2)/2, leastName/2)
	}
	return name
}

// Record returns a record's lines, each with its end.
func (l *Lines) Record(r *Record) string {
	name := l.seen(r.Capture, r.Frame)
	s := sheet{l: l}
	s.date(r.Time)
	at := l.named(r.At())
	l.room(at)
	s.b.WriteString(l.Before)
	s.put(dim, printable.Padded(r.Time[11:11+timeWidth], timeWidth+1))
	s.put("", printable.Padded(printable.Abbreviated(name, l.file), l.file+1))
	if l.slim {
		s.down()
		s.put("", s.lead())
	}
	s.put("", printable.Padded(at, l.in+1))
	f := r.fate()
	f.more = strings.TrimPrefix(f.more, trace.DropAction.String()+", ") // where it was dropped says so
	if f.short == answered && f.joint == ": " {
		f.more = "with " + f.more
	}
	if r.Verdict == "delivered" && f.more == "" {
		f = l.delivered(r)
	}
	short := printable.Line(f.short)
	if from := len(s.lead()); l.wide && !s.fits(from, short) || !l.wide && !s.fits(s.at, short) {
		short, f.more = r.Verdict, strings.TrimPrefix(f.short+f.joint+f.more, r.Verdict+" ")
	}
	if l.wide {
		s.packet(r.Packet)
		s.fate(r.Verdict, short)
	} else {
		s.put(colours[r.Verdict], printable.Beginning(short, max(0, l.Width-s.at)))
		s.below("", r.Packet)
	}
	for _, text := range append(l.news(r), f.more) {
		s.below(dim, text)
	}
	return s.end()
}

// delivered is the fate of a packet that was, in a few words.
func (l *Lines) delivered(r *Record) ending {
	if len(r.Outputs) == 1 {
		return ending{short: "to " + l.named(r.Outputs[0].to())}
	}
	return ending{short: fmt.Sprintf("to %d ports", len(r.Outputs)),
		more: strings.TrimPrefix(r.Fate(), r.Verdict+" ")}
}

// named is the name of a port, with its middle taken out where it is too long.
func (l *Lines) named(port string) string { return printable.Abbreviated(printable.Line(port), l.name) }

// Skipped returns the line of a frame that was not replayed: of those that a capture has for
// one reason, as BFD between chassis, that of the first.
func (l *Lines) Skipped(capture string, frame int, at conntrack.Time, where, why string) string {
	if !l.isNew(capture + " at " + where + " skipped " + why) {
		return ""
	}
	name := l.seen(capture, frame)
	s := sheet{l: l}
	when := Timestamp(at)
	s.date(when)
	s.put(dim, printable.Padded(when[11:11+timeWidth], timeWidth+1))
	s.put(dim, printable.Padded(printable.Abbreviated(name, l.file), l.file+1))
	text := fmt.Sprintf("skipped at %s: %s; others like it are not shown", where, why)
	if s.fits(s.at, text) {
		s.put(dim, text)
	} else {
		s.below(dim, text)
	}
	return s.end()
}

// news are the lines on what is not yet known of the packet's flow.
func (l *Lines) news(r *Record) (out []string) {
	ends, _, _ := strings.Cut(r.Packet, " [") // the flags of TCP come next
	ends += " at " + r.At()
	var nat []string
	of := ""
	for i := range r.NAT {
		nat = append(nat, r.translation(i, (*ObjectInfo).short))
		if r.NAT[i].Stateless() { // it has no ports that tell flows apart
			of = " of " + ends
		}
	}
	if all := strings.Join(nat, ", "); all != "" && l.isNew(all+of) {
		if printable.Columns(all) <= l.Width-timeWidth-1 {
			nat = []string{all}
		}
		out = append(out, nat...)
	}
	texts := r.besides()
	if r.Inferred != "" {
		texts = append(texts, "inferred: "+r.Inferred)
	}
	for _, n := range r.Notes {
		if !n.made || len(r.Outputs) == 0 { // what it sends is told
			texts = append(texts, "note: "+n.Reason)
		}
	}
	if text := r.lacking(); text != "" {
		texts = append(texts, text)
	}
	for _, text := range texts {
		if l.isNew(text + " of " + ends) {
			out = append(out, text)
		}
	}
	return out
}

// isNew reports whether something was not told yet, and notes that it is.
func (l *Lines) isNew(text string) bool {
	if l.known[text] {
		return false
	}
	if l.known == nil || len(l.known) >= maxKnown {
		l.known = map[string]bool{}
	}
	l.known[text] = true
	return true
}

// sheet is what is written of one packet.
type sheet struct {
	l  *Lines
	b  strings.Builder
	at int // the column of what comes next
}

// lead is what a packet's further lines begin with.
func (s *sheet) lead() string { return strings.Repeat(" ", timeWidth+1) }

func (s *sheet) date(when string) {
	if date := when[:10]; date != s.l.date {
		s.l.date = date
		fmt.Fprintf(&s.b, "%s\n", s.l.paint(dim, date+" UTC"))
	}
}

// fits reports whether a text fits on a line from a column on.
func (s *sheet) fits(at int, text string) bool { return at+printable.Columns(text) <= s.l.Width }

func (s *sheet) put(colour, text string) {
	s.b.WriteString(s.l.paint(colour, text))
	s.at += printable.Columns(text)
}

// down goes to the next line, below what follows Before.
func (s *sheet) down() {
	s.b.WriteString("\n" + strings.Repeat(" ", printable.Columns(s.l.Before)))
	s.at = 0
}

// below writes a text on lines of its own.
func (s *sheet) below(colour, text string) {
	for _, line := range printable.Wrapped(printable.Line(text), max(20, s.l.Width-len(s.lead()))) {
		s.down()
		s.put("", s.lead())
		s.put(colour, line)
	}
}

// packet writes a packet's headers, below what is there if they do not fit.
func (s *sheet) packet(text string) {
	text = printable.Line(text)
	s.l.long(text)
	if s.fits(s.at, text) {
		s.put("", text)
	} else {
		s.below("", text)
	}
}

// fate writes a packet's fate in its column, else as far to the right as it fits, else below.
func (s *sheet) fate(verdict, text string) {
	column := s.l.fates(s.l.packet)
	right := s.l.Width - printable.Columns(text)
	from := max(min(column, right), s.at+1)
	if from > right {
		s.down()
		from = max(min(column, right), len(s.lead()))
	}
	s.b.WriteString(strings.Repeat(" ", from-s.at) + s.l.paint(colours[verdict], text))
}

func (s *sheet) end() string { return s.b.String() + "\n" }

// Colours of a terminal (ECMA-48, "SGR").
const dim = "2"

var colours = map[string]string{"delivered": "32", "dropped": "31", "consumed": "33", "not known": "33"}

func (l *Lines) paint(colour, text string) string {
	text = printable.Line(text)
	if !l.Colour || colour == "" || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}
