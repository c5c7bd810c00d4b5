package output

import (
	"io"
	"os"
	"strconv"

	"golang.org/x/term"
)

// Columns is how many columns the terminal has that w is; 0: it is none.
func Columns(w io.Writer) int {
	f := Terminal(w)
	if f == nil || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		return width
	}
	return 80
}
