package sim_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// What replays is a library: whoever imports it gets no database client, no
// session file and no command line with it.
func TestRooms(t *testing.T) {
	t.Parallel()
	const most = 15 // modules besides the standard library and this one
	banned := []string{"ovnreplay/store", "ovnreplay/cmd", "github.com/ovn-org/libovsdb", "go.etcd.io/bbolt", "github.com/spf13/cobra"}
	for _, room := range []string{
		"sim", "sim/replay", "sim/why", "sim/ledger", "sim/table", "sim/trace", "sim/network", "sim/answer", "sim/archive", "sim/microflow", "sim/openflow",
		"sim/field", "sim/lflow", "sim/packet", "conntrack", "nat", "pcap", "pcap/filter",
	} {
		out, err := exec.Command("go", "list", "-deps", "-f", "{{.ImportPath}} {{with .Module}}{{.Path}}{{end}}", "ovnreplay/"+room).Output()
		if err != nil {
			t.Fatalf("go list %s: %v", room, err)
		}
		modules := map[string]bool{}
		for line := range strings.Lines(string(out)) {
			path, module, _ := strings.Cut(strings.TrimSpace(line), " ")
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
		"nat": {}, "sim/field": {}, "sim/lflow": {"sim/field"}, "conntrack": {"nat", "conntrack/coding"},
	} {
		out, err := exec.Command("go", "list", "-deps", "ovnreplay/"+room).Output()
		if err != nil {
			t.Fatalf("go list %s: %v", room, err)
		}
		for path := range strings.Lines(string(out)) {
			path, ours := strings.CutPrefix(strings.TrimSpace(path), "ovnreplay/")
			if ours && path != room && !slices.Contains(knows, path) {
				t.Errorf("%s depends on %s", room, path)
			}
		}
	}
}
