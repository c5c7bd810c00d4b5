package output

import (
	"bytes"
	"context"
	"fmt"
	"runtime/pprof"
)

// Profile is a CPU profile of a command, for those who make it faster.
type Profile struct {
	Path string // "": there is none

	ctx     context.Context
	samples bytes.Buffer
}

// Start begins the profile of a command line, for the flag that names it, unless the file is of another use to it.
func (p *Profile) Start(ctx context.Context) error {
	const flag = "--cpuprofile"
	if p.Path == "" {
		return nil
	}
	if Stdout(p.Path) {
		return fmt.Errorf("%s %s: standard output is the command's; name a file", flag, p.Path)
	}
	if err := Of(ctx).reserve(flag, p.Path); err != nil {
		return err
	}
	p.ctx = ctx
	return pprof.StartCPUProfile(&p.samples)
}

// Write ends the profile and writes it to the file that flag names: only now is it
// known which files were inputs.
func (p *Profile) Write(flag string) error {
	if p.ctx == nil {
		return nil
	}
	pprof.StopCPUProfile()
	w, done, err := Of(p.ctx).Open(flag, p.Path, nil)
	if err != nil {
		return err
	}
	defer done()
	_, err = w.Write(p.samples.Bytes())
	return err
}
