package store

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// OVN's and Open vSwitch's tools print databases for people to read. What they print lacks what a
// replay needs, such as rows' identities and whole tables: it is not read, and said to be what it is.

// textForm is what of a database a tool has printed.
type textForm struct {
	line *regexp.Regexp // that nothing else has
	of   string         // the database; "" if it may be any
	is   string
}

// textForms are those known. Of two that have a line the first is meant.
var textForms = []textForm{
	{regexp.MustCompile(`(?m)^(switch|router) [0-9a-f]{8}-[0-9a-f-]{27} \(`), "OVN_Northbound",
		`what "ovn-nbctl show" prints`},
	{regexp.MustCompile(`(?m)^Chassis \S+\r?\n +hostname:`), Southbound, `what "ovn-sbctl show" prints`},
	{regexp.MustCompile(`(?m)^ +Bridge \S+\r?$`), "Open_vSwitch", `what "ovs-vsctl show" prints`},
	{regexp.MustCompile(`(?m)^Datapath: .*Pipeline: (ingress|egress)`), Southbound,
		`what "ovn-sbctl lflow-list" prints`},
	{regexp.MustCompile(`<caption>\w+ table</caption>`), "", "a dump in HTML"},
	{regexp.MustCompile(`(?m)^\w+ table\r?\n_uuid,`), "", "a dump in CSV form"},
	{regexp.MustCompile(`(?m)^(\xef\xbb\xbf)?[A-Z]\w+ table\r?$`), "", "a dump in text form"},
	{regexp.MustCompile(`(?m)^_uuid +: [0-9a-f]{8}-|^_uuid +\w.*\r?\n-{36} |^_uuid,\w`), "",
		`rows of one table, as "list" and "find" print them`},
}

// textFormOf tells by a text's beginning what of a database it is; nil if it is none of those known.
func textFormOf(start []byte) *textForm {
	for i := range textForms {
		if f := &textForms[i]; f.line.Match(start) {
			return f
		}
	}
	return nil
}

// isText reports whether what begins so was written to be read.
func isText(start []byte) bool {
	for len(start) > 0 {
		r, n := utf8.DecodeRune(start)
		if r == utf8.RuneError && utf8.FullRune(start) || r < ' ' && !strings.ContainsRune("\t\n\r\x1b", r) {
			return false
		}
		start = start[n:]
	}
	return true
}

// advice is what to give instead of what is no database.
func (o Options) advice() string {
	if o.database() != Southbound {
		return fmt.Sprintf("pass the %s database: %s", o.database(), o.forms())
	}
	return "pass the Southbound database file, or the output of \"ovsdb-client backup\""
}

// forms are those in which a database is read.
func (o Options) forms() string {
	want := o.database()
	file := map[string]string{Southbound: "ovnsb_db.db", "OVN_Northbound": "ovnnb_db.db", "Open_vSwitch": "conf.db"}
	return fmt.Sprintf("its file (%s), or what \"ovsdb-client backup SERVER %s\" or "+
		"\"ovsdb-client -f json dump SERVER %[2]s\" prints", file[want], want)
}
