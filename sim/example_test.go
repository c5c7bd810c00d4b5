package sim_test

import (
	"context"
	"encoding/hex"
	"fmt"

	"ovnreplay/sim"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

// A packet enters OVN at a logical port: the first of a connection to a
// load balancer's address, which goes to one of its backends.
func Example() {
	net, _, err := southbound.Open(context.Background(), "../testdata/cases/nodeport/sb.db", store.Options{})
	if err != nil {
		panic(err)
	}
	engine, err := sim.New(net, sim.Options{})
	if err != nil {
		panic(err)
	}
	frame, _ := hex.DecodeString("0242ac1200040242" + "7a7982ca0800" + "4500003c175240004006cb40ac120001ac120004" +
		"d18a7537d97602e500000000a002faf090570000" + "020405b40402080ae6855ae7000000000103030a")
	port := net.Port("breth0_ovn-worker")
	out := engine.Inject(sim.Injection{Port: port, Chassis: net.ChassisByName("4da007a6-ed1d-45ff-bcf4-62ae8914bbbc"),
		Frame: frame})
	fmt.Println(out.Verdict)
	for _, o := range out.Outputs {
		fmt.Println(o.Port.Name, packet.Describe(o.Data))
	}
	// Output:
	// delivered
	// default_nginx-deployment-9456bbbf9-x6pc6 tcp 100.64.0.3:53642 > 10.244.1.3:80 [S]
}
