package replay

import (
	"cmp"
	"slices"
	"testing"

	"ovnreplay/conntrack"
	"ovnreplay/pcap"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
)

// counter counts what a session reads and predicts, and has each packet's
// record written.
type counter struct {
	*Verifier
	book            *trace.Book
	read, predicted int
}

func (c *counter) Entered(f *Frame, p *Point, out *sim.Outcome) {
	c.predicted += len(out.Outputs) + len(out.Tunnels)
	if !f.Inferred {
		c.read++
	}
	NewRecord(&why.Explainer{Book: c.book}, f, p, "", out, false)
	c.Verifier.Entered(f, p, out)
}

func (c *counter) Observed(f *Frame, p *Point) {
	c.read++
	c.Verifier.Observed(f, p)
}

// A frame is parsed once: what reads, places, replays, translates, remembers,
// verifies and lists it shares what its headers say.
func TestFramesAreParsedOnce(t *testing.T) {
	net := loaded(t, nodeport+"/sb.db")
	e, err := sim.New(net, sim.Options{Profile: conntrack.OVSUserspace, Zones: map[string]map[string]uint16{}})
	if err != nil {
		t.Fatal(err)
	}
	var taps []*Tap
	var recs []pcap.Record
	for i, x := range [][2]string{
		{"client.pcap", "breth0_ovn-worker"},
		{"nginx.pcap", "default_nginx-deployment-9456bbbf9-x6pc6"},
		{"pod2.pcap", "default_client-pod"},
	} {
		taps = append(taps, tapAt(t, net, i, x[1]))
		for _, r := range captured(t, x[0]) {
			r.Capture, r.File = i, x[1]
			recs = append(recs, r)
		}
	}
	slices.SortStableFunc(recs, func(a, b pcap.Record) int { return cmp.Compare(a.Time, b.Time) })
	c := &counter{Verifier: NewVerifier(VerifyOptions{}), book: &trace.Book{Net: net, Zone: e.ZoneName}}
	parses := 0
	packet.OnParse = func() { parses++ }
	defer func() { packet.OnParse = nil }()
	s := NewRun(e, taps, c, Options{Ahead: conntrack.Second})
	c.Verifier.attach(s)
	for i := range recs {
		s.Add(&recs[i])
	}
	s.Flush()
	if r := c.Finish(); !r.OK() || c.read < 30 {
		t.Fatalf("%d frames: %+v", c.read, r)
	}
	if parses > c.read+c.predicted {
		t.Errorf("%d parses for %d frames read and %d predicted", parses, c.read, c.predicted)
	}
}

func tapAt(t *testing.T, net *network.Network, index int, port string) *Tap {
	t.Helper()
	p := net.Port(port)
	c, err := ChassisOf(net, p)
	if err != nil {
		t.Fatal(err)
	}
	return &Tap{Index: index, Name: port, Site: &Site{Kind: AtPort, Port: p, Chassis: c}}
}
