package store

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Session is a file (bbolt) in which a replay is kept: what became of each
// packet, and the state in which the replay goes on. To the file all of it is
// bytes.
//
//	bucket "session"  key "version": the file format's number in decimal
//	                  key "sum NAME": SHA-256 of the value of that name as it is kept; they are all there, and
//	                  are so, if "summed" is the number of the last transaction, big endian
//	bucket "values"   name -> value, zstd
//	bucket "packets"  number of its first packet, big endian -> chunk of packets, zstd:
//	                  length (uvarint) and bytes of each
//	bucket "pieces"   number, big endian -> piece
//	bucket "hashes"   SHA-256 of a piece -> its number
//
// What packets have in common is a piece: it is kept once and known by number.
// Numbers of packets and pieces begin at 1.
//
// What is handed in counts once it is committed. A commit is one transaction:
// a file whose writer was killed opens and holds all that was committed.
type Session struct {
	path string
	file *boltFile
	zip  *zstd.Encoder
	unc  *zstd.Decoder // of packets

	packets uint64 // committed and handed in
	pieces  uint64

	// Of the writer, not committed yet but for chunk, which is also the last
	// one in the file if that has room.
	chunk  []byte
	first  uint64 // number of the chunk's first packet
	in     int    // packets in the chunk
	full   []fullChunk
	added  [][]byte // pieces
	known  map[[sha256.Size]byte]uint64
	values map[string][]byte

	// Of the reader: the chunk it read last.
	last      [][]byte
	lastFirst uint64
}

type fullChunk struct {
	first uint64
	data  []byte // compressed
}

const (
	sessionVersion = "1"
	chunkPackets   = 1024
	chunkBytes     = 1 << 20 // of packets, before compression; a packet larger than that has its own
	maxValue       = 1 << 30
	maxChunk       = 64 << 20
)

var (
	sessionBucket = []byte("session")
	valuesBucket  = []byte("values")
	packetsBucket = []byte("packets")
	hashesBucket  = []byte("hashes")

	summedKey = []byte("summed")
)

// sumKey is where the hash of a value is.
func sumKey(name string) []byte { return append([]byte(sumPrefix), name...) }

const sumPrefix = "sum "

// OpenSession opens the session in the file at path. With write the file is
// made if there is none, and nobody else may hold it.
func OpenSession(path string, write bool) (s *Session, err error) {
	if _, err := os.Stat(path); err != nil && (!write || !errors.Is(err, os.ErrNotExist)) {
		e := keptError(path, "--session", err).(*SourceError)
		if errors.Is(err, fs.ErrNotExist) {
			e.Problem = "no such file"
			e.Advice = "make a session with \"ovn-replay run --session FILE\""
		}
		return nil, e
	}
	s = &Session{path: path, known: map[[sha256.Size]byte]uint64{}, values: map[string][]byte{}}
	// Only bad options could fail.
	if s.zip, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1)); err != nil {
		return nil, err
	}
	if s.unc, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderMaxMemory(maxChunk)); err != nil {
		return nil, err
	}
	if s.file, err = openBolt(path, write); err != nil {
		return nil, s.word(err)
	}
	if err = s.check(write); err == nil {
		err = s.resume(write)
	}
	if err != nil {
		s.file.abandon()
		return nil, s.word(err)
	}
	return s, nil
}

// sessionError words why a session cannot be opened.
func sessionError(path string, err error) error {
	e := &SourceError{Source: path, Err: err}
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		e.Problem, e.Advice = "another process holds this session", "wait until it is done"
		if who := holder(path); who != "" {
			e.Problem = who + " holds this session"
		}
	case errors.Is(err, errNothing):
		e.Problem, e.Advice = err.Error(), "name another file with --session"
	case errors.As(err, new(*fs.PathError)):
		return keptError(path, "--session", err)
	default: // bbolt has several words for it
		e.Problem, e.Advice = "is not a session of ovn-replay", "name another file with --session"
	}
	return e
}

// word words an error of the file's: damage as that, and what bbolt says of a
// file that is none of its.
func (s *Session) word(err error) error {
	var damage *guardError
	var known *SourceError
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.As(err, &damage):
		return s.damaged(damage.err)
	}
	return sessionError(s.path, err)
}

func (s *Session) view(do func(*bbolt.Tx) error) error { return s.guarded(s.file.view(do)) }

func (s *Session) update(do func(*bbolt.Tx) error) error { return s.guarded(s.file.update(do)) }

// guarded words damage.
func (s *Session) guarded(err error) error {
	var damage *guardError
	if errors.As(err, &damage) {
		return s.damaged(damage.err)
	}
	return err
}

func (s *Session) damaged(err error) error {
	return &SourceError{Source: s.path, Problem: "the session is damaged: " + err.Error(),
		Advice: "replay the captures into a new one", Err: err}
}

// check sees that the file is of a format we know; a new one gets ours.
func (s *Session) check(write bool) error {
	wrong := func(problem string) error {
		return &SourceError{Source: s.path, Problem: problem,
			Advice: "name another file with --session, or use the ovn-replay that wrote this one"}
	}
	var found bool
	err := s.view(func(tx *bbolt.Tx) error {
		b := tx.Bucket(sessionBucket)
		switch {
		case b == nil:
			if name, _ := tx.Cursor().First(); name != nil {
				return wrong("is not a session of ovn-replay")
			}
			return nil
		case string(b.Get(versionKey)) != sessionVersion:
			return wrong(fmt.Sprintf("is a session of format %.20q, which this ovn-replay does not know (it knows %s)",
				b.Get(versionKey), sessionVersion))
		}
		for _, name := range [][]byte{valuesBucket, packetsBucket, piecesBucket, hashesBucket} {
			if tx.Bucket(name) == nil {
				return s.damaged(fmt.Errorf("it has no %s", name))
			}
		}
		found = true
		return nil
	})
	switch {
	case err != nil || found:
		return err
	case !write:
		return wrong("is empty")
	}
	return s.update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{sessionBucket, valuesBucket, packetsBucket, piecesBucket, hashesBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return tx.Bucket(sessionBucket).Put(versionKey, []byte(sessionVersion))
	})
}

// resume finds where the file ends. A writer goes on with its last chunk.
func (s *Session) resume(write bool) error {
	return s.view(func(tx *bbolt.Tx) error {
		if k, _ := tx.Bucket(piecesBucket).Cursor().Last(); k != nil {
			s.pieces = number(k)
		}
		if write { // what it goes on from is to be all there; who reads is told of what is not
			if err := cmp.Or(s.whole(tx), s.summed(tx)); err != nil {
				return s.damaged(err)
			}
		}
		k, v := tx.Bucket(packetsBucket).Cursor().Last()
		if k == nil {
			return nil
		}
		list, err := s.unpackChunk(v)
		if err != nil {
			return err
		}
		s.packets = number(k) + uint64(len(list)) - 1
		if write && len(list) < chunkPackets {
			s.first, s.in = number(k), len(list)
			for _, p := range list {
				s.chunk = appendAtom(s.chunk, p)
			}
		}
		return nil
	})
}

// whole sees by their keys that no packets and no pieces are gone, and that each piece is known by one hash.
func (s *Session) whole(tx *bbolt.Tx) error {
	before := uint64(0) // the chunk's first packet
	c := tx.Bucket(packetsBucket).Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		n := number(k)
		if before == 0 && n != 1 || n <= before || n-before > chunkPackets {
			return fmt.Errorf("packets: after those from %d come those from %d", before, n)
		}
		before = n
	}
	count := uint64(0)
	c = tx.Bucket(piecesBucket).Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if count++; number(k) != count {
			return fmt.Errorf("piece %d is missing", count)
		}
	}
	known := uint64(0)
	c = tx.Bucket(hashesBucket).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if known++; len(k) != sha256.Size || number(v) == 0 || number(v) > count {
			return fmt.Errorf("hash %x is of piece %d, of %d", k[:min(4, len(k))], number(v), count)
		}
	}
	if known != count {
		return fmt.Errorf("%d pieces have %d hashes", count, known)
	}
	return nil
}

// summed sees that the values are those that were committed last, if that was by who sums them.
func (s *Session) summed(tx *bbolt.Tx) error {
	b, values, named := tx.Bucket(sessionBucket), tx.Bucket(valuesBucket), 0
	if number(b.Get(summedKey)) != uint64(tx.ID()) {
		return nil
	}
	c := b.Cursor()
	for k, want := c.Seek([]byte(sumPrefix)); bytes.HasPrefix(k, []byte(sumPrefix)); k, want = c.Next() {
		named++
		name := k[len(sumPrefix):]
		v := values.Get(name)
		if v == nil {
			return fmt.Errorf("value %.80s is missing", name)
		}
		if sum := sha256.Sum256(v); !bytes.Equal(sum[:], want) {
			return fmt.Errorf("value %.80s is not what it was", name)
		}
	}
	if n := values.Stats().KeyN; n != named {
		return fmt.Errorf("it has %d values, and hashes of %d", n, named)
	}
	return nil
}

// Close lets go of the file. What was not committed is lost.
func (s *Session) Close() error {
	s.unc.Close()
	return s.file.close()
}

// Path is the file's.
func (s *Session) Path() string { return s.path }

// Len returns how many packets there are.
func (s *Session) Len() uint64 { return s.packets }

// Append hands in the next packet and returns its number.
func (s *Session) Append(packet []byte) uint64 {
	if s.in >= chunkPackets || s.in > 0 && len(s.chunk)+len(packet) > chunkBytes {
		s.full = append(s.full, fullChunk{s.first, s.zip.EncodeAll(s.chunk, nil)})
		s.chunk, s.in = s.chunk[:0], 0
	}
	s.packets++
	if s.in == 0 {
		s.first = s.packets
	}
	s.chunk = appendAtom(s.chunk, packet)
	s.in++
	return s.packets
}

// Piece returns the number of a piece, which is handed in if it is new.
func (s *Session) Piece(content []byte) (uint64, error) {
	sum := sha256.Sum256(content)
	if n, ok := s.known[sum]; ok {
		return n, nil
	}
	var n uint64
	err := s.view(func(tx *bbolt.Tx) error {
		n = number(tx.Bucket(hashesBucket).Get(sum[:]))
		if n != 0 && !bytes.Equal(tx.Bucket(piecesBucket).Get(key(n)), content) {
			return s.damaged(fmt.Errorf("piece %d is not what it was", n))
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if n == 0 {
		s.pieces++
		n = s.pieces
		s.added = append(s.added, slices.Clone(content))
	}
	s.known[sum] = n
	return n, nil
}

// Set hands in a value.
func (s *Session) Set(name string, value []byte) { s.values[name] = value }

// Pending reports how many bytes are handed in and not committed.
func (s *Session) Pending() (n int) {
	n = len(s.chunk)
	for _, c := range s.full {
		n += len(c.data)
	}
	for _, p := range s.added {
		n += len(p)
	}
	return n
}

// Commit makes what was handed in part of the file, all of it or none.
func (s *Session) Commit() error {
	if err := s.update(s.commit); err != nil {
		return err
	}
	s.full, s.added = s.full[:0], s.added[:0]
	s.last = nil
	clear(s.values)
	return nil
}

func (s *Session) commit(tx *bbolt.Tx) error {
	packets, pieces, hashes := tx.Bucket(packetsBucket), tx.Bucket(piecesBucket), tx.Bucket(hashesBucket)
	packets.FillPercent, pieces.FillPercent = 0.95, 0.95 // they only grow at the end
	for _, c := range s.full {
		if err := packets.Put(key(c.first), c.data); err != nil {
			return err
		}
	}
	if s.in > 0 {
		if err := packets.Put(key(s.first), s.zip.EncodeAll(s.chunk, nil)); err != nil {
			return err
		}
	}
	for i, p := range s.added {
		n := key(s.pieces - uint64(len(s.added)-1-i))
		sum := sha256.Sum256(p)
		if err := errors.Join(pieces.Put(n, p), hashes.Put(sum[:], n)); err != nil {
			return err
		}
	}
	for name, v := range s.values {
		packed := s.zip.EncodeAll(v, nil)
		sum := sha256.Sum256(packed)
		if err := errors.Join(tx.Bucket(valuesBucket).Put([]byte(name), packed),
			tx.Bucket(sessionBucket).Put(sumKey(name), sum[:])); err != nil {
			return err
		}
	}
	return tx.Bucket(sessionBucket).Put(summedKey, key(uint64(tx.ID())))
}

// Value returns a committed value, nil if there is none of that name.
func (s *Session) Value(name string) (value []byte, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		v := tx.Bucket(valuesBucket).Get([]byte(name))
		if v == nil {
			return nil
		}
		if value, err = s.unpackValue(v); err != nil {
			return s.damaged(fmt.Errorf("value %s: %w", name, err))
		}
		return nil
	})
	return value, err
}

// unpackValue unpacks a value, which may be as large as the file can mean, and says how large it is.
func (s *Session) unpackValue(packed []byte) ([]byte, error) {
	if len(packed) == 0 {
		return nil, nil
	}
	var h zstd.Header
	if err := h.Decode(packed); err != nil {
		return nil, err
	}
	size := uint64(smallValue)
	if h.HasFCS {
		size = h.FrameContentSize
	}
	if most := min(maxValue, 96<<20+32*uint64(len(packed))); size > most {
		return nil, fmt.Errorf("it claims %d bytes, of at most %d", size, most)
	}
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(max(size, smallValue)))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	var into []byte
	if h.HasFCS {
		into = make([]byte, 0, size)
	}
	return z.DecodeAll(packed, into)
}

// smallValue is the most that a value has which does not say how large it is.
const smallValue = 8 << 20

// Values returns the names of the committed values that begin with prefix, in order.
func (s *Session) Values(prefix string) (names []string, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(valuesBucket).Cursor()
		for k, _ := c.Seek([]byte(prefix)); k != nil && strings.HasPrefix(string(k), prefix); k, _ = c.Next() {
			names = append(names, string(k))
		}
		return nil
	})
	return names, err
}

// GetPiece returns a committed piece.
func (s *Session) GetPiece(n uint64) (content []byte, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		v := tx.Bucket(piecesBucket).Get(key(n))
		if v == nil {
			return s.damaged(fmt.Errorf("piece %d is missing", n))
		}
		if sum := sha256.Sum256(v); number(tx.Bucket(hashesBucket).Get(sum[:])) != n {
			return s.damaged(fmt.Errorf("piece %d is not what it was", n))
		}
		content = slices.Clone(v)
		return nil
	})
	return content, err
}

// Packet returns a committed packet, which is valid until the next call.
func (s *Session) Packet(n uint64) (packet []byte, err error) {
	if n == 0 || n > s.packets {
		advice := "they are numbered from 1"
		if s.packets == 0 {
			advice = "replay something with \"ovn-replay run --session FILE\""
		}
		return nil, &SourceError{Source: s.path, Problem: fmt.Sprintf("there is no packet %d: the session has %d", n,
			s.packets), Advice: advice}
	}
	if n < s.lastFirst || n-s.lastFirst >= uint64(len(s.last)) {
		if err := s.view(func(tx *bbolt.Tx) error { return s.readChunk(tx, n) }); err != nil {
			return nil, err
		}
	}
	return s.last[n-s.lastFirst], nil
}

// readChunk reads the chunk with packet n.
func (s *Session) readChunk(tx *bbolt.Tx, n uint64) error {
	c := tx.Bucket(packetsBucket).Cursor()
	k, v := c.Seek(key(n))
	switch {
	case k == nil:
		k, v = c.Last()
	case number(k) > n:
		k, v = c.Prev()
	}
	list, err := s.unpackChunk(v)
	switch first := number(k); {
	case err != nil:
		return err
	case first > n || n-first >= uint64(len(list)):
		return s.damaged(fmt.Errorf("packet %d is missing", n))
	default:
		s.last, s.lastFirst = list, first
	}
	return nil
}

// unpackChunk returns the packets of a chunk.
func (s *Session) unpackChunk(packed []byte) (list [][]byte, err error) {
	b, err := s.unc.DecodeAll(packed, nil)
	if err != nil {
		return nil, s.damaged(fmt.Errorf("packets: %w", err))
	}
	for len(b) > 0 {
		if len(list) == chunkPackets {
			return nil, s.damaged(fmt.Errorf("packets: more than %d in a chunk", chunkPackets))
		}
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return nil, s.damaged(errors.New("packets: a length is wrong"))
		}
		list = append(list, b[size:size+int(n)])
		b = b[size+int(n):]
	}
	if len(list) == 0 {
		return nil, s.damaged(errors.New("packets: none in a chunk"))
	}
	return list, nil
}

func key(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// number reads a key, 0 if it is none.
func number(key []byte) uint64 {
	if len(key) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(key)
}
