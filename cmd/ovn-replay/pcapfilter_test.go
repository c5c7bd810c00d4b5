package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ovnreplay/pcap"
	"ovnreplay/sim/replay"
)

// filtered has tcpdump make the captures that a filter leaves of a case's.
func filtered(t *testing.T, from, expr string) (dir string) {
	t.Helper()
	tcpdump := needsTool(t, "tcpdump")
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	captures, err := filepath.Glob(from + "/*.pcap")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range captures {
		out := filepath.Join(dir, filepath.Base(file))
		if text, err := exec.Command(tcpdump, "-r", file, "-w", out, "--", expr).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
	}
	return dir
}

// A replay with a filter is one of captures that were made with it, but for the
// frames' numbers. In captures of the underlay it sees the outer frame.
func TestPcapFilterIsTcpdumps(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, expr string }{
		{"nodeport", "tcp[tcpflags] & tcp-syn != 0"},
		{"nodeport", "tcp port 30007 or src host 10.244.1.3"},
		{"nodeport", "less 70 and not arp and not ip6"},
		{"cloud-l2-geneve", "geneve or icmp"},
		{"cloud-l2-geneve", "udp port 6081 or arp"},
		{"cloud-l2-geneve", "not (udp dst port 6081 and host 192.168.0.0) and ip"},
	} {
		from := filepath.Join(cases, c.name)
		made := filtered(t, from, c.expr)
		status, want, errs := replayed(t, "run", "--case", made, "--json")
		if status != exitOK {
			t.Fatalf("%s: exit status %d: %s", c.expr, status, errs)
		}
		status, got, errs := replayed(t, "run", "--case", from, "--json", "--pcap-filter", c.expr)
		if status != exitOK || len(got) == 0 {
			t.Fatalf("%s: exit status %d: %s", c.expr, status, errs)
		}
		sameLines(t, c.expr, unnumbered(t, got), unnumbered(t, want))
		_, wantReport := verified(t, "--case", made)
		_, report := verified(t, "--case", from, "--pcap-filter", c.expr)
		if report.Packets != wantReport.Packets || report.Entered != wantReport.Entered ||
			report.Observed != wantReport.Observed || report.Matched != wantReport.Matched {
			t.Errorf("%s, %q: %d packets, entered %d, observed %d, matched %d; want %d, %d, %d, %d", c.name, c.expr,
				report.Packets, report.Entered,
				report.Observed, report.Matched, wantReport.Packets, wantReport.Entered, wantReport.Observed,
				wantReport.Matched)
		}
	}
}

// unnumbered takes the frames' numbers and the captures' folders away.
func unnumbered(t *testing.T, lines string) string {
	t.Helper()
	var out strings.Builder
	for _, line := range strings.Split(strings.TrimSpace(lines), "\n") {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		delete(r, "frame")
		r["capture"] = filepath.Base(fmt.Sprint(r["capture"]))
		if why, ok := r["inferred"]; ok { // it names captures and frames
			r["inferred"] = why != ""
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(text, '\n'))
	}
	return out.String()
}

// The frames' numbers are the file's, however it is read.
func TestPcapFilterKeepsNumbers(t *testing.T) {
	t.Parallel()
	const expr, port = "tcp[tcpflags] & tcp-syn != 0", "breth0_ovn-worker"
	client := cases + "/nodeport/client.pcap"
	common := []string{"run", "--json", "--db", cases + "/nodeport/sb.db", "--no-infer", "--pcap-filter", expr}
	numbers := func(stdin []byte, args ...string) (out []int) {
		var stdout, errs bytes.Buffer
		status := run(context.Background(), append(common, args...), bytes.NewReader(stdin), &stdout, &errs)
		if status != exitOK {
			t.Fatalf("%v: exit status %d: %s", args, status, errs.String())
		}
		for d := json.NewDecoder(&stdout); d.More(); {
			var r replay.Record
			if err := d.Decode(&r); err != nil {
				t.Fatal(err)
			}
			out = append(out, r.Frame)
		}
		return out
	}
	want := fmt.Sprint(numbers(nil, "-r", client+"@"+port))
	if want != "[1 12]" {
		t.Errorf("frames %s, want 1 and 12", want)
	}
	for how, got := range map[string][]int{
		"standard input":   numbers(read(t, client), "-r", "-"),
		"compressed":       numbers(nil, "-r", client+".gz@"+port),
		"pcapng":           numbers(nil, "-r", cases+"/nodeport/client.pcapng@"+port),
		"place found":      numbers(nil, "-r", client),
		"kernel's capture": numbers(nil, "-r", cookedCapture(t, client)+"@any@4da007a6-ed1d-45ff-bcf4-62ae8914bbbc"),
	} {
		if fmt.Sprint(got) != want {
			t.Errorf("%s: frames %v, want %s", how, got, want)
		}
	}
	frames := framesOf(t, client)
	dir := t.TempDir()
	writeTo(t, dir+"/c.pcap1", classic(t, pcap.LinkEthernet, frames[:5]))
	writeTo(t, dir+"/c.pcap0", classic(t, pcap.LinkEthernet, frames[5:]))
	if got := numbers(nil, "-r", dir+"/c.pcap*@"+port); fmt.Sprint(got) != "[1 7]" {
		t.Errorf("a rotated set: frames %v, want 1 of the first file and 7 of the second", got)
	}
}

// cookedCapture makes a cooked capture of one of an external port, on which the
// host sends what the port receives.
func cookedCapture(t *testing.T, file string) string {
	t.Helper()
	var out []frame
	for _, f := range framesOf(t, file) {
		out = append(out, frame{f.time, cooked(f.data, 2, false), f.wire + 6})
	}
	return write(t, "any.pcap", classic(t, pcap.LinkSLL2, out))
}

// A bad filter is bad usage: one line that says where, and what was expected.
func TestBadPcapFilter(t *testing.T) {
	t.Parallel()
	dir := cases + "/nodeport"
	nothing := write(t, "nothing.pcap", classic(t, pcap.LinkEthernet, nil))
	for _, c := range []struct {
		want string
		args []string
	}{
		{`--pcap-filter: column 10: expected an address, number or name, found the end`,
			[]string{"run", "--case", dir, "--pcap-filter", "tcp port "}},
		{`--pcap-filter: column 5: expected "and", "or" or the end, found "80"`,
			[]string{"verify", "--case", dir, "--pcap-filter", "tcp 80"}},
		{`--pcap-filter: column 6: "localhost" is no address; names of hosts are not looked up: give the number`,
			[]string{"diff", "--case", dir, "--db", dir + "/sb.db", "--pcap-filter", "host localhost"}},
		{`--pcap-filter: column 2: expected a test such as "host 10.0.0.1" or "tcp port 80", found the end`,
			[]string{"conntrack", "list", "--case", dir, "--pcap-filter", "("}},
		{`--pcap-filter: column 4: expected "and", "or" or the end, found "udp"`,
			[]string{"conntrack", "states", "-r", dir + "/client.pcap", "--pcap-filter", "ip udp"}},
		{dir + `/client.pcap: the filter does not suit its EN10MB frames: column 1: the direction cannot be told in ` +
			`Ethernet frames: only a capture on "any" (Linux cooked) has it; change the filter, or leave this ` +
			`capture out`,
			[]string{"run", "--case", dir, "--pcap-filter", "inbound"}},
		{dir + `/client.pcapng: the filter does not suit its EN10MB frames: column 8: the interface cannot be told ` +
			`in Ethernet frames: only a capture on "any" of the second version (LINUX_SLL2) has it; change the ` +
			`filter, or leave this capture out`,
			[]string{"run", "--db", dir + "/sb.db", "-r", dir + "/client.pcapng@breth0_ovn-worker", "--pcap-filter",
				"tcp or ifindex 3"}},
		{nothing + `: --pcap-filter selects no packets to find the capture's logical port from; name it with -r ` +
			`FILE@PORT`,
			[]string{"run", "--db", dir + "/sb.db", "-r", nothing, "--pcap-filter", "vlan 5"}},
	} {
		status, out, errs := replayed(t, c.args...)
		if status != exitBad || errs != "ovn-replay: "+c.want+"\n" || out != "" {
			t.Errorf("%v: exit status %d\n got %s%s\nwant ovn-replay: %s", c.args, status, out, errs, c.want)
		}
	}
}

// Where nothing is selected, nothing is replayed, and that is no error.
func TestPcapFilterOfNothing(t *testing.T) {
	t.Parallel()
	status, out, errs := replayed(t, "run", "--case", cases+"/nodeport", "--pcap-filter", "ip and arp")
	if status != exitOK || out != "" || errs != "" {
		t.Errorf("exit status %d, %q, %q", status, out, errs)
	}
}

// Where captures were taken is found from all their packets: also of those of
// which the filter selects few or none, and which of a pattern's files belong
// together.
func TestPcapFilterPlacesByAllPackets(t *testing.T) {
	t.Parallel()
	dir := cases + "/nodeport"
	args := []string{"run", "--db", dir + "/sb.db", "-r", dir + "/*.pcap", "--explain-points"}
	status, _, all := replayed(t, args...)
	if status != exitOK || len(placed(all)) != 5 {
		t.Fatalf("exit status %d, want the ports of five captures\n%s", status, all)
	}
	for _, f := range []string{"tcp[13] & 2 != 0 and ip", "ip and arp"} {
		status, _, errs := replayed(t, append(args, "--pcap-filter", f)...)
		if got, want := placed(errs), placed(all); status != exitOK || !slices.Equal(got, want) {
			t.Errorf("%s: exit status %d, %s\n got %q\nwant %q", f, status, errs, got, want)
		}
	}
}

// placed are the lines that say where a capture was taken.
func placed(errs string) []string {
	var lines []string
	for _, l := range strings.Split(errs, "\n") {
		if strings.Contains(l, ": logical port ") {
			lines = append(lines, l)
		}
	}
	return lines
}

// Each packet's state is printed with its number in the file.
func TestPcapFilterOfStates(t *testing.T) {
	t.Parallel()
	status, out, errs := replayed(t, "conntrack", "states", "-r", cases+"/nodeport/client.pcap", "--pcap-filter",
		"tcp[13] = 0x12 or tcp[13] = 2")
	if want := "1: new|trk\n2: est|rpl|trk\n12: new|trk\n13: est|rpl|trk\n"; status != exitOK || out != want {
		t.Errorf("exit status %d\n got %s%s\nwant %s", status, out, errs, want)
	}
}
