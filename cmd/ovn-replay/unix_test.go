//go:build unix

package main

import (
	"os"
	"syscall"
)

func makeFifo(name string) error { return syscall.Mkfifo(name, 0o600) }

// maxMemory is the most memory that a process had, in KiB.
func maxMemory(p *os.ProcessState) int64 { return int64(p.SysUsage().(*syscall.Rusage).Maxrss) }
