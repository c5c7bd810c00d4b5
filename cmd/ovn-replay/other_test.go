//go:build !unix

package main

import (
	"errors"
	"os"
)

func makeFifo(string) error { return errors.ErrUnsupported }

// maxMemory is the most memory that a process had, in KiB: not known here.
func maxMemory(*os.ProcessState) int64 { return 0 }
