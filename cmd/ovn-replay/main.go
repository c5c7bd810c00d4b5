// Command ovn-replay replays captured packets through OVN's logical pipelines
// with simulated connection tracking.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// Exit statuses.
const (
	exitOK         = 0
	exitDifference = 1 // verify found a difference
	exitDropped    = 1 // trace's packet is not delivered
	exitBad        = 2 // bad usage or bad input
)

// errDifference makes the command exit with exitDifference; what differs has
// been printed already.
var errDifference = errors.New("prediction and capture differ")

// run executes the command line and returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRootCommand(stdin, stdout, stderr)
	root.SetArgs(args)
	profile := profileFlag(root)
	err := errors.Join(root.ExecuteContext(ctx), profile.stop())
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errDifference):
		return exitDifference
	case errors.Is(err, errDropped):
		return exitDropped
	}
	fmt.Fprintf(stderr, "ovn-replay: %s\n", oneLine(err))
	return exitBad
}

// oneLine returns an error's text on one line.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

func newRootCommand(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "ovn-replay",
		Short: "Replay packet captures through OVN's logical pipelines, with connection tracking",
		Long: `ovn-replay takes packet captures and an OVN Southbound database, puts every packet
that entered OVN back into its logical pipelines, keeps DNAT and SNAT entries from
packet to packet, and says which packets come out, where, and why.

Exit status: 0 done, 1 verify found a difference, 2 bad usage or bad input.`,
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
	)
	return root
}
