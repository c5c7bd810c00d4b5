package filter

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// randomExpressions is how many are compared; OVN_REPLAY_FILTERS asks for more.
// Of the first 200,000 one differs: see the package's documentation.
func randomExpressions(tb testing.TB) int {
	n := 800
	if s := os.Getenv("OVN_REPLAY_FILTERS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			tb.Fatal(err)
		}
	}
	return n
}

// TestRandomExpressions compiles made-up expressions here and by tcpdump, and
// runs both programs on the same frames, half of which are cut.
func TestRandomExpressions(t *testing.T) {
	t.Parallel()
	c := &comparison{tcpdump: newTcpdump(t), files: map[uint16]string{}, frames: map[uint16][]frame{}}
	for _, link := range links {
		c.frames[link] = frames(link, 1, 300, 300)
		c.files[link] = c.write(link, "random", nil, binary.LittleEndian)
	}
	n := randomExpressions(t)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				w := writer{rand.New(rand.NewPCG(2, uint64(i)))}
				expr, link := w.expression(2), uint16(linkEthernet)
				if w.IntN(2) == 0 {
					link = links[w.IntN(len(links))]
				}
				c.random(link, expr)
			}
		})
	}
	workers.Wait()
	t.Logf("%d expressions compared on 600 frames each, %d of the answers yes; %d refused by both; %d never true",
		c.compared.Load(), c.hits.Load(), c.refused.Load(), c.never.Load())
}

// TestSoup: what tcpdump refuses is refused here, and what it takes is taken.
func TestSoup(t *testing.T) {
	t.Parallel()
	o := newTcpdump(t)
	file := o.write(linkEthernet, "soup", nil, binary.LittleEndian)
	taken, n := 0, randomExpressions(t)/4
	for i := range n {
		w := writer{rand.New(rand.NewPCG(3, uint64(i)))}
		expr := w.soup()
		if i%3 > 0 {
			expr = w.mutated()
		}
		_, err := compile(expr, Link{Type: linkEthernet})
		_, theirs := o.compile(file, expr)
		if theirs != nil && strings.HasSuffix(theirs.Error(), rejectsAll) {
			theirs = nil
		}
		if theirs == nil {
			taken++
		}
		if (err == nil) != (theirs == nil) {
			t.Errorf("%q:\n  here: %v\n  tcpdump: %v", expr, err, theirs)
		}
	}
	t.Logf("%d of %d taken", taken, n)
}

// comparison counts what was compared.
type comparison struct {
	*tcpdump
	files                          map[uint16]string
	frames                         map[uint16][]frame
	compared, refused, never, hits atomic.Int64
}

// random compares one expression.
func (c *comparison) random(link uint16, expr string) {
	ours, err := compile(expr, Link{Type: link})
	theirs, refusal := c.compile(c.files[link], expr)
	never := refusal != nil && strings.HasSuffix(refusal.Error(), rejectsAll)
	switch {
	case (err != nil) != (refusal != nil && !never):
		c.tb.Errorf("link %d, %q:\n  here: %v\n  tcpdump: %v", link, expr, err, refusal)
		return
	case err != nil:
		c.refused.Add(1)
		return
	case never:
		c.never.Add(1)
	}
	c.compared.Add(1)
	for i, f := range c.frames[link] {
		got, want := ours.Match(f.data, f.length), !never && runClassic(theirs, f)
		if got {
			c.hits.Add(1)
		}
		if got != want {
			c.tb.Errorf("link %d, %q, frame %d, %d of %d bytes %x: %v, tcpdump %v", link, expr, i, len(f.data),
				f.length, f.data, got, want)
			return
		}
	}
}

func compile(expr string, link Link) (*Program, error) {
	e, err := Parse(expr)
	if err != nil {
		return nil, err
	}
	return e.Compile(link)
}
