package filter

// chain is operands joined with "and" and "or", which bind alike, from left to
// right.
type chain struct {
	first node
	rest  []link
}

// link is one more operand of a chain.
type link struct {
	or   bool
	node node
}

// emit decides after each operand where it leads: what is true so far goes on
// after the next "and", what is false after the next "or".
func (n *chain) emit(c *compiler, yes, no label) {
	last := len(n.rest)
	isTrue, isFalse := make([]label, last+1), make([]label, last+1)
	begins := make([]label, last+1)
	isTrue[last], isFalse[last] = yes, no
	for i := last - 1; i >= 0; i-- {
		begins[i+1] = c.label()
		isTrue[i], isFalse[i] = begins[i+1], isFalse[i+1]
		if n.rest[i].or {
			isTrue[i], isFalse[i] = isTrue[i+1], begins[i+1]
		}
	}
	n.first.emit(c, isTrue[0], isFalse[0])
	for i, l := range n.rest {
		c.bind(begins[i+1])
		l.node.emit(c, isTrue[i+1], isFalse[i+1])
	}
}

// not is the opposite of a node.
type not struct{ node node }

func (n *not) emit(c *compiler, yes, no label) { n.node.emit(c, no, yes) }
