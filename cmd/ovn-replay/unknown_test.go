package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A command that does not exist says which was meant, whatever follows it.
func TestUnknownCommand(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"rn --db sb.db -r client.pcap": "run?", "verfy": "did you mean verify?", "nonsense": "--help lists them",
		"help rn": "run?", "help db inof": "did you mean info?", "completion bsh": "did you mean bash",
		"help completion fsh": "fish",
	} {
		if status, _, errs := replayed(t, strings.Fields(args)...); status != exitBad || !strings.Contains(errs, want) {
			t.Errorf("%s: exit status %d, %q", args, status, errs)
		}
	}
	for _, args := range []string{"help", "help run", "help db info", "completion", "completion bash",
		"help completion"} {
		if status, out, errs := replayed(t, strings.Fields(args)...); status != exitOK || out == "" {
			t.Errorf("%s: exit status %d, %q", args, status, errs)
		}
	}
	if status, out, _ := replayed(t, "--version"); status != exitOK || !strings.Contains(out, "go1.") {
		t.Errorf("--version: exit status %d, %q", status, out)
	}
}

// A capture that was cut before the end of its first packet, wherever, has as little as an empty one: it is
// passed over beside others, and said; in a rotated set, too. Alone it is an error that names it.
func TestCaptureCutBeforeItsFirstPacket(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(cases, "nodeport")
	classic := read(t, dir+"/client.pcap")
	var ng bytes.Buffer
	ng.WriteString(ngHeader + ngFrame(t, ""))
	folder := t.TempDir()
	whole := []string{"verify", "--db", dir + "/sb.db", "--ct-profile", "ovs-userspace", "-r",
		dir + "/client.pcap", "-r", dir + "/nginx.pcap"}
	for name, test := range map[string]struct {
		data []byte
		cuts []int
	}{
		"pcap":   {classic, []int{1, 3, 4, 23, 25, 39, 41, 60}},
		"pcapng": {ng.Bytes(), []int{1, 3, 4, 8, 27, 29, 47, 60}},
		"gz":     {read(t, gzipped(t, "", string(classic), 1, "")), []int{1, 2, 3, 9, 11}},
		"xz":     {compress(t, "xz", classic), []int{1, 5, 6, 11, 13}},
		"zst":    {compress(t, "zstd", classic), []int{1, 3, 4, 5, 7}},
	} {
		for _, n := range test.cuts {
			cut := filepath.Join(folder, fmt.Sprintf("%s.%d.pcap", name, n))
			if err := os.WriteFile(cut, test.data[:n], 0o600); err != nil {
				t.Fatal(err)
			}
			for _, more := range [][]string{{"-r", cut}, {"-r", cut + "@breth0_ovn-worker"}} {
				status, out, errs := replayed(t, append(whole, more...)...)
				if status != exitOK || strings.Count(errs, cut+": it holds no packets (") != 1 {
					t.Errorf("%s beside others: exit status %d\n%s%s", cut, status, out, errs)
				}
				status, _, errs = replayed(t, append([]string{"verify", "--db", dir + "/sb.db"}, more...)...)
				if status != exitBad || !strings.Contains(errs, cut+": ") || strings.Contains(errs, "passed over") ||
					!strings.Contains(errs, "record the") && !strings.Contains(errs, "record it again") {
					t.Errorf("%s alone: exit status %d, %s", cut, status, errs)
				}
			}
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "whole.pcap"), classic, 0o600); err != nil {
		t.Fatal(err)
	}
	status, _, errs := replayed(t, "run", "--db", dir+"/sb.db", "-r", folder+"/*.pcap")
	passed := strings.Count(errs, "it is passed over")
	more := regexp.MustCompile(`(\d+) captures hold no packets .* are passed over`)
	for _, n := range more.FindAllStringSubmatch(errs, -1) {
		several, _ := strconv.Atoi(n[1])
		passed += several
	}
	if status != exitOK || passed != 31 {
		t.Errorf("in a set: exit status %d\n%s", status, errs)
	}
}

// compress is what a tool makes of data.
func compress(t *testing.T, tool string, data []byte) []byte {
	t.Helper()
	cmd := exec.Command(needsTool(t, tool), "-c")
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A capture without packets is passed over; the others are replayed.
func TestEmptyCapture(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(cases, "nodeport")
	empty := filepath.Join(t.TempDir(), "empty.pcap")
	if err := os.WriteFile(empty, read(t, dir+"/client.pcap")[:24], 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--db", dir + "/sb.db", "-r", dir + "/client.pcap", "-r", empty, "-r", dir + "/nginx.pcap",
		"--ct-profile", "ovs-userspace"}
	status, out, errs := replayed(t, append([]string{"verify"}, args...)...)
	if status != exitOK || !strings.Contains(errs, "empty.pcap: it holds no packets") {
		t.Errorf("exit status %d\n%s%s", status, out, errs)
	}
	if status, _, errs := replayed(t, "verify", "--db", dir+"/sb.db", "-r", empty); status != exitBad ||
		!strings.Contains(errs, "the captures hold no packets") {
		t.Errorf("alone: exit status %d, %q", status, errs)
	}
	// What gives no verdict has done what it was asked, and says why that is nothing.
	for at, more := range map[string]string{empty: "; it is passed over", empty + "@breth0_ovn-worker": ""} {
		for _, command := range []string{"run", "connections", "coverage", "conntrack list"} {
			status, _, errs := replayed(t, append(strings.Fields(command), "--db", dir+"/sb.db", "-r", at)...)
			if status != exitOK || errs != "ovn-replay: "+empty+": it holds no packets"+more+"\n" {
				t.Errorf("%s %s: exit status %d, %q", command, at, status, errs)
			}
		}
	}
	zipped := gzipped(t, "", "", 0, "")
	folder := t.TempDir()
	for name, data := range map[string][]byte{"0.pcap": nil, "1.pcap": read(t, dir+"/client.pcap"), "2.pcap": nil} {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	nothing := filepath.Join(folder, "0.pcap")
	for _, none := range []string{nothing, zipped} {
		args[3+2] = none // without even a header
		status, out, errs := replayed(t, append([]string{"verify"}, args...)...)
		if status != exitOK || !strings.Contains(errs, none+": it is empty") {
			t.Errorf("exit status %d\n%s%s", status, out, errs)
		}
	}
	if status, _, errs := replayed(t, "verify", "--db", dir+"/sb.db", "-r", nothing, "-r", zipped); status != exitBad ||
		!strings.Contains(errs, ": is empty; a capture has a header at least") {
		t.Errorf("nothing else: exit status %d, %q", status, errs)
	}
	if status, out, errs := replayed(t, "verify", "--db", dir+"/sb.db", "-r", folder+"/?.pcap"); status != exitOK {
		t.Errorf("in a set: exit status %d\n%s%s", status, out, errs)
	}
}

// What names nothing that there is selects nothing, ignores nothing and bounds nothing: it is refused, with what
// may be meant.
func TestUnknownNamesAreRefused(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ command, flag, value, want string }{
		{"verify", "--ignore", "tt", "did you mean ip.ttl?"},
		{"verify", "--ignore", "tcp.scr", "\"tcp.scr\" is no field that is compared"},
		{"verify", "--ignore", "ip.ttl,ip4.sr", "did you mean ip4.src?"},
		{"verify", "--mtu", "wrongport=1400", "--mtu wrongport=1400: no logical port is named wrongport"},
		{"verify", "--mtu", "default_client=1400", "there is default_client-pod"},
		{"run", "--filter", `inport == "breth0_ovn-worke"`, "there is breth0_ovn-worker"},
		{"run", "--filter", `ip4 && (tcp || outport == {"nosuchport"})`, "no logical port is named nosuchport"},
		{"verify", "--filter", `inport == "default_client"`, "there is default_client-pod"},
		{"connections", "--filter", `!is_chassis_resident("nosuchport")`, "no logical port is named nosuchport"},
		{"why 1", "--filter", `inport == "nosuchport"`, "no logical port is named nosuchport"},
		{"run", "--filter", `datapath == "ovn-worker"`, "A datapath is no field"},
		{"run", "--only", "natted,", `"" is no kind of packets; use delivered`},
		{"verify", "--only", "matched", "name a file with -w"}, {"verify", "--window", "-5s", "--window -5s"},
		{"connections", "--number", "99", "--number 99: there are connections 1 to 2"},
		{"run", "--filter", "ip4.srcc == 10.0.0.1", "Did you mean ip4.src or ip6.src?"},
	} {
		args := append(strings.Fields(x.command), "--case", cases+"/nodeport", x.flag, x.value)
		status, out, errs := replayed(t, args...)
		if status != exitBad || out != "" || !strings.Contains(errs, x.want) {
			t.Errorf("%q: exit status %d, %q, want %q", args, status, errs, x.want)
		}
	}
	// What there is is taken, and a port where packets leave selects those.
	for _, args := range [][]string{
		{"verify", "--ignore", "ip.ttl,tcp.src,outer ip.ttl,length,byte 3", "--mtu", "default_client-pod=1400"},
		{"run", "--filter", `outport == "none"`}, {"run", "--filter", `inport == "default_client-pod" && ip6`},
		{"run", "--filter", `outport == "default_client-pod" || outport == "breth0_ovn-worker"`},
	} {
		status, out, errs := replayed(t, append(args, "--case", cases+"/nodeport")...)
		if status != exitOK || out == "" {
			t.Errorf("%q: exit status %d, %s", args, status, errs)
		}
		for line := range strings.Lines(out) {
			if strings.Contains(args[2], "outport == \"default") && !strings.Contains(line, "to default_client") &&
				!strings.Contains(line, "to default/client") && !strings.Contains(line, "to breth0_ovn-worker") {
				t.Errorf("%q selects %s", args, line)
			}
		}
	}
}
