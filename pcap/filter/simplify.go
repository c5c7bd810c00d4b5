package filter

import (
	"math/bits"
	"slices"
)

// Libpcap simplifies a program before it runs it, by the method of McCanne and
// Jacobson (The BSD Packet Filter, USENIX 1993): tests whose outcome follows
// from earlier ones are left out, and tests of one field are brought together.
// A test that is left out cannot look beyond the packet's end, nor can one
// that another now decides before. So which packets cut within their headers
// are selected depends on it, and it is done here likewise, in the same order.

// maxBlocks is the size above which programs stay as they are: sets of
// dominators grow with its square.
const maxBlocks = 4096

// maxRounds ends a simplification that moves tests back and forth.
const maxRounds = 100

// block is one test and what computes its operands, none of which another
// block uses. The two ends of a program are blocks without a test.
type block struct {
	id      int
	code    []instruction // without the test
	test    instruction
	value   int // number of what is compared
	operand int // number of what it is compared with
	next    [2]*block
	preds   []edge
	level   int
	mark    int
	dom     bitset // blocks on every way to this one
}

// Ends of an edge, and indexes of block.next.
const (
	ifNo  = 0
	ifYes = 1
)

func (b *block) isEnd() bool { return b.test.op <= accept }

// edge is one way out of a block.
type edge struct {
	from *block
	way  int
}

func (e edge) to() *block     { return e.from.next[e.way] }
func (e edge) lead(to *block) { e.from.next[e.way] = to }

// bitset is a set of small numbers.
type bitset []uint64

func (s bitset) has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }
func (s bitset) add(i int)      { s[i/64] |= 1 << (i % 64) }

func (s bitset) fill() {
	for i := range s {
		s[i] = ^uint64(0)
	}
}

func (s bitset) intersect(t bitset) {
	for i := range s {
		s[i] &= t[i]
	}
}

// graph is a program as blocks.
type graph struct {
	root   *block
	blocks []*block
	levels [][]*block // by the longest way to an end; the last met is looked at first
	marked int
	edges  []bitset // by the edge's number: edges on every way to its end
	moved  bool     // a round has changed something
	shrunk bool     // a round has done more than to move branches
	values numbering
}

// simplify simplifies the program, unless it is too large for that.
func (c *compiler) simplify() {
	g := &graph{values: numbering{}}
	if g.root = g.build(c, 0, map[int32]*block{}); g.root == nil {
		return
	}
	for idle, all := 0, 0; idle < maxRounds && all < 10*maxRounds; all++ {
		g.moved, g.shrunk = false, false
		g.rank()
		g.dominate()
		g.thread()
		g.pull()
		if !g.moved {
			break
		}
		if idle++; g.shrunk {
			idle = 0
		}
	}
	c.err = g.fold()
	g.shorten()
	c.code = g.program()
}

// fold simplifies each block by itself, which decides no other any more.
func (g *graph) fold() (first *Error) {
	for _, level := range slices.Backward(g.levels) {
		for _, b := range slices.Backward(level) {
			if err := b.fold(); first == nil {
				first = err
			}
			if !b.isEnd() {
				g.normalize(b)
			}
		}
	}
	return first
}

// shorten leaves out first tests that do not matter, but not what the very
// first one looks at: libpcap keeps that.
func (g *graph) shorten() {
	code := g.root.code
	for !g.root.isEnd() && g.root.next[ifYes] == g.root.next[ifNo] {
		if g.root = g.root.next[ifYes]; g.root.isEnd() {
			return
		}
	}
	if len(code) > 0 && (len(g.root.code) == 0 || &code[0] != &g.root.code[0]) {
		g.root.code = append(code[:len(code):len(code)], g.root.code...)
	}
}

// build makes the block that begins at a place of the program, and those after
// it, numbered as they are met.
func (g *graph) build(c *compiler, at int32, known map[int32]*block) *block {
	for c.code[at].op == jump {
		at = c.code[at].yes
	}
	if b := known[at]; b != nil {
		return b
	}
	if len(g.blocks) >= maxBlocks {
		return nil
	}
	last := at
	for i := c.code[last].op; i > accept && i < equal; i = c.code[last].op {
		last++
	}
	b := &block{id: len(g.blocks), code: c.code[at:last:last], test: c.code[last]}
	g.blocks = append(g.blocks, b)
	known[at] = b
	if b.isEnd() {
		return b
	}
	b.next[ifYes] = g.build(c, b.test.yes, known)
	b.next[ifNo] = g.build(c, b.test.no, known)
	if b.next[ifYes] == nil || b.next[ifNo] == nil {
		return nil
	}
	g.normalize(b)
	return b
}

// rank sorts the blocks into levels.
func (g *graph) rank() {
	g.marked++
	g.levels = g.levels[:0]
	g.reach(g.root)
}

// reach visits a block and those after it, lowest level first.
func (g *graph) reach(b *block) {
	if b.mark == g.marked {
		return
	}
	b.mark, b.level = g.marked, 0
	if !b.isEnd() {
		g.reach(b.next[ifYes])
		g.reach(b.next[ifNo])
		b.level = 1 + max(b.next[ifYes].level, b.next[ifNo].level)
	}
	for len(g.levels) <= b.level {
		g.levels = append(g.levels, nil)
	}
	g.levels[b.level] = append(g.levels[b.level], b)
}

// number numbers the edges.
func (g *graph) number(e edge) int { return e.from.id + (1-e.way)*len(g.blocks) }

func (g *graph) edge(n int) edge {
	return edge{g.blocks[n%len(g.blocks)], 1 - n/len(g.blocks)}
}

// dominate finds which blocks and edges every way to a block or edge takes.
func (g *graph) dominate() {
	n := len(g.blocks)
	if g.edges == nil {
		g.edges = make([]bitset, 2*n)
		for i := range g.edges {
			g.edges[i] = make(bitset, (2*n+63)/64)
		}
		for _, b := range g.blocks {
			b.dom = make(bitset, (n+63)/64)
		}
	}
	for _, b := range g.blocks {
		b.dom.fill()
	}
	for _, s := range g.edges {
		s.fill()
	}
	clear(g.root.dom)
	clear(g.edges[g.number(edge{g.root, ifYes})])
	clear(g.edges[g.number(edge{g.root, ifNo})])
	for level := len(g.levels) - 1; level >= 0; level-- {
		for _, b := range slices.Backward(g.levels[level]) {
			b.dom.add(b.id)
			for _, e := range []edge{{b, ifYes}, {b, ifNo}} {
				g.pass(e)
			}
		}
	}
}

// pass hands what dominates an edge on to what it leads to.
func (g *graph) pass(e edge) {
	s := g.edges[g.number(e)]
	s.add(g.number(e))
	to := e.to()
	if to == nil {
		return
	}
	to.dom.intersect(e.from.dom)
	if !to.isEnd() {
		g.edges[g.number(edge{to, ifYes})].intersect(s)
		g.edges[g.number(edge{to, ifNo})].intersect(s)
	}
}

// thread leads edges past tests whose outcome is known.
func (g *graph) thread() {
	for level := 1; level < len(g.levels); level++ {
		for _, b := range slices.Backward(g.levels[level]) {
			g.skip(edge{b, ifYes})
			g.skip(edge{b, ifNo})
		}
	}
}

// skip leads an edge past a test that does not matter, and past those that are
// decided by an edge on every way to it.
func (g *graph) skip(e edge) {
	to := e.to()
	if to.isEnd() {
		return
	}
	if to.next[ifYes] == to.next[ifNo] {
		g.moved, g.shrunk = true, true
		e.lead(to.next[ifYes])
	}
	for g.skipDecided(e) {
		if e.to().isEnd() {
			return
		}
	}
}

func (g *graph) skipDecided(e edge) bool {
	for word, set := range g.edges[g.number(e)] {
		for ; set != 0; set &= set - 1 {
			earlier := g.edge(word*64 + bits.TrailingZeros64(set))
			if target := e.to().after(earlier); target != nil {
				g.moved = true
				e.lead(target)
				return true
			}
		}
	}
	return false
}

// after is where a test leads after an edge was taken, nil if that does not
// decide it.
func (b *block) after(e edge) *block {
	if b.isEnd() || b.test.op != e.from.test.op || b.value != e.from.value {
		return nil
	}
	if b.operand == e.from.operand {
		return b.next[e.way]
	}
	if e.way == ifYes && b.test.op == equal {
		return b.next[ifNo] // it equals something else
	}
	return nil
}

// pull brings tests of one value together: of those in a row that lead to the
// same place, it moves one up behind one of the same value.
func (g *graph) pull() {
	g.connect()
	for level := 1; level < len(g.levels); level++ {
		for _, b := range slices.Backward(g.levels[level]) {
			g.pullRow(b, ifYes)
			g.pullRow(b, ifNo)
		}
	}
}

// connect finds which blocks lead to which.
func (g *graph) connect() {
	for _, b := range g.blocks {
		b.preds = b.preds[:0]
	}
	for level := len(g.levels) - 1; level > 0; level-- {
		for _, b := range slices.Backward(g.levels[level]) {
			for _, way := range []int{ifYes, ifNo} {
				to := b.next[way]
				to.preds = append(to.preds, edge{b, way})
			}
		}
	}
}

// pullRow looks at the row of tests that begins at b and leads out one way.
func (g *graph) pullRow(b *block, out int) {
	if len(b.preds) == 0 {
		return
	}
	value := b.preds[0].from.value
	for _, e := range b.preds {
		if e.from.value != value {
			return
		}
	}
	on := 1 - out
	first := b.preds[len(b.preds)-1]
	if first.from.next[ifYes] == b {
		first.way = ifYes
	} else {
		first.way = ifNo
	}
	// The first test of another value, and how it is reached.
	other, ok := b.seek(first, out, func(x *block) bool { return x.value != value })
	if !ok {
		return
	}
	// The next after it of the value.
	same, ok := b.seek(edge{other.to(), on}, out, func(x *block) bool { return x.value == value })
	if !ok {
		return
	}
	pulled := same.to()
	same.lead(pulled.next[on])
	pulled.next[on] = other.to()
	if other == first {
		for _, e := range b.preds {
			way := ifNo
			if e.from.next[ifYes] == b {
				way = ifYes
			}
			e.from.next[way] = pulled
		}
	} else {
		other.lead(pulled)
	}
	g.moved = true
}

// seek follows a row from an edge on to the first test that is wanted, and
// returns the edge to it. The row has b on every way to it, and leads out to
// the same place as b.
func (b *block) seek(e edge, out int, wanted func(*block) bool) (edge, bool) {
	for {
		x := e.to()
		if x == nil || x.isEnd() || x.next[out] != b.next[out] || !x.dom.has(b.id) {
			return e, false
		}
		if wanted(x) {
			return e, true
		}
		e = edge{x, 1 - out}
	}
}

// program lays the blocks out again.
func (g *graph) program() []instruction {
	var out []instruction
	at := map[*block]int32{}
	var lay func(b *block)
	lay = func(b *block) {
		if _, ok := at[b]; ok {
			return
		}
		at[b] = int32(len(out))
		out = append(append(out, b.code...), b.test)
		if !b.isEnd() {
			lay(b.next[ifYes])
			lay(b.next[ifNo])
		}
	}
	lay(g.root)
	for b, start := range at {
		if i := &out[int(start)+len(b.code)]; !b.isEnd() {
			i.yes, i.no = at[b.next[ifYes]], at[b.next[ifNo]]
		}
	}
	return out
}
