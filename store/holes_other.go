//go:build !linux

package store

import "os"

// hasHoles is only known on Linux.
func hasHoles(*os.File) bool { return false }
