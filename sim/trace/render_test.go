package trace

import (
	"strings"
	"testing"
)

func leaf(kind NodeKind, text string) *Node { return &Node{Kind: kind, Text: text, Event: -1} }

func branch(kind NodeKind, text string, children ...*Node) *Node {
	return &Node{Kind: kind, Text: text, Event: -1, Children: children}
}

// What comes last in its list stands level with its parent; what does not, and
// a group's member always, is indented.
func TestForms(t *testing.T) {
	t.Parallel()
	member := branch(PipelineNode, "egress(member)", branch(TableNode, " 0. member", leaf(ActionNode, "output;"),
		leaf(ModifyNode, `output("p")`)))
	member.indent = true
	tree := []*Node{branch(PipelineNode, "ingress(dp)",
		branch(TableNode, " 0. first",
			leaf(ActionNode, "clone { next; };"),
			branch(TransformNode, "clone", leaf(ActionNode, "next;"),
				branch(TableNode, " 1. of the clone", leaf(ActionNode, "drop;"))),
			leaf(NoteNode, "what ovn-trace has no words for"),
			leaf(ActionNode, "ip.ttl--;"),
			leaf(ModifyNode, "ip.ttl--"),
			leaf(ErrorNode, "*** wrong"),
			leaf(ActionNode, "next(5);"),
			branch(TableNode, " 5. last",
				leaf(ActionNode, "output;"),
				branch(PipelineNode, "multicast(dp)", member),
			)))}
	for format, want := range map[Format]string{
		DetailedFormat: `
ingress(dp)
-----------
 0. first
    clone { next; };

    clone
    -----
            next;
         1. of the clone
            drop;
    ip.ttl--;
    *** wrong
    next(5);
 5. last
    output;

multicast(dp)
-------------

    egress(member)
    --------------
         0. member
            output;
`,
		SummaryFormat: `ingress(dp) {
    clone { next; };
    clone {
        next;
        drop;
    };
    ip.ttl--;
    *** wrong;
    output;
    multicast(dp) {
        egress(member) {
            output;
        };
    };
};
`,
		MinimalFormat: `clone;
ip.ttl--;
*** wrong;
output("p");
`,
	} {
		var out strings.Builder
		if err := WriteTree(&out, tree, format); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != want {
			t.Errorf("form %d:\n%s\nwant\n%s", format, got, want)
		}
	}
}

func TestShortenUUID(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"": "", "lp1": "lp1",
		"a1d5c6e2-0b11-4c01-9a01-111111111111":      "a1d5c6",
		"lrp-1b2c3d4e-0001-4a01-8001-f00000000001":  "lrp-1b2c3d",
		"lrp-1b2c3d4e-0001-4a01-8001-f0000000000g":  "lrp-1b2c3d4e-0001-4a01-8001-f0000000000g",
		"1b2c3d4e-0001-4a01-8001-f00000000001-tail": "1b2c3d4e-0001-4a01-8001-f00000000001-tail",
	} {
		if got := shortenUUID(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
