package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ovnreplay/sim/ledger"
	"ovnreplay/sim/replay"
)

// rowsOf are the connections of a recording, as JSON has them.
func rowsOf(t *testing.T, args ...string) (rows []ledger.Row) {
	t.Helper()
	out := replayedWell(t, append([]string{"connections", "--json"}, args...)...)
	for line := range strings.Lines(out) {
		var r ledger.Row
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	return rows
}

// What OVN answers itself is the connection's state, and so is what answers its health
// checks: the check asked, also where no capture of what ovn-controller sends is read.
func TestConnectionsThatOVNAnswers(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		dir   string
		id    int
		state string
		what  string
	}{
		{"kube-ctl-lb-reject", 1, "reset by OVN", "answered by OVN with a reset"},
		{"kube-ctl-lb-reject", 2, "ICMP error by OVN", "answered by OVN with port unreachable"},
		{"kube-ctl-lb-reject", 7, "aborted by OVN", "answered by OVN with an abort"},
		{"kube-frag-needed", 3, "ICMP error by OVN", "answered by OVN with packet too big, MTU 1100"},
		{"cloud-ttl-exceeded", 1, "ICMP error by OVN", "answered by OVN with time exceeded"},
		{"cloud-dns", 1, "answered by OVN", "answered by OVN"},
		{"kube-router-itself", 1, "answered by OVN", "answered by OVN with echo reply"},
		{"cloud-lb-health", 4, "reset", "taken by ovn-controller"},
		{"cloud-lb-health", 5, "reset by OVN", "answered by OVN with a reset"},
	} {
		r := rowsOf(t, "--case", filepath.Join(cases, x.dir))[x.id-1]
		if r.State != x.state || len(r.Instead) == 0 || r.Instead[0].What != x.what ||
			r.NAT != nil && x.dir != "cloud-dns" {
			t.Errorf("%s, conn %d: %s, %+v, NAT %v; want %s, %s", x.dir, x.id, r.State, r.Instead, r.NAT, x.state,
				x.what)
		}
		if checks := r.Client.Name == "OVN's health checks"; checks != (x.dir == "cloud-lb-health") ||
			checks && (r.Asked.Name == "" || r.Original.Packets != 0) {
			t.Errorf("%s, conn %d: %+v asks %+v", x.dir, x.id, r.Client, r.Asked)
		}
	}
}

// What is said to be delivered is the packet itself: of a question that flows turn into its
// answer it is said that it was answered, in lines, JSON and counts alike.
func TestWhatIsDeliveredIsThePacket(t *testing.T) {
	t.Parallel()
	answered := map[string]int{}
	for _, dir := range []string{"cloud-arp-nd", "cloud-proxy-arp", "kube-router-itself", "random-cloud-19",
		"ic-pods"} {
		of := []string{"--case", filepath.Join(cases, dir)}
		lines := strings.Split(replayedWell(t, append([]string{"run"}, of...)...), "\n")
		lines = slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, " skipped: ") })
		consumed := 0
		objects := strings.TrimSpace(replayedWell(t, append([]string{"run", "--json"}, of...)...))
		for i, line := range strings.Split(objects, "\n") {
			var r replay.Record
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			if r.Verdict == "consumed" {
				consumed++
			}
			for question, answer := range map[string]string{"who-has": "is-at", "echo request": "echo reply"} {
				if !strings.Contains(r.Packet, question) || len(r.Outputs) == 0 ||
					!strings.Contains(r.Outputs[0].Packet, answer) {
					continue
				}
				answered[answer]++
				if r.Verdict != "consumed" || !strings.Contains(lines[i], "| answered: "+r.Outputs[0].Packet) ||
					!strings.Contains(lines[i], ", by ") {
					t.Errorf("%s, %s: %s", dir, r.Verdict, lines[i])
				}
			}
		}
		if sums := replayedWell(t, append([]string{"run", "-q"}, of...)...); !strings.Contains(sums,
			fmt.Sprintf("consumed %d", consumed)) {
			t.Errorf("%s: %d are consumed, and the sums are %s", dir, consumed, sums)
		}
	}
	if answered["is-at"] < 10 || answered["echo reply"] < 5 {
		t.Errorf("%v: the test tests less than it should", answered)
	}
}

// Where nobody but who was asked answers, a row of CSV has no other server, nor a port of one; what
// lets answers of DHCP through is no ACL.
func TestRowsOfNothing(t *testing.T) {
	t.Parallel()
	text := replayedWell(t, "connections", "--csv", "--case", filepath.Join(cases, "egress-snat"))
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatal(err, rows)
	}
	at := slices.Index(rows[0], "server")
	for _, row := range rows[1:] {
		if (row[at] == "") != (row[at+1] == "") || row[at+1] == "0" {
			t.Errorf("server %q at port %q", row[at], row[at+1])
		}
	}
	text = replayedWell(t, "coverage", "--case", "../../testdata/reports/23.03/asked-for")
	acls, rest, _ := strings.Cut(text, "dhcp:\n")
	if strings.Contains(acls, "DHCP") || !strings.Contains(rest, "DHCP options ") {
		t.Errorf("%s", text)
	}
}

// Captures are arguments wherever they are asked about, as run takes them.
func TestCapturesAreArguments(t *testing.T) {
	t.Parallel()
	db := []string{"--db", cases + "/nodeport/sb.db"}
	client, pod := cases+"/nodeport/client.pcap@breth0_ovn-worker", cases+"/nodeport/nginx.pcap"
	for _, words := range [][]string{{"connections"}, {"coverage"}, {"why", "1"}, {"who", "100.64.0.3:53642"},
		{"who", "100.64.0.3:53642", "@10:00:35.546"}} {
		want := replayedWell(t, slices.Concat(words, db, []string{"-r", client, "-r", pod})...)
		if got := replayedWell(t, slices.Concat(words, db, []string{client, pod})...); got != want || got == "" {
			t.Errorf("%q: captures as arguments give\n%s\nand with -r\n%s", words, got, want)
		}
	}
	_, _, errs := replayed(t, slices.Concat([]string{"who", "100.64.0.3", "10:00:35"}, db)...)
	if !strings.Contains(errs, "a moment begins with @") {
		t.Error(errs)
	}
}

// Fragments are of the connection that the first of their datagram names; one that
// waits for others is held and not dropped, and what became of the datagram is said of
// the fragment that completed it.
func TestFragmentsBelongToConnections(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(cases, "kube-fragments")
	rows := rowsOf(t, "--case", dir)
	if r := rows[0]; r.Original.Packets != 3 || r.Reply.Packets != 3 || r.Original.Bytes < 3000 ||
		r.State != "answered" || len(r.NAT) != 1 || r.Instead != nil || r.Source == nil || r.Source.Port != 44041 {
		t.Errorf("conn 1: %+v", r)
	}
	if r := rows[2]; r.Dropped != 1 || r.Instead != nil || r.Drops[0].Stage != "lr_in_arp_resolve" {
		t.Errorf("conn 3: %+v", r)
	}
	if out := replayedWell(t, "who", "172.30.0.4:44041", "--case", dir); !strings.Contains(out,
		"172.30.0.4:44041 was 10.128.1.12:44041 (pod default/pod2)") {
		t.Errorf("who says\n%s", out)
	}
	held := 0
	for line := range strings.Lines(replayedWell(t, "run", "--case", dir, "--json")) {
		if strings.Contains(line, "until its datagram is complete") {
			held++
			if !strings.Contains(line, `"verdict":"consumed"`) {
				t.Errorf("a fragment that waits: %.200s", line)
			}
		}
	}
	if held < 10 {
		t.Errorf("%d fragments wait", held)
	}
}

// Stateless NAT is translation, too: annotated captures have it as that of conntrack, and
// it is counted and selected as that. What is selected is all that is listed.
func TestStatelessNATIsTranslation(t *testing.T) {
	out := filepath.Join(t.TempDir(), "x.pcapng")
	dir := filepath.Join(cases, "cloud-fip-stateless")
	if sums := replayedWell(t, "run", "-q", "--case", dir, "-w", out); !strings.Contains(sums, "; translated 32\n") {
		t.Errorf("the sums are %s", sums)
	}
	listed := replayedWell(t, "run", "--only", "natted", "--case", dir)
	if strings.Count(listed, "\n") != 32 || strings.Count(listed, "| stateless ") != 32 {
		t.Errorf("listed are\n%s", listed)
	}
	found := tsharked(t, out, "-T", "fields", "-e", "ovn.nat")
	for _, want := range []string{"stateless DNAT dst 203.0.113.101 -> 10.1.0.11",
		"stateless SNAT src 10.1.0.11 -> 203.0.113.101"} {
		if !strings.Contains(found, want) {
			t.Errorf("annotated are\n%s\nand not %s", found, want)
		}
	}
}

// Who has a floating IP is named, stateless or not, and so is who has the Ethernet address
// for which a switch knows no port.
func TestNamesBehindAddresses(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ dir, address, name string }{
		{"random-cloud-19", "203.0.113.103", "floating IP of vm3"},
		{"cloud-fip-stateless", "203.0.113.104", "floating IP of vm4"},
		{"random-kube-4", "172.30.0.130", "floating IP of pod default/pod4"},
	} {
		found := false
		for _, r := range rowsOf(t, "--case", filepath.Join(cases, x.dir)) {
			if r.Asked.Address == x.address {
				found = true
				if r.Asked.Name != x.name {
					t.Errorf("%s: %+v", x.dir, r.Asked)
				}
			}
		}
		if !found {
			t.Errorf("%s: nobody asked %s", x.dir, x.address)
		}
	}
	out := replayedWell(t, "why", "4", "--case", filepath.Join(cases, "random-cloud-19"))
	want := "no port is known for Ethernet address fa:16:3e:0a:00:11, which is that of vm1 of net-a"
	if !strings.Contains(out, want) {
		t.Errorf("%q is not said in\n%s", want, out)
	}
}

// What packets met of rows of every kind: each packet once, however many flows of the row
// it met, a load balancer once for each of its addresses; what is only for load balancers, and backends behind
// addresses without a port or of a template, by their names; next hops by what they are chosen for.
func TestCoverageOfEveryKind(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ dir, kind, line string }{
		{"cloud-ecmp-26.03", "nat", "16  priority 100: ip && ip4.dst == 203.0.113.103 && inport == \"r1-public\""},
		{"cloud-ecmp-26.03", "route", "12  next hop 203.0.113.1 of priority 204: reg7 == 0 && ip4.dst == 192.0.2.128"},
		{"cloud-ecmp-26.03", "backend", ""},
		{"random-cloud-10", "policy", "6  router policy 74cb3ddc of router r1 (809 reroute 203.0.113.1, 203.0.113."},
		{"random-cloud-10", "nat", "none  NAT cef635bb of router r1 (snat 203.0.113.10 <-> 10.1.0.0/24): flow "},
		{"random-cloud-10", "load balancer", "6  load balancer \"lb1\" of switch net-a and 2 more (udp 10.2.0.221:"},
		{"random-cloud-10", "load balancer", "3  load balancer \"lb1\" of switch net-a and 2 more (udp [2001:db8:"},
		{"cloud-lb", "load balancer", "3  priority 120: ct.new && ip4.dst == 203.0.113.200 && tcp.dst == 80"},
		{"cloud-lb", "load balancer", "2  priority 120: ct.new && ip4.dst == 10.1.0.200 && tcp.dst == 80"},
		{"kube-mixed", "load balancer", "1  priority 120: ct.new && ip4.dst == 10.96.0.53 && udp.dst == 53"},
		{"kube-mixed", "load balancer", "none  priority 120: ct.new && ip6.dst == fd96::10 && tcp.dst == 80"},
		{"cloud-lb", "backend", "5  203.0.113.200:80 -> 10.1.0.12:80, web"},
		{"kube-template", "backend", "5  172.30.0.70:80 -> 10.128.1.14:80, templated"},
		{"kube-sctp-26.03", "backend", "2  10.96.0.80:3868 -> 10.128.1.14:3868, assoc"},
		{"kube-qos", "qos", "2  priority 100: inport == \"default_pod2\" && ip4 (ls_in_qos_mark of worker"},
		{"cloud-dhcpv4", "dhcp", "ls_in_dhcp_options of "},
		{"cloud-acl-tiers-26.03", "acl", "1  priority 2000: reg8[30..31] == 1 && reg0[9] == 1 && (outport == @web && "},
	} {
		_, section, there := strings.Cut(replayedWell(t, "coverage", "--untouched", "--case",
			filepath.Join(cases, x.dir)), x.kind+":\n")
		for i := 0; i < len(section); i++ { // to the next kind
			if section[i] == '\n' && !strings.HasPrefix(section[i+1:], " ") {
				section = section[:i]
			}
		}
		if !strings.Contains(section, x.line) || there != (x.line != "") {
			t.Errorf("%s, %s lacks %s:\n%s", x.dir, x.kind, x.line, section)
		}
	}
}

// A session says which translation passed a packet by as the replay itself does.
func TestSessionsTellWhatPassedPacketsBy(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ dir, asked string }{
		{"../../testdata/reports/26.03/r-forward-same-address", "10.1.0.12:60042"},
		{filepath.Join(cases, "cloud-lb-fip"), "1"},
	} {
		session := filepath.Join(t.TempDir(), "s.db")
		replayedWell(t, "run", "-q", "--case", x.dir, "--session", session)
		here := replayedWell(t, "why", x.asked, "--case", x.dir)
		if kept := replayedWell(t, "why", x.asked, "--session", session); kept != here ||
			!strings.Contains(kept, "which was not looked up: ") {
			t.Errorf("%s: a session says\n%s\nand the replay\n%s", x.dir, kept, here)
		}
	}
}
