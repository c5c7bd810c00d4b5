package sim_test

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"ovnreplay/conntrack"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
)

// testHash stands for the hash of the network.
var testHash = [32]byte{1}

// fork returns another engine on the network of e, in the same state.
func fork(t testing.TB, e *sim.Engine) *sim.Engine {
	t.Helper()
	state := e.Save(testHash)
	f, err := sim.New(e.Net, sim.Options{Profile: conntrack.OVSUserspace})
	if err != nil {
		t.Fatal(err)
	}
	loss, err := f.Restore(state, testHash)
	if err != nil || loss != (sim.Loss{}) {
		t.Fatalf("loss %+v, error %v", loss, err)
	}
	if again := f.Save(testHash); !bytes.Equal(again, state) {
		t.Fatalf("restored and taken again, a saved state of %d bytes is another of %d", len(state), len(again))
	}
	return f
}

// told is an outcome with nothing but plain data.
func told(t testing.TB, out *sim.Outcome) string {
	t.Helper()
	if out == nil {
		return "nothing"
	}
	type leaves struct {
		Port string
		Data []byte
	}
	var outs []leaves
	for i := range out.Outputs {
		outs = append(outs, leaves{out.Outputs[i].Port.Name, out.Outputs[i].Data})
	}
	tr := &out.Trace
	return fmt.Sprintf("%+v", []any{out.Verdict, out.Drop, out.DropAt, out.Late, out.Of.Ref, outs,
		tr.Events(), tr.Values(), tr.CT, tr.NAT, tr.Texts, tr.Keys})
}

func TestSavedGoesOn(t *testing.T) {
	t.Parallel()
	a, in := session(t)
	b := fork(t, a)
	for range 3 {
		if x, y := told(t, a.Inject(in)), told(t, b.Inject(in)); x != y {
			t.Fatalf("after a saved state:\n%s\nwithout:\n%s", y, x)
		}
		in.Time += 1e9
		b = fork(t, b)
	}
}

// TestSavedHoldsPackets takes a saved state while ovn-controller asks for the
// address of a next hop.
func TestSavedHoldsPackets(t *testing.T) {
	t.Parallel()
	net := load(t, nodeport+"sb.db")
	net.MACBindings = nil
	a, err := sim.New(net, sim.Options{Profile: conntrack.OVSUserspace})
	if err != nil {
		t.Fatal(err)
	}
	in := ping(net)
	in.Ref = 77
	if out := a.Inject(in); out.Verdict != sim.Consumed && !hasHeld(a) {
		t.Fatalf("the packet is %v", out.Verdict)
	}
	b := fork(t, a)
	if !hasHeld(b) {
		t.Fatal("the saved state holds no packet")
	}
	for _, step := range []func(e *sim.Engine) *sim.Outcome{
		func(e *sim.Engine) *sim.Outcome { return e.Inject(answered(net, in.Time+1e6)) },
		func(e *sim.Engine) *sim.Outcome { return e.Advance(in.Time + 1e9) },
		func(e *sim.Engine) *sim.Outcome { return e.Advance(in.Time + 2e9) },
	} {
		x, y := told(t, step(a)), told(t, step(b))
		if x != y {
			t.Fatalf("after a saved state:\n%s\nwithout:\n%s", y, x)
		}
		b = fork(t, b)
	}
	if hasHeld(a) {
		t.Error("the packet is held still")
	}
}

func hasHeld(e *sim.Engine) (held bool) {
	e.Held(func(*sim.Injection) { held = true })
	return held
}

const (
	podPort = "default_nginx-deployment-9456bbbf9-x6pc6"
	wire    = "breth0_ovn-worker"
	chassis = "4da007a6-ed1d-45ff-bcf4-62ae8914bbbc"
)

// ping is a packet of the pod to a host outside that nobody has resolved.
func ping(net *network.Network) sim.Injection {
	port := net.Port(podPort)
	f := make([]byte, 14+28)
	router := net.Port(podPort).Datapath
	for _, p := range router.Ports {
		if p.Peer != nil && len(p.Peer.Addresses) > 0 {
			copy(f, p.Peer.Addresses[0].MAC[:])
		}
	}
	copy(f[6:], port.Addresses[0].MAC[:])
	copy(f[12:], []byte{8, 0, 0x45, 0, 0, 28, 0, 1, 0, 0, 64, 1, 0, 0})
	src := port.Addresses[0].IPs[0].Addr().As4()
	copy(f[26:], src[:])
	copy(f[30:], []byte{172, 18, 0, 99})
	copy(f[34:], []byte{8, 0, 0xf7, 0xfd, 0, 1, 0, 1})
	sum := uint32(0)
	for i := 14; i < 34; i += 2 {
		sum += uint32(f[i])<<8 | uint32(f[i+1])
	}
	sum = sum&0xffff + sum>>16
	f[24], f[25] = ^byte(sum>>8), ^byte(sum)
	return sim.Injection{Port: port, Chassis: net.ChassisByName(chassis), Time: 1e18, Frame: f, Wire: len(f)}
}

// answered is the ARP reply of that host.
func answered(net *network.Network, at conntrack.Time) sim.Injection {
	f := make([]byte, 42)
	port := net.Port(wire)
	for _, p := range port.Datapath.Ports {
		if p.Peer != nil && len(p.Peer.Addresses) > 0 {
			copy(f, p.Peer.Addresses[0].MAC[:])
			copy(f[32:], p.Peer.Addresses[0].MAC[:])
			ip := p.Peer.Addresses[0].IPs[0].Addr().As4()
			copy(f[38:], ip[:])
		}
	}
	host := []byte{2, 0, 0, 0, 0, 99}
	copy(f[6:], host)
	copy(f[12:], []byte{8, 6, 0, 1, 8, 0, 6, 4, 0, 2})
	copy(f[22:], host)
	copy(f[28:], []byte{172, 18, 0, 99})
	return sim.Injection{Port: port, Chassis: net.ChassisByName(chassis), Time: at, Frame: f, Wire: len(f)}
}

func TestSavedOnAnotherNetwork(t *testing.T) {
	t.Parallel()
	a, in := session(t)
	conns := len(a.Conntrack(in.Chassis).Entries(in.Time))
	state := a.Save(testHash)

	net := load(t, nodeport+"sb.db")
	net.Flows[3].Actions = "drop;"
	b, err := sim.New(net, sim.Options{Profile: conntrack.OVSUserspace})
	if err != nil {
		t.Fatal(err)
	}
	loss, err := b.Restore(state, net.Hash())
	if err != nil || !loss.Network || loss.Connections != 0 {
		t.Fatalf("loss %+v, error %v", loss, err)
	}
	if got := len(b.Conntrack(net.ChassisByName(chassis)).Entries(in.Time)); got != conns || conns == 0 {
		t.Errorf("%d connections, want %d", got, conns)
	}
	tables, err := sim.Tables(state)
	if err != nil || len(tables) != 1 || tables[0].Chassis != chassis ||
		len(tables[0].Table.Entries(in.Time)) != conns {
		t.Fatalf("tables %+v, error %v", tables, err)
	}
	for _, e := range tables[0].Table.Entries(in.Time) {
		if tables[0].Zones[e.Zone] == "" {
			t.Errorf("zone %d has no name", e.Zone)
		}
	}
}

func TestBadSaved(t *testing.T) {
	t.Parallel()
	a, _ := session(t)
	good := a.Save(testHash)
	for n := 0; n < len(good); n += 1 + n/50 {
		b, err := sim.New(a.Net, sim.Options{Profile: conntrack.OVSUserspace})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Restore(good[:n], testHash); err == nil {
			t.Fatalf("cut to %d of %d bytes: no error", n, len(good))
		}
	}
	c, _ := sim.New(a.Net, sim.Options{Profile: conntrack.Linux})
	if _, err := c.Restore(good, testHash); err == nil {
		t.Error("another profile: no error")
	}
}

// TestSavedIsWhole fails when a type gains a field that nobody has thought
// about: is it state, worked out from it, or of one packet only?
func TestSavedIsWhole(t *testing.T) {
	t.Parallel()
	e := reflect.TypeFor[sim.Engine]()
	for _, x := range []struct {
		of     reflect.Type
		fields string
	}{
		{e, "Net opts changes monitorMACs chassis compiled rivals ranks tied preferred offers contests groupNames " +
			"members learned fragments selections choice waiting oldAffinity teaching hairpins security limits " +
			"meterNames buckets leftOut paths pkts walks reading passage"},
		{field(t, e, "learned"), "macs statics fdb affinity ecmp hairpins mrouters rows dates probes active pending"},
		{field(t, e, "waiting"), "queues ready"},
		{field(t, e, "waiting", "queues"), "chassis hop packets expires goesOn mac"},
		{field(t, e, "waiting", "ready"), "p of flow rest at due"},
		{field(t, e, "waiting", "ready", "p"), "Packet stack carried"},
		{field(t, e, "waiting", "ready", "p", "carried"),
			"ct sight dp chassis zone depth broken guess seen made walk cloned recirculated hashed midway completes " +
				"pinned mru segment"},
		{field(t, e, "waiting", "ready", "of"), "Port Chassis Datapath Time Frame Headers Wire Segment Ref Given"},
		{field(t, e, "fragments"), "parked"},
		{field(t, e, "chassis"), "Chassis index ct flushesTuples heldSince recirculations resident zones compiled " +
			"entrances hairpins"},
	} {
		var fields string
		for i := range x.of.NumField() {
			if i > 0 {
				fields += " "
			}
			fields += x.of.Field(i).Name
		}
		if fields != x.fields {
			t.Errorf("%v has fields %q, the saved state knows %q", x.of, fields, x.fields)
		}
	}
}

// field follows the names of fields to a type, through pointers and lists.
func field(t *testing.T, typ reflect.Type, names ...string) reflect.Type {
	t.Helper()
	for _, name := range names {
		f, ok := typ.FieldByName(name)
		if !ok {
			t.Fatalf("%v has no field %s", typ, name)
		}
		for typ = f.Type; typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice; {
			typ = typ.Elem()
		}
	}
	return typ
}

func FuzzRestore(f *testing.F) {
	a, in := session(f)
	f.Add(a.Save(testHash))
	a.Net.MACBindings = nil
	held, err := sim.New(a.Net, sim.Options{Profile: conntrack.OVSUserspace})
	if err != nil {
		f.Fatal(err)
	}
	held.Inject(ping(a.Net))
	f.Add(held.Save(testHash))
	f.Fuzz(func(t *testing.T, state []byte) {
		e, err := sim.New(a.Net, sim.Options{Profile: conntrack.OVSUserspace})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Restore(state, testHash); err != nil {
			return
		}
		e.Inject(in)
		for e.Advance(1<<62) != nil {
		}
		e.Save(testHash)
	})
}
