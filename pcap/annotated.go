package pcap

import (
	"slices"
	"strings"
)

// program is how the name of what writes annotated captures begins (see package sim/annotate): its comments,
// packet numbers and verdicts are of an earlier replay, and some of its packets are in no capture.
const program = "ovn-replay"

// opening is how the first of the comments of a packet begins, and keys are how the others may.
const opening = program + ": "

var keys = func() map[string]bool {
	known := map[string]bool{}
	for key := range strings.FieldsSeq(program + ` from called chassis host drop unknown consumed answered decided
		inferred nat rerouted marked untranslated ct conn acl note path flow observed difference cause`) {
		known[key] = true
	}
	return known
}()

// predictions are how the comments of packets begin that were predicted, and are in no capture. Those
// that were inferred have a comment that says so.
var predictions = []string{
	opening + "predicted output at ", opening + "predicted instead at ", opening + "unexpected at ",
	opening + "hop at ",
}

// Annotated reports whether the section is of an annotated capture.
func (s *Section) Annotated() bool {
	return s.Application == program || strings.HasPrefix(s.Application, program+" ")
}

// Kept are the section's comments without those of the program that annotated it, if one did.
func (s *Section) Kept() []string {
	if !s.Annotated() {
		return s.Comments
	}
	return slices.DeleteFunc(slices.Clone(s.Comments), func(c string) bool {
		key, _, _ := strings.Cut(c, ": ")
		return key == "database" || key == "OVN" || key == "command"
	})
}

// unannotate takes from a packet of an annotated capture what the annotation added, and notes
// whether that is the packet itself. What others wrote beside it stays.
func (r *Record) unannotate() {
	kept, ours := r.Comments[:0], false
	for _, c := range r.Comments {
		switch key, _, ok := strings.Cut(c, ": "); {
		case strings.HasPrefix(c, opening):
			ours = true
			r.predicted = r.predicted || slices.ContainsFunc(predictions, func(begins string) bool {
				return strings.HasPrefix(c, begins)
			})
		case ours && ok && keys[key]:
			r.predicted = r.predicted || key == "inferred"
		default:
			ours = false // ours stand together
			kept = append(kept, c)
		}
	}
	if len(kept) < len(r.Comments) {
		r.Options = slices.DeleteFunc(r.Options, func(o Option) bool {
			return o.Code == optPacketID || o.Code == optVerdict
		})
	}
	r.Comments = kept
}
