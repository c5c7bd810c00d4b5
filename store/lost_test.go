package store

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// newestRoot is where the root page of a file's newer state begins.
func newestRoot(file []byte) int {
	at, newest := 0, uint64(0)
	for page := range 2 {
		meta := file[page*os.Getpagesize()+pageHeader:]
		if txid := binary.NativeEndian.Uint64(meta[48:]); page == 0 || txid > newest {
			at, newest = int(binary.NativeEndian.Uint64(meta[16:]))*os.Getpagesize(), txid
		}
	}
	return at
}

// opened is what opening and listing a file says, as a session or a store.
func opened(path string, session, write bool) error {
	if session {
		s, err := OpenSession(path, write)
		if err == nil {
			s.Close()
		}
		return err
	}
	s, err := OpenShelf(path, write)
	if err != nil {
		return err
	}
	defer s.Close()
	_, err = s.List()
	return err
}

// A page that counts fewer elements than it has, or names another bucket, is damage: what it held is not
// taken for never written, nor written over. Nor is it a fault of bbolt's that is told.
func TestBucketsAreNotLost(t *testing.T) {
	t.Parallel()
	session, shelf := storeFiles(t, 30)
	few, _ := storeFiles(t, 2) // buckets within the root page
	for _, c := range []struct {
		what    string
		good    []byte
		session bool
		damage  func(b []byte)
	}{
		{"store's last bucket", shelf, false, func(b []byte) { b[newestRoot(b)+10] ^= 1 }},
		{"store's name of a bucket", shelf, false, func(b []byte) { rename(b[newestRoot(b):], "snapshots") }},
		{"store's name of the pieces", shelf, false, func(b []byte) { rename(b[newestRoot(b):], "pieces") }},
		{"session's last bucket", session, true, func(b []byte) { b[newestRoot(b)+10] ^= 1 }},
		{"session's packets", few, true, func(b []byte) { uncount(b[newestRoot(b):], "packets") }},
		{"session's pieces", few, true, func(b []byte) { uncount(b[newestRoot(b):], "pieces") }},
		{"session's only packet's place", few, true, func(b []byte) { b[newestRoot(b)+pageHeader+4] ^= 1 }},
	} {
		path := filepath.Join(t.TempDir(), "x")
		bad := slices.Clone(c.good)
		if c.damage(bad); slices.Equal(bad, c.good) {
			t.Fatalf("%s: nothing is damaged", c.what)
		}
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, write := range []bool{false, true} {
			err := opened(path, c.session, write)
			if err == nil || !strings.Contains(err.Error(), " is damaged: ") ||
				strings.Contains(err.Error(), "runtime") {
				t.Errorf("%s, write %t: %v", c.what, write, err)
			}
			if now, _ := os.ReadFile(path); !slices.Equal(now, bad) {
				t.Errorf("%s, write %t: the file is changed", c.what, write)
			}
		}
	}
}

// rename flips a bit of a bucket's name in a page.
func rename(page []byte, name string) { page[strings.Index(string(page), name)] ^= 1 }

// uncount makes a bucket within a page one of no elements.
func uncount(page []byte, name string) {
	at := strings.Index(string(page), name) + len(name) + bucketHeader
	if binary.NativeEndian.Uint16(page[at+8:]) == leafPage {
		binary.NativeEndian.PutUint16(page[at+10:], 0)
	}
}

// A store whose snapshots are all removed, and one that was only begun, are sound.
func TestEmptiedStoreIsSound(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x")
	_, shelf := storeFiles(t, 3000)
	if err := os.WriteFile(path, shelf, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := OpenShelf(path, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Remove("one"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	for _, write := range []bool{false, true} {
		if err := opened(path, false, write); err != nil {
			t.Errorf("write %t: %v", write, err)
		}
	}
}
