package output

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Signalled is the cause of a context that a signal ended.
type Signalled struct{ syscall.Signal }

// Error implements error.
func (s Signalled) Error() string { return "interrupted" }

// SignalOf is the signal that ended a context: SIGINT if another cause did.
func SignalOf(cause error) syscall.Signal {
	if s := (Signalled{}); errors.As(cause, &s) {
		return s.Signal
	}
	return syscall.SIGINT
}

// UntilSignal returns a context that the first signal that came ends. The next
// of these signals ends the program.
func UntilSignal(came <-chan os.Signal, ends []os.Signal) context.Context {
	ctx, stop := context.WithCancelCause(context.Background())
	go func() {
		s := <-came
		signal.Reset(ends...)
		stop(Signalled{s.(syscall.Signal)})
	}()
	// A reader that closes its end is an error of writing, not the program's end:
	// files and sessions are completed.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return ctx
}

// patience is how long an interrupted command may take to end by itself before
// captures are read.
const patience = 150 * time.Millisecond

// ErrAbandoned is the error of a command that was not waited for.
var ErrAbandoned = errors.New("interrupted")

// Await runs a command. Interrupted before captures are read it is given up
// where it is: what loads gigabytes, or waits for who writes a pipe, need not ask
// at every step whether it is still wanted, and has nothing to complete.
func (o *Files) Await(ctx context.Context, command func() error) error {
	ended := make(chan error, 1)
	go func() { ended <- command() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	if !errors.As(context.Cause(ctx), new(Signalled)) {
		return <-ended
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(patience):
	}
	if o.Begun() {
		return <-ended
	}
	return ErrAbandoned
}
