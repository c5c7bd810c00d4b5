package store

import (
	"context"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// The more is alive, the sooner the next collection: not where nothing is alive, and as before
// when it ends.
func TestFrugal(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	percent := func() int {
		p := debug.SetGCPercent(100)
		debug.SetGCPercent(p)
		return p
	}
	was := debug.SetGCPercent(100)
	defer debug.SetGCPercent(was)
	end := Frugal(t.Context())
	until := func(want func(int) bool) int {
		for range 200 {
			runtime.GC()
			if want(percent()) {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		return percent()
	}
	if got := until(func(p int) bool { return p == 100 }); got != 100 {
		t.Errorf("with nothing alive: %d %%", got)
	}
	alive := make([]*byte, 300<<20/8)
	if got := until(func(p int) bool { return p < 50 }); got >= 50 || got < frugalPercent {
		t.Errorf("with 300 MiB alive: %d %%", got)
	}
	runtime.KeepAlive(alive)
	alive = nil
	plain := make([]byte, 300<<20) // there is nothing to look for in it
	if got := until(func(p int) bool { return p < frugalPercent }); got >= frugalPercent {
		t.Errorf("with 300 MiB without pointers alive: %d %%", got)
	}
	runtime.KeepAlive(plain)
	end()
	if got := percent(); got != 100 {
		t.Errorf("at the end: %d %%", got)
	}
}

// Of several that hold the collector's pace at a time the first decides, and the last to end
// gives it back.
func TestPaceIsGivenBack(t *testing.T) {
	percent := func() int {
		p := debug.SetGCPercent(100)
		debug.SetGCPercent(p)
		return p
	}
	defer debug.SetGCPercent(debug.SetGCPercent(120))
	ctx, stop := context.WithCancel(t.Context())
	first, second := Spare(t.Context()), Spare(ctx)
	set, third := hold(t.Context(), 40)
	set(30)
	first()
	if got := percent(); got != 250 {
		t.Errorf("while others hold it: %d %%, want 250", got)
	}
	third()
	stop() // of a command that never returns
	for range 200 {
		if percent() == 120 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	second()
	if got := percent(); got != 120 {
		t.Errorf("at the end: %d %%, want 120", got)
	}
}
