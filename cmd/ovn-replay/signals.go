package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"ovnreplay/sim/job"
	"ovnreplay/store/output"
)

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
