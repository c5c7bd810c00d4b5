package lflow

// CTCommitToZone is "ct_commit_to_zone(zone);"; with NAT, "ct_commit_nat(zone);"
// ("ct_commit_nat;" in older versions: the dnat zone).
type CTCommitToZone struct {
	Zone ZoneName
	NAT  bool
}

func init() {
	statements["ct_commit_to_zone"] = (*parser).ctCommitToZone
	statements["ct_commit_nat"] = (*parser).ctCommitNAT
}

func (p *parser) ctCommitToZone() Action {
	p.notLast("ct_commit_to_zone")
	p.require("ip")
	p.force(TokenLParen)
	return CTCommitToZone{Zone: p.zone("ct_commit_to_zone")}
}

func (p *parser) ctCommitNAT() Action {
	p.notLast("ct_commit_nat")
	p.require("ip")
	a := CTCommitToZone{Zone: ZoneDNAT, NAT: true}
	if p.match(TokenLParen) {
		a.Zone = p.zone("ct_commit_nat")
	}
	return a
}

func (a CTCommitToZone) format(f *actionFormat) {
	name := "ct_commit_to_zone"
	if a.NAT {
		name = "ct_commit_nat"
	}
	f.zone(name, a.Zone)
}

func (a CTCommitToZone) compile(Resolver) (Op, error) {
	return Op{Code: OpCTCommitToZone, Zone: a.Zone, NAT: a.NAT}, nil
}
