package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ovnreplay/sim"
	"ovnreplay/sim/job"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/trace"
	"ovnreplay/testdata/golden"
)

// actions are OVN's actions, of every version from 20.03 on, by the word they
// are written with.
var actions = strings.Fields(`
	output drop next field=constant field=field field<->field push pop ip.ttl--
	ct_next ct_commit ct_commit_to_zone ct_commit_nat ct_dnat ct_snat ct_dnat_in_czone ct_snat_in_czone
	ct_lb ct_lb_mark ct_lb_mark_local ct_clear ct_snat_to_vip ct_state_save ct_nw_dst ct_ip6_dst ct_tp_dst ct_proto
	clone arp nd_ns nd_na nd_na_router icmp4 icmp4_error icmp6 icmp6_error tcp_reset sctp_abort reject
	icmp4.frag_mtu icmp6.frag_mtu icmp4.inner_ip4.src
	get_arp get_nd put_arp put_nd lookup_arp lookup_arp_ip lookup_nd lookup_nd_ip
	get_fdb get_remote_fdb put_fdb lookup_fdb
	put_dhcp_opts put_dhcpv6_opts put_nd_ra_opts dhcp_relay_req_chk dhcp_relay_resp_chk dns_lookup handle_dhcpv6_reply
	select fwd_group check_pkt_larger chk_lb_hairpin chk_lb_hairpin_reply commit_lb_aff chk_lb_aff
	commit_ecmp_nh chk_ecmp_nh chk_ecmp_nh_mac check_in_port_sec check_out_port_sec
	log set_meter set_queue sample trigger_event handle_svc_check bind_vport igmp handle_bfd_msg mirror
	flood_remote mac_cache_use chk_evpn_arp`)

// limits says of an action what no recording shows.
var limits = map[string]string{
	"chk_evpn_arp":   "always false: EVPN neighbors are the chassis' kernel's, no database has them; said in the trace",
	"get_remote_fdb": "finds nothing: remote MACs are the chassis' kernel's, no database has them",
}

// word returns the word of actions that an action's text is written with.
func word(text string) string {
	text = strings.TrimSuffix(text, ";")
	if block := blockText.FindStringSubmatch(text); block != nil {
		return block[1]
	}
	if dst, src, ok := strings.Cut(text, " = "); ok && !strings.Contains(dst, "{") && !strings.Contains(dst, "(") {
		if call := callText.FindStringSubmatch(src); call != nil {
			return call[1]
		}
		for _, f := range []string{"icmp4.frag_mtu", "icmp6.frag_mtu", "icmp4.inner_ip4.src"} {
			if dst == f {
				return f
			}
		}
		if src == "" || strings.ContainsAny(src[:1], `0123456789"{$-`) || constantText.MatchString(src) {
			return "field=constant"
		}
		return "field=field"
	}
	switch {
	case strings.Contains(text, " <-> "):
		return "field<->field"
	case text == "ip.ttl--":
		return text
	}
	if call := leadText.FindString(text); call != "" {
		return call
	}
	return text
}

var (
	blockText    = regexp.MustCompile(`^(\w+) \{`)
	callText     = regexp.MustCompile(`^(\w+)\(`)
	leadText     = regexp.MustCompile(`^\w+`)
	constantText = regexp.MustCompile(`^[0-9a-f]*:[0-9a-f:.]+$`) // an address that begins with a letter
)

// seen is a replay.Handler that collects the actions packets met.
type seen struct {
	engine *sim.Engine
	words  map[string]bool
}

func (s *seen) Entered(_ *replay.Frame, _ *replay.Point, out *sim.Outcome) {
	events := out.Trace.Events()
	for i := range events {
		if ev := &events[i]; ev.Kind == trace.Act {
			s.words[word(s.engine.ActionText(ev.Flow, ev.Arg))] = true
		}
	}
}

func (s *seen) Observed(*replay.Frame, *replay.Point)        {}
func (s *seen) Skipped(*replay.Frame, *replay.Point, string) {}

// The table of actions in docs/ACTIONS.md is made from the recordings: which of them
// shows each action at work.
func TestActionTable(t *testing.T) {
	t.Parallel()
	shown := map[string][]string{}
	files, err := filepath.Glob(cases + "/*/case.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		dir := filepath.Dir(file)
		if _, pending := unpredicted[filepath.Base(dir)]; pending {
			continue
		}
		in := job.Spec{Stderr: os.Stderr, Case: dir}
		j, err := in.Open(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		h := &seen{j.Engine, map[string]bool{}}
		if err := j.Run(context.Background(), j.Start(h, 0)); err != nil {
			t.Fatal(err)
		}
		j.Close()
		for w := range h.words {
			shown[w] = append(shown[w], filepath.Base(dir))
		}
	}
	for _, w := range slices.Sorted(maps.Keys(shown)) {
		if !slices.Contains(actions, w) {
			t.Errorf("packets met an action %q that the list does not have", w)
		}
	}
	compareReadme(t, "actions", actionTable(shown))
}

func actionTable(shown map[string][]string) string {
	var b strings.Builder
	b.WriteString("| action | recordings that show it |\n| --- | --- |\n")
	for _, w := range actions {
		list := shown[w]
		text := strings.Join(list[:min(3, len(list))], ", ")
		switch {
		case len(list) > 3:
			text += fmt.Sprintf(" and %d more", len(list)-3)
		case len(list) == 0:
			text = "implemented; no recording yet"
		}
		if limits[w] != "" {
			text += "; " + limits[w]
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", strings.ReplaceAll(w, "=", " = "), text)
	}
	return b.String()
}

// compareReadme holds a generated part of docs/ACTIONS.md against what it should be.
func compareReadme(t *testing.T, part, want string) {
	t.Helper()
	const file = "../../docs/ACTIONS.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- generated: "+part+" -->\n", "<!-- end -->"
	before, rest, ok := strings.Cut(string(text), begin)
	if !ok {
		t.Fatalf("docs/ACTIONS.md has no part %q", part)
	}
	got, after, _ := strings.Cut(rest, end)
	if got == want {
		return
	}
	if !*golden.Update {
		t.Errorf("the table of %s is out of date: run go test ./cmd/ovn-replay -run ActionTable -update", part)
		return
	}
	if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
