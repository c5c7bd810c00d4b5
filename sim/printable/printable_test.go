package printable

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"breth0_ovn-worker":                "breth0_ovn-worker",
		"":                                 "",
		"Würfel 立方 …":                      "Würfel 立方 …",
		"a\x1b]0;pwn\x07b":                 `a\x1b]0;pwn\x07b`,
		"one\ntwo\tthree\r":                `one\ntwo\tthree\r`,
		"nul\x00":                          `nul\x00`,
		"C1 \u009b31m":                     `C1 \u009b31m`,
		"bidi \u202egpj \u2066x\u200f":     `bidi \u202egpj \u2066x\u200f`,
		"del\x7f":                          `del\u007f`,
		"no UTF-8 \xff\xc3":                `no UTF-8 \xff\xc3`,
		"tag \U000e0041":                   `tag \udb40\udc41`,
		"line\u2028separator and\u00a0gap": `line\u2028separator and\u00a0gap`,
		"replaced \ufffd":                  "replaced \ufffd",
	} {
		if got := Line(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

// However text is cut into writes, the result is the same.
func TestWriter(t *testing.T) {
	t.Parallel()
	text := "ab\u009bc\n立\U0001f600\t\xff\xe7\xab\x1b[0m\u202e"
	want := `ab\u009bc` + "\n立\U0001f600\t" + `\xff\xe7\xab\x1b[0m\u202e`
	for i := range len(text) {
		for j := i; j < len(text); j++ {
			var b bytes.Buffer
			w := NewWriter(&b)
			for _, p := range []string{text[:i], text[i:j], text[j:]} {
				if n, err := w.Write([]byte(p)); n != len(p) || err != nil {
					t.Fatal(n, err)
				}
			}
			if err := w.Flush(); err != nil || b.String() != want {
				t.Fatalf("cut at %d and %d: %q, want %q", i, j, b.String(), want)
			}
		}
	}
}

// JSON stays JSON, and says the same.
func FuzzJSON(f *testing.F) {
	f.Add("a\u009b\u202e\x7f\U000e0041\n\xff")
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		text, _ := json.Marshal(s)
		var b bytes.Buffer
		w := NewWriter(&b)
		w.Write(text)
		var back string
		if err := json.Unmarshal(b.Bytes(), &back); err != nil || back != s {
			t.Errorf("%q: %s, %v", s, b.Bytes(), err)
		}
	})
}

// What needs no escape costs nothing.
func TestWriterAllocates(t *testing.T) {
	var b bytes.Buffer
	b.Grow(1 << 20)
	w := NewWriter(&b)
	line := []byte("11:32:44 client.pcap:2 nginx tcp 10.244.1.3:80 | delivered\n")
	if n := testing.AllocsPerRun(100, func() { b.Reset(); w.Write(line); Line("nginx") }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// What is decoded of JSON that went through JSON is fit to be shown.
func TestJSON(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain":                    "plain",
		"tab\tline\nbreak":         "tab\tline\nbreak",
		"\x1b[31m":                 `\u001b[31m`,
		"\r\b\f\x00":               `\r\b\f\u0000`,
		"\u202egnp":                `\u202egnp`,
		"\u009b31m\u007f":          `\u009b31m\u007f`,
		`\x1b \u202e "quoted" \\n`: `\x1b \u202e "quoted" \\n`,
		"<a>&\u2028":               `<a>&\u2028`,
		"\U0001f600 \U000e0001":    "\U0001f600 \\udb40\\udc01",
	} {
		b, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if err := json.Unmarshal(JSON(nil, b), &got); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	}
}

// Text has its lines, and nothing else that a terminal obeys.
func TestText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain\tof\ntwo lines": "plain\tof\ntwo lines", "one\r\ntwo": "one\ntwo", "over\rwritten": `over\rwritten`,
		"\x1b[31m\u202e\xff": `\x1b[31m\u202e\xff`,
	} {
		if got := Text(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// An error that repeats a long input says its beginning and its end, and how much is left out; characters stay whole.
func TestErrorsAreCut(t *testing.T) {
	for _, part := range []string{"x", "\u00e9", "\u20ac"} {
		err := errors.New("--filter: " + strings.Repeat(part, 100_000) + ": no such field")
		got := Errors(err)
		if len(got) > 2000 || !strings.HasPrefix(got, "--filter: "+part) ||
			!strings.HasSuffix(got, ": no such field") ||
			!strings.Contains(got, " bytes left out) ") || !utf8.ValidString(got) {
			t.Errorf("%d bytes: %.50q … %q", len(got), got, got[max(0, len(got)-50):])
		}
	}
	if short := strings.Repeat("x", 4000); Errors(errors.New(short)) != short {
		t.Error("a short one is cut")
	}
}
