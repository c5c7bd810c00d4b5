package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// A chassis that does not take part in interconnection is named before any packet is dropped
// for it, by whoever joins the zones; where all take part nothing is said.
func TestZonesWithoutInterconnection(t *testing.T) {
	t.Parallel()
	const pods = cases + "/ic-pods/"
	dir := t.TempDir()
	content := gunzip(t, read(t, pods+"sb-node1.db.gz"))
	node := `"name":"7c1f5a1c-9a0e-4f5b-8a43-10c1a0000001"`
	at := strings.Index(string(content), node)
	own := string(content[at:])
	own = own[:strings.Index(own, `["is-interconn","true"]`)] + `["is-interconn","true"]`
	put(t, filepath.Join(dir, "1.db"), withoutText(t, content, own, strings.ReplaceAll(own, `terconn","true"]`,
		`terconn","none"]`)))
	put(t, filepath.Join(dir, "2.db.gz"), read(t, pods+"sb-node2.db.gz"))
	want := "chassis node1 of zone node1 has no is-interconn=true: it has no tunnels to chassis of other zones"
	for _, args := range [][]string{{"db", "gather", dir}, {"run", "--db", dir, "-r", pods + "pod1.pcap"}} {
		_, _, errs := replayed(t, args...)
		if strings.Count(errs, "is-interconn") != 1 || !strings.Contains(errs, want) {
			t.Errorf("%v: %q is not said once: %s", args, want, errs)
		}
	}
	for _, name := range []string{"ic-az", "ic-az-26.03", "ic-changes", "ic-nodeport", "ic-egress-moves-25.03",
		"ic-warm"} {
		if _, _, errs := replayed(t, "verify", "--case", cases+"/"+name); strings.Contains(errs, "is-interconn") {
			t.Errorf("%s: %s", name, errs)
		}
	}
}
