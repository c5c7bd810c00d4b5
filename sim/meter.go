package sim

import (
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/conntrack/coding"
	"ovnreplay/sim/network"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// What a logical flow's controller_meter names is measured on each chassis on its way to
// ovn-controller, which never sees what is beyond the meter's rate: the control plane
// protection of ovn-nb(5), table Copp.

// meterKey is a meter of a chassis, by the number of its name.
type meterKey struct{ chassis, meter int32 }

// bucket is what Linux (net/openvswitch/meter.c) and Open vSwitch's userspace datapath
// keep of a meter: each band's tokens, thousandths of packets or bits.
type bucket struct {
	of     *network.Meter
	used   conntrack.Time
	tokens []uint64
}

// tokensLeft is what a packet finds.
type tokensLeft uint8

const (
	tokensEnough tokensLeft = iota
	tokensFew               // others that no capture shows may have taken them
	tokensNone
)

// take takes what a packet of a length costs.
func (b *bucket) take(now conntrack.Time, wire int) tokensLeft {
	const millisecond = conntrack.Second / 1000
	passed := now/millisecond - b.used/millisecond
	b.used = max(b.used, now)
	cost, left := uint64(1000), tokensEnough
	if b.of.Kilobits {
		cost = uint64(wire) * 8
	}
	for i, band := range b.of.Bands {
		most := uint64(band.Size()) * 1000
		if rate := uint64(band.Rate); rate > 0 && passed > 0 {
			b.tokens[i] = min(most, b.tokens[i]+min(uint64(passed), most/rate+1)*rate)
		}
		switch {
		case b.tokens[i] < cost:
			left = tokensNone
			continue
		case 2*b.tokens[i] < most:
			left = max(left, tokensFew)
		}
		b.tokens[i] -= cost
	}
	return left
}

// fullBucket is a meter as it begins.
func fullBucket(m *network.Meter, now conntrack.Time) *bucket {
	b := &bucket{of: m, used: now}
	for _, band := range m.Bands {
		b.tokens = append(b.tokens, uint64(band.Size())*1000)
	}
	return b
}

// beyondRate reports whether a packet that a flow sends to ovn-controller does not get
// there, for the flow's meter.
func (e *Engine) beyondRate(p *pkt, f *table.Flow) bool {
	m := e.metered[f.Index]
	if m == 0 {
		return false
	}
	n := e.meters[m-1]
	k := meterKey{int32(p.chassis.index), n.name}
	b := e.buckets[k]
	if b == nil || !b.of.Same(n.of) {
		if e.buckets == nil {
			e.buckets = map[meterKey]*bucket{}
		}
		b = fullBucket(n.of, e.now)
		e.buckets[k] = b
	}
	switch b.take(e.now, p.Wire) {
	case tokensNone:
		e.reached(RateReached, p.chassis, uint16(n.name), n.of.Least())
		e.drop(p, trace.DropMetered, f)
		p.broken = true
		return true
	case tokensFew:
		e.note(p, trace.Note, trace.NearRate, f)
	}
	return false
}

// meter is one that flows of the network name.
type meter struct {
	of   *network.Meter
	name int32 // see Engine.meterNames
}

// readMeters finds the meters of flows.
func (e *Engine) readMeters() {
	type named struct {
		az   int
		name string
	}
	at := map[named]uint16{}
	e.metered, e.meters = make([]uint16, len(e.Net.Flows)), nil
	for _, f := range e.Net.Flows {
		if f.Meter == "" || len(f.Datapaths) == 0 {
			continue
		}
		az := f.Datapaths[0].AZ
		m, ok := az.Meters[f.Meter]
		if !ok {
			continue
		}
		k := named{az.Index, f.Meter}
		if at[k] == 0 && len(e.meters) < 1<<16-1 {
			e.meters = append(e.meters, meter{&m, e.numberMeter(f.Meter)})
			at[k] = uint16(len(e.meters))
		}
		e.metered[f.Index] = at[k]
	}
}

// numberMeter is the number of a meter's name, which stays as networks come and go.
func (e *Engine) numberMeter(name string) int32 {
	n := slices.Index(e.meterNames, name)
	if n < 0 {
		n = len(e.meterNames)
		e.meterNames = append(e.meterNames, name)
	}
	return int32(n)
}

// codeMeters writes or reads what meters hold.
func (s *saver) codeMeters() {
	if s.Reading() {
		s.e.buckets = map[meterKey]*bucket{}
	}
	codeEntries(s, s.e.buckets, func(s *saver, k *meterKey, b **bucket) {
		chassis, name := int(k.chassis), ""
		if !s.Reading() {
			name = s.e.meterNames[k.meter]
		} else {
			*b = &bucket{of: &network.Meter{}}
		}
		s.at(&chassis)
		s.Text(&name)
		k.chassis, k.meter = int32(chassis), s.e.numberMeter(name)
		x := *b
		s.Bools(&x.of.Kilobits)
		coding.Int(s.Coder, &x.used)
		coding.Slice(s.Coder, &x.of.Bands, 2, func(band *network.Band) {
			coding.Uint(s.Coder, &band.Rate)
			coding.Uint(s.Coder, &band.Burst)
		})
		coding.Slice(s.Coder, &x.tokens, 1, func(n *uint64) { coding.Uint(s.Coder, n) })
		if len(x.tokens) != len(x.of.Bands) {
			s.Fail("a meter of %d bands has tokens for %d", len(x.of.Bands), len(x.tokens))
		}
	})
}

// at codes a chassis' index by its name.
func (s *saver) at(index *int) {
	name := ""
	if !s.Reading() {
		name = s.e.Net.Chassis[*index].Name
	}
	s.Text(&name)
	if !s.Reading() {
		return
	}
	*index = slices.IndexFunc(s.e.Net.Chassis, func(c *network.Chassis) bool { return c.Name == name })
	if s.gone = s.gone || *index < 0; s.gone {
		*index = 0
	}
}
