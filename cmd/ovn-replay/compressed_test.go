package main

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Any file that a case names may be compressed: dumps and zone lists too.
func TestCompressedCase(t *testing.T) {
	t.Parallel()
	const dir = "../../testdata/cases/kube-known-connections"
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	to, spec := t.TempDir(), text(t, filepath.Join(dir, "case.json"))
	packed := 0
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		name := f.Name()
		if strings.HasSuffix(name, ".txt") || strings.HasSuffix(name, ".pcap") {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			z.Write(data)
			z.Close()
			data, name = b.Bytes(), name+".gz"
			spec = strings.ReplaceAll(spec, `"`+f.Name()+`"`, `"`+name+`"`)
			packed++
		}
		if err := os.WriteFile(filepath.Join(to, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(to, "case.json"), []byte(spec), 0o600); err != nil {
		t.Fatal(err)
	}
	_, want := verified(t, "--case", dir)
	status, got := verified(t, "--case", to)
	if status != exitOK || got.Matched != want.Matched || got.Guessed != want.Guessed || packed < 5 ||
		!strings.Contains(spec, "conntrack-before-node.txt.gz") {
		t.Errorf("status %d, %d files, %+v, want %+v", status, packed, got, want)
	}
}
