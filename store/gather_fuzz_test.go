package store

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzGather looks into a tar file, compressed or not, and opens what is found
// in it: nothing panics, and what is listed can be named.
func FuzzGather(f *testing.F) {
	inner := []treeFile{{"a/sb.db", strings.Join(small(), "")}, {"ct-zone-list.txt", "pod 3\n"}}
	f.Add([]byte(tarOf(f, inner)))
	f.Add([]byte(compressAs(f, "gzip", tarOf(f, []treeFile{{"inner.tar", tarOf(f, inner)}}))))
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "x.tar")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		ends(t, func() {
			items, _, err := Gather(context.Background(), path)
			if err != nil {
				return
			}
			for _, i := range items {
				if i.Kind == DatabaseFile {
					Open(context.Background(), i.Path, Options{})
				}
			}
			Open(context.Background(), path, Options{})
		})
	})
}
