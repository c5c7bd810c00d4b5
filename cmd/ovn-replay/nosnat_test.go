package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ovnreplay/pcap"
	"ovnreplay/sim/network"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

// whys asks about a packet of a replay, and of the session that is kept of it.
func whys(t *testing.T, asked string, args ...string) (replay, session string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "s.db")
	replay = replayedWell(t, append([]string{"why", asked}, args...)...)
	replayedWell(t, append([]string{"run", "-q", "--session", file}, args...)...)
	return replay, replayedWell(t, "why", asked, "--session", file)
}

// flowsOf are the logical flows of a stage whose matches have a part.
func flowsOf(t *testing.T, db, stage, match string) (list []*network.Flow) {
	t.Helper()
	net, _, err := southbound.Open(context.Background(), db, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range net.Flows {
		if f.StageName() == stage && strings.Contains(f.Match, match) {
			list = append(list, f)
		}
	}
	if len(list) == 0 {
		t.Fatalf("%s has no flow of %s with %s", db, stage, match)
	}
	return list
}

// A SNAT that a router lacks is named, with what the router has: for an answer to where no connection left from,
// and for a connection that gets no answer.
func TestMissingSNATIsNamed(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(cases, "egress-snat")
	sb := filepath.Join(dir, "sb.db")
	const stage, match = "lr_out_snat", "ip4.src == 10.244.0.0/16"
	var others, narrow []string
	for _, f := range flowsOf(t, sb, stage, match) {
		others = append(others, `"`+f.UUID+`":{"match":"ip && ip4.src == 10.99.0.0/16 && (!ct.trk || !ct.rpl)"}`)
		narrow = append(narrow, `"`+f.UUID+`":{"match":"ip && ip4.src == 10.244.0.0/16 && ip.ttl == 3"}`)
	}
	const would = "no SNAT: it would answer conn 5, udp 10.244.1.4:41003 (pod default/client-pod) asked " +
		"172.18.0.1:5300, had that left as 172.18.0.4, not with its own source: "
	for _, x := range []struct{ db, asked, want, session string }{
		{flowless(t, sb, stage, match), "client.pcap:22",
			would + "router GR_ovn-worker has no SNAT for 10.244.1.4, and none at all",
			would + "router GR_ovn-worker did not translate it: flow 296151c3 of lr_out_snat of GR_ovn-worker"},
		{flowless(t, sb, stage, match), "client.pcap:2", "no SNAT: it would answer conn 1, tcp 10.244.1.4:41001 ",
			"no SNAT: it would answer conn 1, tcp 10.244.1.4:41001 "},
		{changing(t, sb, 1, `"Logical_Flow":{`+strings.Join(others, ",")+`}`), "client.pcap:22",
			would + "router GR_ovn-worker has no SNAT for 10.244.1.4, only for 10.99.0.0/16\n",
			would + "router GR_ovn-worker did not translate it: "},
		{changing(t, sb, 1, `"Logical_Flow":{`+strings.Join(narrow, ",")+`}`), "client.pcap:22",
			would + "the SNAT of router GR_ovn-worker did not match: flow 122492b8 of lr_out_snat of GR_ovn-worker",
			would + "router GR_ovn-worker did not translate it: "},
		{flowless(t, sb, stage, match), "pod2.pcap:11", "no SNAT: conn 5 left with its own source 10.244.1.4: router ",
			"no SNAT: conn 5 left with its own source 10.244.1.4: router "},
	} {
		replay, session := whys(t, x.asked, "--case", dir, "--db", x.db)
		if !strings.Contains(replay, x.want) || !strings.Contains(session, x.session) {
			t.Errorf("%s: no %q:\n%s\nof the session no %q:\n%s", x.asked, x.want, replay, x.session, session)
		}
	}
	for _, asked := range []string{"1", "2", "3", "client.pcap:22", "pod2.pcap:11"} {
		if out := replayedWell(t, "why", asked, "--case", dir); strings.Contains(out, "no SNAT") {
			t.Errorf("all is translated, but\n%s", out)
		}
	}
}

// An answer to an address that was kept, since the router that chose the backend gave the question no SNAT, is said
// to go another way; a connection is asked about for it.
func TestAnswerThatDoesNotComeBackToItsRouter(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(cases, "nodeport")
	sb := filepath.Join(dir, "sb.db")
	forced := flowsOf(t, sb, "lr_out_snat", `outport == "rtoj-GR_ovn-worker"`)[0]
	way := flowsOf(t, sb, "lr_in_ip_routing", "ip4.src == 10.244.1.0/24")[0]
	db := changing(t, sb, 1, `"Logical_Flow":{"`+forced.UUID+`":null,"`+way.UUID+`":{"actions":`+
		quoted(strings.Replace(way.Actions, "reg0 = 100.64.0.3", "reg0 = 100.64.0.2", 1))+`}}`)
	pod := replaceFrames(t, read(t, filepath.Join(dir, "nginx.pcap")), func(_ int, d []byte) {
		readdress(d, [4]byte{100, 64, 0, 3}, [4]byte{172, 18, 0, 1})
	})
	args := []string{"--db", db, "--ct-zones", filepath.Join(dir, "ct-zone-list.txt"), "-r",
		filepath.Join(dir, "client.pcap") + "@breth0_ovn-worker", "-r",
		write(t, "pod.pcap", pod) + "@default_nginx-deployment-9456bbbf9-x6pc6"}
	const want = "it answers tcp 172.18.0.1:53642 > 172.18.0.4:30007, whose DNAT is in zone GR_ovn-worker_dnat of " +
		"ovn-worker; it did not come to GR_ovn-worker, which gave the question no SNAT: ovn_cluster_router sends " +
		"what is for 172.18.0.1 another way"
	for _, asked := range []string{"1", "pod.pcap:2"} {
		replay, session := whys(t, asked, args...)
		for _, out := range []string{replay, session} {
			if !strings.Contains(out, want) || !strings.Contains(out, "pod.pcap:2 entered") {
				t.Errorf("%s: no %q:\n%s", asked, want, out)
			}
		}
	}
	const recorded = "which gave the question no SNAT: ovn_cluster_router sends what is for 172.18.0.1 another way"
	if out := replayedWell(t, "run", "--case", filepath.Join(cases, "ic-az")); strings.Count(out, recorded) != 2 {
		t.Errorf("not two answers are said to go by another node's router:\n%s", out)
	}
}

func quoted(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }

// readdress gives a TCP packet another address in one's place, and its checksums.
func readdress(d []byte, from, to [4]byte) {
	p, ok := parseWild(d)
	if !ok || p.proto != 6 {
		return
	}
	for _, at := range []int{p.l3 + 12, p.l3 + 16} {
		if bytes.Equal(d[at:at+4], from[:]) {
			copy(d[at:], to[:])
		}
	}
	sum(d, &p)
}

func sum(d []byte, p *wildPacket) {
	ip := d[p.l3:p.l4]
	binary.BigEndian.PutUint16(ip[10:], 0)
	binary.BigEndian.PutUint16(ip[10:], ^uint16(ones(0, ip)))
	full, _, at := p.sums(d)
	binary.BigEndian.PutUint16(d[at:], full)
}

// Of a service that works by one protocol and fails by another, the one is what the other is compared with: before
// what works of the same protocol between the same addresses.
func TestSiblingOfAnotherProtocol(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(cases, "nodeport")
	frames := framesOf(t, filepath.Join(dir, "client.pcap"))
	failing := slices.Clone(frames[0].data)
	p, _ := parseWild(failing)
	working := slices.Clone(failing)
	for _, x := range []struct {
		d    []byte
		port uint16
	}{{failing, 30007}, {working, 30099}} {
		x.d[p.l3+9] = 17
		binary.BigEndian.PutUint16(x.d[p.l4+2:], x.port)
		binary.BigEndian.PutUint16(x.d[p.l4+4:], uint16(p.end-p.l4))
		q, _ := parseWild(x.d)
		sum(x.d, &q)
	}
	for _, d := range [][]byte{working, failing} {
		frames = append(frames, frame{frames[len(frames)-1].time + 1e6, d, len(d)})
	}
	name := write(t, "more.pcap", classic(t, pcap.LinkEthernet, frames))
	replay, session := whys(t, fmt.Sprintf("more.pcap:%d", len(frames)), "--db", filepath.Join(dir, "sb.db"),
		"--ct-zones", filepath.Join(dir, "ct-zone-list.txt"), "-r", name+"@breth0_ovn-worker")
	const want = "[S], to the same service by another protocol, which arrived:\n  there flow "
	if !strings.Contains(replay, want) || !strings.Contains(session, want) {
		t.Errorf("no %q:\n%s\nof the session:\n%s", want, replay, session)
	}
}
