package replay

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
	"ovnreplay/testdata/golden"
)

// Every reason that the engine ends a packet for, as the line of the packet
// says it: with the flow that decided, or where none did.
func TestReasonSentences(t *testing.T) {
	d := &network.Datapath{Name: "sw"}
	flow := &network.Flow{UUID: "0123456789ab", Stage: "ls_in_test", Match: "ip4.dst == 10.0.0.1", Priority: 7,
		StageHint: "89abcdef"}
	d.Flows[0] = [][]*network.Flow{{flow}}
	net := &network.Network{AZ: &network.AZ{}, Datapaths: []*network.Datapath{d}, Flows: []*network.Flow{flow},
		Chassis: []*network.Chassis{{Name: "c1"}}}
	book := &trace.Book{Net: net, Zone: func(int32, uint16) string { return "" }}
	point := &Point{Port: &network.Port{Name: "vm1"}, Chassis: net.Chassis[0]}

	var got bytes.Buffer
	for r := trace.NoReason + 1; r.String() != "unknown reason"; r++ {
		out := &sim.Outcome{Verdict: sim.Dropped, Drop: r, DropAt: 1}
		switch {
		case !r.Ends():
			continue
		case r == trace.DropNoMatch:
			out.Trace.Add(trace.Event{Kind: trace.Miss, Flow: -1})
			out.Trace.Add(trace.Event{Kind: trace.Drop, Flow: -1, Reason: r})
		case r == trace.DropNoAction:
			out.DropAt = 0
			out.Trace.Add(trace.Event{Kind: trace.Match})
		default:
			out.Trace.Add(trace.Event{Kind: trace.Match})
			out.Trace.Add(trace.Event{Kind: trace.Drop, Reason: r})
		}
		if r == trace.DropWaits || r == trace.DropConsumed {
			out.Verdict = sim.Consumed
		}
		line := NewRecord(&why.Explainer{Book: book}, &Frame{Data: make([]byte, 14)}, point, "x.pcap", out,
			false).Line()
		_, fate, _ := strings.Cut(line, " | ")
		fmt.Fprintln(&got, fate)
	}
	golden.Equal(t, "testdata/reasons.txt", got.Bytes())
}
