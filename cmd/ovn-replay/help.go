package main

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"ovnreplay/packaging/manual"
	"ovnreplay/sim/job"
	"ovnreplay/store/output"
)

// groups are the headings under which flags are listed; a flag that none names
// is under the last.
var groups = manual.Groups{
	{Title: "The network", Flags: "db case nb db-time watch ovs private-key certificate ca-cert timeout"},
	{Title: "Captures", Flags: "read pcap-filter max-frames offset no-align no-infer explain-points packet"},
	{Title: "Connection tracking", Flags: "ct-profile ct-import ct-zones pin ct session lb-dst"},
	{Title: "What is shown", Flags: "filter only format json hex quiet wide as-ovn-trace summary minimal " +
		"detailed all csv compare"},
	{Title: "What is written", Flags: "write hops epb-verdict output title junit"},
}

// setHelp makes help and completions.
func setHelp(root *cobra.Command) {
	groups.Help(root)
	eachCommand(root, func(cmd *cobra.Command) {
		completeFlags(cmd)
		if e, ok := manual.Examples[cmd.CommandPath()]; ok && cmd.Example == "" {
			cmd.Example = e
		}
	})
}

func eachCommand(cmd *cobra.Command, do func(*cobra.Command)) {
	do(cmd)
	for _, c := range cmd.Commands() {
		eachCommand(c, do)
	}
}

// completeFlags makes shells complete what flags take.
func completeFlags(cmd *cobra.Command) {
	fixed := map[string][]string{
		"format": {"line", "detailed", "summary", "minimal", "json", "none"}, "ct-profile": {"linux", "ovs-userspace"},
		"only": {"delivered", "dropped", "consumed", "natted", "guessed", "inferred", "noted"}, "db-time": {"follow"},
	}
	for name, words := range fixed {
		if cmd.Flags().Lookup(name) != nil {
			cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveDefault))
		}
	}
	if cmd.Flags().Lookup("case") != nil {
		cmd.MarkFlagDirname("case")
	}
	if cmd.Flags().Lookup("read") != nil {
		cmd.RegisterFlagCompletionFunc("read", completeCapture)
	}
}

// completeCapture completes FILE@PORT by the database that the command line names.
func completeCapture(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	source := cmd.Flags().Lookup("db").Value.String()
	if many, err := cmd.Flags().GetStringArray("db"); err == nil {
		source = strings.Join(many[:min(len(many), 1)], "")
	}
	words, ours := job.Complete(cmd.Context(), word, source)
	if !ours {
		return nil, cobra.ShellCompDirectiveDefault | cobra.ShellCompDirectiveNoSpace
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// newManCommand writes manual pages.
func newManCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the manual pages",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return groups.Pages(cmd.Root(), func(name string, page []byte) error {
				return output.Of(cmd.Context()).Put("DIR", filepath.Join(args[0], name), page, 0o644)
			})
		},
	}
}
