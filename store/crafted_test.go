package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"go.etcd.io/bbolt"
)

// Files that somebody has made to be read: right in all that is checked first, and small. Each ends with an error that
// says what is wrong, soon and without taking memory.

// crafted are files made of a sound one; with page they are changed in their pages, else as bbolt would.
var crafted = []struct {
	name  string
	shelf bool
	pages func(b *pagedFile)
	does  func(t *testing.T, tx *bbolt.Tx) error
	says  string
}{
	{name: "branch that is its own child", says: "is in two places", pages: func(b *pagedFile) {
		at := b.first(branchPage)
		b.put64(at, pageHeader+8, at)
	}},
	{name: "branches that lead to each other", says: "is", pages: func(b *pagedFile) {
		one, other := b.first(branchPage), b.last(branchPage)
		b.put64(one, pageHeader+8, other)
		b.put64(other, pageHeader+8, one)
	}},
	{name: "leaf of two branches", says: "is in two places", pages: func(b *pagedFile) {
		at := b.first(branchPage)
		b.put64(at, pageHeader+pageElement+8, b.get64(at, pageHeader+8))
	}},
	{name: "holes of 8 TiB", says: "", pages: func(b *pagedFile) { b.grow(8<<40, 512) }},
	{name: "page with as many behind it as there are numbers", says: "is", pages: func(b *pagedFile) {
		b.grow(1<<50, b.size)
		b.put32(b.root(), 12, 0xffffffff)
	}},
	{name: "list of free pages of 1 TiB", says: "is not free", pages: func(b *pagedFile) {
		b.grow(2<<40, b.size)
		free := b.metaFreelist()
		b.put32(free, 12, 1<<28)
		b.put16(free, 10, 0xffff)
		b.put64(free, pageHeader, 1<<37)
	}},
	{name: "bucket of 3 GiB", says: "bucket", pages: func(b *pagedFile) {
		b.grow(1<<40, b.size)
		b.put32(b.root(), 12, 1<<24)
		b.put32(b.root(), pageHeader+12, 3<<30)
	}},
	{name: "state of a page size of 0", says: "damaged", pages: func(b *pagedFile) {
		b.meta(func(m []byte) {
			binary.NativeEndian.PutUint32(m[8:], 0)
		})
	}},
	{name: "root beyond the end", says: "is none of its pages", pages: func(b *pagedFile) {
		b.meta(func(m []byte) {
			binary.NativeEndian.PutUint64(m[16:], 1<<40)
		})
	}},
	{name: "value outside of its page", says: "value outside of it", pages: func(b *pagedFile) {
		b.put32(b.first(leafPage), pageHeader+12, 0xfffffff0)
	}},

	{name: "value that is another", says: "value state is not what it was", pages: func(b *pagedFile) {
		b.change("state\x28\xb5\x2f\xfd", 14, 0xff)
	}},
	{name: "value of another name", says: "value state is missing", pages: func(b *pagedFile) {
		b.change("state\x28\xb5\x2f\xfd", 4, 0x01)
	}},

	{name: "packets that unpack to 1 GiB", says: "packets:", does: func(_ *testing.T, tx *bbolt.Tx) error {
		return tx.Bucket(packetsBucket).Put(key(1), gigabyte())
	}},
	{name: "packets of a length of 2^63", says: "a length is wrong", does: func(_ *testing.T, tx *bbolt.Tx) error {
		return tx.Bucket(packetsBucket).Put(key(1), packed(binary.AppendUvarint(nil, 1<<63)))
	}},
	{name: "packets of no number", says: "packets", does: func(_ *testing.T, tx *bbolt.Tx) error {
		return tx.Bucket(packetsBucket).Put([]byte("x"), packed([]byte{1, 1}))
	}},
	{name: "packets to the last number", says: "packets", does: func(_ *testing.T, tx *bbolt.Tx) error {
		return tx.Bucket(packetsBucket).Put(key(1<<64-1), packed([]byte{1, 1}))
	}},
	{name: "packets that are gone", says: "packets: after those from", does: func(_ *testing.T, tx *bbolt.Tx) error {
		k, _ := tx.Bucket(packetsBucket).Cursor().First()
		return tx.Bucket(packetsBucket).Delete(k)
	}},
	{name: "packets that are a bucket", says: "packet", does: func(_ *testing.T, tx *bbolt.Tx) error {
		_, err := tx.Bucket(packetsBucket).CreateBucket([]byte("12345678"))
		return err
	}},
	{name: "value that unpacks to 1 GiB", says: "value state: it claims 1073741824", does: func(_ *testing.T,
		tx *bbolt.Tx) error {
		return tx.Bucket(valuesBucket).Put([]byte("state"), gigabyte())
	}},
	{name: "value of a claimed GiB", says: "value state: it claims", does: func(_ *testing.T, tx *bbolt.Tx) error {
		b := gigabyte()
		return tx.Bucket(valuesBucket).Put([]byte("state"), b[:20])
	}},
	{name: "value that does not say that it is 1 GiB", says: "value state: ", does: func(_ *testing.T,
		tx *bbolt.Tx) error {
		return tx.Bucket(valuesBucket).Put([]byte("state"), streamed())
	}},
	{name: "value that is not compressed", says: "value state: ", does: func(_ *testing.T, tx *bbolt.Tx) error {
		return tx.Bucket(valuesBucket).Put([]byte("state"), []byte("state"))
	}},
	{name: "piece that is another", says: "piece 1 is not what it was", does: func(_ *testing.T, tx *bbolt.Tx) error {
		return tx.Bucket(piecesBucket).Put(key(1), []byte("another"))
	}},
	{name: "piece that is gone", says: "piece 7 is missing", does: func(_ *testing.T, tx *bbolt.Tx) error {
		return tx.Bucket(piecesBucket).Delete(key(7))
	}},
	{name: "hash of no piece", says: "hash", does: func(_ *testing.T, tx *bbolt.Tx) error {
		k, _ := tx.Bucket(hashesBucket).Cursor().First()
		return tx.Bucket(hashesBucket).Put(bytes.Clone(k), key(1<<60))
	}},
	{name: "hash that is gone", says: "hashes", does: func(_ *testing.T, tx *bbolt.Tx) error {
		k, _ := tx.Bucket(hashesBucket).Cursor().First()
		return tx.Bucket(hashesBucket).Delete(bytes.Clone(k))
	}},
	{name: "no values", says: "it has no values", does: func(_ *testing.T, tx *bbolt.Tx) error {
		return tx.DeleteBucket(valuesBucket)
	}},
	{name: "version of a MiB", says: "of format", does: func(_ *testing.T, tx *bbolt.Tx) error {
		return tx.Bucket(sessionBucket).Put(versionKey, bytes.Repeat([]byte("1"), 1<<20))
	}},

	{name: "snapshot in a million brackets", shelf: true, says: "damaged", does: func(_ *testing.T,
		tx *bbolt.Tx) error {
		return tx.Bucket(snapshotsBucket).Put([]byte("one"), bytes.Repeat([]byte(`{"tables":`), 1<<20))
	}},
	{name: "snapshot that is a bucket", shelf: true, says: "", does: func(_ *testing.T, tx *bbolt.Tx) error {
		_, err := tx.Bucket(snapshotsBucket).CreateBucket([]byte("two"))
		return err
	}},
	{name: "schema that unpacks to 1 GiB", shelf: true, says: "damaged", does: func(t *testing.T, tx *bbolt.Tx) error {
		return leadTo(t, tx, gigabyte())
	}},
	{name: "piece that is not what its hash says", shelf: true, says: "is not what it was", does: func(t *testing.T,
		tx *bbolt.Tx) error {
		return leadTo(t, tx, packed([]byte("another")))
	}},
	{name: "rows of nothing", shelf: true, says: "takes more than", does: func(t *testing.T, tx *bbolt.Tx) error {
		return nothings(t, tx)
	}},
}

func TestCraftedStores(t *testing.T) {
	session, shelf := storeFiles(t, 3000)
	for _, c := range crafted {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "crafted")
			good := session
			if c.shelf {
				good = shelf
			}
			writeFile(t, path, good)
			if c.pages != nil {
				c.pages(openPaged(t, path))
			} else {
				db, err := bbolt.Open(path, 0o600, nil)
				if err != nil {
					t.Fatal(err)
				}
				err = db.Update(func(tx *bbolt.Tx) error { return c.does(t, tx) })
				if err := errors.Join(err, db.Close()); err != nil {
					t.Fatal(err)
				}
			}
			endsWell(t, func() error { return useCrafted(path, c.shelf) }, c.says)
		})
	}
}

// endsWell sees that what is done ends with an error that says something, within 10 seconds and 512 MiB.
func endsWell(t *testing.T, do func() error, says string) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began := time.Now()
	var err error
	ends(t, func() { err = do() })
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) >> 20; n > 512 || took > 10*time.Second {
		t.Errorf("it takes %v and %d MiB", took, n)
	}
	if err == nil || !strings.Contains(err.Error(), says) || len(err.Error()) > 1000 ||
		strings.Contains(err.Error(), "\n") {
		t.Errorf("%.300v, want a line with %q", err, says)
	}
}

// useCrafted reads all that a file holds, and goes on with it as a replay does; the first error is all.
func useCrafted(path string, shelf bool) error {
	if shelf {
		s, err := OpenShelf(path, false)
		if err != nil {
			return err
		}
		defer s.Close()
		list, err := s.List()
		for i := 0; i < len(list) && err == nil; i++ {
			_, err = s.Get(list[i].Name)
		}
		return err
	}
	for _, write := range []bool{true, false} {
		s, err := OpenSession(path, write)
		if err != nil {
			return err
		}
		_, err = s.Value("state")
		for n := uint64(1); n <= min(s.Len(), 3000) && err == nil; n++ {
			_, err = s.Packet(n)
		}
		for n := uint64(1); n <= 3000 && err == nil; n++ {
			_, err = s.GetPiece(n)
		}
		if err := errors.Join(err, s.Close()); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func packed(b []byte) []byte {
	z, _ := zstd.NewWriter(nil)
	return z.EncodeAll(b, nil)
}

// gigabyte is a GiB of zeros, packed with its length.
func gigabyte() []byte {
	var b bytes.Buffer
	z, _ := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	z.ResetContentSize(&b, 1<<30)
	writeGigabyte(z)
	return b.Bytes()
}

// streamed is a GiB of zeros, packed without its length.
func streamed() []byte {
	var b bytes.Buffer
	z, _ := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	writeGigabyte(z)
	return b.Bytes()
}

func writeGigabyte(z *zstd.Encoder) {
	chunk := make([]byte, 1<<20)
	for range 1 << 10 {
		z.Write(chunk)
	}
	z.Close()
}

// leadTo puts other content in the place of a snapshot's schema.
func leadTo(t *testing.T, tx *bbolt.Tx, content []byte) error {
	t.Helper()
	s := &Shelf{}
	m, err := s.manifest("one", tx.Bucket(snapshotsBucket).Get([]byte("one")))
	if err != nil {
		return err
	}
	return tx.Bucket(piecesBucket).Put(m.Schema, content)
}

// nothings makes a snapshot of millions of rows without a value.
func nothings(t *testing.T, tx *bbolt.Tx) error {
	t.Helper()
	s := &Shelf{}
	m, err := s.manifest("one", tx.Bucket(snapshotsBucket).Get([]byte("one")))
	if err != nil {
		return err
	}
	p := newPacker()
	var hashes [][]byte
	for block := range uint32(40) {
		var piece []byte
		for i := range uint32(100_000) {
			u := make([]byte, 17)
			binary.BigEndian.PutUint32(u[8:], block)
			binary.BigEndian.PutUint32(u[12:], i)
			piece = append(piece, u...)
		}
		hashes = append(hashes, p.add(piece))
	}
	m.Tables["Meter"] = p.add(append([]byte{0}, slices.Concat(hashes...)...))
	if err := p.store(tx.Bucket(piecesBucket), &m.Snapshot); err != nil {
		return err
	}
	return tx.Bucket(snapshotsBucket).Put([]byte("one"), fmt.Appendf(nil,
		`{"name":"one","database":"OVN_Southbound","schema":%q,"tables":{"Meter":%q}}`, base64Of(m.Schema),
		base64Of(m.Tables["Meter"])))
}

// pagedFile is a bbolt file whose pages are changed, and the checksums of its states with them.
type pagedFile struct {
	t    *testing.T
	f    *os.File
	size int64 // of a page
}

func openPaged(t *testing.T, path string) *pagedFile {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &pagedFile{t, f, int64(os.Getpagesize())}
}

func (b *pagedFile) at(page uint64, ofs int64, n int) []byte {
	data := make([]byte, n)
	if _, err := b.f.ReadAt(data, int64(page)*b.size+ofs); err != nil {
		b.t.Fatal(err)
	}
	return data
}

func (b *pagedFile) write(page uint64, ofs int64, data []byte) {
	if _, err := b.f.WriteAt(data, int64(page)*b.size+ofs); err != nil {
		b.t.Fatal(err)
	}
}

func (b *pagedFile) get64(page uint64, ofs int64) uint64 {
	return binary.NativeEndian.Uint64(b.at(page, ofs, 8))
}

func (b *pagedFile) put64(page uint64, ofs int64, v uint64) {
	b.write(page, ofs, binary.NativeEndian.AppendUint64(nil, v))
}

func (b *pagedFile) put32(page uint64, ofs int64, v uint32) {
	b.write(page, ofs, binary.NativeEndian.AppendUint32(nil, v))
}

func (b *pagedFile) put16(page uint64, ofs int64, v uint16) {
	b.write(page, ofs, binary.NativeEndian.AppendUint16(nil, v))
}

// change flips bits of a byte behind the beginning of a text, wherever that is.
func (b *pagedFile) change(text string, ofs int, bits byte) {
	data, err := os.ReadFile(b.f.Name())
	if err != nil || !bytes.Contains(data, []byte(text)) {
		b.t.Fatalf("no %q: %v", text, err)
	}
	for at := 0; ; {
		n := bytes.Index(data[at:], []byte(text))
		if n < 0 {
			break
		}
		at += n + len(text)
		data[at-len(text)+ofs] ^= bits
	}
	writeFile(b.t, b.f.Name(), data)
}

// of lists the pages of a kind.
func (b *pagedFile) of(kind uint16) (list []uint64) {
	info, err := b.f.Stat()
	if err != nil {
		b.t.Fatal(err)
	}
	for p := uint64(2); int64(p+1)*b.size <= info.Size(); p++ {
		h := b.at(p, 0, pageHeader)
		if binary.NativeEndian.Uint64(h) == p && binary.NativeEndian.Uint16(h[8:]) == kind {
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		b.t.Fatalf("no page of kind %d", kind)
	}
	return list
}

func (b *pagedFile) first(kind uint16) uint64 { return b.of(kind)[0] }

func (b *pagedFile) last(kind uint16) uint64 { return b.of(kind)[len(b.of(kind))-1] }

// meta changes both states, and their checksums.
func (b *pagedFile) meta(change func(m []byte)) {
	for page := range uint64(2) {
		m := b.at(page, pageHeader, 64)
		change(m)
		sum := fnv.New64a()
		sum.Write(m[:56])
		binary.NativeEndian.PutUint64(m[56:], sum.Sum64())
		b.write(page, pageHeader, m)
	}
}

// newest is a number of the newest state.
func (b *pagedFile) newest(ofs int) uint64 {
	one, other := b.at(0, pageHeader, 64), b.at(1, pageHeader, 64)
	if binary.NativeEndian.Uint64(other[48:]) > binary.NativeEndian.Uint64(one[48:]) {
		one = other
	}
	return binary.NativeEndian.Uint64(one[ofs:])
}

func (b *pagedFile) root() uint64 { return b.newest(16) }

func (b *pagedFile) metaFreelist() uint64 { return b.newest(32) }

// grow makes the file as large as a size by a hole, of pages of a size.
func (b *pagedFile) grow(to, page int64) {
	if err := b.f.Truncate(to); err != nil {
		b.t.Skipf("no such file here: %v", err)
	}
	b.meta(func(m []byte) {
		binary.NativeEndian.PutUint32(m[8:], uint32(page))
		binary.NativeEndian.PutUint64(m[40:], uint64(to/page))
	})
}
