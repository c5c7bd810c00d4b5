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

// maxNesting is how deep tar files are looked into: a must-gather holds an
// archive of the databases.
const maxNesting = 4

// Gather finds what is of use for a replay in a directory or tar file, by
// what the files hold, in the order of their names. Links are not followed.
func Gather(ctx context.Context, path string) ([]Item, error) {
	var items []Item
	err := visit(ctx, path, func(name string, r *bufio.Reader) error {
		start, _ := r.Peek(4096)
		if kind := kindOf(name, start); kind == DatabaseFile {
			if database, ok := databaseName(name, r); ok {
				items = append(items, Item{name, kind, database})
			}
		} else if kind != 0 {
			items = append(items, Item{name, kind, ""})
		}
		return nil
	})
	slices.SortStableFunc(items, func(a, b Item) int { return strings.Compare(a.Path, b.Path) })
	return items, err
}

// databaseName reads a database only as far as its name.
func databaseName(name string, r io.Reader) (string, bool) {
	h, err := newHistory(name, r, Options{})
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
	conntrackLine = regexp.MustCompile(`(?m)^[a-z0-9]+,orig=\(src=|^(ipv[46] +\d+ +)?[a-z0-9]+ +\d+ +\d+ .*src=\S+ dst=`)
	openFlowLine  = regexp.MustCompile(`(?m)^(NXST_FLOW|OFPST_FLOW) reply|cookie=0x[0-9a-f]+,.*table=\d+,.*actions=`)
	zoneLine      = regexp.MustCompile(`^\S+ \d+\n`)
)

// kindOf tells from a file's beginning what it is, 0 for nothing of use.
func kindOf(name string, start []byte) Kind {
	switch {
	case bytes.HasPrefix(start, []byte("OVSDB ")), bytes.HasPrefix(start, []byte(`{"caption":`)), bytes.HasPrefix(start, []byte(`{"headings":`)), bytes.HasPrefix(start, []byte(`{"data":`)):
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

// visit calls each with every file of a directory or tar file, decompressed.
// Files that cannot be read are passed over: each such collection has some.
func visit(ctx context.Context, path string, each func(name string, r *bufio.Reader) error) error {
	info, err := os.Stat(path)
	if err != nil {
		return openError(path, err)
	}
	if !info.IsDir() {
		return visitFile(ctx, path, each)
	}
	return filepath.WalkDir(path, func(name string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		return visitFile(ctx, name, each)
	})
}

func visitFile(ctx context.Context, path string, each func(name string, r *bufio.Reader) error) error {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	return visitReader(ctx, path, f, 0, each)
}

// visitReader looks into r if it is a tar file, and else calls each.
func visitReader(ctx context.Context, name string, r io.Reader, depth int, each func(name string, r *bufio.Reader) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	plain, _, stop, err := decompress(r)
	defer stop()
	if err != nil {
		return nil
	}
	start, _ := plain.Peek(512)
	if !isTar(start) || depth == maxNesting {
		return each(name, plain)
	}
	t := tar.NewReader(plain)
	for {
		header, err := t.Next()
		if err != nil {
			return nil // the end, or damage: what came before is used
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		member := name + "!" + strings.TrimPrefix(header.Name, "./")
		if err := visitReader(ctx, member, t, depth+1, each); err != nil {
			return err
		}
	}
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
		items, err := Gather(ctx, source)
		if err != nil {
			return nil, err
		}
		if source, err = choose(ctx, source, items, opts); err != nil {
			return nil, err
		}
		archive, _, member = strings.Cut(source, "!")
	}
	if !member {
		return OpenHistory(ctx, source, opts)
	}
	var text []byte
	err := visit(ctx, archive, func(name string, r *bufio.Reader) (err error) {
		if name != source {
			return nil
		}
		if text, err = io.ReadAll(r); err != nil && len(text) == 0 {
			return err
		}
		return errFound
	})
	switch {
	case err == nil:
		return nil, &SourceError{Source: source, Problem: "no such file in " + archive, Advice: "see \"ovn-replay db gather " + archive + "\""}
	case err != errFound:
		return nil, err
	}
	return newHistory(source, bytes.NewReader(text), opts)
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
		e := &SourceError{Source: source, Problem: "holds no " + opts.database() + " database", Advice: "name the database file"}
		if len(others) > 0 {
			e.Problem += ", only " + strings.Join(others, ", ")
		}
		return "", e
	}
	if same, err := sameFiles(ctx, source, paths); err != nil {
		return "", err
	} else if same {
		return paths[0], nil
	}
	return chooseMember(ctx, source, paths, opts)
}

// sameFiles reports whether files hold the same bytes.
func sameFiles(ctx context.Context, source string, paths []string) (bool, error) {
	sums := make(map[string]bool)
	err := visit(ctx, source, func(name string, r *bufio.Reader) error {
		if slices.Contains(paths, name) {
			h := sha256.New()
			_, err := io.Copy(h, r)
			sums[fmt.Sprint(h.Sum(nil), err)] = true
		}
		return nil
	})
	return len(sums) == 1, err
}

// chooseMember picks the newest of the files of one cluster's members.
func chooseMember(ctx context.Context, source string, paths []string, opts Options) (string, error) {
	best, cluster := "", ""
	var newest *Database
	for _, path := range paths {
		h, err := OpenHistory(ctx, path, opts)
		if err != nil {
			continue
		}
		err = h.finish(ctx)
		h.Close()
		if err != nil {
			continue
		}
		if h.db.Cluster == "" || cluster != "" && h.db.Cluster != cluster {
			return "", several(source, paths, opts)
		}
		cluster = h.db.Cluster
		if newest == nil || h.db.index > newest.index {
			best, newest = path, h.db
		}
	}
	if best == "" {
		return "", several(source, paths, opts)
	}
	return best, nil
}

func several(source string, paths []string, opts Options) error {
	const most = 4
	list := strings.Join(paths[:min(most, len(paths))], ", ")
	if len(paths) > most {
		list += fmt.Sprintf(" and %d more", len(paths)-most)
	}
	return &SourceError{Source: source, Problem: fmt.Sprintf("holds %d %s databases", len(paths), opts.database()), Advice: "name one of them: " + list}
}
