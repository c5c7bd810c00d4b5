package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"ovnreplay/sim/job"
	"ovnreplay/store/output"
)

// patience is how long an interrupted command may take to end by itself before
// captures are read.
const patience = 150 * time.Millisecond

// errAbandoned is the error of a command that was not waited for.
var errAbandoned = errors.New("interrupted")

// execute runs the command. Interrupted before captures are read it is given up
// where it is: what loads gigabytes, or waits for who writes a pipe, need not ask
// at every step whether it is still wanted, and has nothing to complete.
func execute(ctx context.Context, root *cobra.Command, files *output.Files) error {
	ended := make(chan error, 1)
	go func() { ended <- root.ExecuteContext(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	if !errors.As(context.Cause(ctx), new(output.Signalled)) {
		return <-ended
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(patience):
	}
	if files.Begun() {
		return <-ended
	}
	return errAbandoned
}

// abandon ends the program while a command is still at work, and returns its
// status. Of the streams it takes nothing that the command may hold.
func abandon(ctx context.Context, files *output.Files, inJSON bool, stdout, stderr io.Writer) int {
	files.Finish()
	err := job.Interrupted(ctx, 0)
	if inJSON {
		json.NewEncoder(stdout).Encode(interruptedJSON{Interrupted: true})
	}
	fmt.Fprintf(stderr, "ovn-replay: %s\n", err)
	return statusOf(ctx, err)
}
