package network

import "testing"

func TestResembles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		want       bool
	}{
		{"breth0_ovn-worker", "breth0_ovn-wrker", true}, // a letter is missing
		{"default_nginx-7", "nginx", true},
		{"vm1", "vm2", true},
		{"format", "fromat", true}, // letters are swapped
		{"json", "jsno", true},
		{"ignore", "ignroe", true},
		{"json", "nosj", false},
		{"vm12", "vm21", true},
		{"vm1", "db7", false},
		{"vm1", "", false},
		{"a", "breth0_ovn-worker", false},
	} {
		if got := Resembles(c.name, c.text); got != c.want {
			t.Errorf("%q for %q: %v", c.name, c.text, got)
		}
	}
}
