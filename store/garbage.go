package store

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// SpareGC lets garbage pile up while large files are read: what is read of a
// database stays, and collecting it again and again while it grows is a fifth
// of the work. It returns what ends that.
func SpareGC(files []string) func() {
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && info.Mode().IsRegular() && info.Size() > 32<<20 {
			before := debug.SetGCPercent(250)
			return func() { debug.SetGCPercent(before) }
		}
	}
	return func() {}
}

// Frugal lets less garbage pile up the more is alive, as far as that keeps all
// within frugalHeap: for what keeps much of every packet or connection. It returns what
// ends that. Whoever set GOGC or GOMEMLIMIT is left alone.
func Frugal() func() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	p := &pacer{before: debug.SetGCPercent(100), percent: 100}
	runtime.SetFinalizer(&cycle{p}, (*cycle).next)
	return p.end
}

const (
	frugalHeap    = 400 << 20 // some 100 MiB more are stacks, the program and what is not yet given back
	frugalPercent = 30        // at least; below it nothing but collecting is done
)

// pacer sets after each collection when the next one is due.
type pacer struct {
	mu              sync.Mutex
	before, percent int
	ended           bool
}

// cycle is garbage from the beginning: its finalizer runs after each collection.
type cycle struct{ *pacer }

func (c *cycle) next() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if live := sample[0].Value.Uint64(); live > 0 {
		percent := max(frugalPercent, min(100, 100*frugalHeap/int(live)-100))
		if d := percent - c.percent; d > 5 || d < -5 {
			debug.SetGCPercent(percent)
			c.percent = percent
		}
	}
	runtime.SetFinalizer(&cycle{c.pacer}, (*cycle).next)
}

func (p *pacer) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	debug.SetGCPercent(p.before)
}
