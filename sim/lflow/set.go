package lflow

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"ovnreplay/sim/field"
)

// Set is an address set, or a port group: what matches mean that name it. It never changes.
type Set struct {
	name    string     // as matches name it
	numbers []Constant // of an address set, in order of value
	masked  []Constant // of them those that are networks
	ports   []string   // of a port group
	width   int        // bits of the widest number
}

func (s *Set) len() int { return len(s.numbers) + len(s.ports) }

// preparsed is what was read of the sets of an environment and of its copies, each once.
type preparsed struct {
	sync.Mutex
	addresses, groups map[string]*Set
	named             map[string][]string // ports by the names that matches use of groups, in every datapath
}

// Preparse has this Env and the copies made of it afterwards read each address set and
// port group once, when a match first names it. Without it every use of one reads it
// anew. AddressSets and PortGroups must not change from then on.
func (e *Env) Preparse() { e.pre = &preparsed{addresses: map[string]*Set{}, groups: map[string]*Set{}} }

// known returns the set of a name among sets that were read, or reads it.
func (pre *preparsed) known(sets map[string]*Set, name string, read func() *Set) *Set {
	pre.Lock()
	defer pre.Unlock()
	s := sets[name]
	if s == nil {
		s = read()
		sets[name] = s
	}
	return s
}

// WholeSets returns a copy of the environment, which must be preparsed, in which sets with
// many members are not written out: a comparison with one is In, whose Set all matches share.
// Thousands of flows may name a set of 100,000 addresses.
func (e *Env) WholeSets() *Env {
	whole := *e
	whole.whole = e.pre != nil
	return &whole
}

// fewMembers is how many a set has at most that is written out nevertheless.
const fewMembers = 64

// members adds what a set has to cs.
func (p *parser) members(cs *constantSet, s *Set) {
	if p.env.whole && s.len() > fewMembers {
		cs.sets = append(cs.sets, s)
		return
	}
	cs.writeOut(s)
}

func (cs *constantSet) writeOut(s *Set) {
	cs.values = append(cs.values, s.numbers...)
	for _, port := range s.ports {
		cs.values = append(cs.values, Constant{String: port})
	}
}

func (cs *constantSet) empty() bool { return len(cs.values)+len(cs.sets) == 0 }

// Members yields what an In stands for, one comparison after the other, each in the place
// of the one before it.
func (e *Expr) Members() iter.Seq[*Expr] {
	return func(yield func(*Expr) bool) {
		c := *e
		c.Kind, c.Set = Cmp, nil
		ofs, bits := uint(e.Mask.TrailingZeros()), field.Ones(e.Mask.OnesCount())
		for i := range e.Set.numbers {
			n := &e.Set.numbers[i]
			c.Value, c.Mask = n.Value.And(bits).Lsh(ofs), n.Mask.And(bits).Lsh(ofs)
			if !yield(&c) {
				return
			}
		}
		for _, port := range e.Set.ports {
			if c.String = port; !yield(&c) {
				return
			}
		}
	}
}

// HasPort reports whether the set is a port group that has the port.
func (s *Set) HasPort(name string) bool { return slices.Contains(s.ports, name) }

// Among reports whether a field that has the value given is, in the part of it that an In
// of numbers compares, among its set.
func (e *Expr) Among(v field.Uint128) bool {
	ofs, width := uint(e.Mask.TrailingZeros()), e.Mask.OnesCount()
	bits := field.Ones(width)
	v = v.And(e.Mask).Rsh(ofs)
	list := e.Set.numbers
	if width >= e.Set.width { // all of each number is compared: they are in order
		i, _ := slices.BinarySearchFunc(list, v, func(c Constant, v field.Uint128) int { return c.Value.Cmp(v) })
		for ; i < len(list) && list[i].Value == v; i++ {
			if !list[i].Masked {
				return true
			}
		}
		list = e.Set.masked
	}
	return slices.ContainsFunc(list, func(c Constant) bool {
		mask := c.Mask.And(bits)
		return v.And(mask) == c.Value.And(mask)
	})
}

func (e *Env) addressSet(name string) (*Set, bool) {
	elements, ok := e.AddressSets[name]
	if !ok {
		return nil, false
	}
	if e.pre == nil {
		return parseSet(name, elements), true
	}
	return e.pre.known(e.pre.addresses, name, func() *Set { return parseSet(name, elements) }), true
}

// parseSet reads the constants among elements. What is no constant is left out, as OVN
// does; Env.BadElements tells.
func parseSet(name string, elements []string) *Set {
	s := &Set{name: "$" + name, numbers: make([]Constant, 0, len(elements))}
	for _, text := range elements {
		if t := setElement(text); t.Type != TokenError {
			s.numbers = append(s.numbers, numberConstant(&t))
		}
	}
	slices.SortFunc(s.numbers, compareConstants)
	for i := range s.numbers {
		s.width = max(s.width, numberWidth(&s.numbers[i]))
		if s.numbers[i].Masked {
			s.masked = append(s.masked, s.numbers[i])
		}
	}
	return s
}

// setElement lexes an element of an address set; a TokenError says it is none.
func setElement(s string) Token {
	var t Token
	lx := newLexer(s)
	if lx.next(&t); t.Type != TokenInteger && t.Type != TokenMaskedInteger {
		t.Type = TokenError
	}
	return t
}

func compareConstants(a, b Constant) int {
	if d := a.Value.Cmp(b.Value); d != 0 || !a.Masked && !b.Masked {
		return d
	}
	switch {
	case !b.Masked:
		return -1
	case !a.Masked:
		return 1
	}
	return a.Mask.Cmp(b.Mask)
}

// BadElements lists the elements of the address sets that are no constants
// and match nothing, each with its set's name, in order.
func (e *Env) BadElements() []string {
	var bad []string
	for name, elements := range e.AddressSets {
		for _, s := range elements {
			if t := setElement(s); t.Type == TokenError {
				bad = append(bad, fmt.Sprintf("$%s: %q", name, s))
			}
		}
	}
	slices.Sort(bad)
	return bad
}

// portGroup returns the ports of the group a match calls name. The Southbound
// database has one of that name for each datapath, with the datapath's key
// before it. For no datapath in particular they are taken together, which
// matches the same packets: none is at a port of another datapath.
func (e *Env) portGroup(name string) (*Set, bool) {
	key := strconv.FormatInt(e.DatapathKey, 10) + "_" + name
	ports, ok := e.PortGroups[key]
	if !ok {
		key = name
		ports, ok = e.PortGroups[key]
	}
	if !ok && e.DatapathKey == 0 {
		key = "0_" + name // no other set has this name: it was sought
		ports, ok = e.groupsNamed()[name]
	}
	if !ok {
		return nil, false
	}
	if e.pre == nil {
		return groupOf(name, ports), true
	}
	return e.pre.known(e.pre.groups, key, func() *Set { return groupOf(name, ports) }), true
}

func groupOf(name string, ports []string) *Set { return &Set{name: "@" + name, ports: ports} }

// groupsNamed returns the ports of port groups by the names that matches use of them.
func (e *Env) groupsNamed() map[string][]string {
	if e.pre == nil {
		return namedPorts(e.PortGroups)
	}
	e.pre.Lock()
	defer e.pre.Unlock()
	if e.pre.named == nil {
		e.pre.named = namedPorts(e.PortGroups)
	}
	return e.pre.named
}

func namedPorts(groups map[string][]string) map[string][]string {
	named := map[string][]string{}
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		if name, ok := groupName(key); ok {
			named[name] = append(named[name], groups[key]...)
		}
	}
	return named
}

// groupName takes the datapath's key off the name of a port group.
func groupName(key string) (string, bool) {
	digits, name, ok := strings.Cut(key, "_")
	return name, ok && digits != "" && allDigits(digits)
}
