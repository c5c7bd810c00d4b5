package sim

import (
	"cmp"
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/nat/header"
	"ovnreplay/sim/network"
)

// Limit is a limit of the system that is imitated. What it refuses there is
// refused here too, which is why memory is bounded however many packets come.
type Limit uint8

const (
	ConnectionsFull Limit = iota + 1 // nf_conntrack_max, ct-set-maxconns
	ZoneFull                         // ovs-appctl dpctl/ct-set-limits
	PortsTaken                       // SNAT has no source port left
	IDsTaken                         // SNAT has no ICMP id left, or may not change it
	TupleTaken                       // DNAT leads to a tuple that another connection has
	FragmentsFull                    // net.ipv4.ipfrag_high_thresh; IPF_MAX of Open vSwitch
	BindingsFull                     // MAC bindings on their way to the Southbound database
	FDBFull                          // FDB entries on their way there
	NextHopsFull                     // next hops for which ovn-controller holds packets
	RateReached                      // a meter on the way to ovn-controller
	ZonesTaken                       // MAX_CT_ZONES of ovn-controller: ports and datapaths beyond share zone 0
)

var limitText = [...]string{
	ConnectionsFull: "the connection table was full",
	ZoneFull:        "a zone's limit of connections was reached",
	PortsTaken:      "SNAT had no source port left",
	IDsTaken:        "SNAT met an ICMP id that another connection has",
	TupleTaken:      "DNAT met an address and port that another connection has",
	FragmentsFull:   "too many fragments waited for their siblings",
	BindingsFull:    "more MAC bindings were learned at once than ovn-controller takes",
	FDBFull:         "more FDB entries were learned at once than ovn-controller takes",
	NextHopsFull:    "packets waited for more next hops than ovn-controller holds packets for",
	RateReached:     "more went to ovn-controller than a meter lets through",
	ZonesTaken:      "more ports and datapaths than there are conntrack zones: packets met the one that the rest share",
}

// String says what is the case where the limit is reached.
func (l Limit) String() string { return limitText[l] }

// Reached is a limit that was reached: Count times, since then.
type Reached struct {
	Limit   Limit
	Chassis *network.Chassis
	Zone    string // where the limit is a zone's
	Meter   string // where it is a meter's
	Most    int    // the limit; 0: it has no one number
	Count   int
	Since   conntrack.Time
}

type limitKey struct {
	limit   Limit
	chassis int
	zone    uint16 // or a meter's name
}

// reached counts that a limit was.
func (e *Engine) reached(l Limit, c *chassis, zone uint16, most int) {
	if e.quiet {
		return
	}
	k := limitKey{l, c.index, zone}
	if r := e.limits[k]; r != nil {
		r.Count++
		return
	}
	if e.limits == nil {
		e.limits = map[limitKey]*Reached{}
	}
	r := &Reached{Limit: l, Chassis: c.Chassis, Most: most, Count: 1, Since: e.now}
	if l >= ZoneFull && l <= TupleTaken {
		r.Zone = e.ZoneName(int32(c.index), zone)
	}
	if l == RateReached {
		r.Meter = e.meterNames[zone]
	}
	e.limits[k] = r
}

// maxZones is how many conntrack zones ovn-controller gives numbers (MAX_CT_ZONES).
const maxZones = 1<<16 - 1

// limitsOf notes the limits that a pass of conntrack met; proto is the packet's.
func (e *Engine) limitsOf(c *chassis, proto uint8, req *conntrack.Request, out *conntrack.Outcome) {
	zone := req.Zone
	if zone == 0 && c.zones.lacking {
		e.reached(ZonesTaken, c, 0, maxZones)
	}
	switch cmp.Or(out.Drop, out.Uncommitted) {
	case conntrack.DropTableFull:
		e.reached(ConnectionsFull, c, 0, c.ct.MaxConns())
	case conntrack.DropZoneLimit:
		e.reached(ZoneFull, c, zone, c.ct.ZoneLimit(zone))
	case conntrack.DropPortsTaken:
		e.reached(taken(proto, req.NAT.Kind), c, zone, 0)
	}
	if out.Evicted {
		e.reached(ConnectionsFull, c, 0, c.ct.MaxConns())
	}
	if out.Refusal == conntrack.FragmentsFull {
		e.reached(FragmentsFull, c, 0, 0)
	}
}

// taken is the limit of a translation that found no free tuple.
func taken(proto uint8, kind nat.Kind) Limit {
	switch {
	case kind == nat.Dst:
		return TupleTaken
	case proto == header.ProtoICMP, proto == header.ProtoICMPv6:
		return IDsTaken
	}
	return PortsTaken
}

// Limits tells which limits were reached, in the order in which they were.
func (e *Engine) Limits() []*Reached {
	keys := make([]limitKey, 0, len(e.limits))
	for k := range e.limits {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b limitKey) int {
		return cmp.Or(cmp.Compare(e.limits[a].Since, e.limits[b].Since), cmp.Compare(a.limit, b.limit),
			cmp.Compare(a.chassis, b.chassis), cmp.Compare(a.zone, b.zone))
	})
	list := make([]*Reached, len(keys))
	for i, k := range keys {
		list[i] = e.limits[k]
	}
	return list
}
