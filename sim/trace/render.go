package trace

import (
	"bytes"
	"io"
	"strings"

	"ovnreplay/sim/printable"
)

// Format is a way to show a trace.
type Format uint8

const (
	LineFormat Format = iota + 1
	DetailedFormat
	SummaryFormat
	MinimalFormat
	JSONFormat
	NoFormat
)

var formats = map[string]Format{
	"line": LineFormat, "detailed": DetailedFormat, "summary": SummaryFormat,
	"minimal": MinimalFormat, "json": JSONFormat, "none": NoFormat,
}

// ParseFormat returns the format with a name.
func ParseFormat(name string) (f Format, ok bool) {
	f, ok = formats[name]
	return f, ok
}

// Write shows the trace in ovn-trace's detailed, summary or minimal form
// (ovn-trace(8), "Output").
func (b *Book) Write(w io.Writer, t *Trace, f Format) error {
	b.nodes.used = 0
	b.text.Reset()
	writeTree(&b.text, b.grow(t, &b.nodes), f)
	_, err := w.Write(b.text.Bytes())
	return err
}

// WriteTree is Write for a tree made before; it leaves the tree as it is.
func WriteTree(w io.Writer, nodes []*Node, f Format) error {
	var out bytes.Buffer
	writeTree(&out, nodes, f)
	_, err := w.Write(out.Bytes())
	return err
}

func writeTree(out *bytes.Buffer, nodes []*Node, f Format) {
	switch f {
	case DetailedFormat:
		nodes = prune(nodes, func(n *Node) bool { return n.Kind == NoteNode })
		detailed(out, nodes, 0)
	case SummaryFormat:
		nodes = prune(nodes, func(n *Node) bool {
			return n.Kind == ModifyNode || n.Kind == TableNode || n.Kind == NoteNode
		})
		summary(out, nodes, 0)
	case MinimalFormat:
		nodes = prune(nodes, func(n *Node) bool {
			switch n.Kind {
			case ActionNode, PipelineNode, TableNode, OutputNode, NoteNode:
				return true
			}
			return false
		})
		summary(out, nodes, 0)
	}
}

// detailed writes nodes below one another. What is last in its list needs no
// more indentation than its parent: the packet goes on there.
func detailed(out *bytes.Buffer, nodes []*Node, level int) {
	for i, n := range nodes {
		if n.Kind == ModifyNode {
			continue
		}
		more := 0
		if i < len(nodes)-1 || n.Indent || n.Kind.terminal() {
			more = 1
		}
		title := n.Kind == PipelineNode || n.Kind == TransformNode
		if title {
			out.WriteByte('\n')
		}
		indent(out, level+more)
		text := printable.Line(n.Text)
		out.WriteString(text)
		n.on(out)
		out.WriteByte('\n')
		if title {
			indent(out, level+more)
			out.WriteString(strings.Repeat("-", len(text)))
			out.WriteByte('\n')
		}
		detailed(out, n.Children, level+2*more)
	}
}

// summary writes nodes as a program with blocks.
func summary(out *bytes.Buffer, nodes []*Node, level int) {
	for _, n := range nodes {
		if n.Jump {
			continue
		}
		indent(out, level)
		out.WriteString(printable.Line(n.Text))
		if len(n.Children) > 0 {
			out.WriteString(" {")
			n.on(out)
			out.WriteByte('\n')
			summary(out, n.Children, level+1)
			indent(out, level)
			out.WriteByte('}')
		}
		if n.Kind != ActionNode {
			out.WriteByte(';')
		}
		if len(n.Children) == 0 {
			n.on(out)
		}
		out.WriteByte('\n')
	}
}

// on ends a line with the chassis.
func (n *Node) on(out *bytes.Buffer) {
	if n.On != "" {
		out.WriteString(" /* on " + printable.Line(n.On) + " */")
	}
}

func indent(out *bytes.Buffer, level int) {
	for range level {
		out.WriteString("    ")
	}
}
