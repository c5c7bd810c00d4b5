package main

import (
	"embed"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"ovnreplay/sim/printable"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/show"
	"ovnreplay/store/output"
)

// The session the project began with: a client outside reaches a pod through
// a nodePort, and the pod's answers find their way back.
//
//go:embed demo
var demoCase embed.FS

func newDemoCommand(stdout, stderr io.Writer) *cobra.Command {
	keep := ""
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Replay the embedded recorded session: no files, no servers",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if keep != "" {
				return keepDemo(cmd, keep, stdout)
			}
			return demo(cmd, stdout, stderr)
		},
	}
	cmd.Flags().StringVar(&keep, "keep", "", "write the session's files into `DIR` instead: a case to try commands on")
	return cmd
}

// keepDemo writes the session into a folder, and says what can be done with it.
func keepDemo(cmd *cobra.Command, dir string, stdout io.Writer) error {
	err := fs.WalkDir(demoCase, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := demoCase.ReadFile(name)
		if err != nil {
			return err
		}
		return output.Of(cmd.Context()).Put("--keep", filepath.Join(dir, filepath.Base(name)), text, 0o644)
	})
	output.Of(cmd.Context()).After(func() error {
		_, err := printable.Fprintf(stdout, "%[1]s holds a recorded session: ovn-replay verify --case %[1]s\n", dir)
		return err
	})
	return err
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
	run := &runOptions{input: in, stdout: stdout, format: "line", lines: show.TerminalLines(stdout)}
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
