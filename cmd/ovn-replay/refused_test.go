package main

import (
	"encoding/binary"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ovnreplay/sim/replay"
)

// A packet that conntrack refused for what it is itself is said to be refused, and why: its connection did not
// begin before the capture, in which it can be seen to begin.
func TestRefusedIsToldFromUnseen(t *testing.T) {
	t.Parallel()
	const unseen = "its connection began before the capture"
	dir := filepath.Join(cases, "nodeport")
	const frame = 6 // from the server, which acknowledges what it was asked
	for what, c := range map[string]struct {
		damage     func(ip []byte)
		says, told string
	}{
		"IP checksum":  {func(ip []byte) { ip[10] ^= 1 }, "conntrack refused it: wrong checksum", unseen},
		"no handshake": {nil, unseen, "conntrack refused it"},
	} {
		file := read(t, dir+"/nginx.pcap")
		at := 24
		for n := 1; at < len(file); n++ {
			end := at + 16 + int(binary.LittleEndian.Uint32(file[at+8:]))
			switch {
			case c.damage == nil && n < frame:
				file, end = slices.Delete(file, at, end), at
			case c.damage != nil && n == frame:
				c.damage(file[at+16+14:])
			}
			at = end
		}
		bad := write(t, "bad.pcap", file)
		client := read(t, dir+"/client.pcap")
		if c.damage == nil {
			at = 24
			for n := 1; n < frame; n++ {
				client = slices.Delete(client, at, at+16+int(binary.LittleEndian.Uint32(client[at+8:])))
			}
		}
		_, out, errs := replayed(t, "verify", "--db", dir+"/sb.db", "-r", write(t, "client.pcap", client)+
			"@breth0_ovn-worker", "-r", bad, "--ct-profile", "ovs-userspace", "--no-infer", "--json")
		var r replay.Report
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatalf("%s: %v %s", what, err, errs)
		}
		said := ""
		for _, it := range slices.Concat(r.Missing, r.Mismatched, r.Unexpected) {
			said += it.Reason + "\n"
		}
		if !strings.Contains(said, c.says) || strings.Contains(said, c.told) {
			t.Errorf("%s: it says %q", what, said)
		}
	}
}
