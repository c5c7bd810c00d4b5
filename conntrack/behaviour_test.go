package conntrack

import (
	"strings"
	"testing"
)

// Each behaviour with the last release that lacks it and the first that has it.
// The kernel's tracker has none of them.
func TestBehaviours(t *testing.T) {
	type edge struct{ without, with Release }
	edges := [behaviours][]edge{
		FreshReplies:         {{OVS30, OVS217}, {OVS31, OVS32}},
		TranslatesQuotes:     {{OVS30, OVS31}},
		TracksSCTP:           {{OVS31, OVS32}},
		EightRecirculations:  {{OVS32, OVS33}},
		CompletesChecksums:   {{0x0305, OVS36}},
		MovesICMPIDs:         {{0x0307, OVS40}},
		ReadsQuotedFragments: {{0x0305, OVS36}},
		PatchesPartialSums:   {{OVS32, OVS31}},
	}
	names := map[string]bool{}
	for b := range behaviours {
		k := traits[b]
		if names[k.name] || k.name == "" || k.what == "" || !strings.Contains(k.authority, "commit") {
			t.Errorf("behaviour %d: %+v is not told apart, told or proved", b, k)
		}
		names[k.name] = true
		if len(edges[b]) == 0 {
			t.Errorf("%s is in no test", k.name)
		}
		for _, e := range edges[b] {
			if (Options{Profile: OVSUserspace, OVS: e.without}).Has(b) ||
				!(Options{Profile: OVSUserspace, OVS: e.with}).Has(b) {
				t.Errorf("%s: not as in %v and %v", k.name, e.without, e.with)
			}
			if (Options{OVS: e.with}).Has(b) {
				t.Errorf("%s: the kernel has it", k.name)
			}
		}
	}
	if !(Options{Profile: OVSUserspace, OVS: OVS31, FreshReplies: true}).Has(FreshReplies) {
		t.Error("fresh-replies: the setting does not count")
	}
	if !(Options{Profile: OVSUserspace}).Has(TranslatesQuotes) {
		t.Error("without a release it is not Open vSwitch 3.1")
	}
}

// A table that comes out of a snapshot behaves as the one that went in.
func TestRestoredBehaviour(t *testing.T) {
	for _, o := range []Options{{}, {Profile: OVSUserspace, OVS: OVS217}, {Profile: OVSUserspace, OVS: OVS40}} {
		was := NewTable(o)
		is, err := Restore(was.Snapshot(nil), o, nil)
		if err != nil {
			t.Fatal(err)
		}
		if is.behaves != was.behaves {
			t.Errorf("%+v: %v, was %v", o, is.behaves, was.behaves)
		}
	}
}
