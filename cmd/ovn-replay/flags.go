package main

import (
	"github.com/spf13/cobra"

	"ovnreplay/store/output"
)

// profileFlag gives every command --cpuprofile; what it returns writes the profile.
func profileFlag(root *cobra.Command) (write func() error) {
	p := &output.Profile{}
	root.PersistentFlags().StringVar(&p.Path, "cpuprofile", "",
		"write a CPU profile of the command to `FILE`, for go tool pprof")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return p.Start(cmd.Context()) }
	return func() error { return p.Write("--cpuprofile") }
}
