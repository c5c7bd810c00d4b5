package main

import (
	"github.com/spf13/cobra"
)

// asked is what questions are about: a session, or captures to be replayed.
type asked struct {
	input
	session string
}

func (o *asked) flags(cmd *cobra.Command) {
	o.input.flags(cmd)
	cmd.Flags().StringVar(&o.session, "session", "",
		"ask about the packets of the session in `FILE`, without a database or captures")
}
