package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ovnreplay/sim/job"
	"ovnreplay/sim/ledger"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/show"
	"ovnreplay/sim/why"
	"ovnreplay/store"
)

// connectionsOptions is "connections": one row a connection.
type connectionsOptions struct {
	asked
	stdout                          io.Writer
	json, csv, full, stale, members bool
	sort                            string
	numbers                         []int
}

func newConnectionsCommand(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	o := &connectionsOptions{asked: asked{input: newInput(stdin, stderr)}, stdout: stdout}
	cmd := &cobra.Command{
		Use:   "connections --db SOURCE FILE[@PORT]… | --case DIR | --session FILE",
		Short: "List connections, each in one row across all zones, chassis and NAT",
		Long: `connections replays captures and lists the connections in them: who asked whom, by
name, how both directions were translated, the state, packets, bytes, retransmissions
and drops. --full adds each zone's tuples and the states over time.`,
		RunE: func(cmd *cobra.Command, captures []string) error {
			o.Captures = append(o.Captures, captures...)
			return o.run(cmd.Context())
		},
	}
	o.flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&o.json, "json", false, "print one JSON object a connection")
	f.BoolVar(&o.csv, "csv", false, "print comma-separated values")
	f.BoolVar(&o.full, "full", false, "with the tuples of each zone, states over time, drops and members chosen")
	f.BoolVar(&o.stale, "stale", false, "only connections that use what the network no longer has")
	f.BoolVar(&o.members, "members", false,
		"how many connections each backend and ECMP next hop was given, with the weights configured, instead of the "+
			"connections")
	f.StringVar(&o.sort, "sort", "id", "sort by id, first, last, packets, bytes, retransmissions or drops")
	f.IntSliceVar(&o.numbers, "number", nil, "only the connections with these `NUMBERS`")
	cmd.MarkFlagsMutuallyExclusive("json", "csv", "full")
	cmd.MarkFlagsMutuallyExclusive("members", "csv", "full")
	return cmd
}

// account makes a ledger of what is asked about, and marks the connections of
// which a filter selects a packet. The ledger is nil if there is nothing to read.
func (o *asked) account(ctx context.Context, selected map[*ledger.Conn]bool) (l *ledger.Ledger, err error) {
	err = o.Each(ctx, o.session, func(x *why.Explainer, j *job.Job) (replay.Handler, error) {
		if j == nil {
			l = ledger.New(x, nil)
			return ledger.Select(l, nil, selected), nil
		}
		l = ledger.New(x, j.Taps)
		return ledger.Select(l, j.Filter, selected), nil
	})
	return l, err
}

func (o *connectionsOptions) run(ctx context.Context) error {
	defer store.Frugal(ctx)()
	if err := ledger.Sort(nil, o.sort); err != nil {
		return err
	}
	selected := map[*ledger.Conn]bool{}
	l, err := o.account(ctx, selected)
	if l == nil {
		return err
	}
	for _, n := range o.numbers {
		if n < 1 || n > len(l.Conns) {
			return errors.Join(err, fmt.Errorf("--number %d: there are connections 1 to %d", n, len(l.Conns)))
		}
	}
	var list []*ledger.Conn
	for _, c := range l.Conns {
		if selected[c] && (!o.stale || c.Stale() != "") && (o.numbers == nil || slices.Contains(o.numbers, c.ID)) {
			list = append(list, c)
		}
	}
	if err := ledger.Sort(list, o.sort); err != nil {
		return err
	}
	form := ledger.Lines
	switch {
	case o.json:
		form = ledger.JSON
	case o.csv:
		form = ledger.CSV
	case o.full:
		form = ledger.Full
	}
	out := bufio.NewWriter(o.stdout)
	if !o.json && !o.csv {
		out = bufio.NewWriter(show.Folding(o.stdout))
	}
	if o.members {
		return errors.Join(l.PrintShares(out, o.json), out.Flush(), err)
	}
	return errors.Join(l.Print(out, list, form), out.Flush(), err)
}

// whoOptions is "who": whose an address was.
type whoOptions struct {
	asked
	stdout io.Writer
	json   bool
}

func newWhoCommand(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	o := &whoOptions{asked: asked{input: newInput(stdin, stderr)}, stdout: stdout}
	cmd := &cobra.Command{
		Use:   "who ADDRESS[:PORT] [@TIME] --db SOURCE FILE[@PORT]… | --case DIR | --session FILE",
		Short: "Say whose an address was, before or after NAT",
		Long: `who finds the connections that had an address, before or after translation, in any
zone, and says who was behind it. TIME is 2026-11-22T10:00:35Z, or a time of day.

Exit status: 0 found, 1 no connection had the address, 2 bad usage or bad input.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) },
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON object a connection")
	return cmd
}

func (o *whoOptions) run(ctx context.Context, args []string) error {
	defer store.Frugal(ctx)()
	at, captures := "", args[1:]
	if len(captures) > 0 && strings.HasPrefix(captures[0], "@") {
		at, captures = captures[0], captures[1:]
	} else if len(captures) > 0 && ledger.Moment(captures[0]) {
		return fmt.Errorf("%s: a moment begins with @, as in @10:00:35", captures[0])
	}
	o.Captures = append(o.Captures, captures...)
	q, err := ledger.ParseQuestion(args[0], at)
	if err != nil {
		return err
	}
	l, err := o.account(ctx, nil)
	if l == nil {
		return err
	}
	found, asked := l.Who(q)
	if err := errors.Join(err, asked); err != nil {
		return err
	}
	out := bufio.NewWriter(o.stdout)
	if !o.json {
		out = bufio.NewWriter(show.Folding(o.stdout))
	}
	err = errors.Join(l.WriteWho(out, args[0], q, found, o.json), out.Flush())
	if err == nil && len(found) == 0 {
		err = errDifference
	}
	return err
}
