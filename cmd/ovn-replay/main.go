// Command ovn-replay replays captured packets through OVN's logical pipelines
// with simulated connection tracking.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ovnreplay/cmd/interrupts"
	"ovnreplay/packaging/completion"
	"ovnreplay/packaging/flags"
	"ovnreplay/packaging/manual"
	"ovnreplay/sim/annotate"
	"ovnreplay/sim/job"
	"ovnreplay/sim/printable"
	"ovnreplay/sim/recording"
	"ovnreplay/store"
	"ovnreplay/store/output"
)

func main() {
	os.Exit(run(output.UntilSignal(interrupts.Came, interrupts.Signals), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// Exit statuses.
const (
	exitOK         = 0
	exitDifference = 1   // verify found a difference
	exitDropped    = 1   // trace's packet is not delivered
	exitBad        = 2   // bad usage or bad input, or nothing could be verified
	exitSignal     = 128 // and the signal's number
)

// errDifference makes the command exit with exitDifference; what differs has
// been printed already.
var errDifference = errors.New("prediction and capture differ")

// run executes the command line and returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	out := output.NewText(ctx, "standard output", stdout, stop)
	errs := output.NewText(ctx, "standard error", stderr, func(error) {})
	errs.Fold()
	ctx, files := output.With(ctx, stop)
	files.Names(args, store.DefaultFiles()...)
	root := newRootCommand(recording.Interruptible(ctx, stdin), out, errs)
	root.SetArgs(args)
	profile := flags.Profiled(root)
	start := root.PersistentPreRunE
	root.PersistentPreRunE = func(cmd *cobra.Command, args []string) error {
		if err := nameless(cmd); err != nil {
			return err
		}
		return start(cmd, args)
	}
	if !completion.Asked(args) { // it reads flags twice
		manual.Once(root, map[string]string{"db": ": a replay is on one network (diff compares two)"})
	}
	cmd, _, _ := root.Find(args)
	err := cmp.Or(manual.Unknown(root, args), output.Apart(args))
	if err == nil {
		err = files.Await(ctx, func() error { return root.ExecuteContext(ctx) })
		if err == output.ErrAbandoned {
			return abandon(ctx, files, cmd, stdout, stderr)
		}
	}
	for _, end := range []func() error{profile, out.Flush, out.Err, files.Finish} {
		if bad := end(); bad != nil && !errors.Is(err, bad) {
			err = errors.Join(err, bad)
		}
	}
	err = completion.Meant(cmd, outweighed(err))
	status := statusOf(ctx, err)
	const gone = exitSignal + int(syscall.SIGPIPE)
	if status > exitSignal && status != gone {
		err = interrupted(ctx, err, cmd, out)
	}
	if status != exitOK && status != exitDifference && status != gone {
		fmt.Fprintf(errs, "ovn-replay: %s\n", printable.Errors(err))
	}
	errs.Flush()
	return status
}

// nameless refuses a flag for a file that is given without a name: a script's variable was empty, and what
// was to be written would not be.
func nameless(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if what, _ := pflag.UnquoteUsage(f); (what == "FILE" || what == "DIR") && f.Value.String() == "" && err == nil {
			err = fmt.Errorf("--%s: the name is empty; name a file, or leave the flag out", f.Name)
		}
	})
	return err
}

// outweighed is an error without what an output that could not be written makes void: a
// verdict, and that the work was ended.
func outweighed(err error) error {
	written := new(output.Error)
	void := errors.Is(err, errDifference) || errors.Is(err, errDropped) || errors.Is(err, context.Canceled)
	if void && errors.As(err, &written) {
		return written
	}
	return err
}

// statusOf is the exit status for how a command ended. A reader of our output
// that went away ends it as SIGPIPE would.
func statusOf(ctx context.Context, err error) int {
	by, written := new(job.Interruption), new(output.Error)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &written) && !errors.Is(written.Err, output.ErrStalled):
		if errors.Is(written.Err, syscall.EPIPE) {
			return exitSignal + int(syscall.SIGPIPE)
		}
		return exitBad
	case errors.As(err, &by):
		return exitSignal + int(output.SignalOf(by.Cause))
	case errors.Is(err, errDifference), errors.Is(err, errDropped):
		return exitDifference
	case job.Interrupted(ctx, 0) != nil:
		errors.As(job.Interrupted(ctx, 0), &by)
		return exitSignal + int(output.SignalOf(by.Cause))
	}
	return exitBad
}

func newRootCommand(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "ovn-replay",
		Short: "Replay packet captures through OVN's logical pipelines, with connection tracking",
		Long: `ovn-replay takes packet captures and an OVN Southbound database, puts every packet
that entered OVN back into its logical pipelines, keeps DNAT and SNAT entries from
packet to packet, and says which packets come out, where, and why.

Exit status: 0 done; 1 verify or diff found a difference, trace's packet is dropped;
2 bad usage, bad input, an output that cannot be written, or nothing could be
verified; 129, 130 or 143 interrupted by SIGHUP, SIGINT or SIGTERM.`,
		Version:       strings.TrimPrefix(annotate.Program(), "ovn-replay ") + " " + runtime.Version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.AddCommand(
		newRunCommand(stdin, stdout, stderr),
		newVerifyCommand(stdin, stdout, stderr),
		newDiffCommand(stdin, stdout, stderr),
		newWhyCommand(stdin, stdout, stderr),
		newCoverageCommand(stdin, stdout, stderr),
		newConnectionsCommand(stdin, stdout, stderr),
		newWhoCommand(stdin, stdout, stderr),
		newShowCommand(stdin, stdout, stderr),
		newTraceCommand(stdin, stdout, stderr),
		newConntrackCommand(stdin, stdout, stderr),
		newDBCommand(stdin, stdout, stderr),
		newLflowCommand(stdin, stdout, stderr),
		newReportCommand(stdin, stdout, stderr),
		newWiresharkCommand(stdin, stdout, stderr),
		newDemoCommand(stdout, stderr),
		groups.Command(func(ctx context.Context, name string, page []byte) error {
			return output.Of(ctx).Put("DIR", name, page, 0o644)
		}),
	)
	setHelp(root)
	root.SetFlagErrorFunc(manual.FlagError)
	return root
}
