package southbound_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"ovnreplay/sim/network"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

// A backend that changes at second 2, and a change of no consequence at
// second 3, which makes no other network.
func TestFollow(t *testing.T) {
	t.Parallel()
	path := ""
	for _, p := range cases(t) {
		if filepath.Ext(p) == ".db" {
			path = p
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	db, _ := load(t, path)
	lb := db.Table("Load_Balancer").Rows()[0].UUID.String()
	global := db.Table("SB_Global").Rows()[0].UUID.String()
	later := func(s int) time.Time { return db.Time.Add(time.Duration(s) * time.Second) }
	millis := func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
	text = append(text, record(`{"Load_Balancer":{"`+lb+`":{"vips":["map",[["192.0.2.1:80","192.0.2.2:8080"]]]}},`+
		`"_date":`+millis(later(2))+`}`)...)
	text = append(text, record(`{"SB_Global":{"`+global+`":{"nb_cfg":12345}},"_date":`+millis(later(3))+`}`)...)
	file := filepath.Join(t.TempDir(), "sb.db")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := southbound.Follow(context.Background(), []string{file}, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	backend := func(n *network.Network) string {
		for _, l := range n.LoadBalancers {
			if l.UUID == lb && len(l.VIPs) == 1 && len(l.VIPs[0].Backends) == 1 {
				return l.VIPs[0].Backends[0].String()
			}
		}
		return ""
	}
	for _, c := range []struct {
		second  int
		changed bool
		after   bool // the change of the backend
		more    bool
	}{{-100, true, false, true}, {1, false, false, true}, {2, true, true, true}, {4, false, true, false}} {
		n, changed, err := f.At(later(c.second))
		if err != nil {
			t.Fatal(err)
		}
		if changed != c.changed || (backend(n) == "192.0.2.2:8080") != c.after {
			t.Errorf("second %d: changed %v, backend %q", c.second, changed, backend(n))
		}
		if _, more := f.Next(); more != c.more {
			t.Errorf("second %d: more to come: %v", c.second, more)
		}
	}
	if w := f.Warnings(); len(w) != 0 {
		t.Error(w)
	}
}
