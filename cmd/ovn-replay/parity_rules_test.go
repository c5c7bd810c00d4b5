package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// difference is where two traces of one packet part: ovn-trace's and ours.
// What ovn-trace says that it assumes, and we what conntrack found, is not
// compared. What follows the first difference follows from it.
type difference struct {
	theirs, ours []string // lines, without what is not compared
	at           int      // the first that differ
	elsewhere    bool     // ours is what happens if every port is resident
}

var (
	onHost   = regexp.MustCompile(`(?m) /\* on \S+ \*/$`) // ovn-trace knows no chassis
	comment  = regexp.MustCompile(` /\* .*? \*/`)
	ctState  = regexp.MustCompile(`^(\s*)ct_next\(ct_state=.*\)`)
	underCT  = regexp.MustCompile(`^\s*-+$`)
	ctResult = regexp.MustCompile(`^\s*/\* ct zone .* \*/$`)
)

// tracks reports whether a trace meets an action on connections.
func tracks(text string) bool {
	for _, a := range []string{"ct_next", "ct_dnat", "ct_snat", "ct_lb", "ct_commit"} {
		if strings.Contains(text, a) {
			return true
		}
	}
	return false
}

func newDifference(theirs, ours string) *difference {
	d := &difference{theirs: comparable(theirs), ours: comparable(ours)}
	for d.at < min(len(d.theirs), len(d.ours)) && d.theirs[d.at] == d.ours[d.at] {
		d.at++
	}
	return d
}

func comparable(text string) []string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		if ctResult.MatchString(line) {
			continue
		}
		if strings.HasPrefix(strings.TrimSpace(line), "ct_") {
			line = comment.ReplaceAllString(line, "")
			line = ctState.ReplaceAllString(line, "${1}ct_next")
		}
		if underCT.MatchString(line) && len(out) > 0 && strings.HasPrefix(strings.TrimSpace(out[len(out)-1]), "ct_") {
			continue
		}
		out = append(out, line)
	}
	return out
}

func (d *difference) any() bool { return d.at < len(d.theirs) || d.at < len(d.ours) }

func line(lines []string, at int) string {
	if at < 0 || at >= len(lines) {
		return ""
	}
	return strings.TrimSpace(lines[at])
}

func (d *difference) String() string {
	from := max(0, d.at-6)
	part := func(lines []string) string {
		return strings.Join(lines[min(from, len(lines)):min(d.at+4, len(lines))], "\n")
	}
	return fmt.Sprintf("ovn-trace:\n%s\n\nours (elsewhere: %v):\n%s", part(d.theirs), d.elsewhere, part(d.ours))
}

// rule returns the rule that explains the difference, nil if none does.
func (d *difference) rule() *rule {
	for i := range rules {
		if rules[i].explains(d) {
			return &rules[i]
		}
	}
	return nil
}

// before reports whether a line of our trace before the difference holds one
// of some texts.
func (d *difference) before(texts ...string) bool {
	return slices.ContainsFunc(d.ours[:min(d.at, len(d.ours))], func(l string) bool { return containsAny(l, texts...) })
}

// either reports whether one of the lines that differ holds one of some texts.
func (d *difference) either(texts ...string) bool {
	return containsAny(line(d.theirs, d.at), texts...) || containsAny(line(d.ours, d.at), texts...)
}

// in reports whether a block of our trace with one of some titles begins
// before the difference, or at it.
func (d *difference) in(titles ...string) bool {
	return slices.ContainsFunc(d.ours[:min(d.at+1, len(d.ours))], func(l string) bool {
		return slices.Contains(titles, strings.TrimSuffix(strings.TrimSpace(l), " {"))
	})
}

func containsAny(s string, texts ...string) bool {
	return slices.ContainsFunc(texts, func(x string) bool { return strings.Contains(s, x) })
}

var stage = regexp.MustCompile(`^(\d+)\. .*, priority (\d+), uuid`)

// tie reports whether both went through the same stage by flows of the same priority.
func (d *difference) tie() bool {
	x, y := stage.FindStringSubmatch(line(d.theirs, d.at)), stage.FindStringSubmatch(line(d.ours, d.at))
	return x != nil && y != nil && x[1] == y[1] && x[2] == y[2]
}

// rule says why ovn-trace and we differ, and recognises it.
type rule struct {
	name     string
	explains func(*difference) bool
}

var deadlock = rule{name: "ovn-trace recurses without end: packets that loop; we stop where Open vSwitch does"}

// rules are in the order in which they are tried.
var rules = []rule{
	{"residency: ovn-trace takes every port for resident; with that assumption we agree", func(d *difference) bool {
		return d.elsewhere && !d.any()
	}},
	{"port security: ovn-trace lets through what the switch refuses, above all what is neither IP nor ARP",
		func(d *difference) bool {
			return d.either("_apply_port_sec")
		}},
	{"waiting: since 24.09 a packet waits where its next hop is asked for; ovn-trace goes on with it, unresolved",
		func(d *difference) bool {
			waits := slices.ContainsFunc(d.ours, func(l string) bool {
				l = strings.TrimSpace(l)
				return l == "arp" ||
					l == "nd_ns"
			})
			return waits && line(d.theirs, d.at) == line(d.ours, d.at) // nothing follows, so that it is indented less
		}},
	{"a guess: ovn-trace says only that its choice is a random one", func(d *difference) bool {
		return strings.Contains(line(d.ours, d.at), " guessed: ")
	}},
	{"a logical flow that no OVN can read: ovn-trace leaves it out without a word", func(d *difference) bool {
		return strings.Contains(line(d.ours, d.at), "was left out: ")
	}},
	{"DNS: ovn-trace does not implement dns_lookup",
		func(d *difference) bool { return d.either("dns_lookup action not implemented") }},
	{"DHCP: ovn-trace takes every packet for a request, and the request for the answer", func(d *difference) bool {
		return d.before("put_dhcp") || d.either("put_dhcp", "DHCP")
	}},
	{"a packet made by ovn-controller: ovn-trace keeps fields of the one it answers", func(d *difference) bool {
		return d.in("nd_ns", "nd_na", "icmp4", "icmp6", "tcp_reset", "sctp_abort") || d.before("put_nd_ra_opts(")
	}},
	{"TTL: Open vSwitch drops at 1, ovn-trace at 0", func(d *difference) bool {
		return d.either("TTL underflow") || strings.Contains(line(d.ours, d.at-1), "TTL underflow")
	}},
	{"flags: ovn-trace loses them on the way to the egress pipeline",
		func(d *difference) bool { return d.either("flags.") }},
	{"gateway: ct_snat does nothing in ovn-trace's gateway routers", func(d *difference) bool {
		return line(d.ours, d.at) == "ct_snat" || line(d.theirs, d.at-1) == "ct_snat;" ||
			line(d.ours, d.at) == "ct_snat {"
	}},
	{"conntrack: ovn-trace assumes est|trk, keeps it over patch ports, never sets marks and labels",
		func(d *difference) bool {
			return d.before("ct_", "ct.") && d.either("ct.", "ct_mark", "ct_label", "ct_state")
		}},
	{"hairpin: ovn-trace keeps the original destination of an earlier datapath's load balancer",
		func(d *difference) bool {
			return d.either("hairpin", "reg0[6]", "reg0[12]") || d.before("ct_lb") &&
				d.either("reg0[6]", "reg0[12]", "ct_snat_to_vip")
		}},
	{"NAT: conntrack translates, ovn-trace does not undo or remember it", func(d *difference) bool {
		return d.before("ct_dnat", "ct_snat", "ct_lb")
	}},
	{"multicast: in ovn-trace one copy's changes reach the next",
		func(d *difference) bool { return d.before("multicast(") }},
	{"equal priorities: OVN leaves the order undefined", (*difference).tie},
}
