package replay_test

import (
	"slices"
	"strings"
	"testing"

	"ovnreplay/sim/network"
	"ovnreplay/sim/recording"
	"ovnreplay/sim/replay"
)

// wrong is a way in which a network may differ from the one that was recorded:
// flows of a stage that packets met have actions with another word in them.
type wrong struct {
	recorded, stage string
	match           string // a part of it, "" of any flow
	old, new        string
	list            func(*replay.Report) []replay.Item // where it shows
	says            []string                           // what the report says of it, among other things
}

func missing(r *replay.Report) []replay.Item    { return r.Missing }
func unexpected(r *replay.Report) []replay.Item { return r.Unexpected }
func mismatched(r *replay.Report) []replay.Item { return r.Mismatched }

var wrongs = map[string]wrong{
	"an ACL that dropped lets pass": {"cloud-sg-drop", "ls_out_acl", "", "/* drop */", "next;", unexpected,
		[]string{"predicted to leave here"}},
	"a load balancer's backend has another port": {"udp-service", "ls_in_lb", "", ":5353", ":5354", mismatched,
		[]string{"udp.dst: predicted 5354, observed 5353"}},
	"a router's address is another": {"cloud-snat", "lr_out_snat", "", "(203.0.113.", "(203.0.114.",
		mismatched, []string{"ip4.src", "203.0.114."}},
	"a floating address is another": {"cloud-fip-distributed", "lr_in_dnat", "", "(10.1.0.", "(10.1.9.",
		missing, []string{"missing"}},
	"a router has another Ethernet address": {"cloud-l3-geneve", "lr_in_ip_routing", "",
		"eth.src = fa:16:3e:", "eth.src = fa:16:3d:", mismatched, []string{"eth.src: predicted fa:16:3d:"}},
	"an ARP responder has another address": {"cloud-arp-nd", "ls_in_arp_rsp", "arp.op == 1", "arp.sha = ",
		"arp.tha = 0a:00:00:00:00:09; arp.sha = ", mismatched, []string{"arp.tha", "0a:00:00:00:00:09"}},
	"a DHCP server offers another router": {"cloud-dhcpv4", "ls_in_dhcp_options", "", "router = 10.", "router = 11.",
		mismatched, []string{"differ"}},
	"an ICMP error has another TTL": {"kube-ttl-exceeded", "lr_in_ip_input", "ip.ttl", "ip.ttl = 254;",
		"ip.ttl = 77;", mismatched, []string{"ip.ttl"}},
}

// found is what a network's difference leads to: the report, and how many flows
// were changed.
func (w *wrong) found(t *testing.T) (*replay.Report, string, []string) {
	t.Helper()
	all := recorded(t, w.recorded, nil)
	met := &visited{e: all.Engine, met: map[string]bool{}}
	if r := verified(t, all, met); !r.OK() {
		t.Fatalf("the case itself does not verify: %+v", r)
	}
	var changed []string
	j := recorded(t, w.recorded, func(_ *recording.Spec, net *network.Network) {
		for _, f := range net.Flows {
			if met.met[f.UUID] && strings.HasPrefix(f.Stage, w.stage) && strings.Contains(f.Match, w.match) &&
				strings.Contains(f.Actions, w.old) {
				f.Actions = strings.Replace(f.Actions, w.old, w.new, 1)
				changed = append(changed, f.UUID)
			}
		}
	})
	r := verified(t, j)
	r.List = true
	var text strings.Builder
	if err := r.Write(&text, false); err != nil {
		t.Fatal(err)
	}
	return r, text.String(), changed
}

// What differs between a network and what was recorded of another is found out,
// where it shows, and the report tells the flow and the difference.
func TestWrongNetworks(t *testing.T) {
	t.Parallel()
	for what, w := range wrongs {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r, text, changed := w.found(t)
			if len(changed) == 0 {
				t.Fatal("no packet meets such a flow")
			}
			if r.OK() || len(w.list(r)) == 0 {
				t.Errorf("it is not found out where it shows:\n%s", text)
			}
			for _, say := range w.says {
				if !strings.Contains(text, say) {
					t.Errorf("the report does not say %q:\n%s", say, text)
				}
			}
			if !slices.ContainsFunc(changed, func(uuid string) bool { return strings.Contains(text, uuid[:8]) }) {
				t.Errorf("none of the flows changed (%q) is named:\n%s", changed, text)
			}
		})
	}
}
