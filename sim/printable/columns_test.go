package printable

import (
	"slices"
	"strings"
	"testing"
)

// Characters of East Asia take two columns, marks none.
func TestColumns(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"": 0, "client.pcap:1": 13, "Würfel": 6, "Wu\u0308rfel": 6, "虚拟机-1": 8, "ｖｍ": 4, "…": 1,
	} {
		if got := Columns(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	for _, text := range []string{"default_nginx-deployment-9456bbbf9-x6pc6", "虚拟机虚拟机虚拟机虚拟机-web-01",
		"Wu\u0308rfel-mit-Punkten-und-Strichen"} {
		for columns := 3; columns <= 50; columns++ {
			got := Abbreviated(text, columns)
			if n := Columns(got); n > columns || Columns(text) <= columns && got != text {
				t.Errorf("%q in %d columns: %q takes %d", text, columns, got, n)
			}
			if n := Columns(Padded(got, columns)); n != columns {
				t.Errorf("%q in %d columns is padded to %d", text, columns, n)
			}
		}
	}
}

// Text is broken between words, and all of it is there.
func TestWrapped(t *testing.T) {
	t.Parallel()
	const text = "  dropped by flow 153dd539-0123-4567-89ab-cdef01234567-and-more of 虚拟机虚拟机虚拟机, at last "
	for columns := 8; columns <= 120; columns++ {
		lines := Wrapped(text, columns)
		for _, line := range lines {
			if Columns(line) > columns || line != strings.Trim(line, " ") {
				t.Errorf("%d columns: %q", columns, line)
			}
		}
		if got := strings.ReplaceAll(strings.Join(lines, ""), " ", ""); got != strings.ReplaceAll(text, " ", "") {
			t.Errorf("%d columns: %q", columns, lines)
		}
	}
	if got := Wrapped("one two three", 8); !slices.Equal(got, []string{"one two", "three"}) {
		t.Errorf("%q", got)
	}
	if got := Wrapped("one two three", 7); !slices.Equal(got, []string{"one two", "three"}) {
		t.Errorf("%q", got)
	}
}

// One thing is not several.
func TestCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0 packets", 1: "1 packet", 2: "2 packets", 11: "11 packets"} {
		if got := Count(n, "packet"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := Count(2, "switch"); got != "2 switches" {
		t.Error(got)
	}
}
