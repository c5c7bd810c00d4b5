package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ovnreplay/sim/inventory"
)

// recordedDatabases finds the recorded Southbound databases: those in the
// repository and, in the place they are recorded, those beside it.
func recordedDatabases(t *testing.T) []string {
	t.Helper()
	var found []string
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		for _, pattern := range []string{"testdata/cases/*/sb*.db", "testdata/cases/*/sb*.db.gz",
			"shared/cases/*/sb*.db", "shared/cases/*/sb*.db.gz", "shared/sb/*.db"} {
			match, _ := filepath.Glob(filepath.Join(dir, pattern))
			found = append(found, match...)
		}
		if filepath.Dir(dir) == dir {
			break
		}
		dir = filepath.Dir(dir)
	}
	if len(found) == 0 {
		t.Fatal("no recorded databases found")
	}
	return found
}

func db(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := newDBCommand(strings.NewReader(""), &out, &errs)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetArgs(args)
	err = cmd.ExecuteContext(context.Background())
	return out.String(), errs.String(), err
}

// northdError is a flow that northd (23.03) writes for a load balancer without
// backends whose connections would be SNATed, and that ovn-controller refuses
// in these words: "drop" must stand alone.
var northdError = regexp.MustCompile("^actions flags\\.(force|skip)_snat_for_lb = 1; drop;: Syntax error at `drop' " +
	"expecting action\\.$")

// Every recorded database is told of without anything left unparsed, and each
// flow row is in a stage.
func TestDBInfo(t *testing.T) {
	t.Parallel()
	for _, path := range recordedDatabases(t) {
		out, _, err := db(t, "info", "--json", path)
		if err != nil {
			t.Fatal(err)
		}
		var info inventory.Inventory
		if err := json.Unmarshal([]byte(out), &info); err != nil {
			t.Fatal(err)
		}
		sum := 0
		for _, s := range info.Stages {
			sum += s.Flows
		}
		if sum != info.Flows || sum != info.Tables["Logical_Flow"] || info.Flows == 0 ||
			info.Switches+info.Routers != info.Datapaths {
			t.Errorf("%s: %d flows in stages, %d in all, %d rows", path, sum, info.Flows, info.Tables["Logical_Flow"])
		}
		unparsed := slices.DeleteFunc(info.Unparsed,
			func(u inventory.Unparsed) bool { return northdError.MatchString(u.Reason) })
		if len(unparsed) != 0 || !strings.Contains(out, `"unparsed":[`) || !strings.Contains(out, `"problems":[]`) {
			t.Errorf("%s: unparsed %v, problems %v", path, unparsed, info.Problems)
		}
		text, _, err := db(t, "info", path)
		if err != nil || !strings.Contains(text, "written by OVN "+info.Version) ||
			!strings.Contains(text, " not parse\n") {
			t.Errorf("%s: %v\n%s", path, err, text)
		}
	}
}

func TestDBSnapshots(t *testing.T) {
	t.Parallel()
	found := recordedDatabases(t)
	store := "--store=" + filepath.Join(t.TempDir(), "store.db")
	empty := func(when string) {
		out, errs, err := db(t, "list", store)
		if err != nil || out != "" || !strings.Contains(errs, "no snapshots in ") {
			t.Errorf("%s: %q, %q, %v", when, out, errs, err)
		}
	}
	empty("no store")
	out, _, err := db(t, "snapshot", store, found[0], "one")
	if err != nil || !strings.HasPrefix(out, "snapshot:one of "+found[0]+": ") {
		t.Fatalf("%q, %v", out, err)
	}
	if out, _, err = db(t, "list", store); err != nil || !strings.HasPrefix(out, "one ") ||
		strings.Count(out, "\n") != 1 {
		t.Errorf("%q, %v", out, err)
	}
	if out, _, err = db(t, "diff", store, found[0], "snapshot:one"); err != nil || out != "" {
		t.Errorf("a snapshot and its source differ: %q, %v", out, err)
	}
	if out, _, err = db(t, "diff", store, "one", "snapshot:one"); err != nil || out != "" {
		t.Errorf("a snapshot by its name alone: %q, %v", out, err)
	}
	if _, _, err = db(t, "info", store, "two"); err == nil || !strings.Contains(err.Error(), "two: no such file") {
		t.Errorf("neither file nor snapshot: %v", err)
	}
	a, _, err1 := db(t, "info", "--json", store, "snapshot:one")
	b, _, err2 := db(t, "info", "--json", found[0])
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if a[strings.Index(a, `"datapaths"`):] != b[strings.Index(b, `"datapaths"`):] {
		t.Errorf("%s\n%s", a, b)
	}
	if _, _, err = db(t, "rm", store, "one"); err != nil {
		t.Error(err)
	}
	if _, _, err = db(t, "info", store, "snapshot:one"); err == nil ||
		!strings.Contains(err.Error(), "no such snapshot") {
		t.Errorf("removed: %v", err)
	}
}

func TestDBHistory(t *testing.T) {
	t.Parallel()
	path := recordedDatabases(t)[0]
	out, _, err := db(t, "history", path)
	if err != nil || !strings.HasPrefix(out, "record 2  20") || !strings.Contains(out, "Logical_Flow +") ||
		!strings.Contains(out, `produced by "ovsdb-client backup"`) {
		t.Errorf("%v\n%s", err, out)
	}
	out, _, err = db(t, "history", "--json", path)
	var j inventory.Transaction
	if err != nil || json.Unmarshal([]byte(out), &j) != nil || len(j.Changes) == 0 || j.Changes[0].What != "insert" {
		t.Errorf("%v\n%.500s", err, out)
	}
	if _, _, err = db(t, "history", "unix:/none"); err == nil || !strings.Contains(err.Error(), "tells no history") {
		t.Errorf("%v", err)
	}
}

// A recorded case's folder: its database, captures and dumps are found, and
// the database is taken from it.
func TestDBGather(t *testing.T) {
	t.Parallel()
	for _, path := range recordedDatabases(t) {
		if !strings.HasSuffix(path, "nodeport/sb.db") {
			continue
		}
		out, _, err := db(t, "gather", filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			"database        " + path + "  OVN_Southbound\n",
			"client.pcapng\n", "nb.db  OVN_Northbound\n", "conntrack dump  ", "OpenFlow dump   ",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in\n%s", want, out)
			}
		}
		return
	}
	t.Error("no recorded case nodeport")
}

func TestDBFlags(t *testing.T) {
	if _, _, err := db(t, "info", "--leader-only", "--no-leader-only", "x"); err == nil ||
		!strings.Contains(err.Error(), "none of the others can be") {
		t.Errorf("contradicting flags: %v", err)
	}
	if _, _, err := db(t, "info", "--ca-cert", "/none.pem", "ssl:127.0.0.1:1"); err == nil ||
		!strings.Contains(err.Error(), "/none.pem: no such file") {
		t.Errorf("a CA that is not there: %v", err)
	}
	t.Setenv("OVN_SB_DB", "unix:/none/sb.sock")
	if _, _, err := db(t, "info"); err == nil || !strings.Contains(err.Error(), "unix:/none/sb.sock: no such socket") {
		t.Errorf("the default source: %v", err)
	}
}

// What a database's OVN does, and why that is known.
func TestDBBehaviour(t *testing.T) {
	t.Parallel()
	path := filepath.Join(cases, "nodeport", "sb.db")
	text, _, err := db(t, "info", "--behaviour", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"changes of OVN that 23.03.1",
		"\n  yes  dns-ignores-additional: DNS queries with additional records are not answered\n       23.03.1 " +
			"brought it to this series (OVN commit ",
		"\n  no   holds-four-packets: ",
		"Open vSwitch 3.1 on 3 chassis (4da007a6-ed1d-45ff-bcf4-62ae8914bbbc): it knows no interfaces of type srv6",
		"\n  no   tracks-sctp: ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	out, _, err := db(t, "info", "--behaviour", "--json", path)
	if err != nil {
		t.Fatal(err)
	}
	var info inventory.Inventory
	if err := json.Unmarshal([]byte(out), &info); err != nil {
		t.Fatal(err)
	}
	if b := info.Behaviour; b == nil || len(b.OVN) == 0 || len(b.Switches) != 1 || len(b.Switches[0].Chassis) != 3 ||
		b.Switches[0].Release != "3.1" {
		t.Errorf("%+v", info.Behaviour)
	}
	if out, _, _ := db(t, "info", "--json", path); strings.Contains(out, "behaviour") {
		t.Error("told without being asked")
	}
}
