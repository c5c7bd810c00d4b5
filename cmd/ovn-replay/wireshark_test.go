package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ovnreplay/pcap"
	"ovnreplay/pcap/wireshark"
	"ovnreplay/sim/replay"
)

// tsharked runs tshark with the plugin on a capture.
func tsharked(t *testing.T, file string, args ...string) string {
	t.Helper()
	plugin := filepath.Join(t.TempDir(), "ovn-replay.lua")
	if err := os.WriteFile(plugin, wireshark.Plugin(), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(needsTool(t, "tshark"), append([]string{"-X", "lua_script:" + plugin, "-r", file}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "TZ=UTC")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil || strings.Contains(errs.String(), "Lua") {
		t.Fatalf("tshark %q: %v\n%s", args, err, &errs)
	}
	return string(out)
}

// annotated replays a case and returns the annotated capture.
func annotated(t *testing.T, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "out.pcapng")
	if status, _, errs := replayed(t, append([]string{"run", "--format", "none", "-w", file},
		args...)...); status != exitOK {
		t.Fatalf("exit status %d: %s", status, errs)
	}
	return file
}

// wiresharkCases have long names, IPv6, floods, tunnels, ACLs and answers of
// ovn-controller.
var wiresharkCases = []string{
	"nodeport", "kube-acl-verdicts-26.03", "cloud-nat-v6-26.03", "kube-multicast", "cloud-dhcpv6-ra",
	"cloud-gateway-router", "cloud-bfd-26.03",
}

// Wireshark shows every line of every comment in full.
func TestWiresharkTruncatesNoComment(t *testing.T) {
	for _, name := range wiresharkCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := tsharked(t, annotated(t, "--case", filepath.Join(cases, name)), "-V")
			comments := 0
			inside := false
			for line := range strings.Lines(text) {
				switch {
				case strings.HasPrefix(line, "Packet comments"):
					inside = true
					comments++
				case strings.HasPrefix(line, "Frame ") || strings.HasPrefix(line, "Ethernet"):
					inside = false
				case strings.HasPrefix(line, "OVN, as replayed"):
					inside = true
				}
				if inside && strings.Contains(line, "[truncated]") {
					t.Errorf("%s", line)
				}
			}
			if comments == 0 {
				t.Error("no packet has a comment")
			}
		})
	}
}

// The plugin's fields select the packets that run --json has.
func TestPluginSelects(t *testing.T) {
	for name, args := range map[string][]string{
		"nodeport":  {"--case", cases + "/nodeport"},
		"verdicts":  {"--case", cases + "/kube-acl-verdicts-26.03"},
		"neighbors": {"--case", cases + "/cloud-arp-nd"},
		"stateless": {"--case", cases + "/random-kube-13"},                       // NAT rows without conntrack
		"held":      {"--case", cases + "/cloud-cold-25.03"},                     // and go on at a chassis
		"tunnels":   {"--case", cases + "/cloud-transit-router-26.03"},           // tunnels
		"called":    {"--case", cases + "/cloud-vlan-tenant-26.03"},              // ports have names beside their own
		"one zone":  {"--db", oneZone(t), cases + "/ic-nodeport/underlay1.pcap"}, // what others do is not known
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := annotated(t, args...)
			_, out, _ := replayed(t, append([]string{"run", "--json"}, args...)...)
			want := map[string][]string{}
			translated, outports, where := 0, "", ""
			for line := range strings.Lines(out) {
				var r replay.Record
				if err := json.Unmarshal([]byte(line), &r); err != nil {
					t.Fatal(err)
				}
				want[r.Verdict] = append(want[r.Verdict], r.Inport)
				if r.Verdict == "delivered" {
					var at []string
					for _, o := range r.Outputs {
						at = append(at, o.Port)
					}
					outports += strings.Join(at, ";") + "\n"
				}
				if len(r.NAT) > 0 {
					translated++
				}
				where += r.Chassis + "\t" + strings.TrimPrefix(strconv.Itoa(r.Conn), "0") + "\n"
			}
			for verdict, inports := range want {
				got := tsharked(t, file, "-Y", `ovn.verdict == "`+verdict+`"`, "-T", "fields", "-e", "ovn.inport")
				if strings.Join(inports, "\n")+"\n" != got {
					t.Errorf("%s: inports\n%s\nwant\n%s", verdict, got, strings.Join(inports, "\n"))
				}
			}
			// It entered where JSON says, whatever becomes of it later, and is of the same connection.
			if got := tsharked(t, file, "-Y", `ovn.verdict && ovn.verdict != "predicted"`, "-T", "fields", "-e",
				"ovn.chassis", "-e", "ovn.conn", "-E", "occurrence=f"); got != where {
				t.Errorf("chassis and connections\n%s\nwant\n%s", got, where)
			}
			if got := tsharked(t, file, "-Y", `ovn.verdict == "delivered"`, "-T", "fields", "-e", "ovn.outport", "-E",
				"aggregator=;"); got != outports {
				t.Errorf("outports\n%s\nwant\n%s", got, outports)
			}
			if n := strings.Count(tsharked(t, file, "-Y", `ovn.verdict in {"dropped", "consumed", "not known"}`+
				` && !ovn.reason`), "\n"); n > 0 {
				t.Errorf("%d packets that do not leave have no reason", n)
			}
			got := tsharked(t, file, "-Y", `ovn.nat && ovn.verdict != "predicted"`, "-T", "fields", "-e",
				"frame.number")
			if n := strings.Count(got, "\n"); n != translated {
				t.Errorf("ovn.nat selects %d packets, want %d", n, translated)
			}
		})
	}
}

// oneZone is the database of one of several connected zones.
func oneZone(t *testing.T) string {
	t.Helper()
	all, err := filepath.Glob(cases + "/ic-nodeport/sb*1.db*")
	if err != nil || len(all) != 1 {
		t.Fatalf("%q, %v", all, err)
	}
	return all[0]
}

// A packet and what it became have one number, and a connection one over both
// directions and all translations.
func TestPluginTiesPacketsTogether(t *testing.T) {
	t.Parallel()
	file := annotated(t, "--case", cases+"/nodeport", "--epb-verdict")
	rows := strings.Split(strings.TrimSuffix(tsharked(t, file, "-T", "fields", "-e", "frame.packet_id", "-e",
		"ovn.verdict",
		"-e", "ovn.conn", "-e", "tcp.srcport", "-e", "tcp.dstport", "-e", "frame.verdict.ebpf_tc"), "\n"), "\n")
	last := ""
	clients := map[string]map[string]bool{} // connection -> client ports
	for _, row := range rows {
		c := strings.Split(row, "\t")
		if c[1] == "predicted" && c[0] != last {
			t.Errorf("%q follows packet %s", row, last)
		}
		if want := map[string]string{"delivered": "0", "dropped": "2", "predicted": ""}[c[1]]; c[5] != want {
			t.Errorf("%q: verdict %q of traffic control, want %q", row, c[5], want)
		}
		last = c[0]
		if c[2] != "" {
			if clients[c[2]] == nil {
				clients[c[2]] = map[string]bool{}
			}
			for _, port := range c[3:5] {
				if port != "80" && port != "30007" {
					clients[c[2]][port] = true
				}
			}
		}
	}
	if len(clients) != 2 || len(clients["1"]) != 1 || len(clients["2"]) != 1 {
		t.Errorf("connections and their client ports: %v, want two of one port each", clients)
	}
}

// Chassis are there by their names and by those that people use, of all packets that run and verify write.
func TestPluginNamesHosts(t *testing.T) {
	t.Parallel()
	dir := cases + "/cloud-l3-geneve"
	verified := filepath.Join(t.TempDir(), "verified.pcapng")
	if status, _, errs := replayed(t, "verify", "--case", dir, "-w", verified); status != exitOK {
		t.Fatal(errs)
	}
	for _, file := range []string{annotated(t, "--case", dir), verified} {
		for host, chassis := range map[string]string{
			"compute-1": "5b1f5a1c-9a0e-4f5b-8a43-10c1a0000001", "compute-2": "5b1f5a1c-9a0e-4f5b-8a43-10c1a0000002"} {
			there := tsharked(t, file, "-Y", `ovn.host == "`+host+`"`, "-T", "fields", "-e", "frame.number")
			if same := tsharked(t, file, "-Y", `ovn.chassis == "`+chassis+`"`, "-T", "fields", "-e",
				"frame.number"); there == "" || same != there {
				t.Errorf("%s: frames at %s %q, at its chassis %q", file, host, there, same)
			}
		}
		if none := tsharked(t, file, "-Y", "ovn.verdict && !ovn.chassis", "-T", "fields", "-e",
			"frame.number"); none != "" {
			t.Errorf("%s: frames without chassis: %s", file, none)
		}
	}
}

// What a pcapng carries beside its packets is in the annotated one too, and
// Wireshark's own tools keep what is added.
func TestAnnotatedCaptureKeepsWhatWasThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := filepath.Join(dir, "client.pcapng")
	names := pcap.Block{Type: 4, Body: []byte{1, 0, 6, 0, 9, 9, 9, 9, 'x', 0, 0, 0, 0, 0, 0, 0}}
	carry(t, cases+"/nodeport/client.pcap", in, names)
	file := annotated(t, "--db", cases+"/nodeport/sb.db", "-r", in+"@breth0_ovn-worker")
	for _, tool := range [][]string{nil, {"editcap"}, {"mergecap", "-w"}} {
		to := file
		if tool != nil {
			to = filepath.Join(dir, tool[0]+".pcapng")
			args := []string{file, to}
			if len(tool) > 1 {
				args = []string{tool[1], to, file}
			}
			if out, err := exec.Command(needsTool(t, tool[0]), args...).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", tool[0], err, out)
			}
		}
		holdsWhatWasThere(t, to, names, tool == nil)
	}
}

// carry writes a capture as a pcapng with a block before its second packet, and
// a comment and an option on it.
func carry(t *testing.T, from, to string, block pcap.Block) {
	t.Helper()
	r, err := pcap.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out bytes.Buffer
	w, err := pcap.NewWriter(&out, pcap.Section{OS: "Linux of the lab", Application: "lab",
		Comments: []string{"taken in the lab"}})
	if err != nil {
		t.Fatal(err)
	}
	w.AddInterface(pcap.InterfaceInfo{Name: "eth0", LinkType: pcap.LinkEthernet, Hardware: "a card",
		Comments: []string{"port 7"}})
	var rec pcap.Record
	for n := 1; r.Next(&rec) == nil; n++ {
		p := pcap.Packet{Time: rec.Time, Data: rec.Data, OrigLen: rec.OrigLen}
		if n == 2 {
			w.WriteBlock(block)
			p.Comments, p.Options = []string{"what is this?"},
				[]pcap.Option{{Code: 2988, Value: []byte("\x01\x02\x00\x00private")}}
		}
		if err := w.WritePacket(&p); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	if err := os.WriteFile(to, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func holdsWhatWasThere(t *testing.T, file string, block pcap.Block, all bool) {
	t.Helper()
	r, err := pcap.OpenWith(file, pcap.Options{KeepBlocks: true, Annotations: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	commented, verdicts, options := 0, 0, 0
	var hardware string
	var rec pcap.Record
	for {
		if err := r.Next(&rec); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		hardware = rec.Interface.Hardware + hardware
		if slices.Contains(rec.Comments, "what is this?") {
			commented++
			if rec.Comments[0] == "what is this?" {
				t.Errorf("%s: the verdict is not the first comment: %q", file, rec.Comments)
			}
		}
		for _, c := range rec.Comments {
			if strings.HasPrefix(c, "ovn-replay: ") {
				verdicts++
			}
		}
		for _, o := range rec.Options {
			if o.Code == 2988 && string(o.Value) == "\x01\x02\x00\x00private" {
				options++
			}
		}
	}
	if commented != 1 || verdicts != r.Counts().Frames || verdicts == 0 {
		t.Errorf("%s: %d old comments and %d verdicts on %d packets", file, commented, verdicts, r.Counts().Frames)
	}
	if !all {
		return // the tools drop options and blocks that they do not know
	}
	kept := slices.ContainsFunc(r.TakeBlocks(), func(b pcap.Block) bool {
		return b.Type == block.Type &&
			bytes.Equal(b.Body, block.Body)
	})
	s := r.Sections()[0]
	if !kept || options != 1 || !strings.Contains(hardware, "a card") || s.OS != "Linux of the lab" ||
		!slices.Contains(s.Comments, "taken in the lab") ||
		!slices.ContainsFunc(s.Comments, func(c string) bool { return strings.HasPrefix(c, "command: ovn-replay") }) {
		t.Errorf("%s: block kept %v, options %d, hardware %q, section %+v", file, kept, options, hardware, s)
	}
}

// Addresses have the names of pods and services where Wireshark looks for them.
func TestAnnotatedCaptureNamesAddresses(t *testing.T) {
	t.Parallel()
	out := tsharked(t, annotated(t, "--case", cases+"/nodeport"), "-o", "nameres.network_name:TRUE",
		"-o", "nameres.use_external_name_resolver:FALSE", "-T", "fields", "-e", "ip.dst_host", "-Y",
		"ip.dst == 10.244.1.3", "-c", "4")
	if !strings.HasPrefix(out, "default_nginx-deployment-9456bbbf9-x6pc6\n") {
		t.Errorf("10.244.1.3 is called %q", out)
	}
}

// wireshark install writes what Wireshark finds, and the interface replays.
func TestWiresharkInstall(t *testing.T) {
	tshark := needsTool(t, "tshark")
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", "")
	status, out, errs := replayed(t, "wireshark", "install")
	if status != exitOK || strings.Count(out, "\n") != 6 {
		t.Fatalf("exit status %d: %s%s", status, out, errs)
	}
	cmd := exec.Command(tshark, "-C", wireshark.Profile, "-r", annotated(t, "--case", cases+"/nodeport"), "-Y",
		`ovn.conn == 2`, "-c", "40")
	text, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(text), " delivered breth0_ovn-worker default_nginx") ||
		strings.Contains(string(text), "Error") {
		t.Errorf("%v\n%s", err, text)
	}
	recent, err := filepath.Glob(filepath.Join(home, "*/*/profiles/OVN/recent"))
	if err != nil || len(recent) != 1 || os.WriteFile(recent[0], []byte("# of the user"), 0o600) != nil {
		t.Fatalf("widths of columns: %q, %v", recent, err)
	}
	if replayedWell(t, "wireshark", "install"); string(read(t, recent[0])) != "# of the user" {
		t.Error("widths that a user gave columns are lost")
	}
	_, out, _ = replayed(t, "wireshark", "extcap", "--extcap-interfaces", "--extcap-version=4.0")
	if !strings.Contains(out, "interface {value=ovn-replay}{display=OVN replay}") {
		t.Error(out)
	}
	fifo := filepath.Join(home, "fifo")
	status, _, errs = replayed(t, "wireshark", "extcap", "--capture", "--extcap-interface", "ovn-replay",
		"--fifo", fifo, "--case", cases+"/nodeport", "--extcap-capture-filter", "tcp port 30007")
	if errs != "" {
		t.Errorf("Wireshark shows as an error: %s", errs)
	}
	if r, err := pcap.Open(fifo); status != exitOK || err != nil {
		t.Errorf("exit status %d: %s %v", status, errs, err)
	} else {
		r.Close()
	}
}
