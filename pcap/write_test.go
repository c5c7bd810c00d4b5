package pcap

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// writeAnnotated writes client and pod side as two interfaces, the way the
// program annotates a session.
func writeAnnotated(t *testing.T, path string) (packets []Packet) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := NewWriter(f, Section{Application: "ovn-replay", OS: "any", Hardware: "box",
		Comments: []string{"a session"}})
	if err != nil {
		t.Fatal(err)
	}
	var sources []Source
	for _, name := range []string{"testdata/client.pcap", "testdata/nginx.any.pcap"} {
		r, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		sources = append(sources, r)
	}
	all, err := readAll(NewMerge(sources...))
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"breth0_ovn-worker", "default_nginx"}
	links := []LinkType{LinkEthernet, LinkSLL2}
	added := map[int]int{}
	for _, r := range all {
		id, ok := added[r.Capture]
		if !ok { // interfaces come when first needed, between packets
			if id, err = w.AddInterface(InterfaceInfo{Name: names[r.Capture], Description: "logical port",
				LinkType: links[r.Capture], Filter: "ip"}); err != nil {
				t.Fatal(err)
			}
			added[r.Capture] = id
		}
		p := Packet{Interface: id, Time: r.Time + 7, Data: bytes.Clone(r.Data), OrigLen: r.OrigLen,
			Direction: Direction(1 + r.Capture),
			Comments:  []string{"verdict: delivered", "nat: 10.0.0.1:80 → 10.0.0.2:8080"}}
		if err := w.WritePacket(&p); err != nil {
			t.Fatal(err)
		}
		packets = append(packets, p)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return packets
}

func TestTsharkReadsBack(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "out.pcapng")
	packets := writeAnnotated(t, path)
	out := run(t, "tshark", "-r", path, "-T", "fields", "-e", "frame.number", "-e", "frame.interface_name", "-e",
		"frame.comment",
		"-e", "frame.packet_flags_direction", "-e", "frame.time_epoch", "-e", "frame.len", "-E", "separator=|", "-E",
		"aggregator=;")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != len(packets) || len(lines) != 41 {
		t.Fatalf("%d lines for %d packets, want 41", len(lines), len(packets))
	}
	first := strings.Split(lines[0], "|")
	if first[0] != "1" || first[1] != "breth0_ovn-worker" ||
		first[2] != "verdict: delivered;nat: 10.0.0.1:80 → 10.0.0.2:8080" ||
		first[3] != "0x00000001" || first[4] != "1795341635.545492007" || first[5] != "80" && first[5] != "74" {
		t.Errorf("first line %q", lines[0])
	}
	names := map[string]int{}
	for _, l := range lines {
		names[strings.Split(l, "|")[1]]++
	}
	if names["breth0_ovn-worker"] != 21 || names["default_nginx"] != 20 {
		t.Errorf("packets per interface: %v", names)
	}
}

func TestReadBack(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "out.pcapng")
	packets := writeAnnotated(t, path)
	got := readFile(t, path)
	if len(got) != len(packets) {
		t.Fatalf("%d records, want %d", len(got), len(packets))
	}
	for i, p := range packets {
		g := got[i]
		if g.Time != p.Time || !bytes.Equal(g.Data, p.Data) || g.OrigLen != p.OrigLen || g.Direction != p.Direction ||
			g.Interface.ID != p.Interface || !reflect.DeepEqual(g.Comments, p.Comments) {
			t.Errorf("packet %d: %+v, want %+v", i+1, g, p)
		}
	}
	i := got[0].Interface
	if i.Name != "breth0_ovn-worker" || i.Description != "logical port" || i.Filter != "ip" ||
		i.LinkType != LinkEthernet {
		t.Errorf("interface %+v", i)
	}
}

func TestLongComments(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("päckchen→", 20000) // 240,000 bytes, characters straddling the bound
	var b bytes.Buffer
	w, err := NewWriter(&b, Section{})
	if err != nil {
		t.Fatal(err)
	}
	w.AddInterface(InterfaceInfo{Name: strings.Repeat("n", 70000), LinkType: LinkEthernet})
	for _, c := range [][]string{{long}, {"short", "", strings.Repeat("x", maxOption), "bad \xff utf8"}} {
		if err := w.WritePacket(&Packet{Data: []byte("x"), Comments: c}); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	path := filepath.Join(t.TempDir(), "long.pcapng")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	got := readFile(t, path)
	if strings.Join(got[0].Comments, "") != long {
		t.Error("the parts of a long comment do not add up to it")
	}
	for _, c := range got[0].Comments {
		if len(c) > maxOption || !utf8.ValidString(c) {
			t.Errorf("a part of %d bytes, valid %v", len(c), utf8.ValidString(c))
		}
	}
	if want := []string{"short", strings.Repeat("x", maxOption), "bad \uFFFD utf8"}; !reflect.DeepEqual(got[1].Comments,
		want) {
		t.Errorf("%d comments", len(got[1].Comments))
	}
	if n := len(got[0].Interface.Name); n != maxOption {
		t.Errorf("a name of %d bytes", n)
	}
	if n := strings.Count(run(t, "tshark", "-r", path, "-T", "fields", "-e", "frame.number"), "\n"); n != 2 {
		t.Errorf("tshark reads %d frames", n)
	}
}

func TestWriterRefuses(t *testing.T) {
	t.Parallel()
	w, err := NewWriter(new(bytes.Buffer), Section{})
	if err != nil {
		t.Fatal(err)
	}
	w.AddInterface(InterfaceInfo{})
	for want, p := range map[string]Packet{
		"packet 1: interface 1 of 1; add it first":                                                    {Interface: 1},
		"packet 1: time -1 ns lies before 1970, which pcapng cannot say; correct the capture's clock": {Time: -1},
		"packet 1: a block of 17000048 bytes is more than readers take (16777216); shorten its comments": {
			Data: make([]byte,
				17000016)},
	} {
		w.packets = 0
		if err := w.WritePacket(&p); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
