package store

import (
	"os"
	"syscall"
)

// lockShared locks a file against writers until it is closed, as bbolt does
// (flock(2)); false: another process is writing.
func lockShared(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == nil
}
