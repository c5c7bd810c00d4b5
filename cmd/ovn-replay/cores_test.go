package main

import (
	"bytes"
	"context"
	"path/filepath"
	"runtime"
	"testing"
)

// What is printed does not depend on how many cores there are, nor on whether
// the captures are read ahead.
func TestCoresChangeNothing(t *testing.T) {
	for _, name := range []string{"nodeport", "kube-mixed", "kube-truncated"} {
		dir := filepath.Join(cases, name)
		for _, args := range [][]string{{"run"}, {"run", "--json", "--hex"}, {"run", "-w", "-"}, {"verify"}} {
			args = append(args, "--case", dir)
			output := func(cores int) string {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
				var stdout, stderr bytes.Buffer
				code := run(context.Background(), args, nil, &stdout, &stderr)
				stdout.WriteString(stderr.String())
				stdout.WriteByte(byte('0' + code))
				return stdout.String()
			}
			if one, many := output(1), output(8); one != many || len(one) < 100 {
				t.Errorf("%s %v: %d bytes with one core, others (%d) with eight", name, args, len(one), len(many))
			}
		}
	}
}
