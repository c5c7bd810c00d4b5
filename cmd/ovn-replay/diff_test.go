package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ovnreplay/sim/replay"
)

// The same packets on a network and on itself fare the same; on one where an
// ACL, a backend, an address or a route was changed some do not, and the flow
// that was changed is named.
func TestDiff(t *testing.T) {
	t.Parallel()
	c := openCase(t, cases+"/nodeport")
	args := []string{"diff", "--db", c.dir + "/sb.db", "--ct-profile", "ovs-userspace",
		"-r", c.dir + "/client.pcap@breth0_ovn-worker", "-r", c.dir + "/nginx.pcap"}
	if status, out, errs := replayed(t, append(args, "--db", c.dir+"/sb.db")...); status != exitOK ||
		!strings.Contains(out, " 0 fare differently") {
		t.Errorf("with itself: exit status %d\n%s%s", status, out, errs)
	}
	for _, m := range mutations {
		flows := c.visited(m)
		if len(flows) == 0 {
			t.Errorf("%s: the case has no such flow", m.name)
			continue
		}
		f := flows[0]
		other := filepath.Join(c.mutated(t, f.UUID, m.change(f)), c.db)
		status, out, errs := replayed(t, append(args, "--db", other, "--json")...)
		if status != exitDifference {
			t.Errorf("%s: exit status %d: %s", m.name, status, errs)
			continue
		}
		named := false
		d := json.NewDecoder(strings.NewReader(out))
		for d.More() {
			var x replay.FateDifference
			if err := d.Decode(&x); err != nil {
				t.Fatal(err)
			}
			named = named || x.A.Flow != nil && x.A.Flow.UUID == f.UUID && x.B.Flow.UUID == f.UUID
		}
		if !named {
			t.Errorf("%s: flow %s is not named in\n%.2000s", m.name, f.UUID, out)
		}
		_, text, _ := replayed(t, append(args, "--db", other)...)
		if !strings.Contains(text, "fare differently") || !strings.Contains(text, f.UUID) ||
			!strings.Contains(text, "whose actions are "+m.change(f)) {
			t.Errorf("%s: for people:\n%.1000s", m.name, text)
		}
	}
}

func TestDiffNeedsTwoDatabases(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"diff", "--db", cases + "/nodeport/sb.db", "-r", cases + "/nodeport/client.pcap"},
		{"diff", "--case", cases + "/nodeport"},
	} {
		status, _, errs := replayed(t, args...)
		if status != exitBad || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "--db B") {
			t.Errorf("%v: exit status %d, %q", args, status, errs)
		}
	}
}

// A case's own network against another.
func TestDiffOfACase(t *testing.T) {
	t.Parallel()
	status, out, errs := replayed(t, "diff", "--case", cases+"/nodeport", "--db", cases+"/nodeport/sb.db")
	if status != exitOK {
		t.Errorf("exit status %d\n%s%s", status, out, errs)
	}
}

// What a real northd makes of a network of which something was taken away: diff names
// the row that one side has and what it did, in the words of people, and says what
// conntrack found where that differs.
func TestDiffOfRealChanges(t *testing.T) {
	t.Parallel()
	const kube, sg = "../../testdata/cases/random-kube-4", "../../testdata/reports/23.03/os-sg-drop"
	for _, x := range []struct {
		name, dir, sb string
		change        []string // of the Northbound database
		want          []string // lines, in order
	}{
		{"SNAT", kube, "sb.db.gz", []string{"lr-nat-del", "GR_worker", "snat", "10.128.0.0/16"}, []string{
			"frame 1 at k8s-worker: udp 10.128.1.2:60045 > 172.30.0.132:5353",
			"A: delivered to default_pod3: udp 172.30.0.4:60045 > 10.128.1.13:5353",
			"lr_out_snat of GR_worker", "of NAT 1e4e4b25 of router GR_worker (snat 172.30.0.4 <-> 10.128.0.0/16)",
			"conntrack: found GR_worker_snat new|snat",
			"B: delivered to default_pod3: udp 10.128.1.2:60045 > 10.128.1.13:5353",
			"lr_out_snat of GR_worker: 1"}},
		{"floating IP", kube, "sb.db.gz", []string{"lr-nat-del", "GR_worker", "dnat_and_snat",
			"172.30.0.130"}, []string{
			"A: delivered to default_pod4", "of NAT b91a5275 of router GR_worker",
			"B: delivered to breth0_worker: arp who-has 172.30.0.130", "held: the next hop's", "never asked"}},
		{"route", kube, "sb.db.gz", []string{"lr-route-del", "GR_worker", "10.128.0.0/16"}, []string{
			"A: delivered to default_pod3", "of route 8937be73 of router GR_worker (10.128.0.0/16 via 100.64.0.1)",
			"B: delivered to breth0_worker", "reg7 == 0 && ip4.dst == 0.0.0.0/0"}},
		{"ACL", sg, "sb-before.db.gz", []string{"clear", "port_group", "neutron_pg_drop", "acls"}, []string{
			"frame 1 at vm2: tcp 192.168.10.12:41601 > 192.168.10.17:80 [S]",
			"A: dropped", "by ACL 4e894b2b of port group neutron_pg_drop (to-lport 1001 drop: " +
				"outport == @neutron_pg_drop && ip)", "B: delivered to vm7", "ls_out_acl of net1", "found vm7 new"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			other := northed(t, filepath.Join(x.dir, x.sb), filepath.Join(x.dir, "nb.db.gz"), x.change...)
			status, out, errs := replayed(t, "diff", "--case", x.dir, "--db", other)
			if status != exitDifference {
				t.Fatalf("exit status %d: %s", status, errs)
			}
			rest := out
			for _, want := range x.want {
				_, after, found := strings.Cut(rest, want)
				if !found {
					t.Fatalf("%q is not there, or not in its place, in\n%.2500s", want, out)
				}
				rest = after
			}
		})
	}
}

// What differs between releases in how a pipeline is made is no difference of a packet's
// fate, and where there is one the flows are named that did it, not the first that
// another release has.
func TestDiffOfReleases(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		name string
		want []string
	}{
		{"kube-acl-verdicts", []string{"21 packets, 0 fare differently"}},
		{"cloud-ecmp", []string{"frame 74", "A: delivered to vm3: tcp 192.0.2.129:54076", "lr_in_dnat of r1",
			"B: delivered to vm3: tcp 192.0.2.129:54075", "lr_in_dnat of r1"}},
		{"kube-fragments", []string{"frame 12", "A: dropped", "lr_in_arp_resolve of GR_worker", "B: delivered",
			"lr_in_dnat of GR_worker"}},
	} {
		_, out, _ := replayed(t, "diff", "--case", filepath.Join(cases, x.name), "--db",
			filepath.Join(cases, x.name+"-26.03", "sb.db.gz"))
		rest := out
		for _, want := range x.want {
			_, after, found := strings.Cut(rest, want)
			if !found {
				t.Fatalf("%s: %q is not there, or not in its place, in\n%.2500s", x.name, want, out)
			}
			rest = after
		}
	}
}

// northed is the Southbound database that ovn-northd makes of a recorded pair of
// databases after a change of the Northbound one by ovn-nbctl.
func northed(t *testing.T, sb, nb string, change ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, tool := range []string{"ovsdb-server", "ovn-nbctl", "ovn-northd", "ovsdb-client"} {
		needsTool(t, tool)
	}
	run := func(name string, args ...string) []byte {
		out, err := exec.Command(name, args...).Output()
		if err != nil {
			t.Fatalf("%s %q: %v", name, args, err)
		}
		return out
	}
	daemon := func(name string, args ...string) {
		cmd := exec.Command(name, append(args, "--log-file="+filepath.Join(dir, name+".log"))...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
	}
	at := map[string]string{"sb": sb, "nb": nb}
	for db, file := range at {
		at[db] = filepath.Join(dir, db)
		if err := os.WriteFile(at[db]+".db", gunzip(t, read(t, file)), 0o600); err != nil {
			t.Fatal(err)
		}
		daemon("ovsdb-server", "--remote=punix:"+at[db]+".sock", "--unixctl="+at[db]+".ctl", at[db]+".db")
	}
	for i := 0; i < 100 && (!is(at["sb"]+".sock") || !is(at["nb"]+".sock")); i++ {
		time.Sleep(50 * time.Millisecond)
	}
	run("ovn-nbctl", append([]string{"--db=unix:" + at["nb"] + ".sock"}, change...)...)
	daemon("ovn-northd", "--ovnnb-db=unix:"+at["nb"]+".sock", "--ovnsb-db=unix:"+at["sb"]+".sock",
		"--unixctl="+filepath.Join(dir, "northd.ctl"))
	run("ovn-nbctl", "--db=unix:"+at["nb"]+".sock", "--timeout=60", "--wait=sb", "sync")
	file := filepath.Join(dir, "after.db")
	if err := os.WriteFile(file, run("ovsdb-client", "backup", "unix:"+at["sb"]+".sock"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func is(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
