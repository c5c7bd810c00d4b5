package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"ovnreplay/packaging/flags"
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
		use, short string
		filter     lflow.Filter
	}{
		{"lex", "Print the tokens", lflow.LexLine},
		{"match", "Print the canonical match expression", lflow.MatchLine},
		{"annotate", "Print the match with predicates and prerequisites made explicit", lflow.AnnotateLine},
		{"actions", "Print the canonical actions", lflow.ActionsLine},
	} {
		var opts lflowOptions
		c := &cobra.Command{
			Use:   sub.use,
			Short: sub.short,
			Args:  cobra.NoArgs,
			RunE: func(cmd *cobra.Command, args []string) error {
				env, err := opts.env(cmd.Context())
				if err != nil {
					return err
				}
				filter := sub.filter
				if opts.prereqs {
					filter = lflow.PrerequisitesLine
				}
				return lflow.FilterLines(cmd.InOrStdin(), cmd.OutOrStdout(), env, filter, !opts.plain)
			},
		}
		c.Flags().BoolVar(&opts.plain, "plain", false, "one line out for each line in: no carets under errors")
		c.Flags().BoolVar(&opts.fixtures, "fixtures", false,
			"know the sets, groups, options and place that OVN's own tests use")
		flags.Source(c.Flags(), &opts.source)
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
