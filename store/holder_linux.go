package store

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// holder names the process that has locked a file, "" when that cannot be
// told. The kernel lists locks in /proc/locks (proc(5)).
func holder(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(locks)) {
		f := strings.Fields(line)
		if len(f) < 6 || !strings.HasSuffix(f[5], fmt.Sprintf(":%d", stat.Ino)) {
			continue
		}
		name, err := os.ReadFile("/proc/" + f[4] + "/comm")
		if err != nil {
			return "process " + f[4]
		}
		return fmt.Sprintf("%s (process %s)", bytes.TrimSpace(name), f[4])
	}
	return ""
}
