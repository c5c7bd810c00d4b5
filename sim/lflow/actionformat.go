package lflow

import (
	"fmt"
	"net/netip"
	"strconv"
)

// FormatActions returns the canonical form of actions, OVN's own. env says
// where the flow is, for "next". No actions are "drop;".
//
// Strings are escaped where OVN would print what it cannot read back.
func FormatActions(actions []Action, env *Env) string {
	if env == nil {
		env = &Env{}
	}
	f := actionFormat{env: env}
	f.actions(actions)
	return string(f.b)
}

// actionFormat collects the text of actions.
type actionFormat struct {
	env *Env
	b   []byte
}

func (f *actionFormat) actions(actions []Action) {
	if len(actions) == 0 {
		f.str("drop;")
	}
	for i, a := range actions {
		if i > 0 {
			f.str(" ")
		}
		a.format(f)
	}
}

func (f *actionFormat) str(s string)    { f.b = append(f.b, s...) }
func (f *actionFormat) quoted(s string) { f.b = appendQuoted(f.b, s) }
func (f *actionFormat) field(r FieldRef) {
	f.b = r.append(f.b)
}
func (f *actionFormat) number(n uint64) { f.b = strconv.AppendUint(f.b, n, 10) }

func (f *actionFormat) printf(format string, args ...any) { f.b = fmt.Appendf(f.b, format, args...) }

// call appends "name(field, field…);".
func (f *actionFormat) call(name string, args ...FieldRef) {
	f.str(name)
	f.str("(")
	for i, arg := range args {
		if i > 0 {
			f.str(", ")
		}
		f.field(arg)
	}
	f.str(");")
}

// result appends "dst = name(field…);".
func (f *actionFormat) result(dst FieldRef, name string, args ...FieldRef) {
	f.field(dst)
	f.str(" = ")
	f.call(name, args...)
}

func (f *actionFormat) addr(addr netip.Addr) {
	v := addressValue(addr)
	if addr.Is4() {
		f.b = appendIPv4(f.b, uint32(v.Lo))
	} else {
		f.b = appendIPv6(f.b, v)
	}
}

func protoName(proto uint8) string {
	switch proto {
	case 17:
		return "udp"
	case 132:
		return "sctp"
	}
	return "tcp"
}
