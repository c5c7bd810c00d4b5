package network

import (
	"strings"
	"testing"
)

// What Neutron and Kubernetes call things leads to the ports and switches that
// people mean, and is what they are called.
func TestCalled(t *testing.T) {
	t.Parallel()
	const net, port, vm, twin = "0aa1b1ad-0000-4000-8000-000000000001", "3f1e2d3c-0000-4000-8000-000000000002",
		"77777777-0000-4000-8000-000000000003", "4a1e2d3c-0000-4000-8000-000000000004"
	n := New()
	d := &Datapath{Name: "neutron-" + net, Name2: "web", UUID: "d1", TunnelKey: 1}
	k := &Datapath{Name: "ovn-worker", UUID: "d2", TunnelKey: 2}
	n.AddDatapath(d)
	n.AddDatapath(k)
	add := func(d *Datapath, name, name2 string, ids map[string]string) *Port {
		p := &Port{Name: name, Name2: name2, Datapath: d, TunnelKey: uint32(len(n.Ports)), ExternalIDs: ids, Type: VIF,
			UUID: name}
		n.AddPort(p)
		return p
	}
	named := add(d, port, "web-1", map[string]string{"neutron:port_name": "web-1", "neutron:device_id": vm,
		"neutron:device_owner": "compute:nova"})
	unnamed := add(d, twin, "", map[string]string{"neutron:device_id": "88888888-0000-4000-8000-000000000005",
		"neutron:device_owner": "compute:nova"})
	meta := add(d, "5a1e2d3c-0000-4000-8000-000000000006", "", map[string]string{
		"neutron:device_id": "ovnmeta-" + net, "neutron:device_owner": "network:distributed"})
	eth := add(d, "6a1e2d3c-0000-4000-8000-000000000007", "eth0", nil)
	add(d, "7a1e2d3c-0000-4000-8000-000000000008", "eth0", nil)
	router := add(d, "8a1e2d3c-0000-4000-8000-000000000009", "", map[string]string{
		"neutron:device_id": "router", "neutron:device_owner": "network:router_interface"})
	pod := add(k, "default_nginx-x6pc6", "", map[string]string{"pod": "true", "namespace": "default"})
	provnet := add(d, "provnet-9a1e2d3c-0000-4000-8000-00000000000a", "", nil)
	provnet.Type, provnet.Options = Localnet, map[string]string{"network_name": "physnet1"}
	n.Complete()
	for text, want := range map[string]*Port{
		port: named, "web-1": named, vm: named, "3f1e2d": named,
		"88888888-0000-4000-8000-000000000005": unnamed, "metadata of web": meta, "default/nginx-x6pc6": pod,
		"default_nginx-x6pc6": pod,
	} {
		if got, err := n.FindPort(text); got != want {
			t.Errorf("%s leads to %v (%v)", text, got, err)
		}
	}
	for p, want := range map[*Port]string{
		named: "web-1", unnamed: "88888888-0000-4000-8000-000000000005", meta: "metadata of web", eth: eth.Name,
		router: router.Name, provnet: "physnet1", pod: "default_nginx-x6pc6",
	} {
		if got := p.Called(); got != want {
			t.Errorf("%s is called %s, not %s", p.Name, got, want)
		}
		if got, err := n.FindPort(p.Called()); got != p {
			t.Errorf("what %s is called leads to %v (%v)", p.Name, got, err)
		}
	}
	if _, err := n.FindPort("eth0"); err == nil || !strings.Contains(err.Error(), eth.Name) {
		t.Errorf("of two ports of a name: %v", err)
	}
	if _, err := n.FindPort("web-2"); err == nil || !strings.Contains(err.Error(), "web-1") {
		t.Errorf("a name that is nearly one: %v", err)
	}
	for _, text := range []string{"web", net, "neutron-" + net} {
		if got, err := n.FindDatapath(text); got != d || err != nil || got.Called() != "web" {
			t.Errorf("%s leads to %v (%v)", text, got, err)
		}
	}
}
