package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ovnreplay/store/output"
)

// once is the value of a flag that may be given once: a second one would
// silently take the place of the first.
type once struct {
	pflag.Value
	given bool
	hint  string
}

// Set implements pflag.Value.
func (o *once) Set(text string) error {
	if o.given {
		return fmt.Errorf("%q was given already; this flag takes one value%s", o.String(), o.hint)
	}
	o.given = true
	return o.Value.Set(text)
}

// onceEach lets each flag of a command and those below it that is no list, nor
// on or off, be given once.
func onceEach(cmd *cobra.Command) {
	wrap := func(f *pflag.Flag) {
		_, list := f.Value.(pflag.SliceValue)
		if _, done := f.Value.(*once); !done && !list && f.Value.Type() != "bool" {
			one := &once{Value: f.Value}
			if f.Name == "db" {
				one.hint = ": a replay is on one network (diff compares two)"
			}
			f.Value = one
		}
	}
	cmd.Flags().VisitAll(wrap)
	cmd.PersistentFlags().VisitAll(wrap)
	for _, sub := range cmd.Commands() {
		onceEach(sub)
	}
}

// profileFlag gives every command --cpuprofile; what it returns writes the profile.
func profileFlag(root *cobra.Command) (write func() error) {
	p := &output.Profile{}
	root.PersistentFlags().StringVar(&p.Path, "cpuprofile", "",
		"write a CPU profile of the command to `FILE`, for go tool pprof")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return p.Start(cmd.Context()) }
	return func() error { return p.Write("--cpuprofile") }
}
