package lflow

// ZoneName is which of a packet's conntrack zones an action uses.
type ZoneName uint8

const (
	ZoneDefault ZoneName = iota // as written without a zone: on a router dnat, on a switch the port's
	ZoneDNAT
	ZoneSNAT
	ZoneCommon // of ct_*_in_czone
)

// zone parses "dnat" or "snat" and the closing parenthesis.
func (p *parser) zone(name string) ZoneName {
	zone := ZoneDNAT
	switch {
	case p.matchID("dnat"):
	case p.matchID("snat"):
		zone = ZoneSNAT
	case name == "ct_next":
		p.fail("\"ct_next\" action accepts only \"dnat\" or \"snat\" parameter.")
	default:
		p.fail("\"%s\" action accepts only \"dnat\" or \"snat\" parameter.", name)
	}
	p.force(TokenRParen)
	return zone
}

// notLast refuses an action that continues in the next table when there is none.
func (p *parser) notLast(name string) {
	if p.env.Table >= p.env.Tables {
		p.failAt(p.last-len(name), p.last, "\"%s\" action not allowed in last table.", name)
	}
}

func (f *actionFormat) zone(name string, zone ZoneName) {
	f.str(name)
	if zone == ZoneSNAT {
		f.str("(snat);")
	} else {
		f.str("(dnat);")
	}
}
