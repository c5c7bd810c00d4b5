package store

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"ovnreplay/pcap/compressed"
)

// Kind is what a gathered file holds.
type Kind uint8

const (
	DatabaseFile  Kind = iota + 1 // an OVSDB database, Item.Detail names it
	CaptureFile                   // pcap or pcapng
	ConntrackDump                 // "dpctl/dump-conntrack" or "conntrack -L"
	OpenFlowDump                  // "ovs-ofctl dump-flows"
	ZoneList                      // "ovn-appctl ct-zone-list"
)

func (k Kind) String() string {
	return [...]string{"", "database", "capture", "conntrack dump", "OpenFlow dump", "zone list"}[k]
}

// Item is a file of use in a must-gather, sosreport or any other directory or
// tar file.
type Item struct {
	// Path is the file's; of a tar's member ARCHIVE!MEMBER, and so on inside.
	// Open takes it as a source.
	Path   string
	Kind   Kind
	Detail string // of a database, its name
}

// A cluster has one or two databases a node; and a tar file so many members at most, and one
// more for each so many bytes that it has, compressed as it is.
const (
	maxDatabases = 4096
	freeMembers  = 100_000
	memberBytes  = 64
)

// maxNesting is how deep tar files are looked into: a must-gather holds an
// archive of the databases.
const maxNesting = 4

// Passed is a file that Gather did not look into.
type Passed struct{ Path, Why string }

// Gather finds what is of use for a replay in a directory or tar file, by
// what the files hold, in the order of their names. Links are not followed.
// Devices, sockets, pipes and files with holes are passed over, as is what
// unpacks to more than can be meant.
func Gather(ctx context.Context, path string) ([]Item, []Passed, error) {
	items, _, passed, err := gather(ctx, path, Options{})
	return items, passed, err
}

// gather is Gather, and finds what tools printed of the database that is asked for.
func gather(ctx context.Context, path string, opts Options) (items []Item, text string, passed []Passed, err error) {
	databases := 0
	v := visitor{limits: expansion}
	v.each = func(name string, r *bufio.Reader, meter *compressed.Meter) error {
		start, _ := r.Peek(4096)
		if kind := kindOf(name, start); kind == DatabaseFile {
			if databases++; databases > maxDatabases {
				if databases == maxDatabases+1 {
					v.pass(name, fmt.Sprintf("and all databases after it: there are more than %d", maxDatabases))
				}
			} else if database, ok := databaseName(name, r, meter); ok {
				items = append(items, Item{name, kind, database})
			}
		} else if kind != 0 {
			items = append(items, Item{name, kind, ""})
		} else if f := textFormOf(start); f != nil && f.of == opts.database() && text == "" {
			text = fmt.Sprintf("%s is %s, which is not read", name, f.is)
		}
		return nil
	}
	err = v.visit(ctx, path)
	slices.SortStableFunc(items, func(a, b Item) int { return strings.Compare(a.Path, b.Path) })
	return items, text, v.passed, err
}

// databaseName reads a database only as far as its name.
func databaseName(name string, r io.Reader, meter *compressed.Meter) (string, bool) {
	h, err := openHistory(name, r, meter, Options{})
	if err == nil {
		h.Close()
		return h.db.Name, true
	}
	var wrong *WrongDatabaseError
	if errors.As(err, &wrong) {
		return wrong.Name, true
	}
	return "", false
}

var (
	conntrackLine = regexp.MustCompile(`(?m)^[a-z0-9]+,orig=\(src=|^(ipv[46] +\d+ +)?[a-z0-9]+ +\d+ +\d+ ` +
		`.*src=\S+ dst=`)
	openFlowLine = regexp.MustCompile(`(?m)^(NXST_FLOW|OFPST_FLOW) reply|cookie=0x[0-9a-f]+,.*table=\d+,.*actions=`)
	zoneLine     = regexp.MustCompile(`^\S+ \d+\n`)
)

// kindOf tells from a file's beginning what it is, 0 for nothing of use.
func kindOf(name string, start []byte) Kind {
	switch {
	case bytes.HasPrefix(start, []byte("OVSDB ")), bytes.HasPrefix(start, []byte(`{"caption":`)),
		bytes.HasPrefix(start, []byte(`{"headings":`)), bytes.HasPrefix(start, []byte(`{"data":`)):
		return DatabaseFile
	case isCapture(start):
		return CaptureFile
	case conntrackLine.Match(start):
		return ConntrackDump
	case openFlowLine.Match(start):
		return OpenFlowDump
	case strings.Contains(filepath.Base(name), "ct-zone") && zoneLine.Match(start):
		return ZoneList
	}
	return 0
}

// visitor looks at every file of a directory or tar file, decompressed.
type visitor struct {
	limits  compressed.Limits
	each    func(name string, r *bufio.Reader, meter *compressed.Meter) error
	passed  []Passed
	members int64 // of the tar file that is looked into
}

func (v *visitor) pass(name, why string) { v.passed = append(v.passed, Passed{name, why}) }

// visit calls each with every file of a directory or tar file. Files that
// cannot be read are passed over: each such collection has some.
func (v *visitor) visit(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return openError(path, err)
	}
	if !info.IsDir() {
		if !info.Mode().IsRegular() {
			return &SourceError{Source: path, Problem: "is neither a directory nor a file",
				Advice: "give a directory or a tar file"}
		}
		return v.file(ctx, path)
	}
	return filepath.WalkDir(path, func(name string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
			v.pass(name, err.Error())
		case d.IsDir() || d.Type()&os.ModeSymlink != 0:
		case !d.Type().IsRegular():
			v.pass(name, "it is no regular file")
		default:
			return v.file(ctx, name)
		}
		return nil
	})
}

func (v *visitor) file(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		v.pass(path, openError(path, err).(*SourceError).Problem)
		return nil
	}
	defer f.Close()
	if hasHoles(f) {
		v.pass(path, "it has holes: neither a database nor a capture has")
		return nil
	}
	meter := compressed.NewMeter(f)
	v.members = 0
	return v.reader(ctx, path, meter, meter, 0)
}

// reader looks into r if it is a tar file, and else calls each.
func (v *visitor) reader(ctx context.Context, name string, r io.Reader, meter *compressed.Meter, depth int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	plain, _, stop, err := decompress(r, meter, v.limits)
	defer stop()
	if err != nil {
		return nil
	}
	start, _ := plain.Peek(512)
	if !isTar(start) || depth == maxNesting {
		return v.each(name, plain, meter)
	}
	t := tar.NewReader(plain)
	for {
		header, err := t.Next()
		switch {
		case errors.As(err, new(*compressed.BombError)):
			v.pass(name, err.Error())
			return nil
		case err != nil:
			return nil // the end, or damage: what came before is used
		case ctx.Err() != nil:
			return ctx.Err()
		case v.tooMany(meter):
			v.pass(name, fmt.Sprintf("all after its first %d files: it is too small to hold as many", v.members))
			return nil
		case header.Typeflag != tar.TypeReg:
			continue
		}
		member := name + "!" + strings.TrimPrefix(header.Name, "./")
		if err := v.reader(ctx, member, t, meter, depth+1); err != nil {
			return err
		}
	}
}

// tooMany counts a tar file's members, and reports whether there are more than its size
// lets expect: a header of nothing shrinks to a few bytes.
func (v *visitor) tooMany(meter *compressed.Meter) bool {
	if v.members > freeMembers+meter.Bytes()/memberBytes {
		return true
	}
	v.members++
	return false
}

// isTar recognises a tar file's first header (POSIX.1-1988 ustar).
func isTar(start []byte) bool {
	return len(start) >= 262 && string(start[257:262]) == "ustar"
}

// errFound ends a visit early.
var errFound = errors.New("found")

// openGathered opens the database that is meant by a directory, a tar file or
// a member of one.
func openGathered(ctx context.Context, source string, opts Options) (*History, error) {
	archive, _, member := strings.Cut(source, "!")
	if !member {
		items, text, passed, err := gather(ctx, source, opts)
		if err != nil {
			return nil, err
		}
		if source, err = choose(ctx, source, items, opts); err != nil {
			var e *SourceError
			if errors.As(err, &e) && len(passed) > 0 {
				e.Problem += "; " + passed[0].Path + " is passed over: " + passed[0].Why
			} else if e != nil && text != "" {
				e.Problem += "; " + text
			}
			return nil, err
		}
		archive, _, member = strings.Cut(source, "!")
	}
	if !member {
		return OpenHistory(ctx, source, opts)
	}
	return openMember(ctx, archive, source, opts)
}

// openMember opens a database in a tar file. It is read as it is unpacked: the
// file stays open, and whoever is looking for it stays where it is.
func openMember(ctx context.Context, archive, source string, opts Options) (*History, error) {
	type found struct {
		h   *History
		err error
	}
	ready, done := make(chan found), make(chan struct{})
	go func() {
		v := visitor{limits: opts.unpacking(), each: func(name string, r *bufio.Reader, meter *compressed.Meter) error {
			if name != source {
				return nil
			}
			h, err := openHistory(source, r, meter, opts)
			ready <- found{h, err}
			if err == nil {
				<-done
			}
			return errFound
		}}
		if err := v.visit(ctx, archive); err == nil {
			ready <- found{err: &SourceError{Source: source, Problem: "no such file in " + archive,
				Advice: "see \"ovn-replay db gather " + archive + "\""}}
		} else if err != errFound {
			ready <- found{err: err}
		}
	}()
	f := <-ready
	if f.err != nil {
		return nil, f.err
	}
	stop := f.h.close
	f.h.close = sync.OnceFunc(func() { stop(); close(done) })
	return f.h, nil
}

// choose picks the one database that is meant, if copies of it, or files of
// one cluster's members, are all there is.
func choose(ctx context.Context, source string, items []Item, opts Options) (string, error) {
	var paths, others []string
	for _, i := range items {
		if i.Kind == DatabaseFile && i.Detail == opts.database() {
			paths = append(paths, i.Path)
		} else if i.Kind == DatabaseFile && !slices.Contains(others, i.Detail) {
			others = append(others, i.Detail)
		}
	}
	switch len(paths) {
	case 1:
		return paths[0], nil
	case 0:
		e := &SourceError{Source: source, Problem: "holds no " + opts.database() + " database",
			Advice: "name the database file"}
		if len(others) > 0 {
			e.Problem += ", only " + strings.Join(others, ", ")
		}
		return "", e
	}
	distinct, _, err := distinct(ctx, source, paths, opts)
	if err != nil {
		return "", err
	}
	if len(distinct) != 1 {
		return "", Several(source, paths, opts)
	}
	return distinct[0].Source, nil
}

// Found is a database among those that a directory or tar file holds.
type Found struct {
	Source   string
	Database *Database // nil: it need not be read to know that it is one of them
}

// Databases returns the databases that a directory or tar file holds, by their
// names: of copies the first, of one cluster's files the newest. Of any other source
// it returns the source. What had to be read for that need not be read again; files that
// cannot be read while others can are passed over.
func Databases(ctx context.Context, source string, opts Options) ([]Found, []Passed, error) {
	if remote(source) || strings.HasPrefix(source, "snapshot:") || strings.Contains(source, "!") ||
		!isArchive(source, opts) {
		return []Found{{Source: source}}, nil, nil
	}
	items, _, err := Gather(ctx, source)
	if err != nil {
		return nil, nil, err
	}
	var paths []string
	for _, i := range items {
		if i.Kind == DatabaseFile && i.Detail == opts.database() {
			paths = append(paths, i.Path)
		}
	}
	if len(paths) < 2 {
		return []Found{{Source: source}}, nil, nil // Open finds the one, or says what is there
	}
	return distinct(ctx, source, paths, opts)
}

// isArchive reports whether a source is a directory or a tar file.
func isArchive(source string, opts Options) bool {
	if gathered(source) {
		return true
	}
	if info, err := os.Stat(source); err != nil || !info.Mode().IsRegular() {
		return false // what is read once must not be read here
	}
	file, err := openFile(source)
	if err != nil {
		return false
	}
	h, err := newHistory(source, file, opts)
	if err != nil {
		file.Close()
		return err == errTar
	}
	h.Close()
	return false
}

// distinct returns the first of the files that hold the same bytes, and the
// newest of the files of one cluster's members.
func distinct(ctx context.Context, source string, paths []string, opts Options) ([]Found, []Passed, error) {
	sums := make(map[string]string, len(paths))
	v := visitor{limits: expansion, each: func(name string, r *bufio.Reader, _ *compressed.Meter) error {
		if slices.Contains(paths, name) {
			h := sha256.New()
			_, err := io.Copy(h, r)
			sums[name] = fmt.Sprint(h.Sum(nil), err)
		}
		return nil
	}}
	if err := v.visit(ctx, source); err != nil {
		return nil, nil, err
	}
	var list []string
	known := make(map[string]bool)
	for _, path := range paths {
		if !known[sums[path]] {
			known[sums[path]] = true
			list = append(list, path)
		}
	}
	if len(list) == 1 {
		return []Found{{Source: list[0]}}, nil, nil
	}
	found, passed := newestOfClusters(ctx, list, opts)
	return found, passed, nil
}

// newestOfClusters leaves of each cluster's files the newest, and none that
// cannot be read if others can.
func newestOfClusters(ctx context.Context, paths []string, opts Options) (list []Found, passed []Passed) {
	at := make(map[string]int) // cluster -> place in list
	newest := make(map[string]*Database)
	for _, path := range paths {
		h, err := OpenHistory(ctx, path, opts)
		if err == nil {
			err = h.finish(ctx)
			h.Close()
		}
		if err != nil {
			passed = append(passed, Passed{path, why(err)})
			continue
		}
		cluster := h.db.Cluster
		was := newest[cluster]
		switch {
		case cluster == "" || was == nil:
			at[cluster] = len(list)
			list = append(list, Found{path, h.db})
		case h.db.index > was.index:
			list[at[cluster]] = Found{path, h.db}
		default:
			continue
		}
		newest[cluster] = h.db
	}
	if list == nil {
		for _, path := range paths { // whoever opens them is told why
			list = append(list, Found{Source: path})
		}
		return list, nil
	}
	return list, passed
}

// why is what an error says, without the source that it begins with.
func why(err error) string {
	text := err.Error()
	var e *SourceError
	var d *DamageError
	switch {
	case errors.As(err, &e):
		return strings.TrimPrefix(text, e.Source+": ")
	case errors.As(err, &d):
		return strings.TrimPrefix(text, d.Source+": ")
	}
	return text
}

// Several is the error of a source that holds several databases of which none
// is the one that is meant.
func Several(source string, paths []string, opts Options) error {
	const most = 4
	list := strings.Join(paths[:min(most, len(paths))], ", ")
	if len(paths) > most {
		list += fmt.Sprintf(" and %d more", len(paths)-most)
	}
	return &SourceError{Source: source, Problem: fmt.Sprintf("holds %d %s databases", len(paths), opts.database()),
		Advice: "name one of them: " + list}
}
