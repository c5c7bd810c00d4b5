package lflow

import "ovnreplay/sim/field"

// maxBlocks is how deep actions may nest in one another's { }.
const maxBlocks = 32

// Tables of the logical pipelines of the newest OVN, which bound "next".
const (
	IngressTables = 35
	EgressTables  = 16
)

// ParseActions parses a flow's actions and checks their types. The actions
// are valid only for packets that meet prereqs, nil when there is nothing to
// meet, which the flow's match is to be ANDed with; as in OVN, part of it is
// annotated already and part is not. The error is an *Error.
//
// "drop;" and no actions at all are one Drop.
func ParseActions(src string, env *Env) (actions []Action, prereqs *Expr, err error) {
	err = run(src, env, func(p *parser) {
		actions = p.actions(TokenEnd)
		prereqs = conjunction(p.prereqs)
	})
	if err != nil {
		return nil, nil, err
	}
	if len(actions) == 0 {
		actions = []Action{Drop{}}
	}
	return actions, prereqs, nil
}

// conjunction returns all of terms, which it keeps; nil for none.
func conjunction(terms []*Expr) *Expr {
	switch len(terms) {
	case 0:
		return nil
	case 1:
		return terms[0]
	}
	return &Expr{Kind: And, Args: terms}
}

// actions parses up to the sentinel, the end or a }. Only by itself does
// "drop;" stand for no actions.
func (p *parser) actions(sentinel TokenType) []Action {
	if p.is("drop") && p.peek() == TokenSemicolon {
		p.advance()
		p.advance()
		if sentinel == TokenEnd {
			p.forceEnd()
		} else {
			p.force(sentinel)
		}
		return nil
	}
	var actions []Action
	for !p.match(sentinel) {
		switch p.tok.Type {
		case TokenID:
		case TokenTemplate:
			p.fail("Unexpanded template.")
		default:
			p.syntax("")
		}
		actions = append(actions, p.action())
		p.force(TokenSemicolon)
	}
	return actions
}

// action parses one action up to its semicolon.
func (p *parser) action() Action {
	switch p.peek() {
	case TokenEquals, TokenExchange, TokenLSquare:
		return p.assignment()
	}
	parse := statements[p.tok.Text]
	if parse == nil {
		p.syntax("expecting action")
	}
	p.advance()
	return parse(p)
}

// statements are the actions that begin with their name, which has been
// passed when the function is called.
var statements map[string]func(*parser) Action

func init() { // not a literal: actions nest, so the functions refer to the map
	statements = map[string]func(*parser) Action{
		"next":              (*parser).nextAction,
		"output":            constantly(Output{}),
		"push":              (*parser).push,
		"pop":               (*parser).pop,
		"ip.ttl":            (*parser).decTTL,
		"ct_next":           (*parser).ctNext,
		"ct_commit":         (*parser).ctCommit,
		"ct_commit_to_zone": (*parser).ctCommitToZone,
		"ct_commit_nat":     (*parser).ctCommitNAT,
		"ct_dnat":           ctNAT("ct_dnat", CTNAT{}),
		"ct_snat":           ctNAT("ct_snat", CTNAT{SNAT: true}),
		"ct_dnat_in_czone":  ctNAT("ct_dnat_in_czone", CTNAT{InCommonZone: true}),
		"ct_snat_in_czone":  ctNAT("ct_snat_in_czone", CTNAT{SNAT: true, InCommonZone: true}),
		"ct_lb":             ctLB(LB),
		"ct_lb_mark":        ctLB(LBMark),
		"ct_lb_mark_local":  ctLB(LBMarkLocal),
		"ct_clear":          constantly(CTClear{}),
		"ct_snat_to_vip":    constantly(CTSNATToVIP{}),

		"clone":        nested(Clone, ""),
		"arp":          nested(ARP, "ip"),
		"icmp4":        nested(ICMP4, "ip4"),
		"icmp4_error":  nested(ICMP4Error, "ip4"),
		"icmp6":        nested(ICMP6, "ip6"),
		"icmp6_error":  nested(ICMP6Error, "ip6"),
		"tcp_reset":    nested(TCPReset, "tcp"),
		"sctp_abort":   nested(SCTPAbort, "sctp"),
		"reject":       nested(Reject, ""),
		"nd_na":        nested(NDNA, "nd_ns"),
		"nd_na_router": nested(NDNARouter, "nd_ns"),
		"nd_ns":        nested(NDNS, "ip"),

		"get_arp": getMACBind(false),
		"get_nd":  getMACBind(true),
		"put_arp": putMACBind(false),
		"put_nd":  putMACBind(true),
		"put_fdb": (*parser).putFDB,

		"igmp":                constantly(Plain{IGMP}),
		"handle_dhcpv6_reply": constantly(Plain{HandleDHCPv6Reply}),
		"handle_bfd_msg":      (*parser).handleBFD,
		"flood_remote":        constantly(Plain{FloodRemote}),
		"mac_cache_use":       constantly(Plain{MACCacheUse}),
		"handle_svc_check":    (*parser).handleSvcCheck,
		"set_queue":           (*parser).setQueue,
		"set_meter":           (*parser).setMeter,
		"log":                 (*parser).log,
		"trigger_event":       (*parser).triggerEvent,
		"bind_vport":          (*parser).bindVport,
		"fwd_group":           (*parser).fwdGroup,
		"sample":              (*parser).sample,
		"mirror":              (*parser).mirror,
		"commit_ecmp_nh":      (*parser).commitECMP,
		"commit_lb_aff":       (*parser).commitAffinity,
	}
}

// constantly is the parser of an action without arguments.
func constantly(a Action) func(*parser) Action {
	return func(*parser) Action { return a }
}

// require adds the predicate or expression src to the prerequisites, not annotated.
func (p *parser) require(src string) {
	s := p.tab.Lookup(src)
	if s == nil {
		p.fail("Syntax error at `%s' expecting field name.", src)
	}
	p.prereqs = append(p.prereqs, &Expr{Kind: Cmp, Symbol: s, Op: NE, Mask: field.Ones(1)})
}

// lvalue parses a field and adds its prerequisites; predicates are none.
func (p *parser) lvalue() FieldRef {
	start := p.tok.Pos
	f := p.fieldRef()
	if f.Symbol.Predicate != "" {
		p.failAt(start, p.last, "Predicate symbol %s used where lvalue required.", f.Symbol.Name)
	}
	a := annotator{tab: p.tab}
	for s := f.Symbol; s != nil; s = s.Parent {
		prereqs, err := a.prereqs(s)
		if err != nil {
			p.failAt(start, p.last, "%s", err)
		}
		if prereqs != nil {
			p.prereqs = appendFlat(p.prereqs, And, prereqs)
		}
	}
	return f
}

// field parses a field of width bits, 0 for a string.
func (p *parser) field(width int) FieldRef {
	start := p.tok.Pos
	f := p.lvalue()
	p.checkWidth(start, f, width)
	return f
}

func (p *parser) checkWidth(start int, f FieldRef, width int) {
	switch {
	case f.Width == width:
	case f.Width != 0 && width != 0:
		p.failAt(start, p.last, "Cannot use %d-bit field %s[%d..%d] where %d-bit field is required.",
			f.Width, f.Symbol.Name, f.Ofs, f.Ofs+f.Width-1, width)
	case width != 0:
		p.failAt(start, p.last, "Cannot use string field %s where numeric field is required.", f.Symbol.Name)
	default:
		p.failAt(start, p.last, "Cannot use numeric field %s where string field is required.", f.Symbol.Name)
	}
}

// checkWritable requires that f may be assigned here.
func (p *parser) checkWritable(start int, f FieldRef) {
	if f.Symbol.Writable&p.scope == 0 {
		p.failAt(start, p.last, "Field %s is not modifiable.", f.Symbol.Name)
	}
}

// uint16 parses a decimal constant of at most 16 bits.
func (p *parser) uint16(what string) uint16 {
	n, ok := p.smallInt()
	if !ok || n > 0xffff {
		p.syntax("expecting " + what)
	}
	p.advance()
	return uint16(n)
}

// str parses a string.
func (p *parser) str(what string) string {
	if p.tok.Type != TokenString {
		p.syntax(what)
	}
	s := p.tok.Text
	p.advance()
	return s
}

// notLast refuses an action that continues in the next table when there is none.
func (p *parser) notLast(name string) {
	if p.env.Table >= p.env.Tables {
		p.failAt(p.last-len(name), p.last, "\"%s\" action not allowed in last table.", name)
	}
}

func (p *parser) nextAction() Action {
	if p.env.Tables == 0 {
		p.fail("\"next\" action not allowed here.")
	}
	a := Next{Pipeline: p.env.Pipeline}
	table := int(p.env.Table) + 1
	if p.match(TokenLParen) {
		if n, ok := p.smallInt(); ok {
			table = n
			p.advance()
		} else {
			for ok := true; ok; ok = p.match(TokenComma) {
				p.nextArgument(&a.Pipeline, &table)
			}
		}
		p.force(TokenRParen)
	}
	limit := int(p.env.Tables)
	if a.Pipeline == Egress {
		limit = min(limit, EgressTables)
	}
	if table >= limit {
		p.fail("\"next\" action cannot advance beyond table %d.", limit)
	}
	a.Table = uint8(table)
	a.Explicit = a.Pipeline != p.env.Pipeline || table != int(p.env.Table)+1
	return a
}

func (p *parser) nextArgument(pipeline *Pipeline, table *int) {
	switch {
	case p.matchID("pipeline"):
		p.force(TokenEquals)
		switch {
		case p.matchID("ingress"):
			*pipeline = Ingress
		case p.matchID("egress"):
			*pipeline = Egress
		default:
			p.syntax(`expecting "ingress" or "egress"`)
		}
	case p.matchID("table"):
		p.force(TokenEquals)
		*table = p.forceInt()
	default:
		p.syntax(`expecting "pipeline" or "table"`)
	}
}

func (p *parser) decTTL() Action {
	p.force(TokenDecrement)
	p.require("ip")
	return DecTTL{}
}

func (p *parser) push() Action {
	p.force(TokenLParen)
	f := p.lvalue()
	p.force(TokenRParen)
	return Push{f}
}

func (p *parser) pop() Action {
	p.force(TokenLParen)
	start := p.tok.Pos
	f := p.lvalue()
	p.checkWritable(start, f)
	p.force(TokenRParen)
	return Pop{f}
}

// block parses { … } in the given scope. With a prerequisite, that stands for
// those of the actions inside; without, they are the whole flow's, before
// those it has already.
func (p *parser) block(prereq string, scope Scope) []Action {
	p.force(TokenLCurly)
	if p.blocks+1 == maxBlocks {
		p.fail("maximum depth of nested actions reached")
	}
	outer, outerScope := p.prereqs, p.scope
	p.prereqs, p.scope = nil, scope
	p.blocks++
	inner := p.actions(TokenRCurly)
	p.blocks--
	p.scope = outerScope
	if prereq != "" {
		p.prereqs = outer
		p.require(prereq)
	} else {
		p.prereqs = append(p.prereqs, outer...)
	}
	return inner
}

func nested(op NestedOp, prereq string) func(*parser) Action {
	return func(p *parser) Action {
		scope := p.scope
		if op == Clone {
			scope = WriteDefault
		}
		return Nested{Op: op, Inner: p.block(prereq, scope)}
	}
}
