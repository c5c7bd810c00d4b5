package sim_test

import (
	"slices"
	"strings"
	"testing"

	"ovnreplay/conntrack"
	"ovnreplay/pcap"
	"ovnreplay/sim"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/trace"
)

const cold = "../testdata/cases/kube-cold-egress/"

// coldHop is a network whose gateway has yet to learn where 172.30.0.9 is, a
// datagram for it and the answer to the question.
type coldHop struct {
	t               *testing.T
	e               *sim.Engine
	datagram, reply pcap.Record
}

func newColdHop(t *testing.T) *coldHop {
	net := load(t, cold+"sb.db.gz")
	e, err := sim.New(net, sim.Options{Profile: conntrack.OVSUserspace})
	if err != nil {
		t.Fatal(err)
	}
	return &coldHop{t, e,
		described(t, cold+"pod3.pcap", "udp 10.128.1.13:46012 > 172.30.0.9:5353"),
		described(t, cold+"wire.pcap", "arp 172.30.0.9 is-at"),
	}
}

// described returns the first frame of a capture that is described so.
func described(t *testing.T, file, prefix string) pcap.Record {
	t.Helper()
	for _, rec := range frames(t, file) {
		if strings.HasPrefix(packet.Describe(rec.Data), prefix) {
			return rec
		}
	}
	t.Fatalf("%s: no %s", file, prefix)
	return pcap.Record{}
}

func (h *coldHop) inject(port string, rec pcap.Record, at conntrack.Time, ref uint64) *sim.Outcome {
	return h.e.Inject(sim.Injection{
		Port: h.e.Net.Port(port), Chassis: h.e.Net.Chassis[0], Time: at, Frame: rec.Data, Wire: rec.OrigLen, Ref: ref,
	})
}

// ask injects a datagram and expects it to be held and asked for.
func (h *coldHop) ask(at conntrack.Time, ref uint64) {
	h.t.Helper()
	out := h.inject("default_pod3", h.datagram, at, ref)
	waits := slices.ContainsFunc(out.Trace.Events(), func(ev trace.Event) bool {
		return ev.Kind == trace.Drop && ev.Reason == trace.DropWaits
	})
	if !waits || len(out.Outputs) != 1 || !out.Outputs[0].Made {
		h.t.Fatalf("datagram %d: waits %v, %d outputs", ref, waits, len(out.Outputs))
	}
	if got := packet.Describe(out.Outputs[0].Data); got != "arp who-has 172.30.0.9 tell 172.30.0.4" {
		h.t.Errorf("datagram %d: sent %s", ref, got)
	}
}

// gone returns which packets go by a moment, in order.
func (h *coldHop) gone(by conntrack.Time) (refs []uint64) {
	h.t.Helper()
	for out := h.e.Advance(by); out != nil; out = h.e.Advance(by) {
		if !out.Late || out.Verdict != sim.Delivered || len(out.Outputs) != 1 {
			h.t.Errorf("packet %d: late %v, %v, drop %v", out.Of.Ref, out.Late, out.Verdict, out.Drop)
			continue
		}
		if got := packet.Describe(out.Outputs[0].Data); got != "udp 172.30.0.4:46012 > 172.30.0.9:5353" {
			h.t.Errorf("packet %d left as %s", out.Of.Ref, got)
		}
		if [6]byte(out.Outputs[0].Data) != [6]byte(h.reply.Data[6:12]) {
			h.t.Errorf("packet %d left to %x", out.Of.Ref, out.Outputs[0].Data[:6])
		}
		refs = append(refs, out.Of.Ref)
	}
	return refs
}

func (h *coldHop) expect(by conntrack.Time, want ...uint64) {
	h.t.Helper()
	got := h.gone(by)
	if len(got) != len(want) {
		h.t.Fatalf("%v went, want %v", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			h.t.Fatalf("%v went, want %v", got, want)
		}
	}
}

const ms = conntrack.Time(1e6)

// Of the packets that wait for one next hop OVN 23.03 keeps the last three.
func TestHeldPacketsGoWhenTheirHopIsKnown(t *testing.T) {
	t.Parallel()
	h := newColdHop(t)
	for ref := range uint64(5) {
		h.ask(1000*ms+conntrack.Time(ref)*ms, ref)
	}
	h.expect(1009 * ms)
	out := h.inject("breth0_worker", h.reply, 1010*ms, 99)
	if !slices.ContainsFunc(out.Trace.Events(), func(ev trace.Event) bool { return ev.Reason == trace.LearnMAC }) {
		t.Fatal("the answer was not learned")
	}
	h.expect(1010 * ms)
	h.expect(1100*ms, 2, 3, 4)
	if out := h.inject("default_pod3", h.datagram, 1101*ms, 5); out.Verdict != sim.Delivered {
		t.Errorf("the next packet was %v", out.Verdict)
	}
	h.expect(2000 * ms)
}

func TestHeldPacketsAreForgotten(t *testing.T) {
	t.Parallel()
	h := newColdHop(t)
	h.ask(1000*ms, 1)
	h.expect(12000 * ms)
	h.inject("breth0_worker", h.reply, 12001*ms, 99)
	h.expect(20000 * ms)
}

// What a capture shows goes before the delay that is assumed.
func TestHurry(t *testing.T) {
	t.Parallel()
	h := newColdHop(t)
	h.ask(1000*ms, 7)
	h.inject("breth0_worker", h.reply, 1001*ms, 99)
	h.e.Hurry(1002*ms, 0, 0, func(of *sim.Injection) bool { return of.Ref == 8 })
	h.expect(1002 * ms)
	h.e.Hurry(1002*ms, 0, 0, func(of *sim.Injection) bool { return of.Ref == 7 })
	h.expect(1002*ms, 7)
	if out := h.inject("default_pod3", h.datagram, 1002*ms, 5); out.Verdict != sim.Delivered {
		t.Errorf("the next packet was %v", out.Verdict)
	}
}

// What a capture shows to leave, was told where it goes, although none shows that.
func TestHurryUntold(t *testing.T) {
	h := newColdHop(t)
	h.ask(1000*ms, 7)
	to := macOf(h.reply.Data[6:])
	from := macOf(h.reply.Data)
	seven := func(of *sim.Injection) bool { return of.Ref == 7 }
	h.e.Hurry(1002*ms, 0, 0, seven)
	h.expect(1002 * ms)
	h.e.Hurry(1002*ms, to, from, func(of *sim.Injection) bool { return of.Ref == 8 })
	h.expect(1002 * ms)
	h.e.Hurry(1003*ms, to, to, seven) // from another router
	h.expect(1003 * ms)
	h.e.Hurry(1003*ms, to, from, seven)
	h.expect(1003*ms, 7)
	if out := h.inject("default_pod3", h.datagram, 1004*ms, 5); out.Verdict != sim.Delivered ||
		macOf(out.Outputs[0].Data) != to {
		t.Errorf("the next packet was %v", out.Verdict)
	}
}

func macOf(frame []byte) (m uint64) {
	for _, b := range frame[:6] {
		m = m<<8 | uint64(b)
	}
	return m
}
