// Package microflow makes the packet that a microflow describes.
//
// A microflow (ovn-trace(8)) is a match of the logical flow language that
// leaves one packet only: fields that its comparisons imply (ip4.src implies
// IPv4) are filled in, what it says nothing about is 0. One that leaves
// several packets or none is refused, in OVN's words.
//
// The packet is a whole Ethernet frame with right lengths and checksums. What
// a match cannot speak of is made so that the packet begins a conversation: a
// TCP segment opens a connection unless tcp.flags says otherwise, a DHCP
// client's message discovers.
package microflow

import (
	"fmt"
	"slices"
	"strings"

	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
)

// Flow is a packet with the metadata that it enters a pipeline with.
type Flow struct {
	Datapath *network.Datapath
	Port     *network.Port // nil: the microflow names none
	// Key holds every field as the microflow has it, metadata included; its
	// inport is Port's index, 0 without one. Given has the bits set that the microflow fixes.
	Key, Given field.Key
}

// Error is why a microflow was refused. Its text is ovn-trace's.
type Error struct {
	Msg string
	Err error // what the match parser said, nil if it is not to blame
}

func (e *Error) Error() string { return e.Msg }

func (e *Error) Unwrap() error { return e.Err }

func refuse(err error, format string, args ...any) error {
	return &Error{Msg: fmt.Sprintf("error parsing flow: "+format, args...), Err: err}
}

// Parse reads a microflow. Its inport is looked up among the ports of
// datapath dp, or of the whole network if dp is nil; it then must name one.
// Errors are *Error.
func Parse(text string, net *network.Network, dp *network.Datapath) (*Flow, error) {
	env := &lflow.Env{AddressSets: net.AddressSets, PortGroups: net.PortGroups}
	e, err := lflow.ParseMatch(text, env)
	if err != nil {
		return nil, refuse(err, "%s", err)
	}
	names := inports(e, nil)
	var port *network.Port
	switch {
	case len(names) == 0 && dp == nil:
		return nil, refuse(nil, "flow match expression does not match on inport")
	case len(names) > 1:
		return nil, refuse(nil, "flow match expression matches on multiple inports")
	case len(names) == 1:
		if port, err = findPort(net, dp, names[0]); err != nil {
			return nil, err
		}
		dp = port.Datapath
	}
	annotated, err := lflow.Annotate(e, env)
	if err != nil {
		return nil, refuse(err, "%s", err)
	}
	c := cases{names: map[string]uint64{}}
	switch list := c.of(lflow.Simplify(annotated)); {
	case c.many || len(list) > 1:
		return nil, refuse(nil, "Constraints are ambiguous: %s.", annotated.Text())
	case len(list) == 0:
		return nil, refuse(nil, "Constraints are contradictory.")
	default:
		f := &Flow{Datapath: dp, Port: port, Key: list[0].value, Given: list[0].mask}
		return f, c.ports(f, net)
	}
}

// inports collects the names that e compares inport with.
func inports(e *lflow.Expr, names []string) []string {
	switch e.Kind {
	case lflow.Cmp:
		if e.Symbol.Name == "inport" && e.Op == lflow.EQ && !slices.Contains(names, e.String) {
			names = append(names, e.String)
		}
	case lflow.And, lflow.Or:
		for _, a := range e.Args {
			names = inports(a, names)
		}
	}
	return names
}

// findPort finds a port by name, second name, UUID, or beginning of a UUID.
func findPort(net *network.Network, dp *network.Datapath, name string) (*network.Port, error) {
	port, err := net.FindPort(name)
	if err != nil {
		msg := fmt.Sprintf("unknown port \"%s\"", name)
		if _, there, ok := strings.Cut(err.Error(), "; "); ok {
			msg += ": " + there // the names that may be meant
		}
		return nil, &Error{Msg: msg, Err: err}
	}
	if dp != nil && port.Datapath != dp {
		return nil, &Error{Msg: fmt.Sprintf("port \"%s\" is not in datapath \"%s\" but in \"%s\"", name, dp.Name,
			port.Datapath.Name)}
	}
	return port, nil
}

// ports replaces the numbers that stand for names by the ports' own.
func (c *cases) ports(f *Flow, net *network.Network) error {
	f.Key.Set(field.Inport, 0)
	if f.Port != nil {
		f.Key.Set(field.Inport, uint64(f.Port.Index))
	}
	want := f.Key.Get(field.Outport)
	for name, n := range c.names {
		if n != want || name == "" {
			continue
		}
		port, err := findPort(net, f.Datapath, name)
		if err != nil {
			return err
		}
		f.Key.Set(field.Outport, uint64(port.Index))
	}
	return nil
}

// cases are the packets that an expression leaves, as conjunctions.
type cases struct {
	names map[string]uint64 // of ports, numbered
	many  bool              // there were too many to look at
}

// maxCases bounds how many are looked at: an expression with more is ambiguous.
const maxCases = 1024

// conjunction is the packets whose bits under mask are value.
type conjunction struct{ value, mask field.Key }

// of returns the conjunctions of e, which must be simplified.
func (c *cases) of(e *lflow.Expr) []conjunction {
	switch e.Kind {
	case lflow.Bool:
		if !e.True {
			return nil
		}
	case lflow.Condition: // every port counts as resident
		if e.Not {
			return nil
		}
	case lflow.Cmp:
		return c.cmp(e)
	case lflow.Or:
		var all []conjunction
		for _, a := range e.Args {
			all = absorb(append(all, c.of(a)...))
			if c.tooMany(len(all)) {
				break
			}
		}
		return all
	case lflow.And:
		return c.and(e.Args)
	}
	return []conjunction{{}}
}

// and multiplies, the smallest factors first: they contradict most of the rest.
func (c *cases) and(args []*lflow.Expr) []conjunction {
	factors := make([][]conjunction, len(args))
	for i, a := range args {
		factors[i] = c.of(a)
	}
	slices.SortStableFunc(factors, func(a, b []conjunction) int { return len(a) - len(b) })
	product := []conjunction{{}}
	for _, f := range factors {
		var next []conjunction
		for i := range product {
			for j := range f {
				if both, ok := product[i].with(&f[j]); ok {
					next = append(next, both)
				}
				if c.tooMany(len(next)) {
					return next
				}
			}
		}
		product = absorb(next)
	}
	return product
}

func (c *cases) tooMany(n int) bool {
	c.many = c.many || n > maxCases
	return c.many
}

func (c *cases) cmp(e *lflow.Expr) []conjunction {
	id, value, mask := e.Symbol.Field, e.Value, e.Mask
	if e.Symbol.IsString() {
		s := e.Symbol.Slice()
		value, mask = field.U64(c.number(e.String)).Lsh(uint(s.Ofs)), field.Ones(int(s.Width)).Lsh(uint(s.Ofs))
	}
	if id == field.None {
		return []conjunction{{}} // fields only ovn-controller knows
	}
	if e.Op == lflow.EQ {
		return []conjunction{equal(id, value, mask)}
	}
	var all []conjunction
	for rest := mask; !rest.IsZero(); {
		bit := field.U64(1).Lsh(uint(rest.TrailingZeros()))
		rest = rest.AndNot(bit)
		all = append(all, equal(id, value.Xor(bit).And(bit), bit))
	}
	return all
}

// number numbers a port's name; no port is 0.
func (c *cases) number(name string) uint64 {
	if name == "" {
		return 0
	}
	n, ok := c.names[name]
	if !ok {
		n = uint64(len(c.names)) + 1
		c.names[name] = n
	}
	return n
}

func equal(id field.ID, value, mask field.Uint128) (c conjunction) {
	c.value.Set128(id, value.And(mask))
	c.mask.Set128(id, mask)
	return c
}

// with returns the packets in both, false if there are none.
func (c *conjunction) with(d *conjunction) (both conjunction, ok bool) {
	for w := range c.value {
		if (c.value[w]^d.value[w])&c.mask[w]&d.mask[w] != 0 {
			return both, false
		}
		both.value[w], both.mask[w] = c.value[w]|d.value[w], c.mask[w]|d.mask[w]
	}
	return both, true
}

// includes reports whether every packet in d is in c.
func (c *conjunction) includes(d *conjunction) bool {
	for w := range c.value {
		if c.mask[w]&^d.mask[w] != 0 || (c.value[w]^d.value[w])&c.mask[w] != 0 {
			return false
		}
	}
	return true
}

// absorb leaves out conjunctions whose packets are all in another one.
func absorb(all []conjunction) []conjunction {
	var out []conjunction
	for i := range all {
		x := &all[i]
		if slices.ContainsFunc(out, func(c conjunction) bool { return c.includes(x) }) {
			continue
		}
		out = slices.DeleteFunc(out, func(c conjunction) bool { return x.includes(&c) })
		out = append(out, *x)
	}
	return out
}
