package archive

import (
	"fmt"
	"strconv"
	"strings"
)

// Range is some packets of a session.
type Range struct{ First, Last uint64 }

// ParseRange parses N or N-M.
func ParseRange(s string) (r Range, err error) {
	first, last, ok := strings.Cut(s, "-")
	if !ok {
		last = first
	}
	a, err1 := strconv.ParseUint(first, 10, 64)
	b, err2 := strconv.ParseUint(last, 10, 64)
	if err1 != nil || err2 != nil || a == 0 || b < a {
		return r, fmt.Errorf("%q: not a packet's number; give N or N-M, numbered from 1 as show SESSION lists them", s)
	}
	return Range{a, b}, nil
}
