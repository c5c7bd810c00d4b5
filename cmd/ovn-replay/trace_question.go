package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"ovnreplay/conntrack"
	"ovnreplay/pcap"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/microflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/replay"
)

// question is the packet that is asked about.
type question struct {
	in   sim.Injection
	key  field.Key  // the packet as it was described
	meta *field.Key // metadata that a microflow gives it
}

// begin is the moment of the first packet: there is no capture to take it from.
const begin = conntrack.Time(0)

// question finds out which packet enters where.
func (o *traceOptions) question(net *network.Network, args []string) (*question, error) {
	var dp *network.Datapath
	if len(args) == 2 {
		var err error
		if dp, err = net.FindDatapath(args[0]); err != nil {
			return nil, fmt.Errorf("unknown datapath \"%s\": %w", args[0], err)
		}
		args = args[1:]
	}
	text := ""
	switch {
	case len(args) == 1 && o.inport != "":
		return nil, errors.New("give the inport in MICROFLOW or with --inport, not both")
	case len(args) == 1:
		text = args[0]
	case o.inport != "":
		text = "inport == " + strconv.Quote(o.inport)
	}
	real := o.packet != "" || o.read != ""
	if len(args) == 0 && o.inport == "" && !real {
		return nil, errors.New("no packet: give a MICROFLOW, --packet HEX or -r FILE#N")
	}
	if o.inport != "" && !real {
		return nil, errors.New("--inport goes with --packet or -r; a MICROFLOW names its inport itself")
	}
	if real {
		return o.realPacket(net, dp, text)
	}
	flow, err := microflow.Parse(text, net, dp)
	if err != nil {
		return nil, err
	}
	q := &question{key: flow.Key, meta: &flow.Key}
	if took := flow.Complete(); took != nil {
		fmt.Fprintf(o.stderr, "ovn-replay: not in the microflow, and taken as a sender would: %s\n", strings.Join(took, ", "))
	}
	if flow.Given.Get(field.IPTTL) == 0 && flow.Key.Get(field.IPProto) != 0 {
		fmt.Fprintln(o.stderr, "ovn-replay: ip.ttl is not in the microflow and is 0: routers take no such packet; add ip.ttl == 64")
	}
	frame := flow.Frame()
	if flow.Port == nil {
		fmt.Fprintln(o.stderr, "ovn-replay: microflow does not specify ingress port")
	}
	q.in = sim.Injection{Port: flow.Port, Datapath: flow.Datapath, Time: begin, Frame: frame, Wire: len(frame)}
	return q, o.place(net, q)
}

// realPacket takes the bytes of --packet or -r.
func (o *traceOptions) realPacket(net *network.Network, dp *network.Datapath, text string) (*question, error) {
	q := &question{in: sim.Injection{Time: begin}}
	var err error
	if o.packet != "" {
		q.in.Frame, err = parseHex(o.packet)
		q.in.Wire = len(q.in.Frame)
	} else {
		err = o.captured(q)
	}
	if err != nil {
		return nil, err
	}
	if text != "" {
		flow, err := microflow.Parse(text, net, dp)
		if err != nil {
			return nil, err
		}
		if q.in.Port = flow.Port; q.in.Port == nil {
			return nil, errors.New("name the packet's inport, in MICROFLOW or with --inport")
		}
	} else if q.in.Port, err = replay.NewOwners(net).Find([][]byte{q.in.Frame}); err != nil {
		return nil, fmt.Errorf("%w; name the port with --inport", err)
	}
	packet.Parse(q.in.Frame, &q.key)
	q.key.Set(field.Inport, uint64(q.in.Port.Index))
	return q, o.place(net, q)
}

// parseHex parses bytes in hexadecimal, with whatever separates them.
func parseHex(text string) ([]byte, error) {
	digits := strings.NewReplacer(" ", "", ":", "", "-", "", "\n", "", "\t", "", "0x", "").Replace(text)
	frame, err := hex.DecodeString(digits)
	if err != nil {
		return nil, fmt.Errorf("--packet: %w; give the bytes of an Ethernet frame in hexadecimal", err)
	}
	if len(frame) < 14 {
		return nil, fmt.Errorf("--packet: %d bytes are no Ethernet frame: give at least 14", len(frame))
	}
	return frame, nil
}

// captured reads frame N of FILE#N.
func (o *traceOptions) captured(q *question) error {
	i := strings.LastIndexByte(o.read, '#')
	if i < 0 {
		return fmt.Errorf("-r %s: which frame? give FILE#N, N from 1", o.read)
	}
	n, err := strconv.Atoi(o.read[i+1:])
	if err != nil || n < 1 {
		return fmt.Errorf("-r %s: %q is no frame number: give FILE#N, N from 1", o.read, o.read[i+1:])
	}
	r, err := pcap.Open(o.read[:i])
	if err != nil {
		return err
	}
	defer r.Close()
	var rec pcap.Record
	for k := 1; ; k++ {
		switch err := r.Next(&rec); {
		case err == io.EOF:
			return fmt.Errorf("-r %s: the capture has only %d frames", o.read, k-1)
		case err != nil:
			return err
		}
		if k == n {
			break
		}
	}
	eth, _, err := pcap.Frame(&rec)
	if eth == nil {
		if err == nil {
			err = errors.New("addresses unknown")
		}
		return fmt.Errorf("-r %s: link type %v has no Ethernet header (%w)", o.read, rec.LinkType, err)
	}
	q.in.Frame = append([]byte(nil), eth...)
	q.in.Wire, q.in.Time = rec.OrigLen, conntrack.Time(rec.Time)
	return nil
}

// place finds the chassis where the packet enters.
func (o *traceOptions) place(net *network.Network, q *question) error {
	if o.chassis != "" {
		if q.in.Chassis = net.ChassisByName(o.chassis); q.in.Chassis != nil {
			return nil
		}
		for _, c := range net.Chassis {
			if c.Hostname == o.chassis {
				q.in.Chassis = c
				return nil
			}
		}
		return fmt.Errorf("--chassis %s: no such chassis in the database", o.chassis)
	}
	port := q.in.Port
	if port == nil {
		q.in.Chassis = someChassis(net, q.in.Datapath)
		return nil
	}
	if q.in.Chassis = port.ActiveChassis(); q.in.Chassis != nil {
		return nil
	}
	c, err := replay.ChassisOf(net, port)
	if err == nil {
		q.in.Chassis = c
		return nil
	}
	// On every chassis, or on none: where it makes no difference any will do,
	// and where it does the reader can say which.
	q.in.Chassis = someChassis(net, port.Datapath)
	if len(net.Chassis) > 1 && !o.allChassis {
		fmt.Fprintf(o.stderr, "ovn-replay: port %s is bound to no single chassis: the packet enters on %s (see --chassis)\n",
			port.Name, q.in.Chassis.Name)
	}
	return nil
}

// someChassis returns a chassis that has a port of the datapath, the first of
// all if none has.
func someChassis(net *network.Network, dp *network.Datapath) *network.Chassis {
	for _, p := range dp.Ports {
		if c := p.ActiveChassis(); c != nil {
			return c
		}
	}
	return net.Chassis[0]
}
