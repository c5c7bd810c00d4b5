package pcap

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// CutFile takes FILE@REST apart. A file's name, or a folder's, may hold an @
// itself: the longest name that there is, or that is a pattern for some, is
// meant. If there is none, it is the one that ends as captures do, else what is
// before the first @ of its last part.
func CutFile(arg string) (file, rest string, cut bool) {
	for end := len(arg); end > 0; end = strings.LastIndexByte(arg[:end], '@') {
		if names(arg[:end], end == len(arg)) {
			return arg[:end], strings.TrimPrefix(arg[end:], "@"), end < len(arg)
		}
	}
	if m := captureEnding.FindStringIndex(arg); m != nil {
		return arg[:m[1]-1], arg[m[1]:], true
	}
	dir, last := filepath.Split(arg)
	last, rest, cut = strings.Cut(last, "@")
	return dir + last, rest, cut
}

var captureEnding = regexp.MustCompile(`\.(pcap|pcapng|cap|ntar|txt|db)[0-9]*(\.gz|\.xz|\.zst)?@`)

// names reports whether a name is that of something to read; a folder is if
// the name is whole, without an @ and what follows.
func names(name string, whole bool) bool {
	if name == "-" {
		return true
	}
	if info, err := os.Stat(name); err == nil {
		return whole || !info.IsDir()
	}
	if !strings.ContainsAny(name, "*?[") {
		return false
	}
	files, err := filepath.Glob(name)
	return err == nil && len(files) > 0
}
