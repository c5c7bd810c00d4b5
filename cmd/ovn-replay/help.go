package main

import (
	"github.com/spf13/cobra"

	"ovnreplay/packaging/completion"
	"ovnreplay/packaging/manual"
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
	manual.Arguments(root)
	eachCommand(root, func(cmd *cobra.Command) {
		completion.Set(cmd)
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
