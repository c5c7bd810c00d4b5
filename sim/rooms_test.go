package sim_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Numbers of headers, checksums, the walks over extension headers and over TCP's
// options are in nat/header alone.
func TestHeadersHaveOneHome(t *testing.T) {
	t.Parallel()
	banned := bannedHeaders
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") ||
			strings.Contains(filepath.ToSlash(path), "nat/header/") ||
			strings.Contains(filepath.ToSlash(path), "testdata/") {
			return err
		}
		text, err := os.ReadFile(path)
		for i, line := range strings.Split(string(text), "\n") {
			code, _, _ := strings.Cut(line, "//")
			if m := banned.FindString(quoted.ReplaceAllString(code, "")); m != "" {
				t.Errorf("%s:%d has %s of its own; nat/header has it", path, i+1, m)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A command is flags in, calls out: what it does is in a library.
func TestCommandIsThin(t *testing.T) {
	t.Parallel()
	const most = 2500
	names, err := filepath.Glob("../cmd/ovn-replay/*.go")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	lines := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines += strings.Count(string(text), "\n")
	}
	if lines >= most {
		t.Errorf("cmd/ovn-replay has %d lines without its tests, of fewer than %d: move what is logic to a library",
			lines, most)
	}
}

// bannedHeaders are EtherTypes, protocols, TCP flags and folds of the Internet checksum, however
// they are written.
var bannedHeaders = regexp.MustCompile(`(?i:\b0x(0800|0806|8035|8100|88a8|86dd|8847)\b)|crc32\.Castagnoli` +
	`|case 0, 43, 60` +
	`|\+ ?\w+ ?>> ?16\b|\b(sum|acc|s|total) ?>> ?16|\b(tcp|flag)(FIN|SYN|RST|PSH|ACK|URG)\b|opts?\[opts?\[1\]:\]` +
	`|(?i:proto(col)?\)? *[!=]= *(1|2|6|17|58|132)\b)|(?i:\b(1|2|6|17|58|132) *[!=]= *\w*proto(col)?\b)` +
	`|(?i:flags?\)? ?& ?(0x)?0*(1|2|4|8|10|12|17|18|20)\b)`)

// The test finds what it is for.
func TestBannedHeaders(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"t == 0x86DD", "t == 0x88a8", "if protocol == 6 {", "if 17 == proto {", "proto != 58",
		"if flags&0x02 != 0 {", "f&1 == flags & 4", "sum = sum&0xffff + total>>16", "x = y + sum >> 16"} {
		if !bannedHeaders.MatchString(code) {
			t.Errorf("%s is not seen", code)
		}
	}
	for _, code := range []string{"header.EtherIPv6", "proto == header.ProtoTCP", "flags&header.FlagSYN", "h >> 16"} {
		if m := bannedHeaders.FindString(code); m != "" {
			t.Errorf("%s is taken for a number: %s", code, m)
		}
	}
}

var quoted = regexp.MustCompile("\"[^\"]*\"|`[^`]*`")

// What replays is a library: whoever imports it gets no database client, no
// session file and no command line with it.
func TestRooms(t *testing.T) {
	t.Parallel()
	const most = 15 // modules besides the standard library and this one
	banned := []string{"ovnreplay/store", "ovnreplay/cmd", "github.com/ovn-org/libovsdb", "go.etcd.io/bbolt",
		"github.com/spf13/cobra"}
	for _, room := range []string{
		"sim", "sim/replay", "sim/why", "sim/ledger", "sim/table", "sim/trace", "sim/network", "sim/answer",
		"sim/archive", "sim/microflow", "sim/openflow",
		"sim/field", "sim/lflow", "sim/packet", "conntrack", "nat", "nat/header", "pcap", "pcap/filter",
	} {
		modules := map[string]bool{}
		for path, module := range dependencies(t, room) {
			if slices.ContainsFunc(banned, func(b string) bool { return path == b || strings.HasPrefix(path, b+"/") }) {
				t.Errorf("%s depends on %s", room, path)
			}
			if module != "" && module != "ovnreplay" {
				modules[module] = true
			}
		}
		if len(modules) > most {
			t.Errorf("%s depends on %d modules, more than %d: %v", room, len(modules), most, modules)
		}
		t.Logf("%s: %d modules", room, len(modules))
	}
	// conntrack, nat, field and lflow also know nothing of OVN's rooms.
	for room, knows := range map[string][]string{
		"nat/header": {}, "nat": {"nat/header"}, "sim/field": {}, "sim/lflow": {"sim/field", "nat/header"},
		"conntrack": {"nat", "nat/header", "conntrack/coding"},
		"pcap":      {"nat/header", "pcap/filter", "pcap/compressed"},
	} {
		for path := range dependencies(t, room) {
			path, ours := strings.CutPrefix(path, "ovnreplay/")
			if ours && path != room && !slices.Contains(knows, path) {
				t.Errorf("%s depends on %s", room, path)
			}
		}
	}
}

// dependencies are the packages that a room depends on, itself too, with their modules.
func dependencies(t *testing.T, room string) map[string]string {
	t.Helper()
	graph, err := importGraph()
	if err != nil || graph["ovnreplay/"+room] == nil {
		t.Fatalf("%s: %v", room, err)
	}
	found := map[string]string{}
	for queue := []string{"ovnreplay/" + room}; len(queue) > 0; queue = queue[1:] {
		p := graph[queue[0]]
		if _, known := found[p.path]; known {
			continue
		}
		found[p.path] = p.module
		queue = append(queue, p.imports...)
	}
	return found
}

type imported struct {
	path, module string
	imports      []string
}

// importGraph is which package imports which.
var importGraph = sync.OnceValues(func() (map[string]*imported, error) {
	out, err := exec.Command("go", "list", "-deps", "-f",
		`{{.ImportPath}} {{with .Module}}{{.Path}}{{else}}-{{end}}{{range .Imports}} {{.}}{{end}}`,
		"ovnreplay/...").Output()
	graph := map[string]*imported{"C": {path: "C"}}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		graph[words[0]] = &imported{words[0], strings.TrimPrefix(words[1], "-"), words[2:]}
		// the standard library names what it carries with it by another path
		graph[strings.TrimPrefix(words[0], "vendor/")] = graph[words[0]]
	}
	return graph, err
})
