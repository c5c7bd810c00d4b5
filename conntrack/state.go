package conntrack

import "strings"

var stateNames = [...]string{"new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat"}

// String writes a state the way Open vSwitch does: new|trk, "0" for none.
func (s State) String() string {
	if s == 0 {
		return "0"
	}
	var b strings.Builder
	for i, n := range stateNames {
		if s&(1<<i) == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('|')
		}
		b.WriteString(n)
	}
	return b.String()
}
