// Package output is where a command's results go: files that take their place
// when they are complete, streams that people read, and a terminal's line of
// how far the work is.
//
// No output is ever an input, under whatever name: whoever reads a file says so,
// and a file that is to be written is held against those. The first error of
// writing ends the work. The package never decides what is written.
package output

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
)

// Files are the files that a command line writes, and the ones it reads: no
// output is ever an input, under whatever name. A regular file is written beside
// its place and takes it when it is complete; pipes and devices are written as
// they are.
type Files struct {
	ctx      context.Context
	stop     context.CancelCauseFunc
	inputs   []string
	names    map[string]string // of those written, to the flag that names them
	stdout   string            // the flag whose output goes to standard output
	files    []*File
	words    []string       // of the command line
	reserved Destination    // a file that is nothing else's
	after    []func() error // what is to be said once the files are in their places
	begun    atomic.Bool
}

// File is one file being written.
type File struct {
	Stream
	file     *os.File
	target   string // what it becomes; "" if it is written as it is
	complete bool
}

type filesKey struct{}

// With returns a context for a command line with files of its own, and those;
// stop ends it when one cannot be written.
func With(ctx context.Context, stop context.CancelCauseFunc) (context.Context, *Files) {
	o := &Files{ctx: ctx, stop: stop}
	return context.WithValue(ctx, filesKey{}, o), o
}

// Of returns the files of the command line that a context is for.
func Of(ctx context.Context) *Files {
	if o, ok := ctx.Value(filesKey{}).(*Files); ok {
		return o
	}
	return &Files{ctx: ctx, stop: func(error) {}}
}

// Begin notes that captures are read from now on: interrupted, the command ends
// by itself, and completes what it writes.
func (o *Files) Begin() { o.begun.Store(true) }

// Begun reports whether captures are being read.
func (o *Files) Begun() bool { return o.begun.Load() }

// Destination is a file that a flag names to be written.
type Destination struct{ Flag, Name string }

// Said is where what a command says of its result goes: standard output, or nowhere if it is
// left out.
func Said(all bool) Destination {
	if !all {
		return Destination{}
	}
	return Destination{Flag: "the result", Name: "-"}
}

// After has something said once the files are complete and in their places; not where one
// of them cannot be.
func (o *Files) After(say func() error) { o.after = append(o.after, say) }

// Reads notes files that are read. A pattern stands for what it matches, a
// directory for all that is in it.
func (o *Files) Reads(names ...string) {
	for _, name := range names {
		if name == "-" {
			name = os.Stdin.Name()
		}
		if _, err := os.Lstat(name); err != nil && strings.ContainsAny(name, "*?[") {
			matches, _ := filepath.Glob(name)
			o.inputs = append(o.inputs, matches...)
			continue
		}
		o.inputs = append(o.inputs, name)
	}
}

// Check refuses a file that a flag names if it is an input, or another output; and one that is reserved.
func (o *Files) Check(flag, name string) error {
	if r := o.reserved; r.Name != "" && r.Flag != flag {
		if err := o.Check(r.Flag, r.Name); err != nil {
			return err
		}
	}
	if name == "" {
		return nil
	}
	if Stdout(name) {
		return o.checkStdout(flag)
	}
	info, err := os.Stat(name)
	if out, bad := os.Stdout.Stat(); err == nil && bad == nil && os.SameFile(info, out) && readBack(out) {
		if err := o.checkStdout(flag); err != nil { // the same pipe by a name of its own
			return err
		}
	}
	for _, in := range o.inputs {
		if err == nil && isOrHolds(in, name, info) {
			return fmt.Errorf("%s: is also an input; name another file with %s", name, flag)
		}
	}
	for other, of := range o.names {
		at, err2 := os.Stat(other)
		if err == nil && err2 == nil && os.SameFile(info, at) || absolute(name) == absolute(other) {
			if of != flag {
				return fmt.Errorf("%s: is also what %s writes; name another file with %s", name, of, flag)
			}
		}
	}
	if err == nil && info.IsDir() || os.IsPathSeparator(name[len(name)-1]) {
		return fmt.Errorf("%s: is a directory; name a file with %s", name, flag)
	}
	if o.names == nil {
		o.names = map[string]string{}
	}
	o.names[name] = flag
	return nil
}

// checkStdout refuses standard output or error that is led to an input, or standard output that two outputs would
// share: neither could be read. Without a flag nothing is written there yet.
func (o *Files) checkStdout(flag string) error {
	if flag != "" && o.stdout != "" && flag != o.stdout {
		return fmt.Errorf("%[1]s and %[2]s both write to standard output; name a file with %[1]s", o.stdout, flag)
	}
	o.stdout = cmp.Or(o.stdout, flag)
	for _, std := range standards() {
		for _, in := range o.inputs {
			if at, err := os.Stat(in); std.file == os.Stdout && isOrHolds(in, "/dev/stdout", std.info) ||
				err == nil && os.SameFile(at, std.info) { // what is said may be in a folder that is looked through
				return std.refuse(in)
			}
		}
	}
	return nil
}

// Apart refuses a command line that names a file to which standard output or error is led: what is
// said would be written into what is read, or over what is written. A name may follow a flag's
// =, and be followed by @ and a place.
func Apart(args []string) error {
	for _, std := range standards() {
		for _, arg := range args {
			if strings.HasPrefix(arg, "-") {
				_, arg, _ = strings.Cut(arg, "=")
			}
			of := func(name string) bool { return ofProcess(name) || standard(name) != nil }
			for name := arg; name != "" && !of(name); name = name[:max(0, strings.LastIndexByte(name, '@'))] {
				if at, err := os.Stat(name); err == nil && os.SameFile(at, std.info) {
					return std.refuse(name)
				}
			}
		}
	}
	return nil
}

// standardFile is standard output, or standard error, that is led to what can be read back.
type standardFile struct {
	what string
	file *os.File
	info fs.FileInfo
}

// standards are those that are led so, first that on which errors are said.
func standards() (list []standardFile) {
	for _, std := range []standardFile{{"standard error", os.Stderr, nil}, {"standard output", os.Stdout, nil}} {
		var err error
		if std.info, err = std.file.Stat(); err == nil && readBack(std.info) {
			list = append(list, std)
		}
	}
	return list
}

// refuse is the error of an input to which it is led. Of standard error nothing may be said there: it is said
// on standard output instead, or nowhere if that is the same.
func (std standardFile) refuse(in string) error {
	if std.file == os.Stderr {
		other := os.Stdout
		if out, err := other.Stat(); err != nil || os.SameFile(out, std.info) {
			if other, err = os.OpenFile(os.DevNull, os.O_WRONLY, 0); err != nil {
				other = nil
			}
		}
		instead(other)
	}
	return fmt.Errorf("%s: is also %s; lead that elsewhere", in, std.what)
}

// led are standard errors of before: they are not closed.
var led []os.File

// instead leads standard error to another file, by the pointer that whoever writes to it has.
func instead(other *os.File) {
	if other != nil {
		led = append(led, *os.Stderr)
		*os.Stderr = *other
	}
}

// isOrHolds reports whether an input is a file, or a directory with it.
func isOrHolds(in, name string, file fs.FileInfo) bool {
	info, err := os.Stat(in)
	switch {
	case err != nil:
		return false
	case !info.IsDir():
		return os.SameFile(info, file) && readBack(file)
	}
	return inside(absolute(in), absolute(name))
}

// readBack reports whether what is written to a file is what is read from it: of a terminal, a
// socket or /dev/null it is not.
func readBack(file fs.FileInfo) bool {
	return file.Mode().IsRegular() || file.Mode().Type() == fs.ModeNamedPipe
}

func inside(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// absolute is where a name leads, links followed even where there is nothing yet.
func absolute(name string) string {
	const most = 40 // links, as in Linux
	for range most {
		if real, err := filepath.EvalSymlinks(name); err == nil {
			name = real
			break
		}
		if dir, err := filepath.EvalSymlinks(filepath.Dir(name)); err == nil {
			name = filepath.Join(dir, filepath.Base(name))
		}
		to, err := os.Readlink(name)
		if err != nil {
			break
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(name), to)
		}
		name = to
	}
	if abs, err := filepath.Abs(name); err == nil {
		return abs
	}
	return name
}

// Create begins the file that a flag names; all inputs are known by now. It is
// kept if the command says that it is complete.
func (o *Files) Create(flag, name string) (*File, error) {
	if err := o.Check(flag, name); err != nil {
		return nil, err
	}
	out := &File{Stream: Stream{name: name, ctx: o.ctx, stop: o.stop}}
	var err error
	if info, statErr := os.Stat(name); standard(name) != nil {
		out.file = standard(name)
	} else if statErr == nil && !info.Mode().IsRegular() || ofProcess(name) {
		out.file, err = os.OpenFile(name, os.O_WRONLY, 0)
	} else {
		out.target, out.file, err = beside(name, info)
	}
	if err != nil {
		return nil, &Error{name, err}
	}
	out.to(out.file)
	o.files = append(o.files, out)
	return out, nil
}

// Stdout reports whether a name stands for standard output: -, or a name that the system has
// for it, or a link to one.
func Stdout(name string) bool { return name == "-" || standard(name) == os.Stdout }

// standard is the stream of the process that a name stands for: opened anew, a file that it
// leads to would be written from its beginning.
func standard(name string) *os.File {
	const most = 40 // links, as in Linux
	for range most {
		name = filepath.Clean(name)
		if f := named(name); f != nil {
			return f
		}
		to, err := os.Readlink(name)
		if err != nil {
			return nil
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(name), to)
		}
		name = to
	}
	return nil
}

func named(name string) *os.File {
	switch name {
	case "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1":
		return os.Stdout
	case "/dev/stderr", "/dev/fd/2", "/proc/self/fd/2":
		return os.Stderr
	}
	return nil
}

// ofProcess reports whether a name stands for a file that is open already.
func ofProcess(name string) bool {
	return strings.HasPrefix(name, "/dev/") || strings.HasPrefix(name, "/proc/")
}

// beside makes a file beside the one that it is to become, with its mode.
func beside(name string, old fs.FileInfo) (target string, f *os.File, err error) {
	target = absolute(name)
	if link, err := os.Readlink(name); err == nil && old == nil { // to nothing as yet
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(name), link)
		}
		target = absolute(link)
	}
	if old != nil { // it must be writable itself
		probe, err := os.OpenFile(target, os.O_WRONLY, 0)
		if err != nil {
			return "", nil, err
		}
		probe.Close()
	}
	for n := 0; n < 1000; n++ {
		temp := filepath.Join(filepath.Dir(target), fmt.Sprintf("ovn-replay-%d-%d.part", os.Getpid(), n))
		f, err = os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	if err == nil && old != nil {
		err = f.Chmod(old.Mode().Perm())
	}
	return target, f, err
}

// Publish gives the file its place now, because all that is in it so far is of
// use; what is written later goes there.
func (o *File) Publish() error {
	if o.target == "" || o.err != nil {
		return o.err
	}
	if err := os.Rename(o.file.Name(), o.target); err != nil {
		o.fail(err)
		return o.err
	}
	o.target = ""
	return nil
}

// Finish closes the files: complete ones take their places, others are taken away.
func (o *Files) Finish() error {
	var err error
	for _, f := range o.files {
		if f.target != "" && f.complete && f.err == nil {
			if bad := f.Publish(); bad != nil {
				err = errors.Join(err, bad)
			}
		}
		if standard(f.name) == nil {
			if bad := f.file.Close(); bad != nil && f.err == nil {
				err = errors.Join(err, &Error{f.name, bad})
			}
		}
		if f.target != "" {
			os.Remove(f.file.Name())
		}
		err = cmp.Or(err, f.err)
	}
	o.files = slices.Delete(o.files, 0, len(o.files))
	for _, say := range o.after {
		if err == nil {
			err = say()
		}
	}
	o.after = nil
	return err
}

// Put writes a whole file, and the folders that it is in.
func (o *Files) Put(flag, name string, text []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := o.Create(flag, name)
	if err != nil {
		return err
	}
	if _, err := f.Write(text); err != nil {
		return err
	}
	if f.target != "" {
		if err := f.file.Chmod(mode); err != nil {
			return &Error{name, err}
		}
	}
	f.complete = true
	return nil
}

// Open returns where to write: standard output if the name stands for it, else the file that a
// flag names, and what says that all is written.
func (o *Files) Open(flag, name string, stdout io.Writer) (w io.Writer, done func(), err error) {
	if name == "" || Stdout(name) {
		return stdout, func() {}, nil
	}
	f, err := o.Create(flag, name)
	if err != nil {
		return nil, nil, err
	}
	return f, func() { f.complete = true }, nil
}
