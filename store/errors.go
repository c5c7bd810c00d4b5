package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// SourceError is a source that holds no database, or that cannot be read.
type SourceError struct {
	Source  string
	Problem string
	Advice  string // what to do
	Err     error  // the cause, if the system gave one
}

func (e *SourceError) Error() string {
	s := e.Source + ": " + e.Problem
	if e.Advice != "" {
		s += "; " + e.Advice
	}
	return s
}

func (e *SourceError) Unwrap() error { return e.Err }

// WrongDatabaseError is a sound source that holds another database.
type WrongDatabaseError struct {
	Source string
	Name   string // what it holds
	Want   string // what was asked for
}

func (e *WrongDatabaseError) Error() string {
	advice := "pass the " + e.Want + " database"
	if e.Want == Southbound {
		advice = "pass the Southbound database (OVN_Southbound, usually ovnsb_db.db)"
	}
	return fmt.Sprintf("%s: this is the %s database, not %s; %s", e.Source, e.Name, e.Want, advice)
}

// Damage is what is wrong with a damaged record.
type Damage uint8

const (
	Truncated    Damage = iota + 1 // the file ends inside the record
	BadHeader                      // where a record should start, no record does
	BadChecksum                    // the record's bytes are not those written
	BadJSON                        // the record is not JSON of the expected shape
	Inconsistent                   // the record contradicts those before it
)

func (d Damage) String() string {
	switch d {
	case Truncated:
		return "truncated"
	case BadHeader:
		return "bad record header"
	case BadChecksum:
		return "bad checksum"
	case BadJSON:
		return "bad JSON"
	case Inconsistent:
		return "inconsistent"
	}
	return "damaged"
}

// DamageError is a database file damaged from some record on. Records before
// it are sound.
type DamageError struct {
	Source string
	Record int   // counted from 1; record 1 is the schema
	Offset int64 // of the damage, in the file once decompressed
	Damage Damage
	Detail string
	Used   int // transactions before the damage, all of them used
}

func (e *DamageError) Error() string {
	s := fmt.Sprintf("%s: record %d, byte %d: %s", e.Source, e.Record, e.Offset, brief(e.Detail))
	if e.Used > 0 {
		return s + fmt.Sprintf("; the %s used, what follows is not",
			count(e.Used, "transaction before it is", "transactions before it are"))
	}
	return s + "; nothing before it can be used: take a new copy with \"ovsdb-client backup\""
}

// IgnoredError tells of a part of the database that was not used, though the
// database itself was read.
type IgnoredError struct {
	Source string
	Record int
	What   string
}

func (e *IgnoredError) Error() string {
	return fmt.Sprintf("%s: record %d: %s", e.Source, e.Record, brief(e.What))
}

// brief is a text of which, if a value in it is long, the beginning and the end are left.
func brief(text string) string {
	const most, ends = 400, 150
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:ends], "") + " … " + strings.ToValidUTF8(text[len(text)-ends:], "")
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// openError words what the system says about a path.
func openError(path string, err error) error {
	e := &SourceError{Source: path, Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Problem, e.Advice = "no such file", "check the path of the database"
	case errors.Is(err, fs.ErrPermission):
		e.Problem, e.Advice = "permission denied", "copy the database to where you may read it"
	case errors.Is(err, io.ErrUnexpectedEOF):
		e.Problem, e.Advice = "ends too early", "copy the file again"
	default:
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err
		}
		e.Problem = err.Error()
	}
	return e
}

// keptError words what the system says about a file of ours, a store or a session, that a flag names: it is
// not copied as a database is, and need not be there yet.
func keptError(path, flag string, err error) error {
	e := openError(path, err).(*SourceError)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Problem, e.Advice = "cannot be made there", "make its folder, or name another file with "+flag
	case errors.Is(err, fs.ErrPermission):
		e.Advice = "name another file with " + flag + ", or get the right to read and write this one and its folder"
	case e.Advice == "":
		e.Advice = "name another file with " + flag
	}
	return e
}
