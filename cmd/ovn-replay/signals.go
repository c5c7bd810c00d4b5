package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"ovnreplay/sim/job"
	"ovnreplay/sim/replay"
	"ovnreplay/store/output"
)

// abandon ends the program while a command is still at work, and returns its
// status. Of the streams it takes nothing that the command may hold.
func abandon(ctx context.Context, files *output.Files, cmd *cobra.Command, stdout, stderr io.Writer) int {
	files.Finish()
	err := interrupted(ctx, nil, cmd, stdout)
	fmt.Fprintf(stderr, "ovn-replay: %s\n", err)
	return statusOf(ctx, err)
}

// interrupted returns the error of a command that a signal ended. Where the command prints
// JSON, its last line says so, but for verify's report, which does by itself.
func interrupted(ctx context.Context, err error, cmd *cobra.Command, out io.Writer) error {
	by := new(job.Interruption)
	replaying := errors.As(err, &by)
	if !replaying { // before the captures were read
		err = job.Interrupted(ctx, 0)
	}
	if inJSON(cmd) && !(replaying && cmd.Name() == "verify") {
		json.NewEncoder(out).Encode(interruptedJSON{replay.FormVersion, true, by.Packets})
	}
	return err
}

// inJSON reports whether a command was told to print JSON.
func inJSON(cmd *cobra.Command) bool {
	asked := func(flag, value string) bool {
		f := cmd.Flags().Lookup(flag)
		return f != nil && f.Value.String() == value
	}
	return asked("json", "true") || asked("format", "json")
}

// interruptedJSON is the last line of JSON that an interrupted command prints.
type interruptedJSON struct {
	Version     int  `json:"version"` // of this form, see replay.FormVersion
	Interrupted bool `json:"interrupted"`
	Packets     int  `json:"packets"` // read until then
}
