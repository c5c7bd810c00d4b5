package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// evil is what a name has behind it in the hostile database: a terminal's
// title and colour, a line of its own, NUL, C1, a mark of direction.
const evil = "\x1b]0;pwn\x07\x1b[31m\nEVIL line\r\x00\u009b31m\u202egnp.exe"

// evilCase is the nodeport case with evil names: of its ports, datapaths, chassis,
// stages and files, in a database with an evil comment and version.
func evilCase(t *testing.T) (dir string) {
	t.Helper()
	quoted, _ := json.Marshal(evil)
	once := string(quoted[1 : len(quoted)-1])
	requoted, _ := json.Marshal(once)
	twice := string(requoted[1 : len(requoted)-1])
	dir = t.TempDir()
	var db bytes.Buffer
	data := read(t, filepath.Join(cases, "nodeport", "sb.db"))
	for len(data) > 0 {
		head, rest, _ := bytes.Cut(data, []byte("\n"))
		var size int
		if _, err := fmt.Sscanf(string(head), "OVSDB JSON %d", &size); err != nil {
			t.Fatal(err)
		}
		body := string(rest[:size])
		data = rest[size:]
		for _, name := range []string{
			"default_nginx-deployment-9456bbbf9-x6pc6", "breth0_ovn-worker", "ovn-worker", "GR_ovn-worker",
			"ovn_cluster_router", "lr_in_dnat", "lr_out_snat", "ls_in_l2_lkup", "lr_in_ip_routing", "lr_in_unsnat",
		} {
			body = strings.ReplaceAll(body, `\"`+name+`\"`, `\"`+name+twice+`\"`)
			body = strings.ReplaceAll(body, `"`+name+`"`, `"`+name+once+`"`)
		}
		body = strings.ReplaceAll(body, `"_comment":"`, `"_comment":"`+once)
		body = strings.ReplaceAll(body, `"northd_internal_version":"`, `"northd_internal_version":"`+once)
		body = strings.ReplaceAll(body, `["northd_internal_version","`, `["northd_internal_version","`+once)
		fmt.Fprintf(&db, "OVSDB JSON %d %x\n", len(body), sha1.Sum([]byte(body)))
		db.WriteString(body)
	}
	os.WriteFile(filepath.Join(dir, "sb.db"), db.Bytes(), 0o600)
	for _, name := range []string{"client.pcap", "nginx.pcap"} {
		evilName := filepath.Join(dir, strings.ReplaceAll(evil, "\x00", "")+name)
		if err := os.WriteFile(evilName, read(t, filepath.Join(cases, "nodeport", name)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	evilName, _ := json.Marshal(strings.ReplaceAll(evil, "\x00", "") + "client.pcap")
	text := fmt.Sprintf(`{"description":"%s","db":"sb.db","captures":[{"file":%s},{"file":"no%s"}],"chassis":"no%s"}`,
		once, evilName, once, once)
	os.WriteFile(filepath.Join(dir, "case.json"), []byte(text), 0o600)
	return dir
}

// evilFrames is a capture of what the evil pod sent to all of its switch, and of less than a frame.
func evilFrames() []byte {
	b := []byte("\xd4\xc3\xb2\xa1\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01\x00\x00\x00")
	const pod, ip, other = "\x0a\x58\x0a\xf4\x01\x03", "\x0a\xf4\x01\x03", "\x0a\xf4\x01\x09"
	const all, nobody = "\xff\xff\xff\xff\xff\xff", "\x00\x00\x00\x00\x00\x00"
	for _, frame := range []string{all + pod + "\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01" + pod + ip +
		nobody + other, "short"} {
		for _, n := range []int{1795341635, 0, len(frame), len(frame)} {
			b = binary.LittleEndian.AppendUint32(b, uint32(n))
		}
		b = append(b, frame...)
	}
	return b
}

// harmless reports what a terminal would obey, or what begins a line that a name made.
func harmless(text string, named bool) string {
	for _, r := range text {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return fmt.Sprintf("it holds %U", r)
		}
	}
	for _, line := range strings.Split(text, "\n") {
		if named && strings.HasPrefix(strings.TrimSpace(line), "EVIL") {
			return "a name begins a line"
		}
	}
	return ""
}

// Whatever a database, a capture's name or a dump says, what is printed does
// nothing to a terminal, and a name stays on its line.
func TestHostileNames(t *testing.T) {
	dir := evilCase(t)
	name := strings.ReplaceAll(evil, "\x00", "")
	db, client, pod := filepath.Join(dir, "sb.db"), filepath.Join(dir, name+"client.pcap"),
		filepath.Join(dir, name+"nginx.pcap")
	const podPort = "default_nginx-deployment-9456bbbf9-x6pc6" + evil
	arp := filepath.Join(dir, name+"arp.pcap")
	os.WriteFile(arp, evilFrames(), 0o600)
	t.Setenv("XDG_STATE_HOME", dir)
	session, out, page := filepath.Join(dir, "s.db"), filepath.Join(dir, "out.pcapng"), filepath.Join(dir, "page.html")
	archive, member := evilArchive(t, db)
	flows := filepath.Join(cases, "nodeport", "br-int.flows.txt")
	question := `inport == "breth0_ovn-worker` + jsonText(evil) +
		`" && eth.src == 02:42:ac:12:00:01 && eth.dst == 02:42:ac:12:00:04 && ip4.src == 172.18.0.1 && ip4.dst == ` +
		`172.18.0.4 && ip.ttl == 64 && tcp.dst == 30007 && tcp.src == 5000`
	both := []string{"--db", db, "-r", client, "-r", pod, "--ct-profile", "ovs-userspace"}
	with := func(command string, more ...string) []string {
		return append(append(strings.Fields(command), both...), more...)
	}
	shown := 0
	for _, args := range [][]string{
		with("run"), with("run --json"), with("run --format detailed"), with("run --format summary"),
		with("run --format minimal"),
		with("run --explain-points"), with("run", "--session", session), with("run --format none", "-w", out),
		{"show", session}, {"show", session, "1-3"}, {"show", session, "1", "--json"},
		{"show", session, "1", "--as-ovn-trace"},
		with("verify"), with("verify --json"), with("verify --no-infer --ct-profile linux"),
		{"verify", "--db", db, "-r", pod}, {"verify", "--db", db, "-r", pod, "--no-infer"},
		{"verify", "--db", db, "-r", pod, "--no-infer", "--json"},
		{"diff", "--db", db, "--db", filepath.Join(cases, "nodeport", "sb.db"), "-r", client, "-r", pod},
		{"diff", "--db", db, "--db", db, "-r", client, "--json"},
		{"trace", "--db", db, question}, {"trace", "--db", db, "--all", question},
		{"trace", "--db", db, "--json", question},
		{"trace", "--db", db, `inport == "` + evil + `"`}, {"trace", "--db", db, "no" + evil, "ip4"},
		with("conntrack list"), with("conntrack export"), {"conntrack", "list", session},
		with("conntrack list --chassis", evil),
		with("connections"), with("connections --full"), with("connections --csv"), with("connections --json"),
		with("connections --members"),
		with("why", "1"), with("why", "2"), with("why", client+":1"), with("why", evil),
		{"why", "1", "--session", session}, {"why", "nginx:3", "--session", session},
		with("who", "172.18.0.1"), with("who", "100.64.0.3", "--json"), with("who", "10.244.1.3:80"), with("who", evil),
		with("who", "172.18.0.1", "@"+evil),
		{"who", "172.18.0.1", "--session", session}, {"connections", "--session", session, "--full"},
		{"connections", "--session", session, "--json"},
		with("coverage"), with("coverage --json"), with("coverage --untouched --flows"), with("coverage --port", evil),
		{"coverage", "--session", session},
		with("report", "-o", page), with("report", "-o", "-"), with("report", "-o", page+"2", "--title", evil),
		with("report", "-o", filepath.Join(dir, "no", evil)),
		with("verify", "-w", out+"2"), with("verify", "--junit", filepath.Join(dir, "junit.xml")),
		with("verify --list --no-infer"), {"verify", "--db", db, "-r", pod, "--no-infer", "--list"},
		with("run --hops --format none", "-w", out+"3"), with("run --ovs=" + flows),
		with("run --ovs=" + flows + "@no" + "\x1b[31m"), with("run", "--ovs", evil),
		with("run --only", evil), with("run", "--filter", "conn == "+evil), with("run", "--pin", evil),
		with("run", "--ct-zones", client), with("run", "--nb", evil), with("run --db-time", evil),
		with("run", "--session", session+"2", "-w", filepath.Join(dir, evil, "x")), with("run", "--mtu", evil),
		with("verify", "--ignore", evil), with("verify", "--mtu", evil+"=1500"),
		{"run", "--case", dir}, {"verify", "--case", dir}, {"trace", "--case", dir, question}, {"run", "--case", evil},
		{"db", "gather", archive}, {"db", "info", archive}, {"db", "gather", "--json", archive},
		{"run", "--db", archive, "-r", client, "--explain-points"}, {"db", "info", archive + "!no" + evil},
		{"db", "info", archive + "!" + member}, {"db", "history", archive + "!" + member}, {"db", "diff", archive, db},
		{"db", "snapshot", archive, "of"}, {"db", "info", "snapshot:of"},
		{"wireshark", "extcap", "--extcap-interfaces"},
		{"wireshark", "extcap", "--capture", "--db", db, "--captures", client, "--fifo", out + "4"},
		{"wireshark", "extcap", "--capture", "--db", evil, "--captures", evil, "--fifo", out + "4"},
		{"wireshark", "install", "--plugins", filepath.Join(dir, evil), "--configuration", dir, "--extcap", dir},
		{"conntrack", "states", "-r", client}, {"conntrack", "states", "-r", evil}, {"conntrack", "import", client},
		{"conntrack", "import", evil}, {"demo", evil},
		{"lflow", "actions", "--db", db}, {"lflow", "annotate", "--db", db}, {"lflow", "lex"}, {"help", evil},
		{"completion", evil},
		{"trace", "--db", db, "-r", client + "#1"}, {"trace", "--db", db, "-r", client + "#9999"},
		{"trace", "--db", db, "--ct", evil, question}, {"trace", "--db", db, "--chassis", evil, question},
		{"trace", "--db", db, "--reply", question}, {"trace", "--db", db, "--all-chassis", question},
		{"trace", "--session", session, "--db", db, question},
		{"db", "info", db}, {"db", "info", "--json", db}, {"db", "history", db}, {"db", "history", "--json", db},
		{"db", "info", db, "--behaviour"},
		{"db", "diff", db, filepath.Join(cases, "nodeport", "sb.db")},
		{"db", "diff", "--json", db, filepath.Join(cases, "nodeport", "sb.db")},
		{"db", "gather", dir}, {"db", "snapshot", db, "x" + evil}, {"db", "snapshot", db, "plain"}, {"db", "list"},
		{"db", "rm", "no" + evil},
		{"db", "info", "no" + evil}, {"run", "--db", evil, "-r", client}, {"run", "--db", db, "-r", evil},
		{"run", "--db", db, "-r", client + "@no" + evil},
		{"run", "--db", db, "-r", client + "@any@no" + evil}, {"run", "--format", evil}, {"run", "--" + evil}, {evil},
		{"run", evil},
		with("run --filter", evil), with("run --pcap-filter", evil), with("run --offset", evil+"=1s"),
		with("run --ct-import", client),
		{"lflow", "match", "--db", db}, {"show", evil}, {"show", session, evil},
		{"run", "--db", db, "-r", arp}, {"run", "--db", db, "-r", arp + "@" + podPort},
		{"verify", "--db", db, "-r", arp},
		{"report", "--db", db, "-r", arp, "-o", filepath.Join(dir, name+"page")},
		with("run", "--session", filepath.Join(dir, name+"s.db")),
		with("run", "--session", filepath.Join(dir, name+"s.db")),
		with("verify", "-w", filepath.Join(dir, name+"out")), {"demo", "--keep", filepath.Join(dir, name+"demo")},
		{"wireshark", "install", "--plugins", filepath.Join(dir, name+"p"), "--configuration", dir, "--extcap", dir},
	} {
		var stdout, stderr bytes.Buffer
		status := run(t.Context(), args, strings.NewReader("ip4 && \""+evil+"\nip4.src == @\x1b[31m\n"), &stdout,
			&stderr)
		label := strings.ReplaceAll(strings.Join(args, " "), evil, "EVIL")
		shown += strings.Count(stdout.String(), "pwn")
		if args[0] != "lflow" && stdout.Len()+stderr.Len() == 0 && status != exitOK {
			t.Errorf("%q: exit status %d, and nothing is said", label, status)
		}
		for _, text := range []string{stdout.String(), stderr.String()} {
			if fault := harmless(text, args[0] != "lflow"); fault != "" {
				t.Errorf("%q: %s in %.300q", label, fault, text)
			}
		}
	}
	harmlessFiles(t, page, page+"2", filepath.Join(dir, "junit.xml"))
	if shown < 100 {
		t.Errorf("the evil names are shown %d times: the test shows little", shown)
	}
	for _, out := range []string{out, out + "2", out + "3"} {
		harmlessCapture(t, out)
	}
}

// evilArchive is a tar file that holds a database under an evil name.
func evilArchive(t *testing.T, db string) (archive, member string) {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	name := "must-gather/" + strings.ReplaceAll(evil, "\x00", "")
	member = name + "/sb.db"
	text := read(t, db)
	for _, file := range []struct {
		name string
		text []byte
	}{{member, text}, {name + "/broken.db", []byte("OVSDB JSON 99999999 x\n")},
		{name + "/conntrack.txt", []byte("tcp,orig=(src=\x1b[31m")}} {
		err := w.WriteHeader(&tar.Header{Name: file.name, Mode: 0o600, Size: int64(len(file.text)),
			Format: tar.FormatPAX})
		if _, bad := w.Write(file.text); err != nil || bad != nil {
			t.Fatal(err, bad)
		}
	}
	w.Close()
	archive = filepath.Join(t.TempDir(), "gathered.tar")
	if err := os.WriteFile(archive, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return archive, member
}

// harmlessFiles checks files that people open.
func harmlessFiles(t *testing.T, files ...string) {
	t.Helper()
	for _, file := range files {
		text, lines := string(read(t, file)), true
		if _, data, ok := strings.Cut(text, `id="data">`); ok {
			text, lines = pageText(t, data), false // a browser makes one line of them
		}
		if fault := harmless(text, lines); fault != "" || !strings.Contains(text, "pwn") {
			t.Errorf("%s: %s", file, fault)
		}
	}
}

// pageText is all text that a page holds packed.
func pageText(t *testing.T, data string) string {
	t.Helper()
	data, _, _ = strings.Cut(data, "<")
	z, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(strings.TrimSpace(data))))
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.NewDecoder(z).Decode(&v); err != nil {
		t.Fatal(err)
	}
	var all []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			all = append(all, v)
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			for k, x := range v {
				all = append(all, k)
				walk(x)
			}
		}
	}
	walk(v)
	return strings.Join(all, " ")
}

// harmlessCapture checks what Wireshark shows of an annotated capture.
func harmlessCapture(t *testing.T, out string) {
	t.Helper()
	capture := tsharked(t, out, "-T", "fields", "-e", "frame.comment", "-e", "frame.interface_name", "-e",
		"frame.interface_description")
	if fault := harmless(strings.ReplaceAll(capture, "\\n", ""), true); fault != "" ||
		!strings.Contains(capture, `\x1b`) {
		t.Errorf("the annotated capture: %s in %.600q", fault, capture)
	}
}

// hostileCapture is a capture whose section, interface, name resolution, secrets, frame and custom options
// have evil texts.
func hostileCapture(t *testing.T) string {
	t.Helper()
	option := func(code uint16, v string) string {
		b := binary.LittleEndian.AppendUint16(nil, code)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(v)))
		return string(b) + v + strings.Repeat("\x00", -len(v)&3)
	}
	texts := func(codes ...uint16) (all string) {
		for _, code := range codes {
			all += option(code, "kept"+evil+"\xff")
		}
		return all + option(2988, "\x01\x00\x00\x00kept"+evil) + option(0, "")
	}
	const comment, filter = 1, 11
	return written(t, "hostile.pcapng", []byte(
		block(0x0a0d0d0a, "\x4d\x3c\x2b\x1a\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"+texts(comment, 2, 3, 4))+
			block(1, "\x01\x00\x00\x00\x00\x00\x04\x00"+option(filter, "\x00kept"+evil)+texts(comment, 2, 3, 12, 15))+
			block(4, option(1, "\x0a\x01\x02\x03kept"+evil+"\x00second\x00")+option(2, strings.Repeat("\x20", 16)+evil)+
				option(0, "")+texts(comment, 2))+
			block(10, "KSLT\x05\x00\x00\x00K=\xff\x1b1\x00\x00\x00"+texts(comment))+
			ngFrame(t, option(comment, "one\r\ntwo lines")+texts(comment))+
			block(4, option(1, "\x0a\x01\x02\x04last"+evil)+option(0, ""))))
}

// What a capture carries beside its packets is written again, and does nothing to a terminal: but the lines
// of comments, and data such as secrets.
func TestHostileCaptureIsWrittenLegibly(t *testing.T) {
	capture, out := hostileCapture(t), filepath.Join(t.TempDir(), "out.pcapng")
	for _, command := range []string{"run --format none", "verify"} {
		status, _, errs := replayed(t, append(strings.Fields(command), "-w", out, "--db",
			filepath.Join(cases, "nodeport", "sb.db"), "-r", capture+"@breth0_ovn-worker")...)
		text := string(read(t, out))
		for _, raw := range []string{"\x1b]0", "\x1b[31m", "\u009b", "\u202e", "pwn\x07", "line\r"} {
			if strings.Contains(text, raw) {
				t.Errorf("%s: status %d, %q is in the capture as it was; %s", command, status, raw, errs)
			}
		}
		// Section: a comment, OS, hardware, and what made it; interface: a comment, filter, OS, hardware, a custom
		// option, and what it was called; name resolution: two names, a comment, a name server, a custom option.
		for _, want := range []string{`kept\x1b]0;pwn\x07\x1b[31m`, `\x00\u009b31m\u202egnp.exe`, "one\ntwo lines",
			"\x0a\x01\x02\x03kept" + `\x1b]0;pwn`, "\x00second\x00",
			"\x0a\x01\x02\x04last" + `\x1b]0;pwn`, "K=\xff\x1b1"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is not in the capture", command, want)
			}
		}
		if n := strings.Count(text, `kept\x1b]0;pwn`); n < 16 {
			t.Errorf("%s: %d of the capture's texts are kept", command, n)
		}
		harmlessCapture(t, out)
	}
}

func jsonText(s string) string {
	b, _ := json.Marshal(s)
	return string(b[1 : len(b)-1])
}
