package main

import (
	"io"

	"github.com/spf13/cobra"

	"ovnreplay/packaging/flags"
	"ovnreplay/sim/job"
	"ovnreplay/sim/recording"
	"ovnreplay/sim/replay"
	"ovnreplay/store"
)

// input is what the commands that replay take: a network and captures.
type input struct{ job.Spec }

func newInput(stdin io.Reader, stderr io.Writer) input {
	return input{job.Spec{Stdin: stdin, Stderr: stderr}}
}

func (in *input) flags(cmd *cobra.Command) { flags.Replay(cmd.Flags(), &in.Spec) }

// unread says of captures none of whose packets were read that it was asked for.
func (in *input) unread(r *replay.Report) {
	if in.Selects != "" && r.Unverified != "" && r.Packets == 0 {
		r.Unverified = "--pcap-filter selects none of the captures' packets"
	}
}

// filesOf is how the files of a recording are read.
func filesOf(stdin io.Reader) recording.Files {
	return recording.Files{Stdin: stdin, Open: store.OpenFile}
}

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
