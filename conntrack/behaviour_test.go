package conntrack

import (
	"strings"
	"testing"
)

// Each behaviour with the last release that lacks it and the first that has it.
// The kernel's tracker has none of them but those of ovs-vswitchd, which it is a datapath of.
func TestBehaviours(t *testing.T) {
	t.Parallel()
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
		FlushesTuples:        {{OVS30, OVS31}},
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
			if (Options{OVS: e.with}).Has(b) != k.daemon || (Options{OVS: e.without}).Has(b) {
				t.Errorf("%s: with the kernel's tracker it is another", k.name)
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

// What types of interface a chassis knows tells its release, so that the likeliest of
// those that behave alike is taken; each type where NEWS of Open vSwitch says that it came or went.
func TestReleaseOf(t *testing.T) {
	t.Parallel()
	for types, want := range map[string]Release{
		"": OVS31, "geneve,vxlan,lisp": OVS31, "geneve,lisp,srv6": OVS33, "geneve,srv6": OVS36,
	} {
		if r, why := ReleaseOf(strings.Split(types, ","), false); r != want || why == "" {
			t.Errorf("%q: %v, not %v (%s)", types, r, want, why)
		}
	}
	if r, _ := ReleaseOf([]string{"lisp"}, true); r != OVS217 {
		t.Errorf("with an old OVN: %v", r)
	}
	if r, _ := ReleaseOf([]string{"srv6"}, true); r != OVS36 {
		t.Errorf("the types are of 3.6, whatever its OVN was built with: %v", r)
	}
}

// A table that comes out of a saved state behaves as the one that went in.
func TestRestoredBehaviour(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{}, {Profile: OVSUserspace, OVS: OVS217}, {Profile: OVSUserspace, OVS: OVS40}} {
		was := NewTable(o)
		is, err := Restore(was.Save(nil), o, nil)
		if err != nil {
			t.Fatal(err)
		}
		if is.behaves != was.behaves {
			t.Errorf("%+v: %v, was %v", o, is.behaves, was.behaves)
		}
	}
}
