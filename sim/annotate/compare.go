package annotate

import (
	"strconv"

	"ovnreplay/pcap"
	"ovnreplay/sim/replay"
)

// Matched writes a frame that was observed as predicted; from is the packet that
// led to it, nil if none did.
func (c *Capture) Matched(it *replay.Item, from *replay.Origin) {
	frame, wire := it.Bytes()
	if c.Only == nil || c.Only["matched"] {
		c.beside("matched at ", it, from, frame, wire, pcap.DirectionOut, nil)
	}
}

// Differing writes the frames that differ, as a verification reports them: each
// that was observed, with what was predicted in its place beside it.
func (c *Capture) Differing(r *replay.Report) error {
	for _, list := range []struct {
		verdict string
		items   []replay.Item
	}{{"mismatched", r.Mismatched}, {"missing", r.Missing}, {"unexpected", r.Unexpected}} {
		if c.Only != nil && !c.Only[list.verdict] {
			continue
		}
		for i := range list.items {
			it := &list.items[i]
			frame, wire := it.Bytes()
			c.beside(list.verdict+" at ", it, it.From, frame, wire, pcap.DirectionOut, it.Fields)
			if frame, wire := it.Predicted(); len(frame) > 0 {
				c.beside("predicted instead at ", it, it.From, frame, wire, pcap.DirectionOut, nil)
			}
		}
	}
	return c.err
}

func (c *Capture) beside(verdict string, it *replay.Item, from *replay.Origin, frame []byte, wire int,
	d pcap.Direction,
	fields []replay.Difference) {
	on := c.book.Net.ChassisByName(it.Chassis)
	if on == nil || c.err != nil {
		return
	}
	name, number := it.Capture, it.Frame
	if from != nil {
		name, number = from.Capture, from.Frame
	}
	c.number(name, number)
	t := &c.told
	t.all = t.all[:0]
	t.value = appendClean(append(t.value[:0], verdict...), it.Port)
	t.say("ovn-replay")
	if from == nil || name != it.Capture || number != it.Frame {
		t.value = strconv.AppendInt(append(appendClean(append(t.value[:0], "frame "...), it.Capture), ':'),
			int64(it.Frame), 10)
		t.say("observed")
	}
	if from != nil {
		t.value = strconv.AppendInt(append(appendClean(t.value[:0], from.Capture), ':'), int64(from.Frame), 10)
		t.value = appendClean(append(t.value, " at "...), from.Port)
		t.say("from")
	}
	t.called = t.called[:0]
	t.call(c.book.Net.Port(it.Port))
	if from != nil {
		t.call(c.book.Net.Port(from.Port))
	}
	t.all = append(t.all, t.called...)
	t.at(on)
	if t.conn = 0; from != nil {
		t.conn = from.Conn
	}
	t.connection()
	if len(fields) > 0 || verdict == "missing at " || verdict == "unexpected at " {
		c.differences(it, fields)
	}
	c.write(nil, c.book.Net.Port(it.Port), on, pcap.Packet{
		Time: int64(it.Time), Data: frame, OrigLen: wire, Direction: d, Lines: t.all,
	}, nil)
}

// differences says how a frame differs, why, and what is to blame.
func (c *Capture) differences(it *replay.Item, fields []replay.Difference) {
	t := &c.told
	for i := range fields {
		d := &fields[i]
		b := append(appendClean(t.value[:0], d.Field), " predicted "...)
		b = append(appendClean(b, d.Predicted), " observed "...)
		b = appendClean(b, d.Observed)
		if d.Old != "" {
			b = append(appendClean(append(b, " (entered with "...), d.Old), ')')
		}
		if d.Stage != "" {
			b = append(appendClean(append(b, " last set at "...), d.Stage), " (flow "...)
			b = append(appendClean(b, d.Flow), ')')
		}
		t.value = b
		t.say("difference")
	}
	t.value = appendClean(t.value[:0], it.Blamed())
	if it.Reason != "" {
		t.value = appendClean(append(t.value, "; "...), it.Reason)
	}
	t.say("cause")
	if f := it.Flow; f != nil {
		b := append(t.value[:0], "none"...)
		if f.UUID != "" {
			b = appendClean(b[:0], f.UUID)
		}
		b = append(appendClean(append(b, ' '), f.Datapath), " stage "...)
		t.value = appendClean(b, f.Stage)
		t.say("flow")
	}
}
