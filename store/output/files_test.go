package output

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Two flags write one file though it is not there yet, if links say so; what ends with a
// slash is no file.
func TestOutputsThroughLinksToNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.MkdirAll(at("a/b"), 0o700); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{
		"one": "file", "two": at("one"), "a/b/three": "../../file", "c": "a/b", "loop": "loop",
	} {
		if err := os.Symlink(to, at(link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, other := range []string{"one", "two", "a/b/three", "c/three", "file"} {
		var o Files
		err := cmp.Or(o.Check("-w", at("file")), o.Check("--session", at("else")), o.Check("-w", at("loop")))
		if err != nil {
			t.Error(err)
		}
		err = o.Check("--junit", at(other))
		if err == nil || !strings.Contains(err.Error(), "is also what -w writes") {
			t.Errorf("%s: %v", other, err)
		}
	}
	var o Files
	if err := o.Check("-w", at("new")+string(filepath.Separator)); err == nil {
		t.Error("a file whose name ends with a slash is written")
	}
}
