package output

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Names notes a command line, and files that a command may read or write without being told. Which of its
// words are files only the command knows, and tells later or never: of a file that no command
// has a use for, such as a profile, it is enough that one of the words may be it.
func (o *Files) Names(args []string, more ...string) {
	o.words = append(args[:len(args):len(args)], more...)
}

// reserve refuses a file that a flag names if a word of the command line may name it as well, under
// whatever name, or a folder that it is in. What is named otherwise, by a case, say, is found out
// once that is known, before the work is done.
func (o *Files) reserve(flag, name string) error {
	if err := o.Check(flag, name); err != nil {
		return err
	}
	o.reserved = Destination{flag, name}
	info, err := os.Stat(name)
	if err != nil || !readBack(info) {
		return nil
	}
	taken := fmt.Errorf("%s: is also read or written by the command; name another file with %s", name, flag)
	if in, err := os.Stdin.Stat(); err == nil && os.SameFile(in, info) {
		return taken
	}
	value := false // of the flag itself
	for _, word := range o.words {
		if own := value || word == flag; own || strings.HasPrefix(word, flag+"=") {
			value = own && !value
			continue
		}
		for _, file := range files(word) {
			if holds(file, name, info) {
				return taken
			}
		}
	}
	return nil
}

// files are what a word of a command line may name: the word, what follows a flag's letter or =, what is
// before a place (@) or a number (#), and each of several.
func files(word string) (names []string) {
	const most = 32 // marks: expressions have many
	starts, ends := []int{0}, []int{len(word)}
	for i := 0; i < len(word) && len(starts) < most; i++ {
		switch {
		case strings.IndexByte("=@#,:", word[i]) >= 0:
			starts, ends = append(starts, i+1), append(ends, i)
		case word[0] == '-' && i > 0 && i < 8 && word[1] != '-': // -rFILE, and flags in one
			starts = append(starts, i+1)
		}
	}
	for _, from := range starts {
		for _, to := range ends {
			if from >= to {
				continue
			}
			name := word[from:to]
			names = append(names, name)
			if strings.ContainsAny(name, "*?[") {
				matches, _ := filepath.Glob(name)
				names = append(names, matches...)
			}
		}
	}
	return names
}

// errHolds ends looking through a folder that holds what is looked for.
var errHolds = errors.New("it is there")

// holds is isOrHolds, but that a folder holds what links in it lead to, too. Of a case's folder not all
// is read, and whoever reads it says what.
func holds(in, name string, file fs.FileInfo) bool {
	if _, err := os.Stat(filepath.Join(in, "case.json")); err == nil {
		return false
	}
	if isOrHolds(in, name, file) {
		return true
	}
	if info, err := os.Stat(in); err != nil || !info.IsDir() {
		return false
	}
	left := 1 << 14 // it may be the root of all files
	err := filepath.WalkDir(in, func(path string, e fs.DirEntry, err error) error {
		if left--; left < 0 {
			return fs.SkipAll
		}
		if err != nil || e.IsDir() {
			return nil // what cannot be read is not read
		}
		if info, err := os.Stat(path); err == nil && os.SameFile(info, file) {
			return errHolds
		}
		return nil
	})
	return err == errHolds
}
