package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"ovnreplay/sim/ledger"
	"ovnreplay/sim/why"
)

// whyOptions is "why": what became of one packet or connection, and why.
type whyOptions struct {
	input
	stdout io.Writer
}

func newWhyCommand(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	o := &whyOptions{input: input{stdin: stdin, stderr: stderr}, stdout: stdout}
	cmd := &cobra.Command{
		Use:   "why FILE:FRAME|CONNECTION|ADDRESS[:PORT] --db SOURCE -r FILE[@PORT]… | --case DIR",
		Short: "Say in a few lines what became of a packet or connection, and why",
		Long: `why replays captures and puts together, in at most ten lines, what came in, what it
needed, which flow decided, and where it parted from a packet like it that fared
otherwise: of the same connection, service, address or client. A connection is given
by its number (see connections) or the address of one of its ends; of it, the first
packet that did not arrive is told.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args[0]) },
	}
	o.flags(cmd)
	return cmd
}

func (o *whyOptions) run(ctx context.Context, text string) error {
	j, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer j.close()
	s := ledger.NewStories(why.New(j.Engine, j.objects), j.Taps)
	damage := errors.Join(j.feed(ctx, j.session(s, j.ahead())), errors.Join(j.warnings...))
	lines, err := s.Why(text)
	for _, line := range lines {
		fmt.Fprintln(o.stdout, line)
	}
	return errors.Join(err, damage)
}
