package trace_test

import (
	"strings"
	"testing"

	"ovnreplay/sim/trace"
)

func leaf(kind trace.NodeKind, text string) *trace.Node {
	return &trace.Node{Kind: kind, Text: text, Event: -1}
}

func branch(kind trace.NodeKind, text string, children ...*trace.Node) *trace.Node {
	return &trace.Node{Kind: kind, Text: text, Event: -1, Children: children}
}

// What comes last in its list stands level with its parent; what does not, and
// a group's member always, is indented.
func TestForms(t *testing.T) {
	t.Parallel()
	member := branch(trace.PipelineNode, "egress(member)", branch(trace.TableNode, " 0. member",
		leaf(trace.ActionNode, "output;"), leaf(trace.ModifyNode, `output("p")`)))
	member.Indent = true
	jump := leaf(trace.ActionNode, "next(5);")
	jump.Jump = true
	tree := []*trace.Node{branch(trace.PipelineNode, "ingress(dp)",
		branch(trace.TableNode, " 0. first",
			leaf(trace.ActionNode, "clone { next; };"),
			branch(trace.TransformNode, "clone", leaf(trace.ActionNode, "next;"),
				branch(trace.TableNode, " 1. of the clone", leaf(trace.ActionNode, "drop;"))),
			leaf(trace.NoteNode, "what ovn-trace has no words for"),
			leaf(trace.ActionNode, "ip.ttl--;"),
			leaf(trace.ModifyNode, "ip.ttl--"),
			leaf(trace.ErrorNode, "*** wrong"),
			jump,
			branch(trace.TableNode, " 5. last",
				leaf(trace.ActionNode, "output;"),
				branch(trace.PipelineNode, "multicast(dp)", member),
			)))}
	for format, want := range map[trace.Format]string{
		trace.DetailedFormat: `
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
		trace.SummaryFormat: `ingress(dp) {
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
		trace.MinimalFormat: `clone;
ip.ttl--;
*** wrong;
output("p");
`,
	} {
		var out strings.Builder
		if err := trace.WriteTree(&out, tree, format); err != nil {
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
		if got := trace.ShortenUUID(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
