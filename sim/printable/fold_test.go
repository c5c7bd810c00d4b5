package printable

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// Rows fit a terminal, lose nothing, and are a line where there is none.
func TestFolded(t *testing.T) {
	t.Parallel()
	const row = "1  10:00:35 tcp 172.18.0.1:53642 > 172.18.0.4:30007 (service default/nginx-np) | DNAT " +
		"172.18.0.4:30007 -> 10.244.1.3:80 | closed | stale: a sentence that is much longer than a line of the " +
		"terminal, with an ellipsis …"
	if got := Folded(row, 0); got != row {
		t.Errorf("%q", got)
	}
	for _, width := range []int{40, 80, 120, 1000} {
		got := Folded(row, width)
		for line := range strings.Lines(got) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > width {
				t.Errorf("%d columns of %d: %q", n, width, line)
			}
		}
		flat := strings.ReplaceAll(strings.ReplaceAll(got, "\n     ", " "), " | ", " ")
		if flat != strings.ReplaceAll(row, " | ", " ") {
			t.Errorf("%d: %q", width, got)
		}
	}
	var b strings.Builder
	f := &Folder{To: &b, Width: 30}
	for _, part := range []string{"a line that is too ", "long for it\nshort\n  set in, and too long for ",
		"it\n", "open"} {
		if _, err := f.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	const want = "a line that is too long for it\nshort\n  set in, and too long for it\n"
	if b.String() != want {
		t.Errorf("%q", b.String())
	}
}
