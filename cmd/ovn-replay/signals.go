package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// signalled is the cause of a context that a signal ended.
type signalled struct{ syscall.Signal }

// Error implements error.
func (s signalled) Error() string { return "interrupted" }

// signalOf is the signal that ended a context: SIGINT if another cause did.
func signalOf(cause error) syscall.Signal {
	if s := (signalled{}); errors.As(cause, &s) {
		return s.Signal
	}
	return syscall.SIGINT
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
