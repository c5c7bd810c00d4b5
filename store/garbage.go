package store

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// held is by how many the collector's pace is held: the first sets it, the last gives it back.
var held struct {
	sync.Mutex
	by, before int
}

// hold lets garbage pile up to some percent of what is alive, unless somebody else in the
// process holds the pace already. It returns what ends that, as the context's end does; set may
// change the percentage until then.
func hold(ctx context.Context, percent int) (set func(percent int), end func()) {
	held.Lock()
	defer held.Unlock()
	first := held.by == 0
	if held.by++; first {
		held.before = debug.SetGCPercent(percent)
	}
	set = func(percent int) {
		if first {
			debug.SetGCPercent(percent)
		}
	}
	end = sync.OnceFunc(func() {
		held.Lock()
		defer held.Unlock()
		if held.by--; held.by == 0 {
			debug.SetGCPercent(held.before)
		}
	})
	context.AfterFunc(ctx, end) // of a command that is given up where it is
	return set, end
}

// Spare lets garbage pile up: for what reads much that stays, and ends soon. It returns what
// ends that.
func Spare(ctx context.Context) func() {
	_, end := hold(ctx, 250)
	return end
}

// SpareGC lets garbage pile up while large files are read: what is read of a
// database stays, and collecting it again and again while it grows is a fifth
// of the work. It returns what ends that.
func SpareGC(ctx context.Context, files []string) func() {
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && info.Mode().IsRegular() && info.Size() > 32<<20 {
			return Spare(ctx)
		}
	}
	return func() {}
}

// Frugal lets less garbage pile up the more is alive, as far as that keeps all
// within frugalHeap: for what keeps much of every packet or connection. It returns what
// ends that. Whoever set GOGC or GOMEMLIMIT is left alone.
func Frugal(ctx context.Context) func() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	p := &pacer{percent: 100}
	p.set, p.release = hold(ctx, p.percent)
	runtime.SetFinalizer(&cycle{p}, (*cycle).next)
	return p.end
}

const (
	frugalHeap    = 400 << 20 // some 100 MiB more are stacks, the program and what is not yet given back
	frugalPercent = 30        // at least; below it nothing but collecting is done
)

// pacer sets after each collection when the next one is due.
type pacer struct {
	mu      sync.Mutex
	percent int
	set     func(percent int)
	release func()
	ended   bool
}

// cycle is garbage from the beginning: its finalizer runs after each collection.
type cycle struct{ *pacer }

func (c *cycle) next() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/heap:bytes"}}
	metrics.Read(sample)
	if live := sample[0].Value.Uint64(); live > 0 {
		percent := pace(int(live), int(sample[1].Value.Uint64()))
		if d := percent - c.percent; d > 5 || d < -5 {
			c.set(percent)
			c.percent = percent
		}
	}
	runtime.SetFinalizer(&cycle{c.pacer}, (*cycle).next)
}

// pace is how many percent of what is alive may be garbage. Where the collector has little to look
// into, as in tables of connections, it may come as often.
func pace(live, scanned int) (percent int) {
	percent = max(frugalPercent, min(100, 100*frugalHeap/live-100))
	return min(percent, max(5, 100*max(scanned, cheap)/live))
}

// cheap is garbage for which it is never too early.
const cheap = 32 << 20

func (p *pacer) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.release()
}
