package store

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes, as people write it. It can be a flag's value.
type Size int64

var units = []struct {
	suffix string
	shift  int
}{{"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"G", 30}, {"M", 20}, {"K", 10}, {"", 0}}

// Set parses a number with a unit if one is given: "512MiB", "4G".
func (z *Size) Set(text string) error {
	for _, u := range units {
		digits, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n <= 0 || n > math.MaxInt64>>u.shift {
			break
		}
		*z = Size(n << u.shift)
		return nil
	}
	return fmt.Errorf("%q is no size; give one such as 4GiB or 512MiB", text)
}

// String is the number for people; none, as the flags of a command line want it,
// is empty.
func (z Size) String() string {
	if z == 0 {
		return ""
	}
	return Bytes(int64(z))
}

// Bytes is a number of bytes for people.
func Bytes(n int64) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}

// Type is what help calls it.
func (z Size) Type() string { return "SIZE" }
