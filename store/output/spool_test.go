package output

import (
	"bytes"
	"errors"
	"io"
	"math/rand"
	"os"
	"strings"
	"testing"
)

// What was written is read back from wherever it is kept; the file has no name.
func TestSpool(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	random := rand.New(rand.NewSource(1))
	var s Spool
	var all []byte
	for len(all) < SpoolMemory+3<<20 {
		p := make([]byte, random.Intn(1<<20))
		random.Read(p)
		all = append(all, p...)
		if _, err := s.Write(p); err != nil {
			t.Fatal(err)
		}
		at := random.Intn(len(all))
		got := make([]byte, random.Intn(len(all)-at+1))
		if n, err := s.ReadAt(got, int64(at)); err != nil || n != len(got) || !bytes.Equal(got, all[at:at+len(got)]) {
			t.Fatalf("%d bytes at %d: %d, %v", len(got), at, n, err)
		}
	}
	if s.Size() != int64(len(all)) || s.file == nil {
		t.Errorf("%d bytes of %d, in a file: %v", s.Size(), len(all), s.file != nil)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	var few Spool
	few.Write([]byte("few"))
	if n, err := few.ReadAt(make([]byte, 4), 0); n != 3 || !errors.Is(err, io.EOF) {
		t.Errorf("%d, %v", n, err)
	}
	t.Setenv("TMPDIR", dir+"/file")
	os.WriteFile(dir+"/file", nil, 0o600)
	var none Spool
	if _, err := none.Write(make([]byte, SpoolMemory+1)); err == nil || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("%v", err)
	}
}
