package recording

import (
	"os"
	"path/filepath"
	"testing"

	"ovnreplay/sim/replay"
)

// A file's name, and a folder's, may hold an @: what there is is meant.
func TestParseCapture(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"plain.pcap", "a@b.pcap", "a@b@c.pcap", "d@1/c.pcap", "d@1/e@f.pcap", "x@any",
		"no-ending@y", "gw"} {
		os.MkdirAll(filepath.Dir(name), 0o755)
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	os.MkdirAll("d", 0o755)
	for arg, want := range map[string]Capture{
		"plain.pcap":            {File: "plain.pcap"},
		"plain.pcap@p":          {File: "plain.pcap", Port: "p"},
		"plain.pcap@p@c":        {File: "plain.pcap", Port: "p", Chassis: "c"},
		"plain.pcap@any@c":      {File: "plain.pcap", Chassis: "c", Kind: replay.AtHost},
		"plain.pcap@underlay:c": {File: "plain.pcap", Chassis: "c", Kind: replay.AtUnderlay},
		"a@b.pcap":              {File: "a@b.pcap"},
		"a@b.pcap@p":            {File: "a@b.pcap", Port: "p"},
		"a@b.pcap@p@c":          {File: "a@b.pcap", Port: "p", Chassis: "c"},
		"a@b.pcap@underlay":     {File: "a@b.pcap", Kind: replay.AtUnderlay},
		"a@b@c.pcap@p":          {File: "a@b@c.pcap", Port: "p"},
		"d@1/c.pcap@p":          {File: "d@1/c.pcap", Port: "p"},
		"d@1/e@f.pcap@p":        {File: "d@1/e@f.pcap", Port: "p"},
		"d@1/*.pcap@p":          {File: "d@1/*.pcap", Port: "p"},
		"a@*.pcap@p":            {File: "a@*.pcap", Port: "p"},
		"x@any":                 {File: "x@any"},
		"x@any@any":             {File: "x@any", Kind: replay.AtHost},
		"no-ending@y@p":         {File: "no-ending@y", Port: "p"},
		"gw@p@c":                {File: "gw", Port: "p", Chassis: "c"},
		"-":                     {File: "-"},
		"-@p":                   {File: "-", Port: "p"},
		// There is no such file: the message names what was most likely meant.
		"no@b.pcap@p":        {File: "no@b.pcap", Port: "p"},
		"d@1/no@b.pcap.gz@p": {File: "d@1/no@b.pcap.gz", Port: "p"},
		"d@1/no@p":           {File: "d@1/no", Port: "p"},
		"no@p@c":             {File: "no", Port: "p", Chassis: "c"},
		"no":                 {File: "no"},
	} {
		got, err := ParseCapture(arg)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", arg, got, err, want)
		}
	}
	if _, err := ParseCapture("plain.pcap@"); err == nil {
		t.Error("no port after the @: no error")
	}
}
