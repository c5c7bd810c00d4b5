package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ovnreplay/sim/recording"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

// wildCases: one chassis and three, IPv4 and IPv6, TCP, UDP and ICMP, NAT,
// Geneve, VLAN.
var wildCases = []string{
	"nodeport", "clusterip", "egress-snat", "icmp", "udp-service", "kube-nodeport-v6", "kube-transfer",
	"cloud-l3-geneve", "cloud-snat", "cloud-fip-distributed", "cloud-vlan-tenant", "cloud-nat-v6", "cloud-mixed",
}

// wildMutations, each alone and then together.
var wildMutations = []string{
	"csum", "csum-local", "gso", "gro", "gso gro", "csum gso gro", "snap=128", "snap=64", "snapmix", "loss=0.01", "loss=0.05",
	"late=0.3", "early=0.7", "lateall=0.4", "dup", "dupall", "skew=0.7", "skew=3600000", "drift=100", "res=1000",
	"noarp", "untag", "any",
	"csum gso gro snap=128 loss=0.0005 dup skew=0.7 drift=20 res=10 noarp",
}

// With captures as engineers have them nothing is said to differ that does
// not, and nothing is said to be dropped that was delivered.
func TestWildCapturesVerify(t *testing.T) {
	for _, name := range wildCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(cases, name)
			clean := drops(t, "--case", dir)
			for _, m := range wildMutations {
				if only := os.Getenv("WILD"); only != "" && only != m && only != "all" {
					continue
				}
				seeds := 1
				if strings.Contains(m, "loss") {
					seeds = 3
				}
				for seed := range seeds {
					checkWild(t, dir, m, int64(seed+1), clean)
				}
			}
		})
	}
}

func checkWild(t *testing.T, dir, mutations string, seed int64, clean map[string]bool) {
	t.Helper()
	c := mutated(t, dir, mutations, seed)
	args := c.save(t, t.TempDir())
	status, out, errs := replayed(t, append([]string{"verify", "--json"}, args...)...)
	what := fmt.Sprintf("%s, seed %d", mutations, seed)
	var r replay.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Errorf("%s: %v: %s", what, err, errs)
		return
	}
	if n := len(r.Mismatched) + len(r.Missing) + len(r.Unexpected); status != exitOK || n > 0 {
		var text strings.Builder
		r.List = true
		r.Write(&text, false)
		t.Errorf("%s: exit status %d\n%.1500s%s", what, status, text.String(), errs)
	}
	for line := range drops(t, args...) {
		if !clean[line] {
			t.Errorf("%s: run drops what the network delivered: %s", what, line)
		}
	}
}

func mutated(t *testing.T, dir, mutations string, seed int64) *wildCase {
	t.Helper()
	var f recording.Case
	if err := json.Unmarshal(read(t, dir+"/case.json"), &f); err != nil {
		t.Fatal(err)
	}
	net, _, err := southbound.Open(context.Background(), filepath.Join(dir, f.DB[0]), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := openWild(t, dir, net)
	random := rand.New(rand.NewSource(seed))
	for _, m := range strings.Fields(mutations) {
		c.mutate(m, random)
	}
	return c
}

var flags = regexp.MustCompile(` \[[^\]]*\]`)

// drops are the packets that run says were dropped: by port, ends and reason.
func drops(t *testing.T, args ...string) map[string]bool {
	t.Helper()
	status, out, errs := replayed(t, append([]string{"run", "--json"}, args...)...)
	if status != exitOK {
		t.Fatalf("run: exit status %d: %s", status, errs)
	}
	found := map[string]bool{}
	d := json.NewDecoder(strings.NewReader(out))
	for d.More() {
		var r replay.Record
		if err := d.Decode(&r); err != nil {
			t.Fatal(err)
		}
		if r.Verdict == "dropped" {
			found[r.Inport+" "+flags.ReplaceAllString(r.Packet, "")] = true
		}
	}
	return found
}
