package main

import (
	"fmt"

	"ovnreplay/sim/replay"
)

// sayLimits tells which limits of the system that is imitated were reached:
// each once, with how often and since when.
func (j *job) sayLimits() {
	for _, r := range j.Engine.Limits() {
		fmt.Fprintf(j.in.stderr, "ovn-replay: %s\n", replay.LimitLine(r))
	}
}
