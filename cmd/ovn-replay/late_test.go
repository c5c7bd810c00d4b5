package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"

	"ovnreplay/sim/recording"
)

// lateUnknown are recordings that differ when all their captures begin in the middle, by
// what the rest does not tell; that they do is tested too.
var lateUnknown = map[string]map[string]string{
	"0.25": {
		"cloud-network-function-26.03": "which way a connection went through a network function",
		"cloud-stale-25.03":            "where a port was that is gone when the captures begin",
		"cloud-stale-26.03":            "where a port was that is gone when the captures begin",
		"cloud-remote-25.03":           "what the zone that is not given had sent",
		"cloud-virtual":                "who had announced the virtual address",
		"cloud-vrrp-26.03":             "what was on its way to an address that moves",
		"cloud-vlan-tenant-25.03":      "what wires between chassis carried",
		"kube-cold-ingress-24.03":      "a connection whose packets OVN translates now so, now otherwise",
		"kube-ctl-snooping":            "which groups were joined",
	},
	"0.5": {
		"cloud-activation-26.03":       "which chassis a port was active on",
		"cloud-stale-25.03":            "where a port was that is gone when the captures begin",
		"cloud-stale-26.03":            "where a port was that is gone when the captures begin",
		"cloud-remote-26.03":           "what the zone that is not given had sent",
		"kube-cold-unanswered":         "of what the packets come that are left",
		"kube-cold-ingress":            "a connection whose packets OVN translates now so, now otherwise",
		"kube-ctl-snooping":            "which groups were joined",
		"kube-icmp-id-collision":       "which ids were taken",
		"kube-icmp-id-collision-24.03": "which ids were taken",
		"kube-icmp-id-collision-25.03": "which ids were taken",
		"kube-icmp-id-collision-26.03": "which ids were taken",
	},
}

// Of every recording, only the last half or three quarters of its time: what was before is
// inferred from what is seen, and where nothing shows it, nothing is said to differ.
func TestCapturesFromTheMiddle(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(cases, "*", "case.json"))
	if err != nil || len(files) < 300 {
		t.Fatalf("%d cases, %v", len(files), err)
	}
	for _, file := range files {
		var c recording.Case
		if err := json.Unmarshal(read(t, file), &c); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if len(c.DB) > 1 {
			continue
		}
		dir := filepath.Dir(file)
		for begin, unknown := range lateUnknown {
			t.Run(filepath.Base(dir)+"/"+begin, func(t *testing.T) {
				t.Parallel()
				args := mutated(t, dir, "lateall="+begin, 1).save(t, t.TempDir())
				status, out, errs := replayed(t, append([]string{"verify", "-q"}, args...)...)
				switch why, ok := unknown[filepath.Base(dir)]; {
				case ok && status == exitOK:
					t.Errorf("verifies, although nothing tells %s", why)
				case !ok && status != exitOK:
					t.Errorf("status %d\n%.1000s%.300s", status, out, errs)
				}
			})
		}
	}
}

// A port whose machine announced itself before the captures was active: what it sends went on.
func TestPortActivatedBeforeTheCaptures(t *testing.T) {
	t.Parallel()
	c := mutated(t, filepath.Join(cases, "cloud-activation-26.03"), "", 1)
	var begin int64 // with the first packet after the announcement that the port itself sends
	for _, x := range c.captures {
		if x.file == "vm2b.pcap" {
			begin = x.frames[5].ts
		}
	}
	for _, x := range c.captures {
		x.frames = slices.DeleteFunc(x.frames, func(f wildFrame) bool { return f.ts < begin })
	}
	status, out, errs := replayed(t, append([]string{"verify"}, c.save(t, t.TempDir())...)...)
	if status != exitOK {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
}
