package sim_test

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Lines of source fit into this many columns, a tab being four wide.
const columns, tabWidth = 120, 4

// TestLines is part of "make lint". What may be longer: what runs over several
// lines of a test between back quotes, which is recorded text, and lines of
// scripts that are nothing but one word (an address).
func TestLines(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if err == nil && strings.HasPrefix(d.Name(), ".git") {
				return fs.SkipDir
			}
			return err
		}
		ext := filepath.Ext(path)
		if ext != ".go" && d.Name() != "Makefile" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		recorded := map[int]bool{}
		if strings.HasSuffix(path, "_test.go") {
			recorded = quotedLines(text)
		}
		number := 0
		for line := range strings.Lines(string(text)) {
			number++
			if n := width(strings.TrimRight(line, "\r\n")); n > columns && !recorded[number] {
				t.Errorf("%s:%d: %d columns, of at most %d (a tab counts %d)", path, number, n, columns, tabWidth)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func width(line string) int {
	n := 0
	for _, r := range line {
		if n++; r == '\t' {
			n += (tabWidth - n%tabWidth) % tabWidth
		}
	}
	return n
}

// quotedLines returns the lines through which a string in back quotes runs that has more than one.
func quotedLines(text []byte) map[int]bool {
	lines := map[int]bool{}
	file := token.NewFileSet().AddFile("", -1, len(text))
	var s scanner.Scanner
	s.Init(file, text, nil, 0)
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			return lines
		}
		if n := strings.Count(lit, "\n"); tok == token.STRING && n > 0 {
			for i := range n + 1 {
				lines[file.Line(pos)+i] = true
			}
		}
	}
}

func TestWidth(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]int{
		"": 0, "abc": 3, "\t": 4, "\tabc": 7, "abc\td": 5, "abcd\te": 9, "µs": 2, strings.Repeat("\t", 30): 120,
	} {
		if got := width(line); got != want {
			t.Errorf("%q is %d wide, not %d", line, got, want)
		}
	}
}
