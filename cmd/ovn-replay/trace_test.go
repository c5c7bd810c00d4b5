package main

import (
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ovnreplay/pcap"
	"ovnreplay/sim/ovntrace"
)

// recordings of ovn-trace 23.03 beside the database that they were made on.
const recorded = cases + "/nodeport/ovn-trace/"

func text(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimRight(string(b), "\n")
}

// The question with which the project began: ovn-trace's minimal answer, with
// what conntrack found in place of assumptions and the forced SNAT that it missed.
const seedMinimal = `# tcp,reg14=0x1,vlan_tci=0x0000,dl_src=02:42:7a:79:82:ca,dl_dst=02:42:ac:12:00:04,nw_src=172.18.0.1,nw_dst=172.18.0.4,nw_tos=0,nw_ecn=0,nw_ttl=64,nw_frag=no,tp_src=12345,tp_dst=30007,tcp_flags=0
ct_dnat {
    ct_lb {
        ip.ttl--;
        eth.src = 0a:58:64:40:00:03;
        eth.dst = 0a:58:64:40:00:01;
        ct_dnat {
            ct_snat(ip4.src=100.64.0.3) {
                ip.ttl--;
                eth.src = 0a:58:0a:f4:01:01;
                eth.dst = 0a:58:0a:f4:01:03;
                ct_lb {
                    output("default_nginx-deployment-9456bbbf9-x6pc6");
                };
            };
        };
    };
};
`

func TestTraceSeed(t *testing.T) {
	t.Parallel()
	status, out, errs := replayed(t, "trace", "--db", cases+"/seed-21.12/sb.db", "--minimal",
		text(t, recorded+"fwd.expr"))
	if status != exitOK || errs != "" {
		t.Fatalf("status %d, %s", status, errs)
	}
	if got := comment.ReplaceAllString(out, ""); got != seedMinimal {
		t.Errorf("minimal trace:\n%s\nwant, comments aside:\n%s", got, seedMinimal)
	}
	for _, want := range []string{
		"DNAT 172.18.0.4:30007 -> 10.244.1.3:80",
		"SNAT 172.18.0.1:12345 -> 100.64.0.3:12345",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestTraceSeedReply(t *testing.T) {
	t.Parallel()
	args := []string{"trace", "--db", cases + "/seed-21.12/sb.db", "--reply", text(t, recorded+"fwd.expr")}
	status, out, _ := replayed(t, append(args, "--minimal")...)
	if status != exitOK || !strings.Contains(out, `output("breth0_ovn-worker");`) {
		t.Errorf("status %d:\n%s", status, out)
	}
	_, out, _ = replayed(t, append(args, "--json")...)
	dec := json.NewDecoder(strings.NewReader(out))
	var forth, back ovntrace.Record
	if err := dec.Decode(&forth); err != nil {
		t.Fatal(err)
	}
	if err := dec.Decode(&back); err != nil {
		t.Fatal(err)
	}
	if forth.Reply || !back.Reply || len(back.Outputs) != 1 {
		t.Fatalf("forth %+v, back %+v", forth, back)
	}
	if o := back.Outputs[0]; o.Port != "breth0_ovn-worker" ||
		o.Packet != "tcp 172.18.0.4:30007 > 172.18.0.1:12345 [S.]" {
		t.Errorf("the reply leaves at %s as %s", o.Port, o.Packet)
	}
}

// Up to the first look-up in conntrack all is as ovn-trace recorded it.
func TestTraceRecorded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ expr, form string }{
		{"fwd", "detailed"}, {"fwd", "summary"}, {"rpl", "detailed"}, {"last", "minimal"},
	} {
		t.Run(c.expr+"-"+c.form, func(t *testing.T) {
			want := text(t, recorded+c.expr+"-"+c.form+".txt")
			_, got, errs := replayed(t, "trace", "--db", recorded+"sb.db", "--"+c.form,
				text(t, recorded+c.expr+".expr"))
			if errs != "" {
				t.Error(errs)
			}
			d := newDifference(want, strings.TrimRight(got, "\n"))
			if d.any() && !(d.before("ct_") && d.either("ct_mark", "ct.", "ct_snat", "reg9[4]")) {
				t.Errorf("differs at line %d:\n%s", d.at+1, d)
			}
			if !d.any() && tracks(want) && c.form == "detailed" {
				t.Error("no different from ovn-trace, which knows no connections")
			}
		})
	}
}

var uuidLine = regexp.MustCompile(`^\s*\d+\. .* uuid ([0-9a-f]{8})$`)
var statistics = regexp.MustCompile(`(duration|n_packets|n_bytes|idle_age|hard_age)=[^,]*, `)

// openFlows collects the OpenFlow flows of each logical flow, without their
// statistics: those change from dump to dump.
func openFlows(trace string) map[string][]string {
	flows := map[string][]string{}
	uuid := ""
	for line := range strings.SplitSeq(trace, "\n") {
		if m := uuidLine.FindStringSubmatch(line); m != nil {
			uuid = m[1]
			flows[uuid] = nil
		} else if line = strings.TrimSpace(line); strings.HasPrefix(line, "cookie=") {
			flows[uuid] = append(flows[uuid], statistics.ReplaceAllString(line, ""))
		}
	}
	for _, lines := range flows {
		slices.Sort(lines)
	}
	return flows
}

func TestTraceOpenFlow(t *testing.T) {
	t.Parallel()
	want := openFlows(text(t, recorded+"fwd-detailed-ovs.txt"))
	status, out, errs := replayed(t, "trace", "--db", recorded+"sb.db", "--ovs="+recorded+"br-int.flows.txt",
		text(t, recorded+"fwd.expr"))
	if status != exitOK || errs != "" {
		t.Fatalf("status %d, %s", status, errs)
	}
	got := openFlows(out)
	compared := 0
	for _, uuid := range slices.Sorted(maps.Keys(want)) {
		if _, met := got[uuid]; !met {
			continue // a flow of the way that ovn-trace takes wrongly
		}
		compared++
		if !slices.Equal(want[uuid], got[uuid]) {
			t.Errorf("logical flow %s:\n%s\nwant\n%s", uuid, strings.Join(got[uuid], "\n"),
				strings.Join(want[uuid], "\n"))
		}
	}
	if compared < 35 {
		t.Errorf("only %d logical flows compared", compared)
	}
}

// A logical flow that the switch lacks is shown, and is a finding.
func TestTraceOpenFlowMissing(t *testing.T) {
	t.Parallel()
	dump := without(t, "b58a56f7")
	_, out, errs := replayed(t, "trace", "--db", recorded+"sb.db", "--ovs="+dump, text(t, recorded+"fwd.expr"))
	if !strings.Contains(out, "uuid b58a56f7\n    *** no OpenFlow flows\n    outport =") ||
		strings.Count(out, "*** no OpenFlow flows") != 1 {
		t.Errorf("the missing flow is not shown:\n%s", out)
	}
	if !strings.Contains(errs, "finding: the switch lacks the OpenFlow flows of 1 logical flow") {
		t.Errorf("no finding: %s", errs)
	}
}

const enters = `inport == "breth0_ovn-worker" && eth.src == 02:42:7a:79:82:ca && `

func TestTraceStatus(t *testing.T) {
	t.Parallel()
	db := recorded + "sb.db"
	for name, c := range map[string]struct {
		args   []string
		status int
		stderr string
	}{
		"delivered":        {[]string{text(t, recorded+"last.expr")}, exitOK, ""},
		"datapath by name": {[]string{"ext_ovn-worker", text(t, recorded+"last.expr")}, exitOK, ""},
		"dropped": {[]string{enters +
			"eth.dst == 02:42:ac:12:00:04 && ip4.src == 1.2.3.4 && ip4.dst == 172.18.0.4 && ip.ttl == 64 && " +
			"udp.dst == 9"},
			exitDropped, "udp.src is 49152"},
		"no microflow":     {nil, exitBad, "no packet: give a MICROFLOW"},
		"unknown port":     {[]string{`inport == "nowhere"`}, exitBad, `unknown port "nowhere"`},
		"unknown datapath": {[]string{"nowhere", enters + "ip4"}, exitBad, `unknown datapath "nowhere"`},
		"other datapath": {[]string{"join", enters + "ip4"}, exitBad,
			`port "breth0_ovn-worker" is not in datapath "join"`},
		"no inport": {[]string{"ip4"}, exitBad, "error parsing flow: flow match expression does not match on inport"},
		"several inports": {[]string{`inport == {"a", "b"}`}, exitBad,
			"error parsing flow: flow match expression matches on multiple inports"},
		"ambiguous": {[]string{enters + "tcp.src == 80"}, exitBad,
			"error parsing flow: Constraints are ambiguous: inport == "},
		"contradictory": {[]string{enters + "ip4 && ip6"}, exitBad,
			"error parsing flow: Constraints are contradictory."},
		"syntax": {[]string{enters + "ip4.src == "}, exitBad,
			"error parsing flow: Syntax error at end of input expecting constant."},
		"unknown ct flag": {[]string{"--ct", "trk,bad", text(t, recorded+"last.expr")}, exitBad,
			"bad: unknown connection tracking state flag"},
		"bad lb-dst": {[]string{"--lb-dst", "here", text(t, recorded+"last.expr")}, exitBad, "here: bad address"},
		"unknown chassis": {[]string{"--chassis", "mars", text(t, recorded+"last.expr")}, exitBad,
			"--chassis: no chassis \"mars\" in the database; there is"},
		"bad packet": {[]string{"--packet", "0102zz", "--inport", "breth0_ovn-worker"}, exitBad, "--packet: "},
		"short packet": {[]string{"--packet", "010203", "--inport", "breth0_ovn-worker"}, exitBad,
			"3 bytes are no Ethernet frame"},
		"which frame":   {[]string{"-r", cases + "/nodeport/client.pcap"}, exitBad, "give FILE#N"},
		"no such frame": {[]string{"-r", cases + "/nodeport/client.pcap#9999"}, exitBad, "the capture has only "},
		"no OpenFlow flows": {[]string{"--ovs=" + recorded + "fwd.expr", text(t, recorded+"last.expr")}, exitBad,
			"no OpenFlow flows"},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, errs := replayed(t, append([]string{"trace", "--db", db}, c.args...)...)
			if status != c.status || !strings.Contains(errs, c.stderr) || c.stderr == "" && errs != "" {
				t.Errorf("status %d, want %d; %q, want %q", status, c.status, errs, c.stderr)
			}
		})
	}
}

// --ct overrides what conntrack says, look-up by look-up.
func TestTraceCT(t *testing.T) {
	t.Parallel()
	args := []string{"trace", "--db", recorded + "sb.db", "--ct", "est", "--ct", "trk,est"}
	_, out, _ := replayed(t, append(args, text(t, recorded+"fwd.expr"))...)
	if strings.Contains(out, "lr_in_dnat (northd.c:10603): ct.new") || !strings.Contains(out, "\nct_dnat\n-------\n") {
		t.Errorf("the first look-up does not report est:\n%s", out)
	}
}

// A frame of a capture is traced as it is; so are its bytes.
func TestTraceRealPacket(t *testing.T) {
	t.Parallel()
	file := cases + "/nodeport/client.pcap"
	args := []string{"trace", "--case", cases + "/nodeport", "--minimal"}
	status, captured, errs := replayed(t, append(args, "-r", file+"#1")...)
	if status != exitOK || !strings.Contains(captured, "tp_src=53642,tp_dst=30007,tcp_flags=syn\n") ||
		!strings.Contains(captured, `output("default_nginx-deployment-9456bbbf9-x6pc6");`) {
		t.Fatalf("status %d, %s:\n%s", status, errs, captured)
	}
	r, err := pcap.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var rec pcap.Record
	if err := r.Next(&rec); err != nil {
		t.Fatal(err)
	}
	_, given, errs := replayed(t, append(args, "--packet", hex.EncodeToString(rec.Data),
		`inport == "breth0_ovn-worker"`)...)
	if given != captured {
		t.Errorf("%s\n%s\nwant\n%s", errs, given, captured)
	}
}

func TestTraceForms(t *testing.T) {
	t.Parallel()
	_, out, _ := replayed(t, "trace", "--db", recorded+"sb.db", "--all", text(t, recorded+"last.expr"))
	at := -1
	for _, banner := range []string{"# tcp,", "\n# Detailed trace.\n", "\n# Summary trace.\n", "\n# Minimal trace.\n"} {
		i := strings.Index(out, banner)
		if i <= at {
			t.Errorf("%q is not where it should be:\n%s", banner, out)
		}
		at = i
	}
}

func TestTraceJSON(t *testing.T) {
	t.Parallel()
	_, out, _ := replayed(t, "trace", "--db", recorded+"sb.db", "--json", text(t, recorded+"fwd.expr"))
	var r struct {
		Verdict, Inport, Datapath string
		Trace                     []struct {
			Kind, Text, Pipeline, Datapath string
			Children                       []struct {
				Kind, Stage, Flow string
				Table, Priority   *int
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if r.Verdict != "delivered" || r.Inport != "breth0_ovn-worker" || r.Datapath != "ext_ovn-worker" ||
		len(r.Trace) != 1 {
		t.Fatalf("%+v", r)
	}
	top := r.Trace[0]
	if top.Kind != "pipeline" || top.Pipeline != "ingress" || top.Datapath != "ext_ovn-worker" ||
		len(top.Children) != 1 {
		t.Fatalf("%+v", top)
	}
	if s := top.Children[0]; s.Kind != "table" || s.Stage != "ls_in_check_port_sec" ||
		!strings.HasPrefix(s.Flow, "153dd539-") || *s.Table != 0 || *s.Priority != 50 {
		t.Errorf("%+v", s)
	}
	for _, want := range []string{`"zone_name":"GR_ovn-worker_snat"`,
		`"kind":"SNAT","from":"172.18.0.1:12345","to":"100.64.0.3:12345"`} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in %s", want, out)
		}
	}
}

var backendList = regexp.MustCompile(`ct_lb_mark\(backends=([^;)]*)`)

// --lb-dst says which backend a load balancer takes.
func TestTraceLBDst(t *testing.T) {
	t.Parallel()
	const question = `inport == "default_pod1" && eth.src == 0a:58:0a:80:01:0b && eth.dst == 0a:58:0a:80:01:01 && ` +
		`ip4.src == 10.128.1.11 && ip4.dst == 10.96.0.40 && ip.ttl == 64 && tcp.src == 4000 && tcp.dst == 80`
	args := []string{"trace", "--case", cases + "/kube-many-backends"}
	_, out, errs := replayed(t, append(args, question)...)
	m := backendList.FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no load balancer: %s\n%s", errs, out)
	}
	members := strings.Split(m[1], ",")
	if len(members) < 2 || !strings.Contains(out, "backend guessed") {
		t.Fatalf("%d backends, none guessed:\n%s", len(members), out)
	}
	for _, b := range members {
		_, out, _ := replayed(t, append(args, "--lb-dst", b, question)...)
		if !strings.Contains(out, "DNAT 10.96.0.40:80 -> "+b) || strings.Contains(out, "guessed") {
			t.Errorf("--lb-dst %s:\n%s", b, out)
		}
	}
}

// In a datapath that is named the packet need not have an inport, as with
// ovn-trace, which crashes where port security asks for it.
func TestTraceWithoutInport(t *testing.T) {
	t.Parallel()
	packet := "eth.src == 02:42:7a:79:82:ca && eth.dst == 02:42:ac:12:00:04 && ip4.src == 1.2.3.4 && ip4.dst == " +
		"172.18.0.4 && ip.ttl == 64 && icmp4.type == 8"
	status, out, errs := replayed(t, "trace", "--db", recorded+"sb.db", "GR_ovn-worker", packet)
	if status != exitDropped || !strings.Contains(out, "\ningress(dp=\"GR_ovn-worker\", inport=\"(unnamed)\")\n") ||
		!strings.Contains(errs, "microflow does not specify ingress port") {
		t.Errorf("status %d\n%s\n%s", status, errs, out)
	}
	status, out, _ = replayed(t, "trace", "--json", "--db", recorded+"sb.db", "ext_ovn-worker", packet)
	if status != exitOK || !strings.Contains(out, `"datapath":"ext_ovn-worker","inport":""`) ||
		!strings.Contains(out, `"port":"breth0_ovn-worker"`) {
		t.Errorf("status %d\n%s", status, out)
	}
	if status, _, errs = replayed(t, "trace", "--db", recorded+"sb.db", packet); status != exitBad ||
		!strings.Contains(errs, "does not match on inport") {
		t.Errorf("status %d: %s", status, errs)
	}
}
