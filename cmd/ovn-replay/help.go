package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

// helpWidth is what help fits into.
const helpWidth = 80

// groups are the headings under which flags are listed; a flag that none names
// is under the last.
var groups = []struct {
	title string
	flags string
}{
	{"The network", "db case nb db-time watch ovs private-key certificate ca-cert timeout"},
	{"Captures", "read pcap-filter offset no-align no-infer explain-points packet"},
	{"Connection tracking", "ct-profile ct-import ct-zones pin ct session lb-dst"},
	{"What is shown", "filter only format json hex quiet wide as-ovn-trace summary minimal detailed all csv compare"},
	{"What is written", "write hops epb-verdict output title junit"},
}

// setHelp makes help fit, and lists flags by what they are about.
func setHelp(root *cobra.Command) {
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		_, err := io.WriteString(cmd.OutOrStderr(), usageOf(cmd))
		return err
	})
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		text := cmd.Long
		if text == "" {
			text = cmd.Short + "."
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s\n\n%s", filled(text, 0), usageOf(cmd))
	})
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

func usageOf(cmd *cobra.Command) string {
	var b strings.Builder
	b.WriteString("Usage:\n")
	if cmd.Runnable() && !cmd.HasAvailableSubCommands() {
		b.WriteString(filled(cmd.UseLine(), 2) + "\n")
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString("  " + cmd.CommandPath() + " COMMAND\n\nCommands:\n")
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				b.WriteString(hanging(fmt.Sprintf("  %-12s ", c.Name()), c.Short))
			}
		}
	}
	if cmd.HasExample() {
		b.WriteString("\nExamples:\n" + strings.TrimRight(cmd.Example, "\n") + "\n")
	}
	for _, g := range flagGroups(cmd.NonInheritedFlags()) {
		b.WriteString("\n" + g.title + ":\n")
		for line := range strings.Lines(g.flags.FlagUsagesWrapped(helpWidth)) {
			b.WriteString(strings.TrimRight(line, " \n") + "\n")
		}
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\n\"" + cmd.CommandPath() + " COMMAND --help\" tells about each.\n")
	}
	return b.String()
}

// flagGroup is flags about one thing.
type flagGroup struct {
	title string
	flags *pflag.FlagSet
}

func flagGroups(all *pflag.FlagSet) (out []flagGroup) {
	taken := map[string]bool{}
	for _, g := range groups {
		set := pflag.NewFlagSet(g.title, pflag.ContinueOnError)
		for name := range strings.FieldsSeq(g.flags) {
			if f := all.Lookup(name); f != nil && !f.Hidden {
				set.AddFlag(f)
				taken[name] = true
			}
		}
		set.SortFlags = false
		if set.HasFlags() {
			out = append(out, flagGroup{g.title, set})
		}
	}
	rest := pflag.NewFlagSet("", pflag.ContinueOnError)
	all.VisitAll(func(f *pflag.Flag) {
		if !taken[f.Name] && !f.Hidden {
			rest.AddFlag(f)
		}
	})
	if rest.HasFlags() {
		title := "Others"
		if len(out) == 0 {
			title = "Flags"
		}
		out = append(out, flagGroup{title, rest})
	}
	return out
}

// filled breaks a text's lines where they are too long, set in by some blanks.
func filled(text string, in int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		lead := line[:len(line)-len(strings.TrimLeft(line, " "))]
		b.WriteString(hanging(strings.Repeat(" ", in)+lead, strings.TrimLeft(line, " ")))
	}
	return strings.TrimRight(b.String(), "\n")
}

// hanging writes a text after a label, its further lines below its beginning.
func hanging(label, text string) string {
	lead := strings.Repeat(" ", len([]rune(label)))
	line, out := label, ""
	empty := true
	for word := range strings.FieldsSeq(text) {
		if !empty && len([]rune(line))+1+len([]rune(word)) > helpWidth {
			out += strings.TrimRight(line, " ") + "\n"
			line, empty = lead, true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	return out + strings.TrimRight(line, " ") + "\n"
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
	file, port, at := strings.Cut(word, "@")
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
			return writeManuals(cmd.Root(), args[0])
		},
	}
}

func writeManuals(cmd *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
	if err := os.WriteFile(filepath.Join(dir, name+".1"), []byte(manual(cmd, name)), 0o644); err != nil {
		return err
	}
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" && c.Name() != "completion" {
			if err := writeManuals(c, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// manual is a command's page in man(7).
func manual(cmd *cobra.Command, name string) string {
	var b strings.Builder
	roff := strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...")
	text := func(s string) string {
		var out strings.Builder
		for line := range strings.Lines(roff.Replace(s)) {
			if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
				line = `\&` + line
			}
			out.WriteString(line)
		}
		return strings.TrimRight(out.String(), "\n")
	}
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"ovn-replay\" \"OVN\"\n.SH NAME\n%s \\- %s\n", strings.ToUpper(roff.Replace(name)), roff.Replace(name), text(cmd.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", text(cmd.UseLine()))
	if cmd.Long != "" {
		fmt.Fprintf(&b, ".SH DESCRIPTION\n.nf\n%s\n.fi\n", text(cmd.Long))
	}
	for _, g := range flagGroups(cmd.NonInheritedFlags()) {
		fmt.Fprintf(&b, ".SH %s\n", strings.ToUpper(text(g.title)))
		g.flags.VisitAll(func(f *pflag.Flag) {
			value, usage := pflag.UnquoteUsage(f)
			short := ""
			if f.Shorthand != "" {
				short = "-" + f.Shorthand + ", "
			}
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", text(strings.TrimRight(short+"--"+f.Name+" "+value, " ")), text(usage))
		})
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString(".SH COMMANDS\n")
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", text(c.Name()), text(c.Short))
			}
		}
	}
	if cmd.HasExample() {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", text(cmd.Example))
	}
	b.WriteString(".SH EXIT STATUS\n0 done (verify: everything matched); 1 a difference (verify, diff), or the packet is not delivered (trace); 2 bad usage or bad input.\n")
	return b.String()
}
