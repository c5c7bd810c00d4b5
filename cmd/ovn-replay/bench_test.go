package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The short form of "make bench": packets take so many times less than ovn-trace
// takes for one, in the same run. Absolute times are no matter.
func TestRatiosToOVNTrace(t *testing.T) {
	needsTool(t, "ovn-trace")
	bench := filepath.Join(t.TempDir(), "bench")
	build := exec.Command("go", "build", "-trimpath", "-o", bench, "../../testdata/bench")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	cmd := exec.Command(bench, "-short", "-program", program(t), "-case", cases+"/nodeport")
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin")
	text, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(text), " x |") < 6 {
		t.Errorf("%v\n%s", err, text)
	}
}
