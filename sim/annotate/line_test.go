package annotate

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestWrapped(t *testing.T) {
	t.Parallel()
	words := strings.Repeat("datapath > ", 60)
	for _, text := range []string{"short", words, strings.Repeat("ä", 700), strings.Repeat("x", 199) + " y"} {
		out := string(appendWrapped(nil, "path", []byte(text), "\n"))
		together := ""
		for i, line := range strings.Split(strings.TrimSuffix(out, "\n"), "\n") {
			if len(line) > MaxComment || !utf8.ValidString(line) {
				t.Errorf("%d bytes: %q", len(line), line)
			}
			value, ok := strings.CutPrefix(line, "path: ")
			if i > 0 {
				value, ok = strings.CutPrefix(line, "path: …")
			}
			if !ok {
				t.Errorf("line %q", line)
			}
			together += value
		}
		if together != text {
			t.Errorf("together %q, want %q", together, text)
		}
	}
}

func TestOnce(t *testing.T) {
	t.Parallel()
	lines := appendOnce(appendOnce(appendOnce(nil, []byte("ct: a b\n")), []byte("ct: a\n")), []byte("ct: a b\n"))
	if string(lines) != "ct: a b\nct: a\n" {
		t.Errorf("%q", lines)
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain": "plain", "päck": "päck", "a\nb": `a\nb`, "\x1b[31m": `\x1b[31m`, "a\u202eb": `a\u202eb`,
		"\xff": `\xff`,
	} {
		if got := string(appendClean(nil, in)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
