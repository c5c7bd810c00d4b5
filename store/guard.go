package store

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// boltFile is a bbolt file that may be damaged: what that does to bbolt, panics
// and faults of mapped memory, is an error.
type boltFile struct {
	db     *bbolt.DB
	broken atomic.Bool // bbolt has panicked: it may hold its own locks
	begun  begun
}

// begun is a file that this process has begun to make, which is to be as it was before where it
// cannot be made (on a full disk, say): what bbolt leaves then is no file of its, and would be
// in the way of the next attempt. The zero value is of one that held something before.
type begun struct {
	path  string // "": nothing is to be undone
	empty bool   // it was there, and empty
}

// before tells how the file at path is before it is written.
func before(path string) begun {
	switch info, err := os.Stat(path); {
	case errors.Is(err, os.ErrNotExist):
		return begun{path: path}
	case err == nil && info.Mode().IsRegular() && info.Size() == 0:
		return begun{path, true}
	}
	return begun{}
}

// undo makes the file what it was.
func (b begun) undo() {
	switch {
	case b.path == "":
	case b.empty:
		_ = os.Truncate(b.path, 0) // what is wrong with the disk is told already
	default:
		_ = os.Remove(b.path)
	}
}

// errNothing is that a file that is to be read is empty: bbolt would begin it.
var errNothing = errors.New("is empty")

// openBoltFile is how bbolt opens a file.
var openBoltFile = os.OpenFile

// A guardError is damage that bbolt, or checkPages, has met.
type guardError struct{ err error }

func (e *guardError) Error() string { return e.err.Error() }

func (e *guardError) Unwrap() error { return e.err }

// openBolt opens a bbolt file whose pages are sound. With write it is made if
// there is none. The error is bbolt's, or a *guardError.
func openBolt(path string, write bool) (*boltFile, error) {
	checked, err := checkFile(path, true)
	if err != nil {
		return nil, err
	}
	f := &boltFile{begun: before(path)}
	if !write && f.begun.empty {
		return nil, errNothing
	}
	err = f.guard(func() (err error) {
		f.db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockWait, ReadOnly: !write, OpenFile: openBoltFile})
		return err
	})
	if err == nil && !checked { // another process was writing; now none is
		_, err = checkFile(path, false)
	}
	if errors.Is(err, bolterrors.ErrTimeout) { // another process has begun it
		f.begun = begun{}
	}
	if err != nil {
		f.abandon()
		return nil, err
	}
	return f, nil
}

// abandon lets go of a file that is not used after all.
func (f *boltFile) abandon() {
	f.close()
	f.begun.undo()
}

// checkFile looks through the pages of a file; with lock only if no other
// process is writing to it at this moment.
func checkFile(path string, lock bool) (checked bool, err error) {
	// opening a pipe would wait for who writes it
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return false, bolterrors.ErrInvalid
	}
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	if lock && !lockShared(file) {
		return false, nil
	}
	if err := checkPages(file); err != nil {
		return true, &guardError{err}
	}
	return true, nil
}

// guard does something with the file. Panics and faults are a *guardError.
func (f *boltFile) guard(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			f.broken.Store(true)
			err = &guardError{fmt.Errorf("%v", r)}
		}
	}()
	if f.broken.Load() {
		return &guardError{errors.New("it was found damaged before")}
	}
	return do()
}

func (f *boltFile) view(do func(*bbolt.Tx) error) error {
	return f.guard(func() error { return f.db.View(do) })
}

func (f *boltFile) update(do func(*bbolt.Tx) error) error {
	return f.guard(func() error { return f.db.Update(do) })
}

// closeWait is how long a file in which bbolt has panicked may take to close.
const closeWait = 200 * time.Millisecond

// close lets go of the file. Where bbolt has panicked it may wait for itself:
// then the file is left to the process's end.
func (f *boltFile) close() error {
	if f.db == nil {
		return nil
	}
	if !f.broken.Load() {
		return f.guard(f.db.Close)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
		defer func() { _ = recover() }() // it is known to be damaged
		f.db.Close()
	}()
	select {
	case <-done:
	case <-time.After(closeWait):
	}
	return nil
}
