package main

import (
	"bytes"
	"context"
	"runtime/pprof"

	"github.com/spf13/cobra"
	"ovnreplay/store/output"
)

// profile is a CPU profile of the command, for those who make it faster.
type profile struct {
	path    string
	ctx     context.Context
	samples bytes.Buffer
}

// profileFlag gives every command --cpuprofile.
func profileFlag(root *cobra.Command) *profile {
	p := &profile{}
	root.PersistentFlags().StringVar(&p.path, "cpuprofile", "", "write a CPU profile of the command to `FILE`, for go tool pprof")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return p.start(cmd.Context()) }
	return p
}

func (p *profile) start(ctx context.Context) error {
	if p.path == "" {
		return nil
	}
	p.ctx = ctx
	return pprof.StartCPUProfile(&p.samples)
}

// stop writes the profile: only now is it known which files were inputs.
func (p *profile) stop() error {
	if p.ctx == nil {
		return nil
	}
	pprof.StopCPUProfile()
	w, done, err := output.Of(p.ctx).Open("--cpuprofile", p.path, nil)
	if err != nil {
		return err
	}
	defer done()
	_, err = w.Write(p.samples.Bytes())
	return err
}
