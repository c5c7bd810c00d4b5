package replay

import (
	"fmt"
	"io"
	"strings"
)

// Write prints the report for people: what differs, each with its likeliest
// place, and the sums. Quietly, only the sums.
func (r *Report) Write(w io.Writer, quiet bool) error {
	var b strings.Builder
	if !quiet {
		section(&b, "mismatched", r.Mismatched)
		section(&b, "missing", r.Missing)
		section(&b, "unexpected", r.Unexpected)
		section(&b, "skipped", r.Skipped)
	}
	verdict := "everything observed was predicted, byte for byte"
	if !r.OK() {
		verdict = "prediction and capture differ"
	}
	fmt.Fprintf(&b, "%s\n", verdict)
	fmt.Fprintf(&b, "packets %d: entered %d, observed %d\n", r.Packets, r.Entered, r.Observed)
	fmt.Fprintf(&b, "matched %d (guessed %d), autonomous %d, mismatched %d, missing %d, unexpected %d\n",
		r.Matched, r.Guessed, r.Autonomous, len(r.Mismatched), len(r.Missing), len(r.Unexpected))
	_, err := io.WriteString(w, b.String())
	return err
}

func section(b *strings.Builder, name string, items []Item) {
	for i := range items {
		it := &items[i]
		fmt.Fprintf(b, "%s: %s frame %d at %s: %s\n", name, it.Capture, it.Frame, it.Port, it.Packet)
		if it.Reason != "" {
			fmt.Fprintf(b, "    %s\n", it.Reason)
		}
		if it.From != nil {
			fmt.Fprintf(b, "    predicted from %s frame %d at %s\n", it.From.Capture, it.From.Frame, it.From.Port)
		}
		for _, d := range it.Fields {
			fmt.Fprintf(b, "    %s: predicted %s, observed %s", d.Field, d.Predicted, d.Observed)
			if d.Old != "" {
				fmt.Fprintf(b, " (entered with %s)", d.Old)
			}
			if d.Stage != "" {
				fmt.Fprintf(b, ", last set at %s by flow %s", d.Stage, d.Flow)
			}
			b.WriteByte('\n')
		}
		if it.Flow != nil {
			fmt.Fprintf(b, "    first parts at %s, flow %s\n", it.Flow.Stage, it.Flow.UUID)
		}
	}
}
