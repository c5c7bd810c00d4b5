package sim_test

import (
	"io"
	"path/filepath"
	"testing"

	"ovnreplay/sim/job"
	"ovnreplay/sim/replay"
)

// rules are what the engine does of itself, each with recordings of real OVN in
// which packets depend on it.
var rules = []struct {
	rule  string
	cases []string
}{
	{"a packet is committed, translated and its reply translated back",
		[]string{"nodeport", "clusterip", "udp-service", "icmp"}},
	{"of several chassis each has its own tables, and packets cross tunnels",
		[]string{"cloud-l3-geneve", "cloud-vxlan", "kube-routed"}},
	{"what is sent to a group goes to each member, by release",
		[]string{"cloud-flood", "cloud-flood-25.03", "cloud-flood-26.03", "cloud-unknown"}},
	{"a backend is chosen, known again, and affine", []string{"kube-many-backends", "kube-affinity",
		"cloud-lb-affinity-26.03", "kube-hash-fields"}},
	{"a connection that comes back to its sender is translated twice",
		[]string{"kube-hairpin", "kube-hairpin-26.03", "kube-hairpin-snat-ip"}},
	{"ports are taken where the wanted one is not free", []string{"kube-snat-collision", "kube-icmp-id-collision",
		"kube-snat-portrange"}},
	{"next hops are chosen, kept and learned", []string{"cloud-ecmp", "kube-ecmp", "kube-ecmp-26.03", "cloud-cold",
		"cloud-next-hop-v6-26.03"}},
	{"neighbours are asked for and learned", []string{"cloud-arp-nd", "kube-cold-egress", "kube-cold-ingress",
		"kube-garp", "cloud-ctl-cold"}},
	{"ovn-controller answers DHCP, DNS, router and neighbour solicitations", []string{
		"cloud-dhcpv4", "cloud-dhcpv6-ra", "cloud-dns", "cloud-dns-26.03", "cloud-ctl-neighbours", "cloud-proxy-arp",
		"cloud-prefix-delegation", "cloud-dhcp-relay-26.03"}},
	{"ovn-controller refuses and reports", []string{
		"cloud-sg-reject-in", "cloud-lb-reject", "kube-no-backends-reject", "cloud-ttl-exceeded", "cloud-frag-needed",
		"kube-port-unreachable-dnat"}},
	{"fragments are put together for conntrack and leave as fragments", []string{"cloud-fragments", "kube-fragments"}},
	{"groups are joined and queried", []string{"cloud-igmp", "cloud-igmp-26.03", "kube-multicast",
		"kube-ctl-snooping"}},
	{"backends are probed", []string{"cloud-lb-health", "kube-ctl-health-check"}},
	{"addresses that are not a port's own are refused", []string{"kube-port-security", "kube-port-security-26.03",
		"kube-forged-mac"}},
	{"ports move and are virtual", []string{"cloud-migration", "cloud-virtual", "cloud-failover", "cloud-ha-group",
		"cloud-activation-26.03"}},
	{"gateways to other networks", []string{"cloud-l2gateway", "cloud-vtep", "cloud-external", "cloud-localport",
		"cloud-vlan-tenant", "cloud-trunk"}},
	{"packets are copied and passed to functions", []string{"cloud-mirror", "cloud-mirror-lport-26.03",
		"cloud-network-function-26.03"}},
	{"forwarding groups, queues and samples", []string{"cloud-fwd-group-26.03", "cloud-queue-26.03",
		"cloud-sample-26.03"}},
	{"packets no stack sends", []string{"kube-odd-packets", "kube-tcp-odd", "kube-truncated", "kube-sctp"}},
	{"templates, remote ports, encapsulations, transit routers, distributed load balancers", []string{
		"kube-template", "cloud-remote", "cloud-encap-ips-26.03", "cloud-transit-router-26.03",
		"cloud-lb-distributed-26.03", "cloud-commit-all-26.03", "ic-warm"}},
	{"verdicts are logged, tiers and labels saved", []string{"kube-acl-verdicts", "kube-acl-verdicts-26.03",
		"cloud-acl-tiers-26.03", "cloud-stateless-error-26.09"}},
	{"EVPN, BFD and routing protocols", []string{"cloud-evpn-26.03", "cloud-bfd-26.03", "cloud-routing-protocol-26.03",
		"cloud-vrrp-26.03"}},
}

// Each rule holds, byte for byte, in recordings.
func TestRulesHoldInRecordings(t *testing.T) {
	t.Parallel()
	for _, r := range rules {
		t.Run(r.rule, func(t *testing.T) {
			t.Parallel()
			for _, name := range r.cases {
				in := job.Spec{Case: filepath.Join("..", "testdata", "cases", name), Stderr: io.Discard, Quiet: true}
				j, err := in.Open(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				v := replay.NewVerifier(replay.VerifyOptions{})
				err = j.Run(t.Context(), j.Start(v, job.LookAhead))
				j.Close()
				if err != nil {
					t.Fatal(err)
				}
				if got := v.Finish(); !got.OK() || got.Unverified != "" || got.Matched == 0 ||
					got.Matched+got.Autonomous != got.Observed {
					t.Errorf("%s: %+v", name, got)
				}
			}
		})
	}
}
