package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// memoryFlag is a number of bytes, with a unit if one is given.
type memoryFlag struct{ bytes *int64 }

var memoryUnits = []struct {
	suffix string
	shift  int
}{{"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"G", 30}, {"M", 20}, {"K", 10}, {"", 0}}

// Set implements pflag.Value.
func (f memoryFlag) Set(text string) error {
	for _, u := range memoryUnits {
		digits, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n <= 0 || n > math.MaxInt64>>u.shift {
			break
		}
		*f.bytes = n << u.shift
		return nil
	}
	return fmt.Errorf("%q is no size; give one such as 4GiB or 512MiB", text)
}

// String implements pflag.Value.
func (f memoryFlag) String() string {
	if f.bytes == nil || *f.bytes == 0 {
		return ""
	}
	return size(*f.bytes)
}

// Type implements pflag.Value.
func (f memoryFlag) Type() string { return "SIZE" }
