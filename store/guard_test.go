package store

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// storeFiles are a session and a snapshot store with several levels of pages.
func storeFiles(t testing.TB, packets uint64) (session, shelf []byte) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "session")
	s := openSession(t, path, true)
	for n := uint64(1); n <= packets; n++ {
		s.Append(packetOf(n))
		if _, err := s.Piece(packetOf(n)); err != nil {
			t.Fatal(err)
		}
	}
	s.Set("state", []byte(strings.Repeat("state", 1000)))
	if err := errors.Join(s.Commit(), s.Close()); err != nil {
		t.Fatal(err)
	}
	h, err := OpenShelf(filepath.Join(dir, "shelf"), true)
	if err != nil {
		t.Fatal(err)
	}
	db, err := openAll(strings.NewReader(record("JSON", smallSchema) + record("JSON", manyRows(int(packets)))))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Put(db, "one", shelfTime); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	return read("session"), read("shelf")
}

// useStores does everything there is with a file that may be damaged. What
// matters is that it comes back.
func useStores(path string) {
	for _, write := range []bool{false, true} {
		if s, err := OpenSession(path, write); err == nil {
			for n := uint64(1); n <= min(s.Len(), 3000); n += 37 {
				s.Packet(n)
				s.GetPiece(n)
			}
			names, _ := s.Values("")
			for _, name := range names {
				s.Value(name)
			}
			if write {
				s.Append([]byte("packet"))
				s.Piece([]byte("piece"))
				s.Commit()
			}
			s.Close()
		}
		if s, err := OpenShelf(path, write); err == nil {
			list, _ := s.List()
			for _, x := range list {
				s.Get(x.Name)
			}
			s.Get("none")
			if write {
				if db, err := openAll(strings.NewReader(strings.Join(small(), ""))); err == nil {
					s.Put(db, "two", shelfTime)
				}
				s.Remove("one")
				s.Remove("none")
			}
			s.Close()
		}
	}
}

// ends fails the test if do takes long: a lock that nobody lets go.
func ends(t *testing.T, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); do() }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("it waits for ever")
	}
}

// TestStoresDamaged cuts and overwrites a session and a snapshot store at
// random, with both states' checksums left right half of the time.
func TestStoresDamaged(t *testing.T) {
	t.Parallel()
	session, shelf := storeFiles(t, 3000)
	path := filepath.Join(t.TempDir(), "x")
	rnd := rand.New(rand.NewPCG(7, 7))
	for i := range 120 {
		good := session
		if i%2 == 0 {
			good = shelf
		}
		bad := slices.Clone(good)
		switch i % 5 {
		case 0:
			bad = bad[:rnd.IntN(len(bad))]
		case 1:
			at := rnd.IntN(len(bad) - 600)
			for j := range 600 {
				bad[at+j] = byte(rnd.Uint32())
			}
		default: // a few bytes of pages' headers and elements
			for range 1 + rnd.IntN(6) {
				page := 2 + rnd.IntN(len(bad)/os.Getpagesize()-2)
				bad[page*os.Getpagesize()+rnd.IntN(64)] = byte(rnd.Uint32())
			}
		}
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		ends(t, func() { useStores(path) })
	}
}

// TestStoreThatLeadsBack: a branch whose child is the branch itself, with all
// checksums right, would use up the stack, which no recovery prevents.
func TestStoreThatLeadsBack(t *testing.T) {
	t.Parallel()
	session, shelf := storeFiles(t, 3000)
	for name, good := range map[string][]byte{"session": session, "shelf": shelf} {
		path := filepath.Join(t.TempDir(), name)
		size, branches := os.Getpagesize(), 0
		for at := 2 * size; at < len(good); at += size {
			if binary.NativeEndian.Uint16(good[at+8:]) != branchPage ||
				binary.NativeEndian.Uint64(good[at:]) != uint64(at/size) {
				continue
			}
			branches++
			bad := slices.Clone(good)
			binary.NativeEndian.PutUint64(bad[at+pageHeader+8:], uint64(at/size))
			os.WriteFile(path, bad, 0o600)
			ends(t, func() { useStores(path) })
			_, err1 := OpenSession(path, false)
			_, err2 := OpenShelf(path, false)
			for _, err := range []error{err1, err2} {
				if err == nil || !strings.Contains(err.Error(), "is damaged: page") ||
					!strings.HasPrefix(err.Error(), path) {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		if branches == 0 {
			t.Errorf("%s has no branches", name)
		}
	}
}

// TestCloseAfterPanic: bbolt panics with its locks held; what follows is an
// error, and closing does not wait for them.
func TestCloseAfterPanic(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	s := openSession(t, path, true)
	s.Append([]byte("x"))
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
	err := s.file.guard(func() error {
		if _, err := s.file.db.Begin(true); err != nil { // never ended
			return err
		}
		panic("as bbolt does")
	})
	var damage *guardError
	if !errors.As(err, &damage) || damage.Error() != "as bbolt does" {
		t.Fatalf("error %v", err)
	}
	ends(t, func() {
		if err := s.Commit(); err == nil || !strings.Contains(err.Error(), "the session is damaged") {
			t.Errorf("commit: %v", err)
		}
		s.Close()
	})
}

// TestSnapshotOfItself: lists that lead to the same piece over and over unpack
// to no more than the file can mean.
func TestSnapshotBomb(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shelf")
	s := openShelf(t, path)
	db, err := openAll(strings.NewReader(record("JSON", smallSchema) + record("JSON", manyRows(16))))
	if err != nil {
		t.Fatal(err)
	}
	p := newPacker()
	m := manifest{Snapshot: Snapshot{Name: "bomb", Database: Southbound}, Tables: map[string][]byte{}}
	m.Schema = p.add(encodeSchema(db))
	list := p.addTable(db.Table("Meter"))
	for level := byte(1); level < 12; level++ {
		list = p.add(append([]byte{level}, []byte(strings.Repeat(string(list), 100))...))
	}
	m.Tables["Meter"] = list
	err = s.file.update(func(tx *bbolt.Tx) error {
		if err := p.store(tx.Bucket(piecesBucket), &m.Snapshot); err != nil {
			return err
		}
		return tx.Bucket(snapshotsBucket).Put([]byte("bomb"),
			[]byte(`{"name":"bomb","database":"OVN_Southbound","schema":"`+base64Of(m.Schema)+`","tables":{"Meter":"`+
				base64Of(list)+`"}}`))
	})
	if err != nil {
		t.Fatal(err)
	}
	ends(t, func() {
		if _, err := s.Get("bomb"); err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("error %v", err)
		}
	})
}

// A chunk holds so many packets and no more, however short they are.
func TestChunkOfNothings(t *testing.T) {
	t.Parallel()
	s := openSession(t, filepath.Join(t.TempDir(), "s.db"), true)
	packed := s.zip.EncodeAll(make([]byte, 32<<20), nil)
	if list, err := s.unpackChunk(packed); err == nil || !strings.Contains(err.Error(), "more than 1024") {
		t.Errorf("%d packets, error %v", len(list), err)
	}
}

// FuzzStores overwrites a part of a session or a snapshot store.
func FuzzStores(f *testing.F) {
	session, shelf := storeFiles(f, 300)
	f.Add(false, uint16(2), uint16(8), []byte{1, 0})
	f.Add(true, uint16(3), uint16(16), []byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, which bool, page, at uint16, over []byte) {
		bad := slices.Clone(session)
		if which {
			bad = slices.Clone(shelf)
		}
		if i := int(page)*os.Getpagesize() + int(at); i < len(bad) {
			copy(bad[i:], over)
		}
		path := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		ends(t, func() { useStores(path) })
	})
}

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// A file whose newer state is damaged is no file of the older one: what was written last would
// silently be gone. Nor does anything go on with it, or write to it.
func TestNewerStateDamaged(t *testing.T) {
	t.Parallel()
	session, shelf := storeFiles(t, 30)
	for page := range 2 {
		for name, data := range map[string][]byte{"session": session, "shelf": shelf} {
			path := filepath.Join(t.TempDir(), name)
			data = slices.Clone(data)
			data[page*os.Getpagesize()+66] ^= 1
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, write := range []bool{false, true} {
				err := opened(path, name == "session", write)
				if err == nil || !strings.Contains(err.Error(), "damaged: one of its two last states cannot be read") {
					t.Errorf("%s, page %d, write %t: %v", name, page, write, err)
				}
			}
			if now, _ := os.ReadFile(path); !slices.Equal(now, data) {
				t.Errorf("%s, page %d: the file is changed", name, page)
			}
		}
	}
}
