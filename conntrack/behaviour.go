package conntrack

import (
	"fmt"
	"slices"
)

// Behaviour is something that connection tracking does in one datapath, or since
// one release of Open vSwitch, and not in another. This file is the one place
// that knows which does; a Table is told once, and asks for it by name.
type Behaviour uint8

// Behaviours of Open vSwitch that changed: of its userspace datapath, or of itself.
const (
	FreshReplies Behaviour = iota
	TranslatesQuotes
	TracksSCTP
	EightRecirculations
	CompletesChecksums
	MovesICMPIDs
	ReadsQuotedFragments
	PatchesPartialSums
	FlushesTuples
	behaviours // how many there are
)

// trait is what is known of a Behaviour. The kernel's tracker has none of the
// questions about OVSUserspace: it is one.
type trait struct {
	name      string
	what      string
	daemon    bool // of ovs-vswitchd, whichever datapath it has
	since     Release
	until     Release    // from this release on it is gone; 0: it is there still
	lapsed    [2]Release // from the first to before the second it was lost
	authority string
}

var traits = [behaviours]trait{
	FreshReplies: {
		name: "fresh-replies", what: "the reply tuple of a connection that is replaced is free at once",
		lapsed:    [2]Release{OVS30, OVS32},
		authority: "OVS commits 3d9c1b855 (3.0.0) and 1116459b3 (3.3.0; 3.0.5, 3.1.3 and 3.2.3 have it too)",
	},
	TranslatesQuotes: {
		name: "translates-quotes", what: "what an ICMP error in the original direction quotes is translated",
		since: OVS31, authority: "OVS commit 0a7587034, conntrack: Properly unNAT inner header of related traffic " +
			"(2.17.6 and 3.0.4 have it too)",
	},
	TracksSCTP: {
		name: "tracks-sctp", what: "ports of SCTP belong to its tuples, and what is no whole chunk is invalid",
		since: OVS32, authority: "OVS commit 501f665a5, conntrack: Extract l4 information for SCTP",
	},
	EightRecirculations: {
		name: "eight-recirculations", what: "a packet is recirculated 8 times at most, not 6",
		since: OVS33, authority: "OVS commit 5df46a44e, dpif-netdev: Increase MAX_RECIRC_DEPTH to 8",
	},
	CompletesChecksums: {
		name: "completes-checksums", what: "a checksum that NAT has touched is computed anew on the way out",
		since: OVS36, authority: "OVS commit 2956a6126, dp-packet: Rework L4 checksum offloads",
	},
	ReadsQuotedFragments: {
		name:  "reads-quoted-fragments",
		what:  "an ICMP error about the first fragment of an IPv4 datagram is about its connection",
		since: OVS36, authority: "OVS commit 614029aac, conntrack: Allow inner NAT of related fragments " +
			"(3.2.6, 3.3.6, 3.4.4 and 3.5.2 have it too); the kernel reads those of IPv6 as well (ipv4_get_l4proto)",
	},
	MovesICMPIDs: {
		name: "moves-icmp-ids", what: "SNAT gives ICMP queries of the same ID different ones",
		since: OVS40, authority: "OVS commit 627fef05b, conntrack: Fix ICMP id conflicts in snat",
	},
	PatchesPartialSums: {
		name: "patches-partial-sums", what: "a checksum left to a card is changed for new addresses and ports " +
			"as if it were complete (userspace-tso-enable)",
		until: OVS32, authority: "OVS commit 3337e6d91, userspace: Enable L4 checksum offloading by default",
	},
	FlushesTuples: {
		name: "flushes-tuples", what: "ovn-controller can have it flush the connections of a part of a tuple",
		daemon: true, since: OVS31,
		authority: "OVS commit 08146bf7d, openflow: Add extension to flush CT by generic match",
	},
}

// ReleaseOf is the release of Open vSwitch that knows the types of interface given,
// and why: of several the likeliest, which is the last that is known to differ. old says that
// its OVN was built with one from before 3.0.
func ReleaseOf(types []string, old bool) (r Release, why string) {
	switch srv6, lisp := slices.Contains(types, "srv6"), slices.Contains(types, "lisp"); {
	case !srv6 && old:
		return OVS217, "it knows no interfaces of type srv6, and its OVN is of before Open vSwitch 3.0"
	case !srv6:
		return OVS31, "it knows no interfaces of type srv6, which came with 3.2"
	case lisp:
		return OVS33, "it knows interfaces of type srv6, which came with 3.2, and of lisp, which went with 3.6"
	}
	return OVS36, "it knows interfaces of type srv6 and none of lisp, which went with 3.6"
}

// Has reports whether connection tracking that is set up so has a behaviour.
// The kernel has none of those that Open vSwitch's userspace got.
func (o Options) Has(b Behaviour) bool {
	o.setDefaults()
	applies, _ := o.applies(b)
	return applies
}

func (o *Options) applies(b Behaviour) (applies bool, why string) {
	k := &traits[b]
	switch {
	case o.Profile != OVSUserspace && !k.daemon:
		return false, "the kernel's tracker is another"
	case b == FreshReplies && o.FreshReplies:
		return true, "the settings say so"
	case k.until != 0:
		return o.OVS < k.until, fmt.Sprintf("gone with %v", k.until)
	case k.lapsed != [2]Release{}:
		why = fmt.Sprintf("not from %v to before %v", k.lapsed[0], k.lapsed[1])
		return o.OVS < k.lapsed[0] || o.OVS >= k.lapsed[1], why
	}
	return o.OVS >= k.since, fmt.Sprintf("came with %v", k.since)
}

// Explained is a Behaviour in words: whether it applies, and why.
type Explained struct {
	Name      string `json:"name"`
	Applies   bool   `json:"applies"`
	What      string `json:"what"`
	Why       string `json:"why"`
	Authority string `json:"authority"`
}

// Behaviours says of every Behaviour whether connection tracking that is set up
// so has it.
func (o Options) Behaviours() []Explained {
	o.setDefaults()
	var list []Explained
	for b, k := range traits {
		applies, why := o.applies(Behaviour(b))
		list = append(list, Explained{k.name, applies, k.what, why, k.authority})
	}
	return list
}

// setBehaviour derives what the table's tracking does.
func (t *Table) setBehaviour() {
	t.behaves = [behaviours]bool{}
	for b := range behaviours {
		t.behaves[b] = t.opt.Has(b)
	}
}

// has reports whether the table's tracking has a behaviour.
func (t *Table) has(b Behaviour) bool { return t.behaves[b] }
