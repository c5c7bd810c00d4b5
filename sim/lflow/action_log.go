package lflow

// Log is "log(verdict=…, …);".
type Log struct {
	Verdict  string // allow, drop, reject or pass
	Severity string
	Name     string
	Meter    string
	HasName  bool // a name was given, if only ""
	HasMeter bool
}

func init() {
	statements["log"] = (*parser).log
}

func (p *parser) log() Action {
	a := Log{Severity: "info"}
	if p.match(TokenLParen) {
		for !p.match(TokenRParen) {
			p.logArgument(&a)
			p.match(TokenComma)
		}
	}
	if a.Verdict == "" {
		p.syntax("expecting verdict")
	}
	return a
}

func (p *parser) logArgument(a *Log) {
	switch {
	case p.matchID("verdict"):
		p.force(TokenEquals)
		a.Verdict = p.oneOf("unknown verdict", "drop", "reject", "allow", "pass")
	case p.matchID("severity"):
		p.force(TokenEquals)
		if p.tok.Type != TokenID {
			p.syntax("expecting severity")
		}
		a.Severity = p.oneOf("unknown severity", "alert", "warning", "notice", "info", "debug")
	case p.matchID("name"):
		p.force(TokenEquals)
		if p.tok.Type == TokenString && len(p.tok.Text) >= 64 {
			p.syntax("name must be shorter than 64 characters")
		}
		a.Name, a.HasName = p.str("expecting string"), true
	case p.matchID("meter"):
		p.force(TokenEquals)
		a.Meter, a.HasMeter = p.str("expecting string"), true
	default:
		p.syntax("")
	}
}

// oneOf parses one of the given identifiers.
func (p *parser) oneOf(otherwise string, ids ...string) string {
	for _, id := range ids {
		if p.matchID(id) {
			return id
		}
	}
	p.syntax(otherwise)
	return ""
}

func (a Log) format(f *actionFormat) {
	f.str("log(")
	if a.HasName || a.Name != "" {
		f.str("name=")
		f.quoted(a.Name)
		f.str(", ")
	}
	f.printf("verdict=%s, severity=%s", a.Verdict, a.Severity)
	if a.HasMeter || a.Meter != "" {
		f.str(", meter=")
		f.quoted(a.Meter)
	}
	f.str(");")
}

func (Log) compile(Resolver) (Op, error) { return Op{Code: OpLog}, nil }
