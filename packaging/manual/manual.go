// Package manual makes the help and the manual pages of a tree of commands: flags
// are listed under headings that say what they are about, and lines fit into
// Width.
//
// It reads the tree, and knows nothing of what the commands do.
package manual

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Width is what help fits into.
const Width = 80

// Group is a heading for flags, which are separated by blanks.
type Group struct{ Title, Flags string }

// Groups are the headings under which flags are listed; a flag that none names is
// under the last, "Others".
type Groups []Group

// Help makes help fit, and lists flags by what they are about.
func (g Groups) Help(root *cobra.Command) {
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		_, err := io.WriteString(cmd.OutOrStderr(), g.usage(cmd))
		return err
	})
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		text := cmd.Long
		if text == "" {
			text = cmd.Short + "."
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s\n\n%s", filled(text, 0), g.usage(cmd))
	})
}

// usage is how a command is called.
func (g Groups) usage(cmd *cobra.Command) string {
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
	for _, f := range g.of(cmd.NonInheritedFlags()) {
		b.WriteString("\n" + f.title + ":\n")
		for line := range strings.Lines(f.flags.FlagUsagesWrapped(Width)) {
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

func (g Groups) of(all *pflag.FlagSet) (out []flagGroup) {
	taken := map[string]bool{}
	for _, g := range g {
		set := pflag.NewFlagSet(g.Title, pflag.ContinueOnError)
		for name := range strings.FieldsSeq(g.Flags) {
			if f := all.Lookup(name); f != nil && !f.Hidden {
				set.AddFlag(f)
				taken[name] = true
			}
		}
		set.SortFlags = false
		if set.HasFlags() {
			out = append(out, flagGroup{g.Title, set})
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

// filled fills a text's paragraphs, set in by some blanks. Lines that are set in
// themselves stay lines.
func filled(text string, in int) string {
	var b strings.Builder
	paragraph := ""
	end := func() {
		if paragraph != "" {
			b.WriteString(hanging(strings.Repeat(" ", in), paragraph))
			paragraph = ""
		}
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		lead := line[:len(line)-len(strings.TrimLeft(line, " "))]
		if line != "" && lead == "" {
			paragraph += " " + line
			continue
		}
		end()
		b.WriteString(hanging(strings.Repeat(" ", in)+lead, strings.TrimLeft(line, " ")))
	}
	end()
	return strings.TrimRight(b.String(), "\n")
}

// hanging writes a text after a label, its further lines below its beginning.
func hanging(label, text string) string {
	lead := strings.Repeat(" ", len([]rune(label)))
	line, out := label, ""
	empty := true
	for word := range strings.FieldsSeq(text) {
		if !empty && len([]rune(line))+1+len([]rune(word)) > Width {
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
