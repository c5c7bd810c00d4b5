// Package lflow is OVN's logical-flow language: the matches and actions of
// Logical_Flow rows, as ovn-sb(5) defines them and every OVN from 20.03 to
// 26.03 writes them.
//
// Text becomes tokens (Lex), an Expr (ParseMatch) or a []Action (ParseActions);
// Annotate expands predicates and subfields and adds prerequisites; String
// forms are OVN's canonical ones. Errors carry a position and OVN's own words.
//
// The package evaluates nothing and knows no packet, database or file.
package lflow

// Env is what names in a match or action may refer to. The zero Env knows the
// standard symbols and nothing else.
type Env struct {
	Symbols     *Symtab                // nil is StandardSymtab()
	AddressSets map[string][]string    // $name: constants, as in the Address_Set table
	PortGroups  map[string][]string    // @name: logical ports
	Templates   map[string]string      // ^name: replacement text
	HasPort     func(name string) bool // nil: every port exists

	// The flow's place, for "next": table Table of Pipeline, which has Tables tables.
	Pipeline Pipeline
	Table    uint8
	Tables   uint8

	// DHCP option definitions of the database, by name; nil takes OVN's built-in ones.
	DHCPv4, DHCPv6 map[string]OptionDef

	// DatapathKey is the tunnel key of the flow's datapath: the Southbound
	// database calls port group @name DatapathKey_name. 0 is any datapath.
	DatapathKey int64

	// Strict refuses what only old versions accept: until 20.03
	// "ct_lb(ip:port, …)" without "backends=", until 21.06 trigger_event's meter.
	Strict bool

	// OneCTNext writes "ct_next;" without its zone, as OVN did before 24.09,
	// where it had only the one.
	OneCTNext bool

	pre   *preparsed
	whole bool // see WholeSets
}

// OptionDef is a row of DHCP_Options or DHCPv6_Options.
type OptionDef struct {
	Code uint8
	Type string
}
