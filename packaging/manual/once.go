package manual

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// once is the value of a flag that may be given once: a second one would
// silently take the place of the first.
type once struct {
	pflag.Value
	given bool
	hint  string
}

// Set implements pflag.Value.
func (o *once) Set(text string) error {
	if o.given {
		return fmt.Errorf("%q was given already; this flag takes one value%s", o.String(), o.hint)
	}
	o.given = true
	return o.Value.Set(text)
}

// Once lets each flag of a command and those below it that is no list, nor on or
// off, be given once. hints say more of flags of which a second is refused.
func Once(cmd *cobra.Command, hints map[string]string) {
	wrap := func(f *pflag.Flag) {
		_, list := f.Value.(pflag.SliceValue)
		if _, done := f.Value.(*once); !done && !list && f.Value.Type() != "bool" {
			f.Value = &once{Value: f.Value, hint: hints[f.Name]}
			if f.DefValue == "0s" { // help would say that it is the default
				f.DefValue = "0"
			}
		}
	}
	cmd.Flags().VisitAll(wrap)
	cmd.PersistentFlags().VisitAll(wrap)
	for _, sub := range cmd.Commands() {
		Once(sub, hints)
	}
}
