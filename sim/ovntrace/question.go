// Package ovntrace asks what ovn-trace(8) is asked, on real state: a packet that a
// microflow describes, or a real one, enters somewhere; its traces are shown in
// ovn-trace's forms, and with them the answer's.
//
// Where ovn-trace says what it assumes, the engine says what it found; what is
// taken here for want of a statement is told. The package opens no database.
package ovntrace

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"ovnreplay/conntrack"
	"ovnreplay/pcap"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/microflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/replay"
)

// Question is the packet that is asked about.
type Question struct {
	In   sim.Injection
	key  field.Key  // the packet as it was described
	meta *field.Key // metadata that a microflow gives it
}

// begin is the moment of the first packet: there is no capture to take it from.
const begin = conntrack.Time(0)

// Question finds out which packet enters where.
func (o *Options) Question(net *network.Network, args []string) (*Question, error) {
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
	case len(args) == 1 && o.Inport != "" && strings.Contains(args[0], "inport"):
		return nil, errors.New("give the inport in MICROFLOW or with --inport, not both")
	case len(args) == 1 && o.Inport != "" && strings.TrimSpace(args[0]) != "":
		text = "inport == " + strconv.Quote(o.Inport) + " && (" + args[0] + ")"
	case len(args) == 1 && o.Inport == "":
		text = args[0]
	case o.Inport != "":
		text = "inport == " + strconv.Quote(o.Inport)
	}
	real := o.Packet != "" || o.Read != ""
	if len(args) == 0 && o.Inport == "" && !real {
		return nil, errors.New("no packet: give a MICROFLOW, --packet HEX or -r FILE#N")
	}
	if o.Inport != "" && len(args) == 0 && !real {
		return nil, errors.New("--inport is where a packet enters: give that with --packet or -r, or as a MICROFLOW")
	}
	if real {
		return o.realPacket(net, dp, text)
	}
	flow, err := microflow.Parse(text, net, dp)
	if err != nil {
		return nil, err
	}
	took, zero := flow.Complete()
	if took != nil {
		o.Tell("not in the microflow, and taken as a sender would: %s", strings.Join(took, ", "))
	}
	if zero != nil {
		o.Tell("not in the microflow, nor told by the port that it enters at, and 0 here: %s", strings.Join(zero, ", "))
	}
	q := &Question{key: flow.Key, meta: &flow.Key}
	frame := flow.Frame()
	if flow.Port == nil {
		o.Tell("microflow does not specify ingress port")
	}
	q.In = sim.Injection{Port: flow.Port, Datapath: flow.Datapath, Time: begin, Frame: frame, Wire: len(frame)}
	return q, o.enter(net, q)
}

// realPacket takes the bytes of --packet or -r.
func (o *Options) realPacket(net *network.Network, dp *network.Datapath, text string) (*Question, error) {
	q := &Question{In: sim.Injection{Time: begin}}
	var err error
	if o.Packet != "" {
		q.In.Frame, err = parseHex(o.Packet)
		q.In.Wire = len(q.In.Frame)
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
		if q.In.Port = flow.Port; q.In.Port == nil {
			return nil, errors.New("name the packet's inport, in MICROFLOW or with --inport")
		}
	} else if q.In.Port, err = replay.NewOwners(net).Find([][]byte{q.In.Frame}); err != nil {
		return nil, fmt.Errorf("%w; name the port with --inport", err)
	}
	packet.Parse(q.In.Frame, &q.key)
	q.key.Set(field.Inport, uint64(q.In.Port.Index))
	return q, o.enter(net, q)
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

// captured takes frame N of FILE#N.
func (o *Options) captured(q *Question) error {
	rec, err := o.record()
	if err != nil {
		return err
	}
	eth, _, err := pcap.Frame(rec)
	if eth == nil {
		if err == nil {
			err = errors.New("addresses unknown")
		}
		return fmt.Errorf("-r %s: link type %v has no Ethernet header (%w)", o.Read, rec.LinkType, err)
	}
	q.In.Frame = append([]byte(nil), eth...)
	q.In.Wire, q.In.Time = rec.OrigLen, conntrack.Time(rec.Time)
	return nil
}

// Moment is when the packet was captured; of one that was not, ok is false.
func (o *Options) Moment() (t time.Time, ok bool, err error) {
	if o.Read == "" {
		return time.Time{}, false, nil
	}
	rec, err := o.record()
	if err != nil {
		return time.Time{}, false, err
	}
	return time.Unix(0, rec.Time), true, nil
}

// record reads frame N of FILE#N, once.
func (o *Options) record() (*pcap.Record, error) {
	if o.read != nil {
		return o.read, nil
	}
	i := strings.LastIndexByte(o.Read, '#')
	if i < 0 {
		return nil, fmt.Errorf("-r %s: which frame? give FILE#N, N from 1", o.Read)
	}
	n, err := strconv.Atoi(o.Read[i+1:])
	if err != nil || n < 1 {
		return nil, fmt.Errorf("-r %s: %q is no frame number: give FILE#N, N from 1", o.Read, o.Read[i+1:])
	}
	r, err := pcap.Open(o.Read[:i])
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var rec pcap.Record
	for k := 1; ; k++ {
		switch err := r.Next(&rec); {
		case err == io.EOF:
			return nil, fmt.Errorf("-r %s: the capture has only %d frames", o.Read, k-1)
		case err != nil:
			return nil, err
		}
		if k == n {
			break
		}
	}
	o.read = new(pcap.Record)
	o.read.CopyFrom(&rec)
	return o.read, nil
}

// enter finds the chassis where the packet enters.
func (o *Options) enter(net *network.Network, q *Question) error {
	if o.Chassis != "" {
		if q.In.Chassis = net.ChassisByName(o.Chassis); q.In.Chassis != nil {
			return nil
		}
		for _, c := range net.Chassis {
			if c.Hostname == o.Chassis {
				q.In.Chassis = c
				return nil
			}
		}
		return fmt.Errorf("--chassis: %w", net.NoChassis(o.Chassis))
	}
	port := q.In.Port
	if port == nil {
		q.In.Chassis = someChassis(net, q.In.Datapath)
		return nil
	}
	if q.In.Chassis = port.ActiveChassis(); q.In.Chassis != nil {
		return nil
	}
	c, err := replay.ChassisOf(net, port)
	if err == nil {
		q.In.Chassis = c
		return nil
	}
	// On every chassis, or on none: where it makes no difference any will do,
	// and where it does the reader can say which.
	q.In.Chassis = someChassis(net, port.Datapath)
	if len(net.Chassis) > 1 && !o.AllChassis {
		o.Tell("port %s is bound to no single chassis: the packet enters on %s (see --chassis)",
			port.Name, q.In.Chassis.Name)
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
