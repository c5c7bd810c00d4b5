package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Shelf is a file (bbolt) of snapshots. What snapshots have in common it
// keeps once, compressed: rows are cut into pieces by their UUIDs, and a
// piece is known by the hash of what it holds.
//
//	bucket "format"     key "version": the file format's number in decimal
//	bucket "snapshots"  name -> JSON of manifest
//	bucket "pieces"     SHA-256 -> piece (pieces.go)
//
// Every change is one transaction: a file whose writer was killed opens and
// holds all that was committed.
type Shelf struct {
	path string
	file *boltFile

	maxMemory Size // that a snapshot may take: see Options
}

// shelfVersion is the number of the file format.
const shelfVersion = "1"

// lockWait is how long to wait for another process to be done with the file.
const lockWait = 2 * time.Second

var (
	formatBucket    = []byte("format")
	snapshotsBucket = []byte("snapshots")
	piecesBucket    = []byte("pieces")
	versionKey      = []byte("version")
)

// Snapshot tells of a snapshot on a shelf.
type Snapshot struct {
	Name     string    `json:"name"`
	Taken    time.Time `json:"taken"`
	Source   string    `json:"source"`
	Database string    `json:"database"`
	Version  string    `json:"version"` // of the schema
	Time     time.Time `json:"time"`    // of the newest transaction, zero if unknown
	Rows     int       `json:"rows"`
	Bytes    int64     `json:"bytes"` // of all its pieces on the shelf
	Own      int64     `json:"own"`   // of those no earlier snapshot had
}

// manifest is a snapshot as the file keeps it.
type manifest struct {
	Snapshot
	Schema []byte            `json:"schema"` // hash of the piece with the schema
	Tables map[string][]byte `json:"tables"` // hash of the piece with the hashes of the rows' pieces
}

// DefaultShelfPath is where snapshots are kept unless told otherwise: the
// user's state directory.
func DefaultShelfPath() (string, error) {
	dir := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(dir) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("no place for snapshots: %w; name a file with --store", err)
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "ovn-replay", "store.db"), nil
}

// OpenShelf opens the snapshots in the file at path, "" for the default. With
// write the file is made if there is none, and nobody else may hold it.
func OpenShelf(path string, write bool) (*Shelf, error) {
	if path == "" {
		var err error
		if path, err = DefaultShelfPath(); err != nil {
			return nil, err
		}
	}
	if write {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, keptError(path, "--store", err)
		}
	} else if _, err := os.Stat(path); err != nil {
		e := keptError(path, "--store", err).(*SourceError)
		if errors.Is(err, fs.ErrNotExist) {
			e.Problem = "no such file"
			e.Advice = "there are no snapshots yet: take one with \"ovn-replay db snapshot SOURCE NAME\", or name " +
				"another file with --store"
		}
		return nil, e
	}
	file, err := openBolt(path, write)
	s := &Shelf{path: path, file: file}
	if err != nil {
		return nil, s.word(err)
	}
	if err := s.check(write); err != nil {
		file.abandon()
		return nil, err
	}
	return s, nil
}

// Snapshots are those of the shelf in a file, "" for the default, and its path. Where no such file is
// yet there are none.
func Snapshots(path string) (list []Snapshot, _ string, err error) {
	if path == "" {
		if path, err = DefaultShelfPath(); err != nil {
			return nil, "", err
		}
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, path, nil
	}
	shelf, err := OpenShelf(path, false)
	if err != nil {
		return nil, path, err
	}
	defer shelf.Close()
	list, err = shelf.List()
	return list, path, err
}

// word words why a shelf cannot be opened.
func (s *Shelf) word(err error) error {
	if known := s.guarded(err); known != err {
		return known
	}
	return shelfError(s.path, err)
}

// guarded words damage.
func (s *Shelf) guarded(err error) error {
	var damage *guardError
	if !errors.As(err, &damage) {
		return err
	}
	return &SourceError{Source: s.path, Problem: "the store is damaged: " + damage.Error(),
		Advice: "take the snapshots again, into a new one", Err: err}
}

func (s *Shelf) view(do func(*bbolt.Tx) error) error { return s.guarded(s.file.view(do)) }

func (s *Shelf) update(do func(*bbolt.Tx) error) error { return s.guarded(s.file.update(do)) }

// shelfError words why a shelf cannot be opened.
func shelfError(path string, err error) error {
	e := &SourceError{Source: path, Err: err}
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		e.Problem, e.Advice = "another process holds this file",
			"wait until it is done, or name another file with --store"
		if who := holder(path); who != "" {
			e.Problem = who + " holds this file"
		}
	case errors.Is(err, errNothing):
		e.Problem, e.Advice = err.Error(), "name another file with --store"
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrVersionMismatch),
		errors.Is(err, bolterrors.ErrChecksum):
		e.Problem, e.Advice = "is not a store of ovn-replay", "name another file with --store"
	default:
		return keptError(path, "--store", err)
	}
	return e
}

// check sees that the file is of a format we know; a new one gets ours.
func (s *Shelf) check(write bool) error {
	wrong := func(problem string) error {
		return &SourceError{Source: s.path, Problem: problem,
			Advice: "name another file with --store, or use the ovn-replay that wrote this one"}
	}
	known := func(tx *bbolt.Tx) (found bool, err error) {
		b := tx.Bucket(formatBucket)
		switch {
		case b == nil:
			if name, _ := tx.Cursor().First(); name != nil {
				return false, wrong("is not a store of ovn-replay")
			}
			return false, nil
		case string(b.Get(versionKey)) != shelfVersion:
			return false, wrong(fmt.Sprintf("is a store of format %.20q, which this ovn-replay does not know (it "+
				"knows %s)",
				b.Get(versionKey), shelfVersion))
		}
		for _, name := range [][]byte{snapshotsBucket, piecesBucket} {
			if tx.Bucket(name) == nil {
				return false, &guardError{fmt.Errorf("it has no %s", name)}
			}
		}
		return true, nil
	}
	var found bool
	err := s.view(func(tx *bbolt.Tx) (err error) { found, err = known(tx); return err })
	if err != nil || found || !write {
		return err
	}
	return s.update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{formatBucket, snapshotsBucket, piecesBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return tx.Bucket(formatBucket).Put(versionKey, []byte(shelfVersion))
	})
}

// Close lets go of the file.
func (s *Shelf) Close() error { return s.file.close() }

// Path is the file's.
func (s *Shelf) Path() string { return s.path }

// List tells of all snapshots, by name.
func (s *Shelf) List() ([]Snapshot, error) {
	var list []Snapshot
	err := s.view(func(tx *bbolt.Tx) error {
		b := tx.Bucket(snapshotsBucket)
		if b == nil {
			return nil
		}
		return b.ForEach(func(k, v []byte) error {
			m, err := s.manifest(string(k), v)
			if err == nil {
				list = append(list, m.Snapshot)
			}
			return err
		})
	})
	return list, err
}

func (s *Shelf) manifest(name string, text []byte) (*manifest, error) {
	var m manifest
	if err := json.Unmarshal([]byte(shown(string(text), `\\x%02x`)), &m); err != nil {
		return nil, s.broken(name, err)
	}
	if m.Name != name && utf8.ValidString(name) {
		return nil, s.broken(name, fmt.Errorf("they are those of %.80q", m.Name))
	}
	return &m, nil
}

func (s *Shelf) missing(name string) error {
	e := &SourceError{Source: "snapshot:" + name, Problem: "no such snapshot in " + s.path,
		Advice: "see \"ovn-replay db list\""}
	if list, err := s.List(); err == nil && len(list) > 0 {
		var names []string
		for _, l := range list[:min(len(list), 5)] {
			names = append(names, l.Name)
		}
		e.Advice = "there is " + strings.Join(names, ", ")
		if len(list) > 5 {
			e.Advice += fmt.Sprintf(" and %d more", len(list)-5)
		}
	}
	return e
}

func (s *Shelf) broken(name string, err error) error {
	return &SourceError{Source: "snapshot:" + name, Problem: fmt.Sprintf("its data in %s are damaged: %v", s.path, err),
		Advice: "take the snapshot again", Err: err}
}

// Put keeps a snapshot of a database. A snapshot of that name is not replaced.
func (s *Shelf) Put(db *Database, name string, now time.Time) (Snapshot, error) {
	if err := checkName(name); err != nil {
		return Snapshot{}, err
	}
	m := manifest{Tables: make(map[string][]byte), Snapshot: Snapshot{
		Name: name, Taken: now.UTC().Truncate(time.Second), Source: shown(db.Source, `\x%02x`), Database: db.Name,
		Version: db.Version,
		Time:    db.Time,
	}}
	p := newPacker()
	m.Schema = p.add(encodeSchema(db))
	for _, t := range db.Tables() {
		m.Rows += t.Len()
		if t.Len() > 0 {
			m.Tables[t.Name] = p.addTable(t)
		}
	}
	err := s.update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(snapshotsBucket)
		if b.Get([]byte(name)) != nil {
			return &SourceError{Source: "snapshot:" + name, Problem: "there is already a snapshot of this name in " +
				s.path, Advice: fmt.Sprintf("choose another name, or remove it with \"ovn-replay db rm %s\"", name)}
		}
		if err := p.store(tx.Bucket(piecesBucket), &m.Snapshot); err != nil {
			return err
		}
		text, err := json.Marshal(m)
		if err != nil {
			return err
		}
		return b.Put([]byte(name), text)
	})
	return m.Snapshot, err
}

// shown is text with its bytes that are no UTF-8 written so: in JSON they would all become the same character.
func shown(text, as string) string {
	if utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, as, text[0])
		} else {
			b.WriteString(text[:n])
		}
		text = text[n:]
	}
	return b.String()
}

func checkName(name string) error {
	odd := func(r rune) bool { return r <= ' ' || r == 0x7f }
	if name == "" || len(name) > 200 || !utf8.ValidString(name) || strings.ContainsFunc(name, odd) {
		return &SourceError{Source: fmt.Sprintf("snapshot name %.40q", name),
			Problem: "is empty, too long, no UTF-8 or has spaces", Advice: "choose a short word"}
	}
	return nil
}

// Get reads a snapshot back.
func (s *Shelf) Get(name string) (*Database, error) {
	var db *Database
	err := s.view(func(tx *bbolt.Tx) error {
		b := tx.Bucket(snapshotsBucket)
		if b == nil || b.Get([]byte(name)) == nil {
			return errNoSnapshot
		}
		m, err := s.manifest(name, b.Get([]byte(name)))
		if err != nil {
			return err
		}
		db, err = unpack(tx.Bucket(piecesBucket), m, tx.Size(), s.budget(name, tx.Size()))
		if errors.As(err, new(*MemoryError)) {
			return err
		} else if err != nil {
			return s.broken(name, err)
		}
		return nil
	})
	if err == errNoSnapshot {
		return nil, s.missing(name)
	}
	return db, err
}

// budget is what a snapshot of a store of so many bytes may take.
func (s *Shelf) budget(name string, size int64) *budget {
	b := Options{MaxMemory: s.maxMemory}.budget("snapshot:"+name, nil)
	if b.size = size; !b.given {
		b.limit = min(b.limit, memoryFree+memoryPerByte*size)
	}
	return b
}

// errNoSnapshot is told outside of the transaction: what is there instead is
// looked up in another.
var errNoSnapshot = errors.New("no such snapshot")

// Remove forgets a snapshot and the pieces no other has.
func (s *Shelf) Remove(name string) error {
	err := s.update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(snapshotsBucket)
		if b == nil || b.Get([]byte(name)) == nil {
			return errNoSnapshot
		}
		if err := b.Delete([]byte(name)); err != nil {
			return err
		}
		pieces := tx.Bucket(piecesBucket)
		used := make(map[string]bool)
		err := b.ForEach(func(k, v []byte) error {
			m, err := s.manifest(string(k), v)
			if err != nil {
				return err
			}
			return m.visit(pieces, tx.Size(), func(hash []byte) { used[string(hash)] = true })
		})
		if err != nil {
			return err
		}
		var gone [][]byte
		pieces.ForEach(func(k, _ []byte) error {
			if !used[string(k)] {
				gone = append(gone, slices.Clone(k))
			}
			return nil
		})
		for _, k := range gone {
			if err := pieces.Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
	if err == errNoSnapshot {
		return s.missing(name)
	}
	return err
}
