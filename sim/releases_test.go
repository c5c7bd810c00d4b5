package sim_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// releaseTables are the files that know in which release a behaviour changed, and
// what a release is. Everything else asks them by the behaviour's name.
var releaseTables = []string{"conntrack/behaviour.go", "conntrack/options.go", "sim/network/change.go"}

// TestReleasesAreComparedInTheirTables type-checks the whole program: nothing but the tables
// compares two releases of OVN or of Open vSwitch, names one, or takes one from a version's text.
func TestReleasesAreComparedInTheirTables(t *testing.T) {
	t.Parallel()
	found := 0
	for _, p := range listPackages(t) {
		for _, use := range p.releaseUses(t) {
			if slices.ContainsFunc(releaseTables, func(f string) bool { return strings.HasPrefix(use, f+":") }) {
				found++
			} else {
				t.Errorf("%s: a release is compared, named or read outside of the tables of what changed (%s)", use,
					strings.Join(releaseTables, ", "))
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d uses were found in the tables themselves: this test sees too little", found)
	}
}

// TestReleaseUsesAreSeen holds the finder against what it must find, and must not.
func TestReleaseUsesAreSeen(t *testing.T) {
	t.Parallel()
	src := `package bad
import ("ovnreplay/conntrack"; "ovnreplay/sim/network"; "strings"; "time")
func f(r, s conntrack.Release, z *network.AZ, o conntrack.Options, a, b time.Time) bool {
	if o.OVS == 0 || a.Before(b) || o.Has(conntrack.TracksSCTP) || z.Has(network.DHCPInform) { return true }
	if r < s { return true }                             // line 5
	if o.OVS >= 0x0301 { return true }                   // line 6
	switch r { case conntrack.OVS31: return true }       // line 7
	if v, _ := z.Release(); v.Year > 23 { return true }  // line 8
	if z.Version >= "23.03" { return true }              // line 9
	return strings.HasPrefix(z.Version, "23.")           // line 10
}`
	var p *goPackage
	for _, q := range listPackages(t) {
		if q.ImportPath == "ovnreplay/sim" {
			p = q
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bad.go"), []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	bad := &goPackage{ImportPath: "bad", Dir: dir, GoFiles: []string{"bad.go"}, imports: p.imports, root: dir}
	var lines []string
	for _, use := range bad.releaseUses(t) {
		_, line, _ := strings.Cut(use, ":")
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	if got := strings.Join(lines, " "); got != "10 5 6 7 8 9" {
		t.Errorf("found in lines %s, not 5 to 10", got)
	}
}

// goPackage is one of this module, as go list tells it.
type goPackage struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
	Module                  *struct{ Main bool }

	imports *imports
	root    string // file names are told from here

	once  sync.Once // the rest is set by it, see check
	files []*ast.File
	info  *types.Info
	err   error
}

// imports is what packages import, of which export data is read once for all of them.
type imports struct {
	sync.Mutex
	exports map[string]string // files of export data
	set     *token.FileSet
	from    types.Importer
}

func newImports() *imports {
	i := &imports{exports: map[string]string{}, set: token.NewFileSet()}
	i.from = importer.ForCompiler(i.set, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(i.exports[path])
	})
	return i
}

func listPackages(t *testing.T) []*goPackage {
	t.Helper()
	list, err := goPackages()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// goPackages lists this module's packages. Several tests read them, and check each once.
var goPackages = sync.OnceValues(func() (list []*goPackage, err error) {
	out, err := exec.Command("go", "list", "-export", "-deps",
		"-json=ImportPath,Dir,Export,GoFiles,Module", "ovnreplay/...").Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		return nil, err
	}
	imports := newImports()
	for in := json.NewDecoder(bytes.NewReader(out)); ; {
		p := &goPackage{imports: imports, root: root}
		if err := in.Decode(p); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, err
		}
		imports.exports[p.ImportPath] = p.Export
		if p.Module != nil && p.Module.Main {
			list = append(list, p)
		}
	}
})

// releaseUses lists, as FILE:LINE, where the package compares, names or reads a release.
func (p *goPackage) releaseUses(t *testing.T) (uses []string) {
	set, files, info := p.check(t)
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			if n != nil && usesRelease(info, n) {
				at := set.Position(n.Pos())
				name, err := filepath.Rel(p.root, at.Filename)
				if err != nil {
					t.Fatal(err)
				}
				at.Filename, at.Column = filepath.ToSlash(name), 0
				uses = append(uses, at.String())
			}
			return true
		})
	}
	return uses
}

// check parses the package's files and type-checks them.
func (p *goPackage) check(t *testing.T) (*token.FileSet, []*ast.File, *types.Info) {
	t.Helper()
	set := p.imports.set
	p.once.Do(func() {
		p.imports.Lock()
		defer p.imports.Unlock()
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(set, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				p.err = err
				return
			}
			p.files = append(p.files, f)
		}
		p.info = &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{},
			Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
		c := types.Config{Importer: p.imports.from}
		_, p.err = c.Check(p.ImportPath, set, p.files, p.info)
	})
	if p.err != nil {
		t.Fatal(p.err)
	}
	return set, p.files, p.info
}

// usesRelease says whether a node of the syntax tree compares, names or reads a release.
func usesRelease(info *types.Info, n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		switch n.Op {
		case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ:
			return (isRelease(info, n.X) || isRelease(info, n.Y)) && !isZero(info, n.X) && !isZero(info, n.Y) ||
				isVersion(info, n.X) || isVersion(info, n.Y)
		}
	case *ast.CallExpr:
		if isVersionReader(info, n.Fun) {
			return slices.ContainsFunc(n.Args, func(a ast.Expr) bool { return isVersion(info, a) })
		}
	case *ast.SelectorExpr:
		// a field or method of network.Release, or what returns one
		if s := info.Selections[n]; s != nil && n.Sel.Name != "String" {
			f, returns := s.Type().(*types.Signature)
			return named(s.Recv(), "sim/network.Release") ||
				returns && f.Results().Len() > 0 && named(f.Results().At(0).Type(), "sim/network.Release")
		}
	case *ast.Ident:
		c, ok := info.Uses[n].(*types.Const)
		return ok && named(c.Type(), "conntrack.Release")
	}
	return false
}

func isRelease(info *types.Info, e ast.Expr) bool {
	t := info.Types[e].Type
	return named(t, "conntrack.Release") || named(t, "sim/network.Release")
}

// isVersion says whether e is the text that says which OVN wrote a database.
func isVersion(info *types.Info, e ast.Expr) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != "Version" || info.Selections[s] == nil {
		return false
	}
	v := info.Selections[s].Obj()
	return v.Pkg() != nil && v.Pkg().Path() == "ovnreplay/sim/network"
}

// isVersionReader says whether a function takes texts apart.
func isVersionReader(info *types.Info, fun ast.Expr) bool {
	s, ok := fun.(*ast.SelectorExpr)
	if !ok || info.Uses[s.Sel] == nil || info.Uses[s.Sel].Pkg() == nil {
		return false
	}
	path := info.Uses[s.Sel].Pkg().Path()
	return path == "strings" || path == "strconv" || path == "regexp" || path == "cmp" ||
		path == "fmt" && strings.HasPrefix(s.Sel.Name, "Sscan")
}

func isZero(info *types.Info, e ast.Expr) bool {
	v := info.Types[e].Value
	return v != nil && v.Kind() == constant.Int && constant.Sign(v) == 0
}

func named(t types.Type, name string) bool {
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	n, ok := t.(*types.Named)
	return ok && n.Obj().Pkg() != nil && n.Obj().Pkg().Path()+"."+n.Obj().Name() == "ovnreplay/"+name
}
