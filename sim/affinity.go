package sim

import (
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
)

// regStuck is the bit by which northd's flows tell that a client sticks to a
// backend, reg9[6].
var regStuck = field.Slice{Field: field.XReg4, Ofs: 6, Width: 1}

// oldAffinity tells of each availability zone, by its Index, whether its logical
// flows look for the port of the backend that a client sticks to in reg8, as
// those of releases up to 24.03 do, and not in reg2. ovn-controller leaves it
// where they look.
func oldAffinity(net *network.Network) []bool {
	old := make([]bool, max(1, len(net.AZs)))
	envs := make([]*lflow.Env, len(old))
	for _, f := range net.Flows {
		if len(f.Datapaths) == 0 || !lflow.Uses(f.Match, "reg8") || !lflow.Uses(f.Match, "reg9") {
			continue
		}
		z := zoneOf(net, f)
		if old[z.Index] {
			continue
		}
		if envs[z.Index] == nil {
			base := baseEnv(z, nil)
			envs[z.Index] = &base
		}
		old[z.Index] = looksInReg8(f, EnvAt(*envs[z.Index], f))
	}
	return old
}

func looksInReg8(f *network.Flow, env *lflow.Env) bool {
	e, err := lflow.ParseMatch(f.Match, env)
	if err != nil {
		return false // no packet meets it
	}
	if e, err = lflow.Annotate(e, env); err != nil {
		return false
	}
	return compares(e, regStuck) && compares(e, oldPort)
}

// compares reports whether a match wants such bits to have a value other than 0.
func compares(e *lflow.Expr, bits field.Slice) bool {
	mask := field.Ones(int(bits.Width)).Lsh(uint(bits.Ofs))
	for c := range e.Comparisons() {
		if c.Symbol.Field == bits.Field && c.Mask == mask && (c.Op == lflow.EQ) != c.Value.IsZero() {
			return true
		}
	}
	return false
}
