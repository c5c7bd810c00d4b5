package show

import (
	"io"
	"os"

	"ovnreplay/sim/printable"
	"ovnreplay/sim/replay"
	"ovnreplay/store/output"
)

// TerminalLines are the lines of the terminal that w is, nil if it is none. A
// dumb one, and NO_COLOR (no-color.org), have no colours.
func TerminalLines(w io.Writer) *replay.Lines {
	width := output.Columns(w)
	if width == 0 {
		return nil
	}
	return &replay.Lines{Width: width, Colour: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// Folding is w, of which a terminal gets lines that fit it.
func Folding(w io.Writer) io.Writer {
	if width := output.Columns(w); width > 0 {
		return &printable.Folder{To: w, Width: width}
	}
	return w
}
