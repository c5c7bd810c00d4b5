package filter

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// randomExpressions is how many are compared; the variable asks for more.
func randomExpressions(tb testing.TB) int {
	n := 1000
	if s := os.Getenv("OVN_REPLAY_FILTERS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			tb.Fatal(err)
		}
	}
	return n
}

// TestRandomExpressions compiles made-up expressions here and by tcpdump, and
// runs both programs on the same frames.
func TestRandomExpressions(t *testing.T) {
	o := newTcpdump(t)
	const whole, cut = 300, 300
	files, packets := map[uint16]string{}, map[uint16][]frame{}
	for _, link := range links {
		packets[link] = frames(link, 1, whole, cut)
		files[link] = o.write(link, "random", nil, binary.LittleEndian)
	}
	n := randomExpressions(t)
	var next, compared, refused, never, hits atomic.Int64
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				w := writer{rand.New(rand.NewPCG(2, uint64(i)))}
				expr := w.expression(2)
				link := linkEthernet + uint16(0)
				if w.IntN(2) == 0 {
					link = links[w.IntN(len(links))]
				}
				ours, err := compile(expr, Link{Type: link})
				theirs, theirErr := o.compile(files[link], expr)
				if refuses := theirErr != nil && theirErr.Error() != "tcpdump: "+rejectsAll; (err != nil) != refuses {
					t.Errorf("link %d, %q:\n  here: %v\n  tcpdump: %v", link, expr, err, theirErr)
					continue
				}
				if err != nil {
					refused.Add(1)
					continue
				}
				if theirErr != nil {
					never.Add(1)
				}
				compared.Add(1)
				for at, f := range packets[link] {
					got := ours.Match(f.data, f.length)
					want := theirErr == nil && runClassic(theirs, f)
					if got {
						hits.Add(1)
					}
					if got != want {
						t.Errorf("link %d, %q, frame %d, %d of %d bytes %x: %v, tcpdump %v", link, expr, at, len(f.data), f.length, f.data, got, want)
						break
					}
				}
			}
		})
	}
	workers.Wait()
	t.Logf("%d expressions compared on %d frames each, %d of the answers yes; %d refused by both; %d never true",
		compared.Load(), whole+cut, hits.Load(), refused.Load(), never.Load())
}

func compile(expr string, link Link) (*Program, error) {
	e, err := Parse(expr)
	if err != nil {
		return nil, err
	}
	return e.Compile(link)
}
