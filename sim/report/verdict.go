package report

import (
	"strings"

	"ovnreplay/sim/replay"
)

// judge says what verifying came to, in verify's own words, and how that looks: well only if
// something was verified, all of it.
func (d *resultData) judge(v *replay.Report) {
	var text strings.Builder
	v.Write(&text, true) // to memory, which takes all
	d.Verdict, _, _ = strings.Cut(text.String(), "\n")
	if !v.Interrupted {
		d.Damaged = v.Damaged
	}
	switch {
	case v.OK() && v.Damaged == "":
		d.Class = "ok"
	case len(v.Mismatched)+len(v.Missing)+len(v.Unexpected) > 0:
		d.Class = "bad"
	default:
		d.Class = "warn"
	}
}
