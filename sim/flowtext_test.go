package sim_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// Matches and actions of logical flows are asked after package lflow has parsed
// them: nobody looks for words in their text.
func TestFlowTextIsNotCut(t *testing.T) {
	t.Parallel()
	asked := 0
	err := filepath.WalkDir(".", func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || strings.HasSuffix(dir, "testdata") || dir == "lflow" {
			return err
		}
		files := token.NewFileSet()
		names, err := filepath.Glob(filepath.Join(dir, "*.go"))
		var parsed []*ast.File
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(files, name, nil, 0)
			if err != nil {
				return err
			}
			parsed = append(parsed, f)
		}
		for _, at := range cutsText(parsed) {
			t.Errorf("%s: the text of a logical flow is cut or searched: let lflow parse it, and ask that",
				files.Position(at))
		}
		asked++
		return err
	})
	if err != nil || asked < 15 {
		t.Fatalf("%d packages: %v", asked, err)
	}
}

// The test finds what it is for.
func TestCutsText(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int{
		`strings.Contains(f.Match, "ct")`:                                1,
		`m := f.Match; strings.HasPrefix("a" + m, "a")`:                  1,
		`m := f.Actions; n := m; strings.Cut(n, ";")`:                    1,
		`_ = f.Actions[:4] == "next"; for range f.Match { }`:             2,
		`m := f.Match; _ = m[0]; _ = m[1:]; show(m[:9] + "...")`:         2,
		`word.MatchString(f.Actions); bytes.Index([]byte(f.Match), nil)`: 2,
		`has(f.Match, "a")`: 1,
		`fmt.Sprint(f.Match); lflow.ParseMatch(f.Match, nil)`:  0,
		`_ = f.Match == "1"; strings.Contains(f.Stage, "acl")`: 0,
		`strings.Contains(word.Match("a"), "b")`:               0,
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\nfunc has(text, word string) bool {\n"+
			"return strings.Contains(text, word) }\nfunc x(f *Flow) {\n"+body+"\n}", 0)
		if err != nil {
			t.Fatal(body, err)
		}
		got := cutsText([]*ast.File{f})
		if len(got) != want {
			t.Errorf("%s: %d found, want %d", body, len(got), want)
		}
	}
}

// cutsText finds calls that search or cut a flow's match or actions: of strings,
// bytes and regular expressions, and of functions of the package that pass on to
// those what they are given.
func cutsText(files []*ast.File) (at []token.Pos) {
	cutters := map[string]bool{}
	for more := true; more; {
		more, at = false, nil
		for _, f := range files {
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || fn.Body == nil {
					continue
				}
				if fn.Name.Name == "cutText" { // shortens what a page shows
					continue
				}
				if cuts(fn, cutters, parameters(fn)) && !cutters[fn.Name.Name] {
					cutters[fn.Name.Name], more = true, true
				}
				at = append(at, cutsIn(fn, cutters, map[string]bool{}, true)...)
			}
		}
	}
	return at
}

func cuts(fn *ast.FuncDecl, cutters, texts map[string]bool) bool {
	return len(texts) > 0 && len(cutsIn(fn, cutters, texts, false)) > 0
}

// parameters are a function's of type string.
func parameters(fn *ast.FuncDecl) map[string]bool {
	names := map[string]bool{}
	for _, f := range fn.Type.Params.List {
		if id, ok := f.Type.(*ast.Ident); ok && id.Name == "string" {
			for _, n := range f.Names {
				names[n.Name] = true
			}
		}
	}
	return names
}

// cutsIn finds in a function where one of the texts, and of flows', is cut.
func cutsIn(fn *ast.FuncDecl, cutters, texts map[string]bool, flows bool) (at []token.Pos) {
	is := func(e ast.Expr) (found bool) {
		ast.Inspect(e, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr: // what it returns is another text
				_, convert := n.Fun.(*ast.ArrayType)
				return convert
			case *ast.Ident:
				found = found || texts[n.Name]
			case *ast.SelectorExpr:
				found = found || flows && (n.Sel.Name == "Match" || n.Sel.Name == "Actions")
				return false
			}
			return true
		})
		return found
	}
	same := map[string]bool{} // variables that are a flow's text and no more
	itself := func(e ast.Expr) bool {
		switch e := e.(type) {
		case *ast.Ident:
			return same[e.Name]
		case *ast.SelectorExpr:
			return flows && (e.Sel.Name == "Match" || e.Sel.Name == "Actions")
		}
		return false
	}
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i, e := range n.Rhs {
				id, ok := n.Lhs[min(i, len(n.Lhs)-1)].(*ast.Ident)
				if ok && is(e) {
					texts[id.Name] = true
				}
				if ok && itself(e) {
					same[id.Name] = true
				}
			}
		case *ast.SliceExpr: // its beginning may be shown
			if itself(n.X) && n.Low != nil {
				at = append(at, n.Pos())
			}
		case *ast.BinaryExpr:
			for _, e := range []ast.Expr{n.X, n.Y} {
				if cut, ok := e.(*ast.SliceExpr); ok && itself(cut.X) && cut.Low == nil && n.Op != token.ADD {
					at = append(at, n.Pos())
				}
			}
		case *ast.IndexExpr:
			if s, ok := n.X.(*ast.SelectorExpr); itself(n.X) && (!ok || s.Sel.Name == "Match") {
				at = append(at, n.Pos())
			}
		case *ast.RangeStmt:
			if itself(n.X) {
				at = append(at, n.Pos())
			}
		case *ast.CallExpr:
			if !cutter(n.Fun, cutters) {
				return true
			}
			for _, a := range n.Args {
				if is(a) {
					at = append(at, n.Pos())
					break
				}
			}
		}
		return true
	})
	return at
}

func cutter(f ast.Expr, cutters map[string]bool) bool {
	switch f := f.(type) {
	case *ast.Ident:
		return cutters[f.Name]
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok && (x.Name == "strings" || x.Name == "bytes") {
			return true
		}
		name := f.Sel.Name
		return strings.HasPrefix(name, "Match") && name != "Match" || strings.HasPrefix(name, "Find") ||
			strings.HasPrefix(name, "ReplaceAll")
	}
	return false
}
