package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"ovnreplay/sim/job"
	"ovnreplay/sim/ledger"
	"ovnreplay/sim/printable"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/show"
	"ovnreplay/sim/why"
	"ovnreplay/store"
	"ovnreplay/store/output"
)

// whyOptions is "why": what became of one packet or connection, and why.
type whyOptions struct {
	asked
	stdout io.Writer
	json   bool
}

func newWhyCommand(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	o := &whyOptions{asked: asked{input: newInput(stdin, stderr)}, stdout: stdout}
	cmd := &cobra.Command{
		Use:   "why FILE:FRAME|CONNECTION|ADDRESS[:PORT] --db SOURCE FILE[@PORT]… | --case DIR | --session FILE",
		Short: "Say in a few lines what became of a packet or connection, and why",
		Long: `why replays captures and puts together, in at most ten lines, what came in, what it
needed, which flow decided, and where it parted from a packet like it that fared
otherwise: of the same connection, service, address or client. A connection is given
by its number (see connections) or the address of one of its ends; of it, the first
packet that did not arrive is told.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Captures = append(o.Captures, args[1:]...)
			return o.run(cmd.Context(), args[0])
		},
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON object: the lines, the packet and its connection")
	return cmd
}

func (o *whyOptions) run(ctx context.Context, text string) error {
	defer store.Frugal(ctx)()
	var s *ledger.Stories
	damage := o.Each(ctx, o.session, func(x *why.Explainer, j *job.Job) (replay.Handler, error) {
		var taps []*replay.Tap
		if j != nil {
			taps = j.Taps
		}
		s = ledger.NewStories(x, taps, text)
		return s, nil
	})
	if s == nil {
		return damage
	}
	answer, err := s.Why()
	switch {
	case err != nil:
		return errors.Join(err, damage)
	case o.json:
		return errors.Join(output.Encoder(o.stdout).Encode(answer), damage)
	}
	out := show.Folding(o.stdout)
	for _, line := range answer.Lines {
		printable.Fprintf(out, "%s\n", line)
	}
	return damage
}
