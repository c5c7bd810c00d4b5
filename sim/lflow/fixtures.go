package lflow

import (
	"maps"

	"ovnreplay/sim/field"
)

// Fixtures returns the surroundings in which OVN's own tests of the language
// (tests/test-ovn.c) parse: a few address sets, port groups and ports, the
// DHCP options, table 10 of an ingress pipeline of 34, and symbols whose
// definitions are wrong. It makes results comparable with OVN's.
func Fixtures() *Env {
	v4 := maps.Clone(dhcpv4Options)
	for _, unknown := range []string{"T1", "T2", "ms_classless_static_route"} {
		delete(v4, unknown)
	}
	ports := map[string]bool{"eth0": true, "eth1": true, "LOCAL": true, "lsp1": true, "lsp2": true, "lsp3": true}
	return &Env{
		Symbols: fixtureSymtab(),
		AddressSets: map[string][]string{
			"set1": {"10.0.0.1", "10.0.0.2", "10.0.0.3"},
			"set2": {"::1", "::2", "::3"},
			"set3": {"00:00:00:00:00:01", "00:00:00:00:00:02", "00:00:00:00:00:03"},
			"set4": {},
		},
		PortGroups: map[string][]string{
			"0_pg1":      {"lsp1", "lsp2", "lsp3"},
			"0_pg_empty": {},
		},
		HasPort:  func(name string) bool { return ports[name] },
		Pipeline: Ingress,
		Table:    10,
		Tables:   34,
		DHCPv4:   v4,
		DHCPv6:   dhcpv6Options,
		Strict:   true,
	}
}

func fixtureSymtab() *Symtab {
	b := newSymtabBuilder()
	b.standard()
	b.field("bad_prereq", field.XReg4, 64, "xyzzy")
	b.field("self_recurse", field.XReg4, 64, "self_recurse != 0")
	b.field("mutual_recurse_1", field.XReg4, 64, "mutual_recurse_2 != 0")
	b.field("mutual_recurse_2", field.XReg4, 64, "mutual_recurse_1 != 0")
	b.str("big_string", field.XReg4, 0)
	return b.build()
}
