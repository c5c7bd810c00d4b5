package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// What leaves one zone by its wire and enters another by the other's is one connection, with the
// translations of both, in a session, too; who had an address of it is who asked first.
func TestConnectionsOverWires(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ic-nodeport", "ic-nodeport-25.03"} {
		dir := cases + "/" + name
		session := filepath.Join(t.TempDir(), "session")
		if status, _, errs := replayed(t, "run", "-q", "--case", dir, "--session", session); status != exitOK {
			t.Fatal(errs)
		}
		for _, from := range [][]string{{"--case", dir}, {"--session", session}} {
			_, out, errs := replayed(t, append([]string{"connections"}, from...)...)
			row := lineWith(out, ":45141 ")
			want := ") | SNAT 10.244.1.5:45141 -> 172.18.0.3:45141 | DNAT 172.18.0.4:30080 -> 10.244.3.5:8080 " +
				"(pod3) | SNAT 172.18.0.3:45141 -> 100.64.0.3:45141 | closed | 5+5 "
			if strings.Count(out, "\n") != 15 || !strings.Contains(row, want) ||
				!strings.Contains(row, " tcp 10.244.1.5:45141 (pod1) > 172.18.0.4:30080 (") {
				t.Errorf("%v: of 15 connections one is not %q:\n%s%s", from, want, out, errs)
			}
			_, out, _ = replayed(t, append([]string{"who", "100.64.0.3:45141"}, from...)...)
			if !strings.Contains(out, " was 10.244.1.5:45141 (pod1), who asked 172.18.0.4:30080") {
				t.Errorf("%v: who it was is not said: %s", from, out)
			}
			_, out, _ = replayed(t, append([]string{"why", "13"}, from...)...)
			if !strings.Contains(out, "\nfrom there it entered at br-ex_node2 (node2) as ") ||
				!strings.Contains(out, "wire2.pcap:25: delivered to pod3") {
				t.Errorf("%v: where it went on to is not said: %s", from, out)
			}
		}
	}
}

// An answer that comes to another node than it was asked from is no question of its own, nor is
// one whose question no capture holds.
func TestAnswersOverWires(t *testing.T) {
	t.Parallel()
	const dir = cases + "/ic-egress-moves-25.03"
	_, out, _ := replayed(t, "connections", "--case", dir)
	if row := lineWith(out, "icmp "); !strings.Contains(row, "| answered | 1+1 packets") ||
		strings.Count(out, "icmp ") != 1 || strings.Contains(out, " 0+5 packets") {
		t.Errorf("answers are connections of their own:\n%s", out)
	}
	_, out, _ = replayed(t, "connections", "--db", dir+"/sb-node2.db.gz", "-r", dir+"/wire2.pcap@br-ex_node2")
	if want := "icmp 172.18.0.50 > 172.18.0.1 id 874 | answered | 0+1 packets"; !strings.Contains(out, want) {
		t.Errorf("%q is missing:\n%s", want, out)
	}
}

// lineWith is the first line that holds a text.
func lineWith(out, text string) string {
	for line := range strings.Lines(out) {
		if strings.Contains(line, text) {
			return line
		}
	}
	return ""
}

// An answer that waits at a router which had translated its question, and has the translation no
// more, is told as stale, though the connection goes on by another router; in a session, too.
func TestStaleWhereAnswersWait(t *testing.T) {
	t.Parallel()
	const dir = cases + "/ic-egress-moves-25.03"
	session := filepath.Join(t.TempDir(), "session")
	if status, _, errs := replayed(t, "run", "-q", "--case", dir, "--session", session); status != exitOK {
		t.Fatal(errs)
	}
	want := "stale: SNAT of 10.244.1.5 to 172.18.0.50, which router GR_node2 has not had since 06:50:41 (NAT row "
	for _, from := range [][]string{{"--case", dir}, {"--session", session}} {
		_, out, errs := replayed(t, append([]string{"connections", "--stale"}, from...)...)
		if strings.Count(out, "\n") != 1 || !strings.Contains(out, " udp 10.244.1.5:45602 ") ||
			!strings.Contains(out, "| "+want) {
			t.Errorf("%v: not the one that is stale:\n%s%s", from, out, errs)
		}
		for _, of := range []string{"2", "wire2.pcap:25"} {
			if _, out, _ := replayed(t, append([]string{"why", of}, from...)...); !strings.Contains(out, want) {
				t.Errorf("%v: why %s does not say what is stale: %s", from, of, out)
			}
		}
	}
}
