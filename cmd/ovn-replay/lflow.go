package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"ovnreplay/sim"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

// lflowOptions are what the lflow commands have in common.
type lflowOptions struct {
	plain    bool
	fixtures bool
	db       string
	source   store.Options
	prereqs  bool // actions only
}

// maxLflowLine bounds a line of input, in bytes.
const maxLflowLine = 16 << 20

// newLflowCommand returns "lflow", the stdin filters of the logical-flow language.
func newLflowCommand(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lflow",
		Short: "Read logical-flow matches and actions, and say what OVN makes of them",
		Long: `Reads lines of OVN's logical-flow language on standard input and prints, for
each, its canonical form or the error, in OVN's own words. A blank line or one
that begins with # is printed as it is.

Address sets, port groups, template variables and DHCP options come from the
database given with --db. Without it there are none but OVN's own DHCP options.

Errors in the language do not change the exit status.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return cmd.Help() },
	}
	cmd.SetIn(stdin)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	for _, sub := range []struct {
		use, short, example string
		filter              func(*lflowOptions, *lflow.Env, string) (string, []*lflow.Error)
	}{
		{"lex", "Print the tokens", "ip4.src==1.2.3.4", lexLine},
		{"match", "Print the canonical match expression", "ip4.src == {1.2.3.4, 10.0.0.0/8}", matchLine},
		{"annotate", "Print the match with predicates and prerequisites made explicit", "tcp.dst == 80", annotateLine},
		{"actions", "Print the canonical actions", "ip.ttl--; next;", actionsLine},
	} {
		var opts lflowOptions
		c := &cobra.Command{
			Use:     sub.use,
			Short:   sub.short,
			Example: fmt.Sprintf("  echo '%s' | ovn-replay lflow %s", sub.example, sub.use),
			Args:    cobra.NoArgs,
			RunE: func(cmd *cobra.Command, args []string) error {
				env, err := opts.env(cmd.Context())
				if err != nil {
					return err
				}
				return opts.run(cmd.InOrStdin(), cmd.OutOrStdout(), func(line string) (string, []*lflow.Error) {
					return sub.filter(&opts, env, line)
				})
			},
		}
		c.Flags().BoolVar(&opts.plain, "plain", false, "one line out for each line in: no carets under errors")
		c.Flags().BoolVar(&opts.fixtures, "fixtures", false, "know the sets, groups, options and place that OVN's own tests use")
		sourceFlags(c.Flags(), &opts.source)
		c.Flags().StringVar(&opts.db, "db", "", "Southbound database to take sets, groups and options from")
		c.MarkFlagsMutuallyExclusive("fixtures", "db")
		if sub.use == "actions" {
			c.Flags().BoolVar(&opts.prereqs, "prereqs", false, "also print, after a tab, what the match must require")
		}
		cmd.AddCommand(c)
	}
	return cmd
}

// env returns the surroundings in which lines are parsed.
func (o *lflowOptions) env(ctx context.Context) (*lflow.Env, error) {
	switch {
	case o.fixtures:
		return lflow.Fixtures(), nil
	case o.db == "":
		return &lflow.Env{Pipeline: lflow.Ingress, Tables: lflow.IngressTables}, nil
	}
	if ctx == nil {
		ctx = context.Background()
	}
	net, _, err := southbound.Open(ctx, o.db, o.source)
	if err != nil {
		return nil, err
	}
	env := sim.NewEnv(net, &network.Flow{})
	env.Preparse()
	return env, nil
}

// run prints what filter makes of each line and, unless plain, where the errors are.
func (o *lflowOptions) run(in io.Reader, out io.Writer, filter func(string) (string, []*lflow.Error)) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLflowLine)
	w := bufio.NewWriter(out)
	n := 0
	for lines.Scan() {
		n++
		text, errs := lines.Text(), []*lflow.Error(nil)
		if strings.TrimSpace(text) != "" && text[0] != '#' {
			text, errs = filter(text)
		}
		if !o.plain {
			for _, e := range errs {
				fmt.Fprintln(w, e.Caret())
			}
		}
		fmt.Fprintln(w, text)
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("longer than %d bytes; break it up", maxLflowLine)
		}
		return errors.Join(w.Flush(), fmt.Errorf("standard input, line %d: %w", n+1, err))
	}
	return w.Flush()
}

func lexLine(_ *lflowOptions, _ *lflow.Env, line string) (string, []*lflow.Error) {
	var b strings.Builder
	var errs []*lflow.Error
	for i, t := range lflow.Lex(line) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(t.String())
		if t.Type == lflow.TokenError {
			errs = append(errs, &lflow.Error{Src: line, Pos: t.Pos, End: t.End, Msg: t.Text})
		}
	}
	return b.String(), errs
}

func matchLine(_ *lflowOptions, env *lflow.Env, line string) (string, []*lflow.Error) {
	e, err := lflow.ParseMatch(line, env)
	if err != nil {
		return failed(line, err)
	}
	return e.Text(), nil
}

func annotateLine(_ *lflowOptions, env *lflow.Env, line string) (string, []*lflow.Error) {
	e, err := lflow.ParseMatch(line, env)
	if err == nil {
		e, err = lflow.Annotate(e, env)
	}
	if err != nil {
		return failed(line, err)
	}
	return e.Text(), nil
}

func actionsLine(o *lflowOptions, env *lflow.Env, line string) (string, []*lflow.Error) {
	actions, prereqs, err := lflow.ParseActions(line, env)
	if err != nil {
		return failed(line, err)
	}
	text := lflow.FormatActions(actions, env)
	if o.prereqs {
		text += "\t"
		if prereqs != nil {
			text += prereqs.Text()
		}
	}
	return text, nil
}

// failed returns an error's text and, if it has one in line, its place.
func failed(line string, err error) (string, []*lflow.Error) {
	var e *lflow.Error
	if errors.As(err, &e) && e.Src != "" {
		return err.Error(), []*lflow.Error{e}
	}
	return err.Error(), nil
}
