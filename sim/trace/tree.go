package trace

import (
	"cmp"
	"slices"
)

// NodeKind says what a Node is, in ovn-trace's terms: the kinds decide how the
// detailed, summary and minimal forms show it.
type NodeKind uint8

const (
	PipelineNode  NodeKind = iota + 1 // a pipeline of a datapath, or a multicast group
	TableNode                         // a stage: the logical flow that matched, or that none did
	ActionNode                        // an action, or a comment on one
	TransformNode                     // what follows is about a changed or tracked packet
	ModifyNode                        // what a field of the packet becomes, and output at a port
	OutputNode                        // a comment on where the packet goes
	ErrorNode                         // something is wrong, or ends the packet
	NoteNode                          // what ovn-trace has no words for: JSON only
)

// String returns the kind as JSON spells it.
func (k NodeKind) String() string {
	return [...]string{"", "pipeline", "table", "action", "transformation", "modify", "output", "error", "note"}[k]
}

// terminal reports whether nodes of the kind never have children.
func (k NodeKind) terminal() bool {
	switch k {
	case OutputNode, ModifyNode, ActionNode, ErrorNode, NoteNode:
		return true
	}
	return false
}

// Node is a part of a trace. What happened to the packet because of a node,
// and after it, is in the node's children.
type Node struct {
	Kind NodeKind
	Text string // without indentation
	// the chassis, where it tells of a port that several have; ovn-trace, which knows none, has nothing there
	On       string
	Children []*Node

	Event int  // index of the event it tells of, -1 for none
	Flow  bool // it is the line of an OpenFlow flow

	Jump   bool // it goes on in a table that is not the next one: the summary leaves it out, as ovn-trace's does
	Indent bool // the detailed form never puts it level with its parent

	order string // among the members of a multicast group
	ct    *CTStep
	nats  []*NATStep
}

// Tree returns the trace as a tree. Its root is the list of what happened at
// the top: one pipeline.
func (b *Book) Tree(t *Trace) []*Node { return b.grow(t, &nodes{}) }

func (b *Book) grow(t *Trace, of *nodes) []*Node {
	root := of.take()
	root.Event = -1
	g := grower{book: b, trace: t, nodes: of, strands: []strand{{depth: -1, at: root, next: root}}}
	events := t.Events()
	for i := range events {
		g.index = i
		g.event(&events[i])
	}
	root.finish()
	return root.Children
}

// nodes are those of trees, to be used again once a tree has been shown.
type nodes struct {
	list []*Node
	used int
}

// take returns an empty node.
func (s *nodes) take() *Node {
	if s.used == len(s.list) {
		s.list = append(s.list, new(Node))
	}
	n := s.list[s.used]
	s.used++
	*n = Node{Children: n.Children[:0]}
	return n
}

// finish puts the members of groups in order and drops the blocks of packets
// that were not made.
func (n *Node) finish() {
	n.Children = slices.DeleteFunc(n.Children, func(c *Node) bool {
		c.finish()
		return c.Kind == TransformNode && c.ct == nil && len(c.Children) == 0 && c.order == emptyBlock
	})
	if len(n.Children) > 0 && n.order == floodOrder {
		slices.SortStableFunc(n.Children, func(a, b *Node) int { return cmp.Compare(a.order, b.order) })
	}
}

// Marks in Node.order of nodes that are no group's members.
const (
	floodOrder = "\x00flood"
	emptyBlock = "\x00block"
)

// prune returns nodes with those of some kinds replaced by their children. Those that it
// changes are copied.
func prune(nodes []*Node, drop func(*Node) bool) []*Node {
	out, _ := pruned(nodes, drop)
	return out
}

// pruned also reports whether the nodes are others than before.
func pruned(nodes []*Node, drop func(*Node) bool) (out []*Node, changed bool) {
	for i, n := range nodes {
		children, other := pruned(n.Children, drop)
		dropped := drop(n)
		if !changed && (other || dropped) {
			out, changed = append(out, nodes[:i]...), true
		}
		switch {
		case !changed:
		case dropped:
			out = append(out, children...)
		case other:
			c := *n
			c.Children = children
			out = append(out, &c)
		default:
			out = append(out, n)
		}
	}
	if !changed {
		return nodes, false
	}
	return out, true
}
