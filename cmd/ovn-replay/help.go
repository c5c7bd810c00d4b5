package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"ovnreplay/packaging/manual"
	"ovnreplay/pcap"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
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
		if e, ok := examples[cmd.CommandPath()]; ok && cmd.Example == "" {
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

// portNames are the logical ports of a database.
func portNames(cmd *cobra.Command, source string) (names []string) {
	net, _, err := southbound.Open(cmd.Context(), source, store.Options{})
	if err != nil {
		return nil
	}
	for _, p := range net.Ports {
		if p != nil {
			names = append(names, p.Name)
		}
	}
	return names
}

// examples work as typed where the sources are; a test runs them.
var examples = map[string]string{
	"ovn-replay": `  ovn-replay demo
  ovn-replay verify --case testdata/cases/nodeport`,
	"ovn-replay run": `  ovn-replay run --case testdata/cases/nodeport --only dropped
  ovn-replay run --db testdata/cases/nodeport/sb.db \
    testdata/cases/nodeport/client.pcap testdata/cases/nodeport/nginx.pcap`,
	"ovn-replay verify": `  ovn-replay verify --case testdata/cases/nodeport
  ovn-replay verify --case testdata/cases/nodeport --json`,
	"ovn-replay diff": `  ovn-replay diff --case testdata/cases/nodeport \
    --db testdata/cases/nodeport/sb.db`,
	"ovn-replay why":              `  ovn-replay why client.pcap:1 --case testdata/cases/nodeport`,
	"ovn-replay who":              `  ovn-replay who 100.64.0.3:53642 --case testdata/cases/nodeport`,
	"ovn-replay connections":      `  ovn-replay connections --case testdata/cases/nodeport`,
	"ovn-replay demo":             `  ovn-replay demo`,
	"ovn-replay coverage":         `  ovn-replay coverage --case testdata/cases/nodeport`,
	"ovn-replay conntrack list":   `  ovn-replay conntrack list --case testdata/cases/nodeport`,
	"ovn-replay conntrack export": `  ovn-replay conntrack export --case testdata/cases/nodeport`,
	"ovn-replay conntrack states": `  ovn-replay conntrack states -r testdata/cases/nodeport/client.pcap`,
	"ovn-replay db info":          `  ovn-replay db info testdata/cases/nodeport/sb.db`,
	"ovn-replay db history":       `  ovn-replay db history testdata/cases/nodeport/sb.db`,
	"ovn-replay trace": `  ovn-replay trace --db testdata/cases/nodeport/sb.db --minimal \
    'inport == "default_client-pod" && eth.src == 0a:58:0a:f4:01:04 &&
     eth.dst == 0a:58:0a:f4:01:01 && ip4.src == 10.244.1.4 &&
     ip4.dst == 10.244.1.3 && ip.ttl == 64 && tcp.dst == 80'`,
}

// completeCapture completes FILE@PORT: after the @ with the ports of the
// database that the command line names, if that is a file.
func completeCapture(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	file, port, at := pcap.CutFile(word)
	if !at {
		return nil, cobra.ShellCompDirectiveDefault | cobra.ShellCompDirectiveNoSpace
	}
	source := cmd.Flags().Lookup("db").Value.String()
	if many, err := cmd.Flags().GetStringArray("db"); err == nil {
		source = strings.Join(many[:min(len(many), 1)], "")
	}
	if info, err := os.Stat(source); err != nil || info.IsDir() {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	out := []string{}
	for _, name := range append(portNames(cmd, source), "any", "underlay") {
		if strings.HasPrefix(name, port) {
			out = append(out, file+"@"+name)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
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
