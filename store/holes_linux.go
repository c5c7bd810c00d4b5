package store

import (
	"io"
	"os"
	"syscall"
)

// hasHoles reports whether parts of a file are in no place on the disk: they
// read as zeros, and may be larger than any disk (lseek(2), SEEK_HOLE).
func hasHoles(f *os.File) bool {
	const seekHole = 4
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	hole, err := syscall.Seek(int(f.Fd()), 0, seekHole)
	if _, back := f.Seek(0, io.SeekStart); err != nil || back != nil {
		return false
	}
	return hole < info.Size()
}
