package store

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
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

// What of a snapshot's description is no UTF-8 is shown as the bytes it is, whether they are damage or part of a
// file's name; and a name of such bytes, by which nobody could ask for it again, is not taken.
func TestSnapshotSourceIsShownByItsBytes(t *testing.T) {
	t.Parallel()
	s := openShelf(t, filepath.Join(t.TempDir(), "shelf"))
	db, err := openAll(strings.NewReader(strings.Join(small(), "")))
	if err != nil {
		t.Fatal(err)
	}
	db.Source = "a\xafb\u00e9.db"
	if _, err := s.Put(db, "one", shelfTime); err != nil {
		t.Fatal(err)
	}
	err = s.file.update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(snapshotsBucket)
		text := strings.Replace(string(b.Get([]byte("one"))), ".db", "\xafdb", 1)
		return b.Put([]byte("one"), []byte(text))
	})
	if err != nil {
		t.Fatal(err)
	}
	if list, err := s.List(); err != nil || len(list) != 1 || list[0].Source != "a\\xafb\u00e9\\xafdb" {
		t.Errorf("%+v %v", list, err)
	}
	if _, err := s.Put(db, "t\xafwo", shelfTime); err == nil || !strings.Contains(err.Error(), "choose a short word") {
		t.Errorf("a name of no UTF-8: %v", err)
	}
}
