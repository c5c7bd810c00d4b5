package manual

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ovnreplay/sim/network"
)

// Unknown is the error of a first argument that is no command, with
// those that may have been meant.
func Unknown(root *cobra.Command, args []string) error {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") || strings.HasPrefix(args[0], "__") {
		return nil
	}
	root.InitDefaultHelpCmd() // which cobra adds late
	root.InitDefaultCompletionCmd()
	if args[0] == "help" { // of the command that the others name
		args = args[1:]
	}
	for cmd := root; ; args = args[1:] {
		if len(args) == 0 || strings.HasPrefix(args[0], "-") || !cmd.HasAvailableSubCommands() {
			return nil
		}
		sub, _, err := cmd.Find(args[:1])
		if err != nil || sub == cmd {
			return unknown(cmd, args[0])
		}
		cmd = sub
	}
}

// unknown is the error of a word that is no command below another.
func unknown(cmd *cobra.Command, word string) error {
	err := fmt.Errorf("unknown command %q", word)
	if cmd.HasParent() {
		err = fmt.Errorf("%w of %s", err, cmd.CommandPath())
	}
	cmd.SuggestionsMinimumDistance = 2
	if names := cmd.SuggestionsFor(word); len(names) > 0 {
		return fmt.Errorf("%w; did you mean %s?", err, strings.Join(names, " or "))
	}
	return fmt.Errorf("%w; %s --help lists them", err, cmd.CommandPath())
}

// Arguments has a command, and those below it, say how it is called where it has too few arguments
// or too many.
func Arguments(cmd *cobra.Command) {
	if takes := cmd.Args; takes != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			n, wrong := len(args), ""
			switch {
			case takes(cmd, args) == nil:
				return nil
			case n == 0:
				wrong = "an argument is missing"
			case takes(cmd, append(args[:n:n], "another")) == nil:
				wrong = fmt.Sprintf("an argument is missing after %q", args[n-1])
			case takes(cmd, args[:n-1]) == nil:
				wrong = fmt.Sprintf("%q is one argument too many", args[n-1])
			default:
				wrong = fmt.Sprintf("%d arguments are too few or too many", n)
			}
			return fmt.Errorf("%s; usage: %s", wrong, cmd.UseLine())
		}
	}
	for _, sub := range cmd.Commands() {
		Arguments(sub)
	}
}

// FlagError names the flags that may be meant by one that is none.
func FlagError(cmd *cobra.Command, err error) error {
	unknown := new(pflag.NotExistError)
	if !errors.As(err, &unknown) {
		return err
	}
	var close []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if name := unknown.GetSpecifiedName(); len(name) > 1 && !f.Hidden && network.Resembles(f.Name, name) {
			close = append(close, "--"+f.Name)
		}
	})
	if len(close) == 0 {
		return fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())
	}
	return fmt.Errorf("%w; did you mean %s?", err, strings.Join(close, " or "))
}
