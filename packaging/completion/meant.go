package completion

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ovnreplay/sim/network"
)

// Meant adds to the error of a command whose flag takes words, and has another, which of them may be meant.
func Meant(cmd *cobra.Command, err error) error {
	if err == nil || cmd == nil || strings.Contains(err.Error(), "did you mean") {
		return err
	}
	var close []string
	cmd.Flags().Visit(func(f *pflag.Flag) {
		said, about := strings.CutPrefix(err.Error(), "--"+f.Name)
		if !about || !strings.HasPrefix(said, " ") && !strings.HasPrefix(said, ": ") {
			return
		}
		known := wordsOf(cmd, f.Name)
		for word := range strings.SplitSeq(strings.Trim(f.Value.String(), "[]"), ",") {
			if slices.Contains(known, word) {
				continue
			}
			for _, k := range known {
				if network.Resembles(k, word) && !slices.Contains(close, k) {
					close = append(close, k)
				}
			}
		}
	})
	if len(close) == 0 || len(close) > most {
		return err
	}
	return fmt.Errorf("%w; did you mean %s?", err, strings.Join(close, " or "))
}

// most is how many words are named: one that is like more of them says too little.
const most = 3
