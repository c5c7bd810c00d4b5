package main

import (
	"ovnreplay/sim/replay"
)

// sayBounds tells what kept packets from what they would have done otherwise:
// each once, with how often and since when.
func (j *job) sayBounds() {
	b := replay.BoundsOf(j.Engine)
	b.Write(j.in.stderr, "ovn-replay: ")
}

// boundsJSON is the line of JSON after the packets, if there is something to tell.
type boundsJSON struct {
	Version int `json:"version"`
	replay.Bounds
}
