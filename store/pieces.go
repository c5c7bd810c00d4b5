package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/klauspost/compress/zstd"
	"go.etcd.io/bbolt"

	"ovnreplay/pcap/compressed"
)

// A piece is zstd-compressed and known by the SHA-256 of what it holds:
//
//	rows    of one table, by UUID: UUID (16 bytes), number of cells (uvarint),
//	        each cell: number of its column in the schema (uvarint), length
//	        (uvarint), value in canonical form
//	list    level (1 byte), hashes (32 bytes each) of pieces in order: of
//	        rows at level 0, else of lists of the level below
//	schema  encodeSchema's text
//
// A piece of rows ends after a row whose UUID happens to end in four zero
// bits, 16 rows on average, and a list after such a hash: one row inserted,
// deleted or modified changes that piece and one list of each level only.

const (
	pieceMask = 15
	maxPiece  = 64 << 20 // of rows, before compression
	maxLevel  = 16
)

// packer collects a snapshot's pieces.
type packer struct {
	pieces map[string][]byte // hash -> content
	zstd   *zstd.Encoder
}

func newPacker() *packer {
	// Only bad options could fail.
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		panic(err)
	}
	return &packer{make(map[string][]byte), z}
}

func (p *packer) add(content []byte) []byte {
	sum := sha256.Sum256(content)
	p.pieces[string(sum[:])] = content
	return sum[:]
}

func (p *packer) addTable(t *Table) []byte {
	var list [][]byte
	var piece []byte
	for _, r := range t.Rows() {
		piece = append(piece, r.UUID[:]...)
		piece = binary.AppendUvarint(piece, uint64(len(r.cells)))
		for _, c := range r.cells {
			piece = binary.AppendUvarint(piece, uint64(c.column))
			piece = appendAtom(piece, []byte(t.db.values.text[c.value]))
		}
		if r.UUID[15]&pieceMask == 0 || len(piece) > maxPiece/2 {
			list = append(list, p.add(piece))
			piece = nil
		}
	}
	if len(piece) > 0 {
		list = append(list, p.add(piece))
	}
	return p.addList(list, 0)
}

// addList adds the lists that lead to pieces, and returns the topmost.
func (p *packer) addList(hashes [][]byte, level byte) []byte {
	var above [][]byte
	list := []byte{level}
	for i, h := range hashes {
		list = append(list, h...)
		last := i == len(hashes)-1
		if last && len(above) == 0 || level == maxLevel {
			if last {
				return p.add(list)
			}
			continue
		}
		if last || h[sha256.Size-1]&pieceMask == 0 {
			above = append(above, p.add(list))
			list = []byte{level}
		}
	}
	return p.addList(above, level+1)
}

// store puts the pieces that are not there yet, in the order bbolt likes.
func (p *packer) store(b *bbolt.Bucket, s *Snapshot) error {
	for _, hash := range slices.Sorted(maps.Keys(p.pieces)) {
		if packed := b.Get([]byte(hash)); packed != nil {
			s.Bytes += int64(len(packed))
			continue
		}
		packed := p.zstd.EncodeAll(p.pieces[hash], nil)
		s.Bytes += int64(len(packed))
		s.Own += int64(len(packed))
		if err := b.Put([]byte(hash), packed); err != nil {
			return err
		}
	}
	return nil
}

// unpacker reads pieces back.
type unpacker struct {
	bucket *bbolt.Bucket
	zstd   *zstd.Decoder
	left   int64 // how many bytes may still come out
}

// newUnpacker returns an unpacker of a store of so many bytes.
func newUnpacker(b *bbolt.Bucket, size int64) (*unpacker, error) {
	if b == nil {
		return nil, errors.New("the store has no pieces")
	}
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(2*maxPiece))
	return &unpacker{b, z, expansion.Free + expansion.Ratio*size}, err
}

func (u *unpacker) get(hash []byte) ([]byte, error) {
	packed := u.bucket.Get(hash)
	if packed == nil {
		return nil, fmt.Errorf("piece %x is missing", hash)
	}
	content, err := u.zstd.DecodeAll(packed, nil)
	if err != nil {
		return nil, fmt.Errorf("piece %x: %w", hash, err)
	}
	// Lists may lead to the same piece over and over.
	if u.left -= int64(len(content)) + sha256.Size; u.left < 0 {
		return nil, &compressed.BombError{Limits: expansion}
	}
	if sum := sha256.Sum256(content); !bytes.Equal(sum[:], hash) {
		return nil, fmt.Errorf("piece %x is not what it was", hash)
	}
	return content, nil
}

// visit calls each with the hash of every piece of a snapshot.
func (m *manifest) visit(b *bbolt.Bucket, size int64, each func(hash []byte)) error {
	u, err := newUnpacker(b, size)
	if err != nil {
		return err
	}
	defer u.zstd.Close()
	each(m.Schema)
	for _, hash := range m.Tables {
		err := u.walk(hash, maxLevel, func(h []byte, rows bool) error { each(h); return nil })
		if err != nil {
			return err
		}
	}
	return nil
}

// walk calls each with the hash of a list and of every piece it leads to, in
// order. The list's level must be most at most.
func (u *unpacker) walk(hash []byte, most int, each func(hash []byte, rows bool) error) error {
	list, err := u.get(hash)
	if err != nil {
		return err
	}
	if len(list) == 0 || int(list[0]) > most || (len(list)-1)%sha256.Size != 0 {
		return fmt.Errorf("piece %x is not a list", hash)
	}
	if err := each(hash, false); err != nil {
		return err
	}
	for h := range slices.Chunk(list[1:], sha256.Size) {
		if list[0] == 0 {
			err = each(h, true)
		} else {
			err = u.walk(h, int(list[0])-1, each)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// unpack makes the database of a snapshot.
func unpack(b *bbolt.Bucket, m *manifest, size int64, budget *budget) (*Database, error) {
	u, err := newUnpacker(b, size)
	if err != nil {
		return nil, err
	}
	defer u.zstd.Close()
	text, err := u.get(m.Schema)
	if err != nil {
		return nil, err
	}
	s, err := parseSchema(text)
	if err != nil {
		return nil, err
	}
	db := newDatabase("snapshot:"+m.Name, "snapshot", s)
	db.Time, db.Transactions = m.Time, 1
	db.values.budget = budget
	d := &decoder{db: db}
	for _, name := range slices.Sorted(maps.Keys(m.Tables)) {
		t := db.tables[name]
		if t == nil {
			return nil, fmt.Errorf("table %s is not in the schema", name)
		}
		err := u.walk(m.Tables[name], maxLevel, func(hash []byte, rows bool) error {
			if !rows {
				return nil
			}
			piece, err := u.get(hash)
			if err != nil {
				return err
			}
			db.Bytes += int64(len(piece))
			if err := d.unpackRows(t, piece); errors.As(err, new(*MemoryError)) {
				return err
			} else if err != nil {
				return fmt.Errorf("piece %x: %w", hash, err)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return db, nil
}

var errPiece = errors.New("it ends in the middle of a row")

func (d *decoder) unpackRows(t *Table, piece []byte) error {
	for len(piece) > 0 {
		if len(piece) < 16 {
			return errPiece
		}
		u := UUID(piece)
		n, size := binary.Uvarint(piece[16:])
		if size <= 0 || n > uint64(len(t.columns)) {
			return errPiece
		}
		piece = piece[16+size:]
		d.row = d.row[:0]
		for range n {
			column, size := binary.Uvarint(piece)
			if size <= 0 || column >= uint64(len(t.columns)) {
				return errPiece
			}
			piece = piece[size:]
			length, size := binary.Uvarint(piece)
			if size <= 0 || length > uint64(len(piece)-size) {
				return errPiece
			}
			value := piece[size : size+int(length)]
			if !wellFormed(value, t.columns[column].typ) {
				return fmt.Errorf("column %s of row %s is malformed", t.columns[column].name, u)
			}
			d.row = append(d.row, cell{uint16(column), d.db.values.id(value)})
			piece = piece[size+int(length):]
		}
		r := d.newRow(t, u, 0, d.cut())
		t.rows[u] = r
		t.inOrder(r)
		d.db.values.budget.row(r, 1)
		if err := d.db.values.budget.check(0); err != nil {
			return err
		}
	}
	return nil
}

// inOrder notes a row that was added to those that are in order. Pieces are, unless
// somebody has made them otherwise.
func (t *Table) inOrder(r *Row) {
	n := len(t.sorted)
	if n+1 != len(t.rows) || n > 0 && bytes.Compare(t.sorted[n-1].UUID[:], r.UUID[:]) >= 0 {
		t.sorted = nil
		return
	}
	t.sorted = append(t.sorted, r)
}

// wellFormed reports whether a value can be cut into its atoms.
func wellFormed(s []byte, t columnType) bool {
	if t.scalar() {
		return t.key != uuidAtom || len(s) == 16
	}
	atoms := 0
	for ; len(s) > 0; atoms++ {
		n, size := binary.Uvarint(s)
		if size <= 0 || n > uint64(len(s)-size) {
			return false
		}
		s = s[size+int(n):]
	}
	return t.value == 0 || atoms%2 == 0
}
