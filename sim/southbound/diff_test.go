package southbound_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovnreplay/sim/network"
)

// Networks of the same content under other UUIDs do not differ; what does is
// told once, whatever the UUIDs.
func TestDiff(t *testing.T) {
	t.Parallel()
	a := build(t, "nodeport/", town)
	renumber := strings.NewReplacer("@f1@", "@F9@", "@p1@", "@P9@", "@sw@", "@SW@", "@g1@", "@G9@", "@l1@", "@L9@",
		"@nb@", "@N9@")
	if d := network.Diff(a, build(t, "nodeport-26.03/", renumber.Replace(town))); len(d) != 0 {
		t.Errorf("the same but for UUIDs and version: %v", d)
	}
	b := build(t, "nodeport/", renumber.Replace(strings.NewReplacer(
		`"match":"ip4","actions":"drop;"`, `"match":"ip4","actions":"next;"`,
		`"priority":50,"match":"1"`, `"priority":51,"match":"1"`,
		`"10.1.0.7"`, `"10.1.0.6"`,
		`"mac":"00:00:00:00:00:09"`, `"mac":"00:00:00:00:00:0a"`,
		`"logical_port":"twin2"`, `"logical_port":"other"`,
	).Replace(town)))
	acl := strings.NewReplacer(`"ls_in"`, `"ls_in_acl_eval"`)
	if d := network.Diff(a, build(t, "nodeport/", acl.Replace(town))); len(d) != 2 || d[0].Kind != "ACL" ||
		d[1].Kind != "flow" {
		t.Errorf("a flow that moved to an ACL's stage: %v", d)
	}
	var got []string
	for _, d := range network.Diff(a, b) {
		text := d.String()
		if d.Kind == "port" {
			text, _, _ = strings.Cut(text, ":")
		}
		got = append(got, text)
	}
	vips := ` ^vip:^port=^backends"`
	want := []string{
		"+ port other",
		"- port twin2",
		`~ load balancer lb protocol 17: vips "10.9.0.1:53=10.1.0.1:5353,10.1.0.2:5353, 10.9.0.2=10.1.0.7, ` +
			`10.9.0.3:80=, [fd00::9]:53=[fd00::1]:53,` + vips +
			` -> "10.9.0.1:53=10.1.0.1:5353,10.1.0.2:5353, 10.9.0.2=10.1.0.6, 10.9.0.3:80=, ` +
			`[fd00::9]:53=[fd00::1]:53,` + vips,
		`~ MAC binding 10.1.0.9 on ro-sw: mac "00 00 00 00 00 09" -> "00 00 00 00 00 0a"`,
		`~ flow ingress table 0 100 ip4: actions "drop;" -> "next;" (in ro and 1 more)`,
		`- flow ls_in 50 1: actions "next;" (in sw)`,
		`+ flow ls_in 51 1: actions "next;" (in sw)`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
