package replay

import (
	"fmt"
	"time"

	"ovnreplay/sim"
)

// LimitLine tells in a line of a limit that was reached.
func LimitLine(r *sim.Reached) string {
	s := r.Limit.String()
	if r.Most > 0 {
		s += fmt.Sprintf(" (%d)", r.Most)
	}
	s += " on chassis " + r.Chassis.Name
	if r.Zone != "" {
		s += ", zone " + r.Zone
	}
	return fmt.Sprintf("%s: %d times since %s", s, r.Count, time.Unix(0, int64(r.Since)).UTC().Format("2006-01-02T15:04:05.000000Z"))
}
