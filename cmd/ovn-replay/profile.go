package main

import (
	"errors"
	"os"
	"runtime/pprof"

	"github.com/spf13/cobra"
)

// profile is a CPU profile of the command, for those who make it faster.
type profile struct {
	path string
	file *os.File
}

// profileFlag gives every command --cpuprofile.
func profileFlag(root *cobra.Command) *profile {
	p := &profile{}
	root.PersistentFlags().StringVar(&p.path, "cpuprofile", "", "write a CPU profile of the command to `FILE`, for go tool pprof")
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return p.start() }
	return p
}

func (p *profile) start() (err error) {
	if p.path == "" {
		return nil
	}
	if p.file, err = os.Create(p.path); err != nil {
		return err
	}
	return pprof.StartCPUProfile(p.file)
}

func (p *profile) stop() error {
	if p.file == nil {
		return nil
	}
	pprof.StopCPUProfile()
	return errors.Join(p.file.Close())
}
