package sim_test

import (
	"context"
	"io"
	"testing"

	"ovnreplay/conntrack"
	"ovnreplay/pcap"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

const nodeport = "../testdata/cases/nodeport/"

func load(t testing.TB, file string) *network.Network {
	t.Helper()
	net, _, err := southbound.Open(context.Background(), file, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// session returns an engine that has replayed the nodePort session's opening,
// and an injection of one of its established packets.
func session(t testing.TB) (*sim.Engine, sim.Injection) {
	return sessionOn(t, load(t, nodeport+"sb.db"))
}

func sessionOn(t testing.TB, net *network.Network) (*sim.Engine, sim.Injection) {
	t.Helper()
	e, err := sim.New(net, sim.Options{Profile: conntrack.OVSUserspace})
	if err != nil {
		t.Fatal(err)
	}
	inject := func(rec *pcap.Record, port string) sim.Injection {
		p := net.Port(port)
		return sim.Injection{Port: p, Chassis: net.ChassisByName("4da007a6-ed1d-45ff-bcf4-62ae8914bbbc"),
			Time: conntrack.Time(rec.Time), Frame: rec.Data, Wire: rec.OrigLen}
	}
	client, pod := frames(t, nodeport+"client.pcap"), frames(t, nodeport+"nginx.pcap")
	e.Inject(inject(&client[0], "breth0_ovn-worker"))
	e.Inject(inject(&pod[1], "default_nginx-deployment-9456bbbf9-x6pc6"))
	return e, inject(&client[2], "breth0_ovn-worker")
}

func frames(t testing.TB, file string) []pcap.Record {
	t.Helper()
	r, err := pcap.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var all []pcap.Record
	for {
		var rec pcap.Record
		err := r.Next(&rec)
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, rec)
	}
}

// A packet of an established connection, through five datapaths, conntrack
// and NAT, must not allocate.
func TestEstablishedPacketAllocatesNothing(t *testing.T) {
	e, in := session(t)
	if out := e.Inject(in); out.Verdict != sim.Delivered {
		t.Fatalf("the packet was %v", out.Verdict)
	}
	if n := testing.AllocsPerRun(100, func() { e.Inject(in) }); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func BenchmarkEstablishedPacket(b *testing.B) {
	e, in := session(b)
	b.ReportAllocs()
	b.SetBytes(int64(len(in.Frame)))
	for b.Loop() {
		e.Inject(in)
	}
}

// Every logical flow of every recorded database compiles.
func TestEveryFlowCompiles(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"nodeport", "nodeport-21.12", "nodeport-26.03", "seed-21.12"} {
		net := load(t, "../testdata/cases/"+name+"/sb.db")
		e, err := sim.New(net, sim.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(net.Flows) < 500 {
			t.Errorf("%s: only %d flows", name, len(net.Flows))
		}
		for _, f := range e.Broken() {
			t.Errorf("%s: flow %s: %v", name, f.UUID, f.Err)
		}
	}
}
