package recording

import (
	"fmt"
	"io"

	"ovnreplay/pcap"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/replay"
)

// Annotator writes an annotated capture: every logical port is an interface,
// packets that entered OVN are inbound there, predicted ones outbound.
type Annotator struct {
	w          *pcap.Writer
	interfaces map[ifaceKey]int
}

// Flush writes out what is buffered.
func (a *Annotator) Flush() error { return a.w.Flush() }

type ifaceKey struct {
	port    *network.Port
	chassis *network.Chassis
}

// NewAnnotator begins a capture with an interface for each port of the captures.
func NewAnnotator(w io.Writer, taps []*replay.Tap) (*Annotator, error) {
	pw, err := pcap.NewWriter(w, pcap.Section{Application: "ovn-replay"})
	if err != nil {
		return nil, err
	}
	a := &Annotator{w: pw, interfaces: map[ifaceKey]int{}}
	for _, t := range taps {
		for _, s := range t.Sites() {
			if s.Port == nil {
				continue
			}
			if _, err := a.iface(s.Port, s.Chassis); err != nil {
				return nil, err
			}
		}
	}
	return a, nil
}

// iface returns the interface of a port, added when first met.
func (a *Annotator) iface(p *network.Port, c *network.Chassis) (int, error) {
	k := ifaceKey{p, c}
	if i, ok := a.interfaces[k]; ok {
		return i, nil
	}
	info := pcap.InterfaceInfo{Name: "underlay", Description: "packets out of tunnels, on chassis " + c.Name, LinkType: pcap.LinkEthernet}
	if p != nil {
		info.Name = p.Name
		info.Description = fmt.Sprintf("logical port %s of %s on chassis %s", p.Name, p.Datapath.Name, c.Name)
	}
	i, err := a.w.AddInterface(info)
	a.interfaces[k] = i
	return i, err
}

// Packet writes an injected packet and what it led to.
func (a *Annotator) Packet(f *replay.Frame, p *replay.Point, out *sim.Outcome, r *replay.Record) error {
	err := a.write(p.Port, p.Chassis, pcap.DirectionIn, pcap.Packet{
		Time: int64(f.Time), Data: f.Data, OrigLen: f.Wire, Comments: []string{r.Comment(-1)},
	})
	for i := range out.Outputs {
		o := &out.Outputs[i]
		if err == nil {
			err = a.write(o.Port, o.Chassis, pcap.DirectionOut, pcap.Packet{
				Time: int64(o.Time), Data: o.Data, OrigLen: o.Wire, Comments: []string{r.Comment(i)},
			})
		}
	}
	return err
}

func (a *Annotator) write(p *network.Port, c *network.Chassis, d pcap.Direction, pkt pcap.Packet) error {
	var err error
	if pkt.Interface, err = a.iface(p, c); err != nil {
		return err
	}
	pkt.Direction = d
	return a.w.WritePacket(&pkt)
}
