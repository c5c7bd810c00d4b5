package lflow_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// All of an action is in one file, action_NAME.go: its type, the word that makes
// the parser know it, its text and what it compiles to.
func TestAnActionIsInOneFile(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	found := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		var types, written, compiled []string
		words := false
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if s, ok := s.(*ast.TypeSpec); ok {
						types = append(types, s.Name.Name)
					}
				}
			case *ast.FuncDecl:
				words = words || d.Name.Name == "init"
				if d.Recv == nil {
					continue
				}
				of, _ := d.Recv.List[0].Type.(*ast.Ident)
				switch {
				case of == nil:
				case d.Name.Name == "format":
					written = append(written, of.Name)
				case d.Name.Name == "compile":
					compiled = append(compiled, of.Name)
				}
			}
		}
		slices.Sort(written)
		slices.Sort(compiled)
		if !slices.Equal(written, compiled) {
			t.Errorf("%s: has the text of %v and compiles %v", name, written, compiled)
		}
		for _, a := range compiled {
			found++
			if !slices.Contains(types, a) || !strings.HasPrefix(name, "action_") {
				t.Errorf("%s compiles %s, whose type is not there, or is no action's file", name, a)
			}
		}
		// "drop" is no actions; assignments begin with a field's name.
		if wordless := name == "action_drop.go" || name == "action_load.go"; len(compiled) > 0 && words == wordless {
			t.Errorf("%s: the parser knows no word for %v", name, compiled)
		}
	}
	if found < 43 {
		t.Errorf("%d actions found", found)
	}
}

// An action that has a destination says so to whoever asks what is written.
func TestEveryDestinationIsATarget(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("action_*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	var with, says []string
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeSpec:
				s, ok := n.Type.(*ast.StructType)
				if ok && slices.ContainsFunc(s.Fields.List, func(f *ast.Field) bool {
					return slices.ContainsFunc(f.Names, func(n *ast.Ident) bool { return n.Name == "Dst" })
				}) {
					with = append(with, n.Name.Name)
				}
			case *ast.FuncDecl:
				if n.Recv != nil && n.Name.Name == "targets" {
					says = append(says, n.Recv.List[0].Type.(*ast.Ident).Name)
				}
			}
			return true
		})
	}
	if len(with) < 12 {
		t.Errorf("only %q have a destination", with)
	}
	for _, name := range with {
		if !slices.Contains(says, name) {
			t.Errorf("%s has a Dst that Targets does not tell of", name)
		}
	}
}
