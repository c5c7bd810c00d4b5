package main

import (
	"io"
	"os"

	"ovnreplay/sim/printable"
	"ovnreplay/sim/replay"
	"ovnreplay/store/output"
)

// terminalLines are the lines of the terminal that w is, nil if it is none. A
// dumb one, and NO_COLOR (no-color.org), have no colours.
func terminalLines(w io.Writer) *replay.Lines {
	width := output.Columns(w)
	if width == 0 {
		return nil
	}
	return &replay.Lines{Width: width, Colour: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// folding is w, of which a terminal gets lines that fit it.
func folding(w io.Writer) io.Writer {
	if t := terminalLines(w); t != nil {
		return &printable.Folder{To: w, Width: t.Width}
	}
	return w
}
