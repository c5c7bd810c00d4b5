package lflow

// PutFDB, GetFDB and LookupFDB are put_fdb, get_fdb/get_remote_fdb and lookup_fdb.
type (
	PutFDB struct{ Port, MAC FieldRef }
	GetFDB struct {
		Dst, MAC FieldRef
		Remote   bool
	}
	LookupFDB struct{ Dst, MAC, Port FieldRef }
)

func init() {
	statements["put_fdb"] = (*parser).putFDB
	functions["get_fdb"] = getFDB(false)
	functions["get_remote_fdb"] = getFDB(true)
	functions["lookup_fdb"] = (*parser).lookupFDB
}

func (p *parser) putFDB() Action {
	p.force(TokenLParen)
	a := PutFDB{Port: p.field(0)}
	p.force(TokenComma)
	a.MAC = p.field(48)
	p.force(TokenRParen)
	return a
}

func getFDB(remote bool) function {
	return func(p *parser, start int, dst FieldRef) Action {
		p.name()
		if dst.Width != 0 {
			p.destination(start, dst, 32)
		}
		a := GetFDB{Dst: dst, MAC: p.field(48), Remote: remote}
		p.force(TokenRParen)
		return a
	}
}

func (p *parser) lookupFDB(start int, dst FieldRef) Action {
	p.name()
	p.destination(start, dst, 1)
	a := LookupFDB{Dst: dst, Port: p.field(0)}
	p.force(TokenComma)
	a.MAC = p.field(48)
	p.force(TokenRParen)
	return a
}

func (a PutFDB) format(f *actionFormat) { f.call("put_fdb", a.Port, a.MAC) }

func (a PutFDB) compile(Resolver) (Op, error) {
	return Op{Code: OpPutFDB, A: a.Port.Slice(), B: a.MAC.Slice()}, nil
}

func (a GetFDB) format(f *actionFormat) {
	name := "get_fdb"
	if a.Remote {
		name = "get_remote_fdb"
	}
	f.result(a.Dst, name, a.MAC)
}

func (a GetFDB) compile(Resolver) (Op, error) {
	if a.Remote {
		return Op{Code: OpGetRemoteFDB, Dst: a.Dst.Slice()}, nil
	}
	return Op{Code: OpGetFDB, Dst: a.Dst.Slice(), B: a.MAC.Slice()}, nil
}

func (a LookupFDB) format(f *actionFormat) { f.result(a.Dst, "lookup_fdb", a.Port, a.MAC) }

func (a LookupFDB) compile(Resolver) (Op, error) {
	return Op{Code: OpLookupFDB, Dst: a.Dst.Slice(), A: a.Port.Slice(), B: a.MAC.Slice()}, nil
}

func (a GetFDB) targets() []FieldRef { return []FieldRef{a.Dst} }

func (a LookupFDB) targets() []FieldRef { return []FieldRef{a.Dst} }
