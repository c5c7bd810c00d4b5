package store

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"slices"
)

// A bbolt file is pages; each has a header of 16 bytes: its number (8), what it
// is (2), how many elements (2), how many pages follow that belong to it (4).
// Pages 0 and 1 are the two newest states; the tree begins at the newer one's
// root. bbolt trusts all of it: a tree that leads back to itself recurses until
// the stack ends, which cannot be recovered from. So a file is looked through
// before bbolt is given it: every page that can be reached, but not what the
// values hold.
const (
	branchPage   = 1
	leafPage     = 2
	freelistPage = 0x10

	pageHeader  = 16
	pageElement = 16
	// a bucket's: its root and sequence; a small one follows, of a page at most
	bucketHeader = 16
	bucketLeaf   = 1  // flag of a leaf's element: its value is a bucket
	maxPages     = 64 // depth of a tree
	noFreelist   = ^uint64(0)
	boltMagic    = 0xed0cdaed
	boltVersion  = 2
)

// boltMeta is one of the two states.
type boltMeta struct {
	pageSize             int64
	root, freelist, high uint64
	txid                 uint64
}

// pageCheck looks through the pages of a file. A file with holes may claim more pages than memory has bits for: what
// it remembers is of pages that are there.
type pageCheck struct {
	f     io.ReaderAt
	size  int64
	meta  boltMeta
	both  bool              // both states are whole
	seen  map[uint64]uint64 // a bit for each page met that others belong to, 64 of them in each
	spans []pageSpan        // what is in use, or free
}

// pageSpan is pages from one to another.
type pageSpan struct {
	first, last uint64
	free        bool
}

// errOneState is that of the two states of a file one is damaged, and all that is in the other
// is sound. A writer overwrites one while the other stays: it may be the newer that is gone, and
// who goes on from the older commits as if what it held had never been.
var errOneState = errors.New("one of its two last states cannot be read, and it may be the newer")

// checkPages tells what is wrong with the pages of a bbolt file. A file that is
// none, or empty, is left to bbolt to refuse, or to begin.
func checkPages(f *os.File) error {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	c := &pageCheck{f: f, size: info.Size()}
	if !c.newest() {
		return nil
	}
	if int64(c.meta.high) > c.size/c.meta.pageSize || c.meta.high > 1<<40 {
		return fmt.Errorf("it has %d bytes of at least %d", c.size, int64(min(c.meta.high, 1<<40))*c.meta.pageSize)
	}
	c.seen = map[uint64]uint64{}
	if err := c.tree(c.meta.root, true); err != nil {
		return err
	}
	if err := c.free(); err != nil {
		return err
	}
	if err := c.apart(); err != nil || c.both {
		return err
	}
	return errOneState
}

// apart sees that no page is used twice, or used and free.
func (c *pageCheck) apart() error {
	slices.SortFunc(c.spans, func(a, b pageSpan) int { return cmp.Compare(a.first, b.first) })
	for i := 1; i < len(c.spans); i++ {
		a, b := &c.spans[i-1], &c.spans[i]
		switch {
		case b.first > a.last:
		case a.free || b.free:
			return fmt.Errorf("page %d is not free", b.first)
		default:
			return fmt.Errorf("page %d is in two places", b.first)
		}
	}
	return nil
}

// newest finds the newer of the two states that are whole.
func (c *pageCheck) newest() (found bool) {
	take := func(at int64) bool {
		b := make([]byte, pageHeader+64)
		if _, err := c.f.ReadAt(b, at); err != nil {
			return false
		}
		b = b[pageHeader:]
		sum := fnv.New64a()
		sum.Write(b[:56])
		u32, u64 := binary.NativeEndian.Uint32, binary.NativeEndian.Uint64
		m := boltMeta{int64(u32(b[8:])), u64(b[16:]), u64(b[32:]), u64(b[40:]), u64(b[48:])}
		if u32(b) != boltMagic || u32(b[4:]) != boltVersion || u64(b[56:]) != sum.Sum64() || m.pageSize < 512 ||
			m.pageSize > 1<<20 {
			return false
		}
		if !found || m.txid > c.meta.txid {
			c.meta = m
		}
		found = true
		return true
	}
	if take(0) {
		c.both = take(c.meta.pageSize)
		return true
	}
	for at := int64(512); at <= 1<<20; at *= 2 {
		if take(at) {
			return true
		}
	}
	return false
}

// page reads a page's header and its elements, and marks it and what belongs to
// it as met.
func (c *pageCheck) page(id uint64) (kind, count int, elements []byte, space int64, err error) {
	wrong := func(what string) error { return fmt.Errorf("page %d %s", id, what) }
	if id < 2 || id >= c.meta.high {
		return 0, 0, nil, 0, wrong("is none of its pages")
	}
	var h [pageHeader]byte
	if _, err := c.f.ReadAt(h[:], int64(id)*c.meta.pageSize); err != nil {
		return 0, 0, nil, 0, wrong("cannot be read")
	}
	kind, count = int(binary.NativeEndian.Uint16(h[8:])), int(binary.NativeEndian.Uint16(h[10:]))
	pages := uint64(binary.NativeEndian.Uint32(h[12:])) + 1
	if binary.NativeEndian.Uint64(h[:]) != id || pages > c.meta.high-id {
		return 0, 0, nil, 0, wrong("is another")
	}
	if c.seen[id/64]>>(id%64)&1 == 1 {
		return 0, 0, nil, 0, wrong("is in two places")
	}
	c.seen[id/64] |= 1 << (id % 64)
	c.spans = append(c.spans, pageSpan{first: id, last: id + pages - 1})
	space = int64(pages)*c.meta.pageSize - pageHeader
	if kind == freelistPage {
		return kind, count, nil, space, nil
	}
	if int64(count)*pageElement > space {
		return 0, 0, nil, 0, wrong("has more elements than room")
	}
	elements = make([]byte, count*pageElement)
	if _, err := c.f.ReadAt(elements, int64(id)*c.meta.pageSize+pageHeader); err != nil {
		return 0, 0, nil, 0, wrong("cannot be read")
	}
	return kind, count, elements, space, nil
}

// tree looks through a tree, and of the topmost one through its buckets.
func (c *pageCheck) tree(root uint64, top bool) error {
	type branch struct {
		id    uint64
		depth int
	}
	for todo := []branch{{root, 0}}; len(todo) > 0; {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		kind, count, elements, space, err := c.page(at.id)
		switch {
		case err != nil:
			return err
		case at.depth > maxPages:
			return fmt.Errorf("page %d lies too deep", at.id)
		case kind == branchPage && count > 0:
			next := int64(len(elements))
			for i := range count {
				e := elements[i*pageElement:]
				next = after(next, i, binary.NativeEndian.Uint32(e), binary.NativeEndian.Uint32(e[4:]), 0)
				if next < 0 || next > space {
					return fmt.Errorf("page %d has a key outside of its place", at.id)
				}
				todo = append(todo, branch{binary.NativeEndian.Uint64(e[8:]), at.depth + 1})
			}
		case kind == leafPage:
			if err := c.leaf(at.id, elements, space, top); err != nil {
				return err
			}
		default:
			return fmt.Errorf("page %d is neither a branch nor a leaf", at.id)
		}
	}
	return nil
}

// after is where an element's key and value end, of which at is from the element on: they follow those of the
// element before it, which end at next, and the first follow the elements. So bbolt writes them, and so it shows
// that a page has lost elements, which nothing else would. -1: they are elsewhere.
func after(next int64, i int, at, key, value uint32) int64 {
	if int64(i)*pageElement+int64(at) != next {
		return -1
	}
	return next + int64(key) + int64(value)
}

// nothing sees that a page without elements has nothing where the first would be.
func (c *pageCheck) nothing(id uint64) error {
	var first [pageElement]byte
	if _, err := c.f.ReadAt(first[:], int64(id)*c.meta.pageSize+pageHeader); err != nil {
		return fmt.Errorf("page %d cannot be read", id)
	}
	if first != [pageElement]byte{} {
		return fmt.Errorf("page %d has elements that it does not count", id)
	}
	return nil
}

// leaf looks through a leaf's elements.
func (c *pageCheck) leaf(id uint64, elements []byte, space int64, top bool) error {
	if len(elements) == 0 {
		return c.nothing(id)
	}
	next := int64(len(elements))
	for i := 0; i*pageElement < len(elements); i++ {
		e := elements[i*pageElement:]
		flags, at, key, value := binary.NativeEndian.Uint32(e), binary.NativeEndian.Uint32(e[4:]),
			binary.NativeEndian.Uint32(e[8:]), binary.NativeEndian.Uint32(e[12:])
		if next = after(next, i, at, key, value); next < 0 || next > space {
			return fmt.Errorf("page %d has a value outside of its place", id)
		}
		if flags&bucketLeaf == 0 {
			continue
		}
		if !top {
			return fmt.Errorf("page %d has a bucket in a bucket", id)
		}
		b := make([]byte, min(int64(value), bucketHeader+c.meta.pageSize))
		if _, err := c.f.ReadAt(b, int64(id)*c.meta.pageSize+pageHeader+int64(i)*pageElement+int64(at)+int64(
			key)); err != nil || len(b) < bucketHeader {
			return fmt.Errorf("page %d has a bucket that is cut", id)
		}
		if root := binary.NativeEndian.Uint64(b); root != 0 {
			if err := c.tree(root, false); err != nil {
				return err
			}
		} else if err := inlined(b[bucketHeader:]); err != nil {
			return fmt.Errorf("page %d: %w", id, err)
		}
	}
	return nil
}

// inlined looks through a small bucket, which is a leaf within its value.
func inlined(b []byte) error {
	if len(b) < pageHeader || binary.NativeEndian.Uint16(b[8:]) != leafPage {
		return errors.New("a bucket that is no leaf")
	}
	count, space := int(binary.NativeEndian.Uint16(b[10:])), int64(len(b)-pageHeader)
	next := int64(count) * pageElement
	if next > space {
		return errors.New("a bucket with more elements than room")
	}
	for i := range count {
		e := b[pageHeader+i*pageElement:]
		next = after(next, i, binary.NativeEndian.Uint32(e[4:]), binary.NativeEndian.Uint32(e[8:]),
			binary.NativeEndian.Uint32(e[12:]))
		if binary.NativeEndian.Uint32(e)&bucketLeaf != 0 || next < 0 || next > space {
			return errors.New("a bucket with a value outside of its place")
		}
	}
	if next != space { // it is as long as what it holds
		return errors.New("a bucket with more in it than it counts")
	}
	return nil
}

// free looks through the list of free pages: a page in use that is there too
// would be written over.
func (c *pageCheck) free() error {
	if c.meta.freelist == noFreelist {
		return nil
	}
	kind, count, _, space, err := c.page(c.meta.freelist)
	if err != nil {
		return err
	}
	n, at := int64(count), int64(c.meta.freelist)*c.meta.pageSize+pageHeader
	if kind != freelistPage {
		return fmt.Errorf("page %d is no list of free pages", c.meta.freelist)
	}
	if count == 0xffff {
		var b [8]byte
		if _, err := c.f.ReadAt(b[:], at); err != nil {
			return fmt.Errorf("page %d cannot be read", c.meta.freelist)
		}
		n, at, space = int64(min(binary.NativeEndian.Uint64(b[:]), 1<<40)), at+8, space-8
	}
	if n*8 > space {
		return fmt.Errorf("page %d has more free pages than room", c.meta.freelist)
	}
	ids := make([]byte, 64<<10)
	for ; n > 0; n -= int64(len(ids) / 8) {
		ids = ids[:min(8*n, int64(len(ids)))]
		if _, err := c.f.ReadAt(ids, at); err != nil {
			return fmt.Errorf("page %d cannot be read", c.meta.freelist)
		}
		at += int64(len(ids))
		if err := c.freed(ids); err != nil {
			return err
		}
	}
	return nil
}

// freed notes free pages.
func (c *pageCheck) freed(ids []byte) error {
	for ; len(ids) > 0; ids = ids[8:] {
		p := binary.NativeEndian.Uint64(ids)
		if p < 2 || p >= c.meta.high {
			return fmt.Errorf("page %d is not free", p)
		}
		if n := len(c.spans); n > 0 && c.spans[n-1].free && c.spans[n-1].last+1 == p {
			c.spans[n-1].last = p
			continue
		}
		c.spans = append(c.spans, pageSpan{p, p, true})
	}
	return nil
}
