package southbound

import (
	"context"
	"strings"
	"testing"

	"ovnreplay/sim/network"
	"ovnreplay/store"
)

// A log of ovsdb-server's tells which flows and ports went, when and from where:
// the recording replaced a SNAT of one router, and deleted a port.
func TestDeparted(t *testing.T) {
	t.Parallel()
	source := "../../testdata/reports/23.03/network-changes/sb.db.gz"
	list, err := Departed(context.Background(), []string{"snapshot:none", "unix:/none", source}, store.Options{},
		func(f *network.Flow) bool {
			return strings.Contains(f.Actions, "ct_snat_in_czone(203.0.113.10)")
		})
	if err != nil {
		t.Fatal(err)
	}
	net, _, err := Open(context.Background(), source, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var flows, ports []string
	for i, d := range list {
		if i > 0 && d.Time.Before(list[i-1].Time) {
			t.Errorf("%v comes after %v", d, list[i-1])
		}
		at := d.Time.Format("15:04:05 ")
		if d.Port != nil {
			ports = append(ports, at+d.Port.Name+" "+d.Port.Addresses[0].IPs[0].Addr().String())
			continue
		}
		for _, u := range d.Datapaths {
			for _, p := range net.Datapaths {
				if p.UUID == u {
					flows = append(flows, at+p.Name+" "+d.Flow.Stage+" "+d.Flow.Match)
				}
			}
		}
	}
	if got := strings.Join(ports, "\n"); got != "10:13:57 vm4 10.2.0.14" {
		t.Errorf("ports that went: %s", got)
	}
	const want = `10:13:57 r1 lr_out_snat ip && ip4.src == 10.1.0.0/24`
	if got := strings.Join(flows, "\n"); !strings.HasPrefix(got, want) {
		t.Errorf("flows that went: %s", got)
	}
}
