package printable

import (
	"bytes"
	"io"
	"strings"
)

// Folded breaks a line so that it fits a terminal, between what " | " separates if it can,
// else between words, and sets in what goes on behind it.
func Folded(line string, width int) string {
	lead := strings.Repeat(" ", 5+len(line)-len(strings.TrimLeft(line, " ")))
	if width <= 2*len(lead) {
		return line
	}
	var b strings.Builder
	at := 0
	put := func(separator, text string) {
		if n := Columns(separator + text); at > len(lead) && at+n > width {
			b.WriteString("\n" + lead + text)
			at = len(lead) + n - len(separator)
		} else {
			b.WriteString(separator + text)
			at += n
		}
	}
	for i, part := range strings.Split(line, " | ") {
		separator := " | "
		if i == 0 {
			separator = ""
		}
		if Columns(part) <= width-len(lead) {
			put(separator, part)
			continue
		}
		for word := range strings.SplitSeq(part, " ") {
			put(separator, word)
			separator = " "
		}
	}
	return b.String()
}

// Folder writes lines as Folded breaks them.
type Folder struct {
	To    io.Writer
	Width int

	line []byte // that is not complete
}

// Write implements io.Writer. What follows the last line feed waits for the next.
func (f *Folder) Write(p []byte) (int, error) {
	f.line = append(f.line, p...)
	for {
		line, rest, complete := bytes.Cut(f.line, []byte("\n"))
		if !complete {
			return len(p), nil
		}
		if _, err := io.WriteString(f.To, Folded(string(line), f.Width)+"\n"); err != nil {
			return 0, err
		}
		f.line = rest
	}
}

// Flush writes what has no line feed yet.
func (f *Folder) Flush() error {
	line := f.line
	f.line = nil
	if len(line) == 0 {
		return nil
	}
	_, err := io.WriteString(f.To, Folded(string(line), f.Width))
	return err
}
