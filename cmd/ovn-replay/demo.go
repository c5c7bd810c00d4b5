package main

import (
	"embed"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"ovnreplay/sim/replay"
)

// The session the project began with: a client outside reaches a pod through
// a nodePort, and the pod's answers find their way back.
//
//go:embed demo
var demoCase embed.FS

func newDemoCommand(stdout, stderr io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Replay the embedded recorded session: no files, no servers",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return demo(cmd, stdout, stderr) },
	}
}

func demo(cmd *cobra.Command, stdout, stderr io.Writer) (err error) {
	if err := os.MkdirAll(os.TempDir(), 0o700); err != nil { // an image of nothing but the program has none
		return err
	}
	dir, err := os.MkdirTemp("", "ovn-replay-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, demoCase); err != nil {
		return err
	}
	dir = filepath.Join(dir, "demo")
	fmt.Fprintln(stdout, "A client outside (172.18.0.1) fetches a page from nodePort 172.18.0.4:30007.")
	fmt.Fprintln(stdout, "nginx answers from 10.244.1.3:80. Each line is a packet that entered OVN, and")
	fmt.Fprintln(stdout, "where it left; below it, when it is new, what conntrack translated.")
	fmt.Fprintln(stdout)
	in := newInput(nil, stderr)
	in.Case = dir
	run := &runOptions{input: in, stdout: stdout, format: "line", lines: terminalLines(stdout)}
	if run.lines == nil {
		run.lines = &replay.Lines{Width: 120}
	}
	if err := run.run(cmd); err != nil {
		return err
	}
	fmt.Fprintln(stdout)
	check := &verifyOptions{input: in, stdout: stdout}
	return check.verify(cmd)
}
