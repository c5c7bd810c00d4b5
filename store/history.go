package store

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"ovnreplay/pcap/compressed"
)

// History reads a database file transaction by transaction. Standalone and
// clustered files hold every transaction since they were last compacted, the
// first of them being all that was there then; other forms hold just one.
type History struct {
	source  string
	opts    Options
	format  format
	db      *Database
	dec     *decoder
	in      *input
	ahead   bool // the next transaction is read, not applied: dec holds it
	done    bool
	pending Transaction
	budget  *budget
	close   func()
}

// format is one form of database file.
type format interface {
	// open reads up to the schema and makes the database.
	open(h *History) error
	// read reads the next transaction into h.dec, applying nothing, and
	// returns its record and offset; io.EOF when there are no more.
	read(h *History) (record int, offset int64, err error)
}

// OpenHistory opens the database file at source, before its first transaction.
func OpenHistory(ctx context.Context, source string, opts Options) (*History, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if remote(source) {
		return nil, &SourceError{Source: source, Problem: "a server tells no history",
			Advice: "give the server's database file"}
	}
	if gathered(source) {
		return openGathered(ctx, source, opts)
	}
	file, err := openFile(source)
	if err != nil {
		return nil, err
	}
	h, err := newHistory(source, file, opts)
	if err != nil {
		file.Close()
		if err == errTar {
			return openGathered(ctx, source, opts)
		}
		return nil, err
	}
	stop := h.close
	h.close = func() { stop(); file.Close() }
	return h, nil
}

// gathered reports whether source is a directory or a tar file's member. A
// tar file itself shows only once it is read.
func gathered(source string) bool {
	info, err := os.Stat(source)
	return err == nil && info.IsDir() || err != nil && strings.Contains(source, "!")
}

// pipes are those that were opened: each is read once.
var pipes sync.Map

func openFile(path string) (*os.File, error) {
	if ReadOnce(path) {
		whole, err := filepath.Abs(path)
		if err != nil {
			return nil, openError(path, err)
		}
		if _, before := pipes.LoadOrStore(whole, true); before {
			return nil, &SourceError{Source: path, Problem: "is a pipe, which was read already",
				Advice: "write what comes through it to a file"}
		}
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, openError(path, err)
	}
	info, err := file.Stat()
	switch {
	case err != nil:
		err = openError(path, err)
	case info.Mode()&os.ModeSocket != 0:
		err = &SourceError{Source: path, Problem: "is a socket", Advice: "write unix:" + path}
	case info.Mode().IsRegular() && info.Size() == 0:
		err = &SourceError{Source: path, Problem: "is empty",
			Advice: "take a copy of the database with \"ovsdb-client backup\""}
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// errTar is a tar file where a database was expected.
var errTar = errors.New("a tar file")

// newHistory reads a database from r, whatever its form.
func newHistory(source string, r io.Reader, opts Options) (*History, error) {
	meter, ok := r.(*compressed.Meter)
	if !ok {
		meter = compressed.NewMeter(r)
	}
	return openHistory(source, meter, meter, opts)
}

// openHistory is newHistory with what counts the bytes that r comes from.
func openHistory(source string, r io.Reader, meter *compressed.Meter, opts Options) (*History, error) {
	plain, compression, stop, err := decompress(r, meter, opts.unpacking())
	if err != nil {
		stop()
		return nil, &SourceError{Source: source, Problem: err.Error(), Advice: "copy the file again", Err: err}
	}
	start, _ := plain.Peek(512)
	h := &History{source: source, opts: opts, in: newInput(plain), close: stop, budget: opts.budget(source, meter)}
	h.in.budget = h.budget
	switch {
	case bytes.HasPrefix(start, []byte("OVSDB "+standaloneMagic+" ")):
		h.format = &standalone{recordLog{in: h.in, source: source, magic: standaloneMagic}}
	case bytes.HasPrefix(start, []byte("OVSDB "+clusterMagic+" ")):
		h.format = &clustered{recordLog: recordLog{in: h.in, source: source, magic: clusterMagic}}
	case len(start) > 0 && start[0] == '{':
		h.format = &dump{}
	case isTar(start):
		stop()
		return nil, errTar
	default:
		err := opts.notDatabase(source, compression, plain)
		stop()
		return nil, err
	}
	if err := h.format.open(h); err != nil {
		stop()
		return nil, h.refusal(err)
	}
	if h.db.Name != opts.database() {
		stop()
		return nil, &WrongDatabaseError{Source: source, Name: h.db.Name, Want: opts.database()}
	}
	return h, nil
}

// notDatabase says what a file that is no database seems to be.
func (o Options) notDatabase(source, compression string, r *bufio.Reader) error {
	start, err := r.Peek(r.Size())
	e := &SourceError{Source: source, Problem: "is not an OVSDB database", Advice: o.advice()}
	form := textFormOf(start)
	switch {
	case compression != "" && errors.Is(err, io.ErrUnexpectedEOF):
		e.Problem, e.Advice, e.Err = "its "+compression+" data end too early", "copy the file again", err
	case compression != "" && err != nil && err != io.EOF:
		e.Problem, e.Advice, e.Err = "bad "+compression+" data: "+err.Error(), "copy the file again", err
	case compression != "" && len(start) == 0:
		e.Problem = "is empty inside its " + compression + " compression"
	case len(start) == 0:
		e.Problem = "is empty"
	case bytes.HasPrefix(start, []byte("OVSDB ")):
		line, _, _ := bytes.Cut(start, []byte("\n"))
		e.Problem = fmt.Sprintf("is an OVSDB file of an unknown kind (%.40q)", line)
	case form != nil:
		e.Problem, e.Advice = "is "+form.is+", which is not read", "what is read of a database is "+o.forms()
	case isCapture(start):
		e.Problem, e.Advice = "is a packet capture, not a database",
			"pass captures with -r and the Southbound database with --db"
	case isText(start):
		e.Problem, e.Advice = "is text, and is not an OVSDB database", "what is read of a database is "+o.forms()
	}
	return e
}

// isCapture recognises the magic numbers of pcap and pcapng.
func isCapture(start []byte) bool {
	for _, magic := range []string{"\xd4\xc3\xb2\xa1", "\xa1\xb2\xc3\xd4", "\x4d\x3c\xb2\xa1", "\xa1\xb2\x3c\x4d",
		"\x0a\x0d\x0d\x0a"} {
		if strings.HasPrefix(string(start), magic) {
			return true
		}
	}
	return false
}

// Database is the database as of the transactions read so far. It changes
// with each further Next; what it was, Database.Clone keeps.
func (h *History) Database() *Database { return h.db }

// Close releases the file.
func (h *History) Close() { h.close() }

// start makes the database of a schema.
func (h *History) start(format string, s *schema) {
	h.db = newDatabase(h.source, format, s)
	h.db.values.budget = h.budget
	said := make(map[string]bool)
	h.dec = &decoder{db: h.db, warn: func(what string) {
		if !said[what] && len(said) < 100 {
			said[what] = true
			h.db.Warnings = append(h.db.Warnings, &IgnoredError{Source: h.source, Record: h.pending.Record, What: what})
		}
	}}
}

// refusal is why a source is not read on although it may be sound, and err if
// it is not for such a reason that reading ended.
func (h *History) refusal(err error) error {
	switch e := h.in.readErr; {
	case h.budget.refused != nil:
		return h.budget.refused
	case e == errToken:
		return &SourceError{Source: h.source, Problem: "holds " + e.Error(), Advice: h.opts.advice(), Err: e}
	case errors.As(e, new(*compressed.BombError)):
		return &SourceError{Source: h.source, Problem: e.Error(),
			Advice: "if it is a real database, give it unpacked, or a limit with --max-memory", Err: e}
	}
	return err
}

// peek reads the next transaction without applying it. At the end of the
// file, and at damage, which is then in Database.Warnings, it returns io.EOF;
// damage before the first transaction is an error.
func (h *History) peek() error {
	if h.ahead {
		return nil
	}
	if h.done {
		return io.EOF
	}
	record, offset, err := h.format.read(h)
	if err == nil {
		if err = h.dec.check(); err != nil {
			err = &DamageError{Source: h.source, Record: record, Offset: offset, Damage: Inconsistent,
				Detail: err.Error()}
		}
	}
	if err == nil {
		h.ahead = true
		h.pending = Transaction{Record: record, Offset: offset, Comment: h.dec.comment,
			Time: time.UnixMilli(h.dec.date).UTC()}
		if h.dec.date == 0 {
			h.pending.Time = time.Time{}
		}
		return nil
	}
	h.done = true
	h.db.Bytes = h.in.offset()
	err = h.refusal(err)
	var damage *DamageError
	if !errors.As(err, &damage) {
		return err
	}
	damage.Used = h.db.Transactions
	if damage.Used == 0 {
		return damage
	}
	h.db.Warnings = append(h.db.Warnings, damage)
	return io.EOF
}

// Next applies the next transaction to the database and tells what it
// changed. It returns io.EOF when there are no more.
func (h *History) Next() (*Transaction, error) {
	if err := h.peek(); err != nil {
		return nil, err
	}
	h.ahead = false
	t := h.pending
	t.Changes = h.dec.apply(true)
	return &t, nil
}

// NextTime is the time of the next transaction, zero if the file does not
// tell it. It returns io.EOF when there are no more.
func (h *History) NextTime() (time.Time, error) {
	if err := h.peek(); err != nil {
		return time.Time{}, err
	}
	return h.pending.Time, nil
}

// Until applies every transaction up to and including those of time t, and
// tells what they changed, in order. The first transaction is always
// applied, untold: there is nothing before it to have changed. A transaction
// of unknown time counts as one of the time before it.
func (h *History) Until(t time.Time) ([]Change, error) {
	var changes []Change
	for {
		if err := h.peek(); err != nil {
			if err == io.EOF {
				err = nil
			}
			return changes, err
		}
		first := h.db.Transactions == 0
		if !first && h.pending.Time.After(t) {
			return changes, nil
		}
		h.ahead = false
		changes = append(changes, h.dec.apply(!first)...)
	}
}

// finish applies all transactions.
func (h *History) finish(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := h.peek(); err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
		h.ahead = false
		h.dec.apply(false)
	}
}

// standalone is the format of a server that is no cluster's member, and of
// backups: record 1 is the schema, each other record a transaction.
type standalone struct{ recordLog }

func (f *standalone) open(h *History) error {
	if err := f.recordLog.open(); err != nil {
		return err
	}
	text, err := f.text()
	if err != nil {
		return err
	}
	s, err := parseSchema(text)
	if err != nil {
		return f.damage(BadJSON, f.body, "%v", err)
	}
	h.start("standalone", s)
	return nil
}

func (f *standalone) read(h *History) (int, int64, error) {
	if err := f.recordLog.open(); err != nil {
		return 0, 0, err
	}
	h.pending.Record = f.record
	if err := f.close(h.dec.read(f.in)); err != nil {
		return 0, 0, err
	}
	return f.record, f.start, nil
}
