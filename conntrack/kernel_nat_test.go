//go:build linux

package conntrack

import (
	"bytes"
	"testing"

	"ovnreplay/nat"
)

const snatRules = `
flush ruleset
table ip n {
  chain post { type nat hook postrouting priority 100; policy accept; ip saddr 10.1.0.1 snat to 10.4.0.9; }
}
`

const dnatRules = `
flush ruleset
table ip n {
  chain pre { type nat hook prerouting priority -100; policy accept; ip daddr 10.3.0.7 dnat to 10.1.0.2; }
}
`

// TestNATAgainstKernel: every byte of translated packets must be the kernel's:
// both directions, and ICMP errors with quotes cut at any length.
func TestNATAgainstKernel(t *testing.T) {
	k := newKernelTap(t, "")
	// No subtests: they would run on other threads, in the machine's own namespace.
	for _, tt := range []struct {
		name, rules string
		binding     nat.Binding
		from, to    string // the rule is for packets with this source or destination
		// where client and server send to and what address the peer shows
		clientSends, serverSends string
	}{
		{"snat", snatRules, bind(nat.Src, "10.4.0.9", 0), "10.1.0.1", "", "10.1.0.2", "10.4.0.9"},
		{"dnat", dnatRules, bind(nat.Dst, "10.1.0.2", 0), "", "10.3.0.7", "10.3.0.7", "10.1.0.1"},
	} {
		translated, errors := 0, 0
		for seed := range uint64(30) {
			run(t, tt.rules, "nft", "-f", "-")
			flushKernel(t)
			g := newGenerator(seed)
			ct := NewTable(Options{Profile: Linux, Netfilter: true})
			var left [][]byte
			for i := range 300 {
				ip := g.natPacket(tt.clientSends, tt.serverSends, left)
				tup := tuple(t, ip)
				r := Request{Commit: true, NAT: nat.Binding{Kind: nat.Apply}}
				if tup.SrcAddr().String() == tt.from || tup.DstAddr().String() == tt.to {
					r.NAT = tt.binding
				}
				if _, _, known := ct.find(0, &tup); !known && r.NAT.Kind == nat.Apply &&
					!(tup.ICMP() && tup.Type != 0 && tup.Type != 8) {
					continue // the server does not speak first
				}
				theirs := bytes.Clone(k.send(t, ip))
				var m Meta
				before := bytes.Clone(ip)
				o := ct.Execute(Second, ip, &m, &r)
				if o.Guess {
					break // a port was moved: the kernel's choice is random
				}
				if theirs == nil {
					if o.Drop == NoDrop {
						t.Fatalf(tt.name+": seed %d packet %d: the kernel dropped %v\n%x", seed, i, &tup, before)
					}
					continue
				}
				theirs[1], theirs[8] = ip[1], ip[8] // the route's TTL
				headerSum(theirs)
				if !bytes.Equal(ip, theirs) {
					t.Fatalf(tt.name+": seed %d packet %d: %v (%v)\nbefore %x\nours   %x\ntheirs %x", seed, i, &tup,
						m.State, before, ip, theirs)
				}
				left = append(left, theirs)
				if o.Rewritten {
					translated++
					if m.State&Related != 0 {
						errors++
					}
				}
			}
		}
		if translated < 500 || errors < 100 {
			t.Errorf("%s: only %d translated, %d of them ICMP errors", tt.name, translated, errors)
		}
		t.Logf("%s: %d packets translated, %d of them ICMP errors", tt.name, translated, errors)
	}
}
