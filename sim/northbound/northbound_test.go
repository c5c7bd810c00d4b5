package northbound

import (
	"archive/tar"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ovnreplay/sim/network"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

const recorded = "../../testdata/cases/nodeport/"

func TestLoad(t *testing.T) {
	t.Parallel()
	objects, err := Open(context.Background(), recorded+"nb.db", store.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, o := range objects.All {
		all.WriteString(o.String() + "\n")
	}
	for _, want := range []string{
		`load balancer "Service_default/nginx-np_TCP_node_router+switch_ovn-worker" of switch ovn-worker`,
		"(tcp 172.18.0.4:30007 -> 10.244.1.3:80) for Service default/nginx-np",
		`"Service_default/nginx-np_TCP_cluster" of switch ovn-worker, by group clusterLBGroup, and 5 more (tcp 10.96.`,
		"of router GR_ovn-worker (snat 172.18.0.4 <-> 10.244.0.0/16)",
		"of router GR_ovn-worker (10.244.0.0/16 via 100.64.0.1)",
		"(from 10.244.1.0/24 via 100.64.0.3)",
		"of router ovn_cluster_router (101 allow: ip4.src == 10.244.0.0/16 && ip4.dst == 100.64.0.0/16)",
		"(to-lport 1001 allow-related: ip4.src==10.244.1.2)",
	} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("no %s", want)
		}
	}
	if _, err := Open(context.Background(), recorded+"sb.db", store.Options{}, nil); err == nil {
		t.Error("a Southbound database was taken for it")
	}
}

// Neutron's routers and networks are called as its users call them.
func TestCalled(t *testing.T) {
	t.Parallel()
	objects, err := InCase(context.Background(), "../../testdata/reports/23.03/os-sg-drop", store.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	called := 0
	for _, o := range objects.All {
		if o.Table == "NAT" || o.Table == "Logical_Router_Static_Route" {
			called++
			if o.Of != "router router1" && o.Of != "router router2" {
				t.Errorf("%s is of %q", o, o.Of)
			}
		}
	}
	if called == 0 {
		t.Error("there is nothing of a router")
	}
}

// Every flow that says where it comes from leads to a row of a table that fits
// its stage.
func TestHints(t *testing.T) {
	t.Parallel()
	objects, err := Open(context.Background(), recorded+"nb.db", store.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	net, _, err := southbound.Open(context.Background(), recorded+"sb.db", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	hinted := 0
	for _, f := range net.Flows {
		o := objects.ForFlow(f)
		if f.StageHint == "" {
			if o != nil {
				t.Errorf("flow %s has no hint and comes from %s", f.UUID, o)
			}
			continue
		}
		hinted++
		switch {
		case o == nil:
			t.Errorf("flow %s of %s: nothing begins with %s", f.UUID, f.Stage, f.StageHint)
		case o.Table == "ACL" && !strings.Contains(f.Stage, "acl"):
			t.Errorf("flow %s of %s comes from %s", f.UUID, f.Stage, o)
		}
	}
	if hinted < 100 {
		t.Errorf("only %d flows have hints", hinted)
	}
	if !describes(objects, net) || describes(objects, &network.Network{}) {
		t.Error("which network the database describes is not told")
	}
}

// Of a must-gather of several zones every zone's database is found, of which one may be
// there twice, and of one zone its own; whatever the files are called and how they are packed.
func TestBeside(t *testing.T) {
	t.Parallel()
	const zones = "../../testdata/cases/ic-egress-moves-25.03/"
	var members []string
	for _, n := range []string{"1", "2", "3"} {
		members = append(members, "nb-node"+n+".db.gz as ovnkube-node-sb"+n+"_nbdb", "sb-node"+n+
			".db.gz as ovnkube-node-sb"+n+"_sbdb")
	}
	members = append(members, "nb-node1.db.gz as before/copy")
	dir, apart := t.TempDir(), t.TempDir()
	lay(t, dir, zones, members)
	lay(t, apart, zones, []string{"sb-node2.db.gz as database", "nb-node1.db.gz as North-1",
		"nb-node2.db.gz as North-2"})
	tarred := filepath.Join(t.TempDir(), "store.tar")
	pack(t, tarred, dir)
	all := []string{"1", "2", "3"}
	for _, c := range []struct {
		name   string
		source []string
		zones  []string
	}{
		{"directory", []string{dir}, all},
		{"archive", []string{tarred}, all},
		{"member of an archive", []string{tarred + "!ovnkube-node-sb2_sbdb"}, []string{"2"}},
		{"files", []string{dir + "/ovnkube-node-sb1_sbdb", dir + "/ovnkube-node-sb3_sbdb"}, []string{"1", "3"}},
		{"called otherwise", []string{apart + "/database"}, []string{"2"}},
	} {
		var net network.Network
		for _, n := range c.zones {
			zone, _, err := southbound.Open(context.Background(), zones+"sb-node"+n+".db.gz", store.Options{})
			if err != nil {
				t.Fatal(err)
			}
			net.Flows, net.Datapaths = append(net.Flows, zone.Flows...), append(net.Datapaths, zone.Datapaths...)
		}
		objects := Beside(context.Background(), c.source, store.Options{}, &net, nil)
		if objects == nil {
			t.Errorf("%s: nothing was found", c.name)
			continue
		}
		if got := len(strings.Split(objects.Source, ", ")); got != len(c.zones) {
			t.Errorf("%s: %s is taken for %d zones", c.name, objects.Source, len(c.zones))
		}
		for _, f := range net.Flows {
			if f.StageHint != "" && objects.ForFlow(f) == nil {
				t.Errorf("%s: nothing is known of flow %s of %s", c.name, f.UUID, f.Stage)
				break
			}
		}
	}
}

// lay copies files of a directory under names of their own.
func lay(t *testing.T, dir, from string, members []string) {
	t.Helper()
	for _, m := range members {
		file, name, _ := strings.Cut(m, " as ")
		data, err := os.ReadFile(from + file)
		name = filepath.Join(dir, name)
		if err == nil {
			err = errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, data, 0o644))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// pack makes a tar file of a directory.
func pack(t *testing.T, name, dir string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(f)
	if err := errors.Join(w.AddFS(os.DirFS(dir)), w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestCandidates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for source, want := range map[string]string{
		"tcp:10.0.0.1:6642":                     "tcp:10.0.0.1:6641",
		"ssl:[fd00::1]:6642,ssl:[fd00::2]:6642": "ssl:[fd00::1]:6641,ssl:[fd00::2]:6641",
		"tcp:10.0.0.1:1234":                     "", "snapshot:x": "", recorded + "sb.db": recorded + "nb.db", dir: "",
		dir + "/sb.db": "", "unix:" +
			filepath.Join(dir, "ovnsb_db.sock"): "",
	} {
		if got := strings.Join(candidates(source), " "); got != want {
			t.Errorf("%s: %q, want %q", source, got, want)
		}
	}
}
