package main

import (
	"encoding/json"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"ovnreplay/sim/replay"
)

type verifyOptions struct {
	input
	stdout io.Writer
	json   bool
}

func newVerifyCommand(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	o := &verifyOptions{input: input{stdin: stdin, stderr: stderr}, stdout: stdout}
	cmd := &cobra.Command{
		Use:   "verify --db SOURCE -r FILE[@PORT]… | --case DIR",
		Short: "Replay captures and hold every packet seen leaving OVN against the prediction",
		Long: `verify replays captures and compares, byte for byte, the packets they show leaving
OVN with the packets the replay says leave there.

Exit status: 0 everything matched, 1 there is a difference, 2 bad usage or bad input.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.verify(cmd) },
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&o.json, "json", false, "print the result as one JSON object")
	return cmd
}

// lookAhead is how far behind the reading a verification replays, so that a
// choice the datapath made at random can be read from the frame that shows it.
const lookAhead = 2e9

func (o *verifyOptions) verify(cmd *cobra.Command) error {
	j, err := o.open(cmd.Context())
	if err != nil {
		return err
	}
	defer j.close()
	v := replay.NewVerifier(j.engine, j.points, j.names)
	s := replay.NewSession(j.engine, j.points, v, lookAhead)
	damage := errors.Join(j.feed(cmd.Context(), s), errors.Join(j.warnings...))
	report := v.Finish()
	if err := o.print(report); err != nil {
		return err
	}
	switch {
	case damage != nil:
		return damage
	case !report.OK():
		return errDifference
	}
	return nil
}

func (o *verifyOptions) print(r *replay.Report) error {
	if o.json {
		e := json.NewEncoder(o.stdout)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	return r.Write(o.stdout, o.quiet)
}

