package main

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// lflowDB writes a Southbound database with a set, a group and an option.
func lflowDB(t *testing.T) string {
	t.Helper()
	const (
		text  = `{"type":"string"}`
		texts = `{"type":{"key":"string","min":0,"max":"unlimited"}}`
	)
	records := []string{
		`{"name":"OVN_Southbound","version":"20.27.0","tables":{` +
			`"Address_Set":{"columns":{"name":` + text + `,"addresses":` + texts + `}},` +
			`"Port_Group":{"columns":{"name":` + text + `,"ports":` + texts + `}},` +
			`"DHCP_Options":{"columns":{"name":` + text + `,"code":{"type":"integer"},"type":` + text + `}}}}`,
		`{"Address_Set":{"00000000-0000-0000-0000-000000000001":{"name":"web","addresses":["set",["10.0.0.1",` +
			`"10.0.0.2"]]}},"Port_Group":{"00000000-0000-0000-0000-000000000002":{"name":"7_pg","ports":["set",["a",` +
			`"b"]]}},"DHCP_Options":{"00000000-0000-0000-0000-000000000003":{"name":"offerip","code":0,` +
			`"type":"ipv4"},"00000000-0000-0000-0000-000000000004":{"name":"own","code":99,"type":"str"}}}`,
	}
	var b bytes.Buffer
	for _, r := range records {
		fmt.Fprintf(&b, "OVSDB JSON %d %x\n%s\n", len(r)+1, sha1.Sum([]byte(r+"\n")), r)
	}
	name := filepath.Join(t.TempDir(), "sb.db")
	if err := os.WriteFile(name, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestLflowCommand(t *testing.T) {
	t.Parallel()
	db := lflowDB(t)
	for _, test := range []struct{ name, args, in, out string }{
		{"lex", "lex --plain", "a==1\n01 x\n", "a == 1\nerror(\"Decimal constants must not have leading zeros.\") x\n"},
		{"lex without line end", "lex --plain", "a", "a\n"},
		{"blank lines and remarks stay", "match --plain", "\n# ip9\n ip4\n", "\n# ip9\nip4\n"},
		{"match", "match --plain", "ip4.src==1.2.3.4\nip9\n",
			"ip4.src == 0x1020304\nSyntax error at `ip9' expecting field name.\n"},
		{"match with a caret", "match", "ip4 && ip9\n",
			"ip4 && ip9\n       ^~~\nSyntax error at `ip9' expecting field name.\n"},
		{"lex with a caret", "lex", "a % b\n", "a % b\n  ^\na error(\"Invalid character `%' in input.\") b\n"},
		{"annotate", "annotate --plain", "ip4.src==1.2.3.4\n", "ip4.src == 0x1020304 && eth.type == 0x800\n"},
		{"no fixtures", "match --plain", "ip4.src == $set1\n", "Syntax error at `$set1' expecting address set name.\n"},
		{"fixtures", "annotate --plain --fixtures", "inport == @pg1\nbad_prereq != 0\n",
			"inport == \"lsp1\" || inport == \"lsp2\" || inport == \"lsp3\"\n" +
				"Error parsing expression `xyzzy' encountered as prerequisite or predicate of initial expression: " +
				"Syntax error at `xyzzy' expecting field name.\n"},
		{"actions", "actions --plain", "ip.ttl--;next;\n", "ip.ttl--; next;\n"},
		{"prerequisites", "actions --plain --prereqs", "ip.ttl--;\noutput;\noutput\n",
			"ip.ttl--;\tip\noutput;\t\nSyntax error at end of input expecting `;'.\n"},
		{"place of the fixtures", "actions --plain --fixtures", "next(11);\nnext(34);\n",
			"next;\n\"next\" action cannot advance beyond table 34.\n"},
		{"sets of a database", "match --plain --db " + db, "ip4.src == $web\ninport == @pg\nip4.src == $other\n",
			"ip4.src == 0xa000001 || ip4.src == 0xa000002\ninport == \"a\" || inport == \"b\"\n" +
				"Syntax error at `$other' expecting address set name.\n"},
		{"options of a database", "actions --plain --db " + db,
			"reg0[0] = put_dhcp_opts(offerip=1.2.3.4, own=\"x\");\nreg0[0] = put_dhcp_opts(offerip=1.2.3.4, mtu=5);\n",
			"reg0[0] = put_dhcp_opts(offerip = 1.2.3.4, own = \"x\");\nSyntax error at `mtu' expecting DHCPv4 " +
				"option name.\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			cmd := newLflowCommand(strings.NewReader(test.in), &out, &errs)
			cmd.SetArgs(strings.Fields(test.args))
			if err := cmd.Execute(); err != nil {
				t.Fatal(err)
			}
			if out.String() != test.out || errs.Len() > 0 {
				t.Errorf("got:\n%s\nwant:\n%s\nstderr: %s", out.String(), test.out, errs.String())
			}
		})
	}
}

func TestLflowCommandErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ args, in, err string }{
		{"match --db /nonexistent/sb.db", "", "/nonexistent/sb.db"},
		{"match --fixtures --db x", "", "none of the others can be"},
		{"lex --prereqs", "", "unknown flag"},
		{"lex extra", "", "unknown command"},
		{"match", "ip4\n" + strings.Repeat("x", 16<<20+1), "standard input, line 2: longer than"},
	} {
		var out bytes.Buffer
		cmd := newLflowCommand(strings.NewReader(test.in), &out, &out)
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		cmd.SetArgs(strings.Fields(test.args))
		if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %v, want %q", test.args, err, test.err)
		}
	}
}
