package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"ovnreplay/store/output"
)

// signalled is the cause of a context that a signal ended.
type signalled struct{ syscall.Signal }

// Error implements error.
func (s signalled) Error() string { return "interrupted" }

// interruption is the error of a replay that was interrupted: what was done is
// written, but the rest is not known.
type interruption struct {
	packets int
	signal  syscall.Signal
}

// Error implements error.
func (i *interruption) Error() string {
	return fmt.Sprintf("interrupted after %d packets: no verdict", i.packets)
}

// interrupted returns the error of a replay that a context ended after so many
// packets: nil if it did not, or if it ended because nothing can be written.
func interrupted(ctx context.Context, packets int) error {
	if ctx.Err() == nil || errors.As(context.Cause(ctx), new(*output.Error)) {
		return nil
	}
	i := &interruption{packets: packets, signal: syscall.SIGINT}
	if s := (signalled{}); errors.As(context.Cause(ctx), &s) {
		i.signal = s.Signal
	}
	return i
}

// untilSignal returns a context that SIGINT, SIGTERM and SIGHUP end. The next
// signal ends the program.
func untilSignal() context.Context {
	ctx, stop := context.WithCancelCause(context.Background())
	ends := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		ends = append(ends, syscall.SIGHUP)
	}
	came := make(chan os.Signal, 1)
	signal.Notify(came, ends...)
	go func() {
		s := <-came
		signal.Reset(ends...)
		stop(signalled{s.(syscall.Signal)})
	}()
	// A reader that closes its end is an error of writing, not the program's end:
	// files and sessions are completed.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return ctx
}
