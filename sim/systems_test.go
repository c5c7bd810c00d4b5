package sim_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestOtherSystems type-checks the program as it is built for each other system, which takes a
// small part of what building it takes: "make check" goes without the builds of "make lint".
func TestOtherSystems(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^PLATFORMS *= *(.*)$`).FindStringSubmatch(string(makefile))
	if line == nil || len(strings.Fields(line[1])) < 4 {
		t.Fatalf("the Makefile names no four PLATFORMS: %q", line)
	}
	parsed := sources{set: token.NewFileSet(), files: map[string]*ast.File{}}
	for _, platform := range strings.Fields(line[1]) {
		list, err := listFor(platform, "ovnreplay/...")
		if err != nil {
			t.Fatal(err)
		}
		for _, wrong := range parsed.check(platform, list) {
			t.Errorf("%s: %v", platform, wrong)
		}
		if len(list) < 30 {
			t.Errorf("%s: only %d packages: this test sees too little", platform, len(list))
		}
	}
}

// What only some systems have is found, and nothing that all have.
func TestOtherSystemsAreSeen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":         "module bad\ngo 1.24\n",
		"bad.go":         "package bad\nimport \"syscall\"\nvar A, B = syscall.SIGTERM, syscall.SIGUSR1\n",
		"ours_darwin.go": "package bad\nfunc ours() {}\n",
		"uses.go":        "package bad\nfunc Uses() { ours() }\n",
		"other.go":       "//go:build !darwin && !windows\npackage bad\nfunc ours() {}\n",
		"sub/sub.go":     "package sub\nimport \"bad\"\nvar A = bad.A\nfunc f() { bad.Uses(1) }\n",
	} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for platform, want := range map[string]int{"darwin/arm64": 1, "linux/arm64": 1, "windows/amd64": 3} {
		list, err := listFor(platform, "-C="+dir, "./...")
		if err != nil {
			t.Fatal(err)
		}
		parsed := sources{set: token.NewFileSet(), files: map[string]*ast.File{}}
		if found := parsed.check(platform, list); len(found) != want {
			t.Errorf("%s: %d found, want %d: %v", platform, len(found), want, found)
		}
	}
}

// systemPackage is a package as it is built for a system.
type systemPackage struct {
	ImportPath, Dir  string
	GoFiles, Imports []string
	Module           *struct{ Main bool }

	exports map[string]string // where export data of packages of other modules is
}

// listFor lists the main module's packages for a system, those that are imported before those that import.
func listFor(platform string, args ...string) (list []*systemPackage, err error) {
	where := args[:len(args)-1]
	all, err := goList[systemPackage](platform, append(slices.Clone(where), "-deps",
		"-json=ImportPath,Dir,GoFiles,Imports,Module", args[len(args)-1])...)
	if err != nil {
		return nil, err
	}
	exports, ours := map[string]string{}, map[string]bool{}
	for _, p := range all {
		if p.Module != nil && p.Module.Main {
			list, ours[p.ImportPath] = append(list, p), true
			p.exports = exports
		}
	}
	ask := append(slices.Clone(where), "-export", "-json=ImportPath,Export")
	for _, p := range list {
		for _, path := range p.Imports {
			if !ours[path] && !slices.Contains(ask, path) {
				ask = append(ask, path)
			}
		}
	}
	others, err := goList[struct{ ImportPath, Export string }](platform, ask...)
	for _, p := range others {
		exports[p.ImportPath] = p.Export
	}
	return list, err
}

// goList runs go list for a system.
func goList[T any](platform string, args ...string) (list []*T, err error) {
	var where []string
	if dir, ok := strings.CutPrefix(args[0], "-C="); ok {
		where, args = []string{"-C", dir}, args[1:]
	}
	cmd := exec.Command("go", slices.Concat(where, []string{"list"}, args)...)
	system, arch, _ := strings.Cut(platform, "/")
	cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+arch, "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			return nil, fmt.Errorf("%s: go list: %w: %s", platform, err, e.Stderr)
		}
		return nil, err
	}
	for in := json.NewDecoder(bytes.NewReader(out)); ; {
		p := new(T)
		if err := in.Decode(p); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
}

// sources are files as they were parsed, once for all systems.
type sources struct {
	set   *token.FileSet
	files map[string]*ast.File
}

// check type-checks a system's packages, and says what is wrong.
func (s *sources) check(platform string, list []*systemPackage) (wrong []error) {
	_, arch, _ := strings.Cut(platform, "/")
	known := map[string]*types.Package{"unsafe": types.Unsafe}
	var others types.Importer
	imports := importFunc(func(path string) (*types.Package, error) {
		if p := known[path]; p != nil {
			return p, nil
		}
		return others.Import(path)
	})
	c := types.Config{Importer: imports, Sizes: types.SizesFor("gc", arch),
		Error: func(err error) { wrong = append(wrong, err) }}
	for _, p := range list {
		if others == nil {
			others = importer.ForCompiler(s.set, "gc", func(path string) (io.ReadCloser, error) {
				return os.Open(p.exports[path])
			})
		}
		var files []*ast.File
		for _, name := range p.GoFiles {
			f, err := s.parse(filepath.Join(p.Dir, name))
			if err != nil {
				return append(wrong, err)
			}
			files = append(files, f)
		}
		known[p.ImportPath], _ = c.Check(p.ImportPath, s.set, files, nil) // what is wrong went to Error
	}
	return wrong
}

func (s *sources) parse(name string) (*ast.File, error) {
	if f := s.files[name]; f != nil {
		return f, nil
	}
	f, err := parser.ParseFile(s.set, name, nil, parser.SkipObjectResolution)
	s.files[name] = f
	return f, err
}

type importFunc func(path string) (*types.Package, error)

func (f importFunc) Import(path string) (*types.Package, error) { return f(path) }
