// Package store is where networks come from: Southbound databases in files
// and on servers, and snapshots of them.
//
// Open reads a whole database into compact rows. Every value is kept once,
// however many rows hold it, and in one canonical form, so two databases can
// be compared value by value. Any schema version is taken as it is: a row
// knows the columns its database had, and a column it had not reads as empty.
//
// The package knows OVSDB's formats (RFC 7047, ovsdb(5), ovsdb(7)) and
// nothing of what the rows mean. It never writes to a database it reads, and
// what it allocates is bounded by what the input really holds, not by what
// the input claims.
package store

import (
	"context"
	"os"
	"slices"
	"strings"
	"time"
)

// Southbound is the name of the database of logical flows.
const Southbound = "OVN_Southbound"

// Options says how Open reads.
type Options struct {
	// Database is the database the source must hold; "" is Southbound.
	Database string

	// Shelf is the file that "snapshot:" sources are in; "" is the default.
	Shelf string

	// MaxMemory is about how many bytes the database may take; 0 is
	// DefaultMaxMemory, and less for a small file: what a file's bytes can hold.
	MaxMemory Size

	// For servers:
	TLS       TLS           // for ssl:
	AnyMember bool          // do not insist on a cluster's leader (--no-leader-only)
	Timeout   time.Duration // for each wait for the server; 0 is 10 seconds
}

func (o Options) database() string {
	if o.Database == "" {
		return Southbound
	}
	return o.Database
}

// Open reads the database at source: a server, as unix:PATH, tcp:HOST:PORT or
// ssl:HOST:PORT, or several separated by commas, the members of a cluster; a
// snapshot, as snapshot:NAME; or a file. The file may be an OVSDB standalone or clustered database, the
// output of "ovsdb-client backup" or of "ovsdb-client -f json dump", plain or
// compressed with gzip, xz or zstd. Of a directory or tar file (must-gather,
// sosreport) the one such database in it is read; Gather tells what is there.
//
// A file damaged part way is read up to the damage, as ovsdb-server does;
// what is missing is then said in Database.Warnings (*DamageError). A source
// that yields no database is an error: *SourceError for what is not there or
// not a database, *WrongDatabaseError for another database, *DamageError for
// one damaged before its first transaction.
func Open(ctx context.Context, source string, opts Options) (*Database, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if source == "" {
		return nil, &SourceError{Source: `""`, Problem: "no database named",
			Advice: "give a Southbound database: a file, or unix:, tcp: or ssl: and an address"}
	}
	if remote(source) {
		return openServer(ctx, source, opts)
	}
	if name, ok := strings.CutPrefix(source, "snapshot:"); ok {
		return openSnapshot(name, opts)
	}
	h, err := OpenHistory(ctx, source, opts)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	if err := h.finish(ctx); err != nil {
		return nil, err
	}
	return h.db, nil
}

// remote reports whether source names a server rather than a file.
func remote(source string) bool {
	for _, scheme := range []string{"unix:", "tcp:", "ssl:"} {
		if strings.HasPrefix(source, scheme) {
			return true
		}
	}
	return false
}

// HasHistory reports whether a source is of a kind that OpenHistory takes, more than once: a
// file, and no server, snapshot or pipe.
func HasHistory(source string) bool {
	return !remote(source) && !strings.HasPrefix(source, "snapshot:") && !ReadOnce(source)
}

// ReadOnce reports whether a source is a pipe, as the shell's <(zcat FILE) is: what was read of
// it is not there a second time, and nobody may write to it again.
func ReadOnce(source string) bool {
	info, err := os.Stat(source)
	return err == nil && info.Mode()&os.ModeNamedPipe != 0
}

func openSnapshot(name string, opts Options) (*Database, error) {
	s, err := OpenShelf(opts.Shelf, false)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	s.maxMemory = opts.MaxMemory
	db, err := s.Get(name)
	if err != nil {
		return nil, err
	}
	if db.Name != opts.database() {
		return nil, &WrongDatabaseError{Source: db.Source, Name: db.Name, Want: opts.database()}
	}
	return db, nil
}

// Files lists the files that are read for sources beside their own: keys and
// certificates, and where snapshots are.
func (o Options) Files(sources []string) []string {
	names := []string{o.TLS.PrivateKey, o.TLS.Certificate, o.TLS.CACert}
	snapshot := func(source string) bool { return strings.HasPrefix(source, "snapshot:") }
	if slices.ContainsFunc(sources, snapshot) {
		shelf := o.Shelf
		if shelf == "" {
			shelf, _ = DefaultShelfPath()
		}
		names = append(names, shelf)
	}
	return names
}

// DefaultFiles are what is read, or written, where no source and no store of snapshots is named.
func DefaultFiles() []string {
	shelf, _ := DefaultShelfPath() // none: whoever needs one is told
	return []string{DefaultSource(), shelf}
}
