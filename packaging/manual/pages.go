package manual

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Command is one that writes the manual pages of all commands into a folder, each by put.
func (g Groups) Command(put func(ctx context.Context, name string, page []byte) error) *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the manual pages",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.pages(cmd.Root(), func(name string, page []byte) error {
				return put(cmd.Context(), filepath.Join(args[0], name), page)
			})
		},
	}
}

// pages calls put with the file name and the text of the page of a command, and of
// those below it.
func (g Groups) pages(cmd *cobra.Command, put func(name string, page []byte) error) error {
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
	if err := put(name+".1", []byte(g.page(cmd, name))); err != nil {
		return err
	}
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" && c.Name() != "completion" {
			if err := g.pages(c, put); err != nil {
				return err
			}
		}
	}
	return nil
}

// page is a command's page in man(7).
func (g Groups) page(cmd *cobra.Command, name string) string {
	var b strings.Builder
	version, _, _ := strings.Cut(cmd.Root().Version, " ")
	fmt.Fprintf(&b, ".TH %s 1 \"%s\" \"%s\" \"OVN\"\n", strings.ToUpper(escaped(name)), built(),
		strings.TrimSpace("ovn-replay "+version))
	b.WriteString(".nh\n.ad l\n") // options are to be copied: none is hyphenated, or has blanks strewn in
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", escaped(name), line(cmd.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n%s\n", synopsis(cmd))
	if cmd.Long != "" {
		b.WriteString(".SH DESCRIPTION\n" + prose(cmd.Long))
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString(".SH COMMANDS\n")
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", escaped(c.Name()), line(c.Short))
			}
		}
	}
	b.WriteString(g.options(cmd))
	if cmd.HasExample() {
		fmt.Fprintf(&b, ".SH EXAMPLES\n%s", verbatim(cmd.Example))
	}
	if !strings.Contains(cmd.Long, "Exit status") {
		b.WriteString(".SH EXIT STATUS\n" + list([][2]string{{"0", "done"},
			{"2", "bad usage, bad input, or an output that cannot be written"},
			{"129, 130, 143", "interrupted by SIGHUP, SIGINT or SIGTERM"}}))
	}
	b.WriteString(".SH SEE ALSO\n" + seeAlso(cmd))
	return paragraphs.Replace(b.String())
}

// paragraphs leaves out those of nothing.
var paragraphs = strings.NewReplacer(".PP\n.PP\n", ".PP\n", ".PP\n.SH ", ".SH ", "\n.PP\n.RS", "\n.sp\n.RS")

// options are a command's flags, each group under its heading.
func (g Groups) options(cmd *cobra.Command) string {
	var b strings.Builder
	groups := g.of(cmd.NonInheritedFlags())
	if len(groups) > 0 {
		b.WriteString(".SH OPTIONS\n")
	}
	for _, f := range groups {
		if len(groups) > 1 {
			fmt.Fprintf(&b, ".SS %s\n", line(f.title))
		}
		f.flags.VisitAll(func(f *pflag.Flag) {
			value, usage := pflag.UnquoteUsage(f)
			name := `\fB` + escaped("--"+f.Name) + `\fR`
			if f.Shorthand != "" {
				name = `\fB` + escaped("-"+f.Shorthand) + `\fR, ` + name
			}
			if value != "" {
				name += ` \fI` + escaped(value) + `\fR`
			}
			fmt.Fprintf(&b, ".TP\n%s\n%s\n", name, line(usage))
		})
	}
	return b.String()
}

// built is the day of the commit that the program was built from, if that is known: who makes
// packages says it (reproducible-builds.org), else Go stamps it.
func built() string {
	if n, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		return time.Unix(n, 0).UTC().Format(time.DateOnly)
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return edition
	}
	for _, s := range info.Settings {
		if day, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
			return day.Format(time.DateOnly)
		}
	}
	return edition
}

// edition is the day of the pages where that of the program is not known: a page has one.
const edition = "2026-11-29"

// synopsis is how a command is called: each way of several on a line of its own.
func synopsis(cmd *cobra.Command) string {
	use := strings.TrimPrefix(cmd.UseLine(), cmd.CommandPath())
	if cmd.HasAvailableSubCommands() {
		use = " COMMAND"
	}
	return `\fB` + escaped(cmd.CommandPath()) + `\fR` + escaped(use)
}

// seeAlso are the commands above and below one, and what it is akin to.
func seeAlso(cmd *cobra.Command) string {
	var all []string
	add := func(c *cobra.Command) {
		if c.IsAvailableCommand() && c.Name() != "help" && c.Name() != "completion" {
			all = append(all, `\fB`+escaped(strings.ReplaceAll(c.CommandPath(), " ", "-"))+`\fR(1)`)
		}
	}
	if cmd.HasParent() {
		for _, c := range cmd.Parent().Commands() {
			if c != cmd && cmd.Parent().HasParent() {
				add(c)
			}
		}
		all = append(all, `\fB`+escaped(strings.ReplaceAll(cmd.Parent().CommandPath(), " ", "-"))+`\fR(1)`)
	}
	for _, c := range cmd.Commands() {
		add(c)
	}
	if cmd.Name() == "trace" || !cmd.HasParent() {
		all = append(all, `\fBovn\-trace\fR(8)`, `\fBtcpdump\fR(8)`)
	}
	return strings.Join(all, ",\n") + "\n"
}

// prose fills a text's paragraphs; lines that are set in stay lines.
func prose(text string) string {
	var b strings.Builder
	block := ""
	end := func() {
		if block != "" {
			b.WriteString(verbatim(block))
			block = ""
		}
	}
	for l := range strings.Lines(text) {
		switch trimmed := strings.TrimRight(l, "\n"); {
		case trimmed == "":
			end()
			b.WriteString(".PP\n")
		case trimmed[0] == ' ':
			block += l
		default:
			end()
			b.WriteString(line(trimmed) + "\n")
		}
	}
	end()
	return b.String()
}

// verbatim is an example: its lines stay as they are.
func verbatim(text string) string {
	var b strings.Builder
	b.WriteString(".RS 4\n.nf\n")
	for l := range strings.Lines(strings.TrimRight(text, "\n")) {
		b.WriteString(line(strings.TrimPrefix(strings.TrimRight(l, "\n"), "  ")) + "\n")
	}
	b.WriteString(".fi\n.RE\n.PP\n")
	return b.String()
}

// list is what words mean.
func list(rows [][2]string) string {
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", escaped(r[0]), line(r[1]))
	}
	return b.String()
}

// line is text on a line of its own: none that roff would obey.
func line(text string) string {
	text = escaped(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		return `\&` + text
	}
	return text
}

var escapes = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...", "'", `\(aq`, "^", `\(ha`, "~", `\(ti`, "`", `\(ga`)

// escaped is text as roff shows it.
func escaped(text string) string { return escapes.Replace(text) }
