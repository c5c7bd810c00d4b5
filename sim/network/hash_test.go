package network_test

import (
	"context"
	"reflect"
	"testing"

	"ovnreplay/sim/network"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

func TestHash(t *testing.T) {
	t.Parallel()
	load := func() *network.Network {
		n, _, err := southbound.Open(context.Background(), "../../testdata/cases/nodeport/sb.db", store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	want := load().Hash()
	for range 3 {
		if load().Hash() != want {
			t.Fatal("the same network has another hash")
		}
	}
	for name, change := range map[string]func(*network.Network){
		"a flow's actions": func(n *network.Network) { n.Flows[7].Actions = "drop;" },
		"a flow's datapaths": func(n *network.Network) {
			n.Flows[7].Datapaths = append(n.Flows[7].Datapaths, &network.Datapath{UUID: "other"})
		},
		"a port's chassis": func(n *network.Network) { n.Ports[1].Chassis = &network.Chassis{UUID: "other"} },
		"a binding's address": func(n *network.Network) {
			n.MACBindings = append(n.MACBindings,
				network.MACBinding{MAC: [6]byte{1}})
		},
		"a global option": func(n *network.Network) { n.SBGlobal = map[string]string{"x": "y"} },
		"one flow less":   func(n *network.Network) { n.Flows = n.Flows[1:] },
		"a load balancer more": func(n *network.Network) {
			n.LoadBalancers = append(n.LoadBalancers, &network.LoadBalancer{UUID: "other"})
		},
	} {
		n := load()
		if change(n); n.Hash() == want {
			t.Errorf("%s changed, the hash did not", name)
		}
	}
	n := load()
	for i := range n.MACBindings {
		n.MACBindings[i].Timestamp++
	}
	if n.Hash() != want {
		t.Error("the time of a binding counts")
	}
}

// TestHashKnowsEveryType hashes a network with one of everything.
func TestHashKnowsEveryType(t *testing.T) {
	t.Parallel()
	n := &network.Network{}
	v := reflect.ValueOf(n).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); v.Type().Field(i).IsExported() && f.Kind() == reflect.Slice {
			elem := f.Type().Elem()
			x := reflect.New(elem).Elem()
			if elem.Kind() == reflect.Pointer {
				x = reflect.New(elem.Elem())
			}
			f.Set(reflect.Append(f, x))
		}
	}
	n.AZ = n.AZs[0]
	n.DHCPv4 = map[string]network.DHCPOption{"x": {1, "y"}}
	n.Templates = map[string]map[string]string{"x": {"y": "z"}}
	if n.Hash() == (&network.Network{}).Hash() {
		t.Error("everything counts for nothing")
	}
}
