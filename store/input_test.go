package store

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// Strings read as encoding/json reads them, wherever the window ends.
func TestText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`"plain"`, `""`, `"a\"b\\c\/d\be\ff\ng\rh\ti"`, `"\u00e9\u20AC\ud83d\ude00"`, `"é€😀"`, `"` +
			strings.Repeat(`x\n`, 100) + `"`,
	} {
		var want string
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		for size := 1; size < 9; size++ {
			in := newInput(&slowReader{text, size})
			in.buf = make([]byte, 4)
			got, err := in.text()
			if err != nil || string(got) != want || !utf8.Valid(got) {
				t.Errorf("%s, %d bytes at a time: %q, %v", text, size, got, err)
			}
		}
	}
	for _, text := range []string{`"`, `"a`, `"\`, `"\u12`, `"\x"`, `"\ud83d"`, `"\ud83d\u0041"`, "\"a\nb\"",
		`"\u12g4"`, `a`} {
		if got, err := bytesInput([]byte(text), 0).text(); err == nil {
			t.Errorf("%q reads as %q", text, got)
		}
	}
}

func TestIntegers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"0": 0, "-5": -5, "9223372036854775807": 1<<63 - 1, "1e3": 1000,
		"10.0": 10} {
		if got, ok := integer([]byte(text)); !ok || got != want {
			t.Errorf("%s: %d, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "x", "1.5", "1e300", "9223372036854775808", "NaN", "-"} {
		if got, ok := integer([]byte(text)); ok {
			t.Errorf("%q is %d", text, got)
		}
	}
}

// raw copies a value that is longer than the window.
func TestRaw(t *testing.T) {
	t.Parallel()
	value := `{"a":[1,{"b":"` + strings.Repeat("long ", 50) + `"},null],"c":true}`
	for size := 1; size < 40; size += 3 {
		in := newInput(&slowReader{"  " + value + " 7", size})
		in.buf = make([]byte, 16)
		got, err := in.raw()
		if err != nil || string(got) != value {
			t.Errorf("%d bytes at a time: %q, %v", size, got, err)
		}
		if n, err := in.uint(); err != nil || n != 7 {
			t.Errorf("after it: %d, %v", n, err)
		}
	}
}

func TestDefaultSource(t *testing.T) {
	t.Setenv("OVN_SB_DB", "")
	t.Setenv("OVN_RUNDIR", "")
	if got := DefaultSource(); got != "unix:/var/run/ovn/ovnsb_db.sock" {
		t.Error(got)
	}
	t.Setenv("OVN_RUNDIR", "/elsewhere")
	if got := DefaultSource(); got != "unix:/elsewhere/ovnsb_db.sock" {
		t.Error(got)
	}
	t.Setenv("OVN_SB_DB", "tcp:1.2.3.4:6642")
	if got := DefaultSource(); got != "tcp:1.2.3.4:6642" {
		t.Error(got)
	}
	t.Setenv("XDG_STATE_HOME", "/state")
	if got, err := DefaultShelfPath(); err != nil || got != "/state/ovn-replay/store.db" {
		t.Error(got, err)
	}
}
