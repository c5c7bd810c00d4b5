package manual

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Unknown is the error of a first argument that is no command, with
// those that may have been meant.
func Unknown(root *cobra.Command, args []string) error {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") || strings.HasPrefix(args[0], "__") || args[0] == "help" ||
		args[0] == "completion" {
		return nil
	}
	if cmd, _, err := root.Find(args[:1]); err == nil && cmd != root {
		return nil
	}
	err := fmt.Errorf("unknown command %q", args[0])
	root.SuggestionsMinimumDistance = 2
	if names := root.SuggestionsFor(args[0]); len(names) > 0 {
		return fmt.Errorf("%w; did you mean %s?", err, strings.Join(names, " or "))
	}
	return fmt.Errorf("%w; ovn-replay --help lists them", err)
}
