// Package trace is what happened to one packet, as typed events, and how to
// show it: ovn-trace's detailed, summary and minimal forms, one line, JSON.
//
// Events are plain numbers that refer to the network the packet was replayed
// on. Recording one allocates nothing once the Trace has grown to its size.
package trace

import (
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/sim/field"
)

// Kind says what an Event records.
type Kind uint8

const (
	Enter    Kind = iota + 1 // the packet enters a pipeline: Datapath, Egress, Port in, Arg out
	Match                    // a logical flow matched: Flow
	Act                      // the flow's action number Arg begins
	ActEnd                   // its block ends
	Miss                     // no flow of the table matched: the packet is dropped
	Broken                   // the table holds Flow, which does not compile: Arg indexes Trace.Texts; said once
	CT                       // conntrack: Arg indexes Trace.CT
	NAT                      // Arg indexes Trace.NAT
	Out                      // a packet leaves: Port is its outport, Arg indexes the outcome's outputs
	Tunnel                   // on to another chassis: Arg is its index
	Member                   // a copy for a multicast group's member: Port; Arg is the inport
	Made                     // ovn-controller made a packet: Arg is a Maker
	Learn                    // something was learned: Reason says what
	Drop                     // the packet, or this copy of it, ends here: Reason
	Note                     // Reason, without effect on the packet
	Block                    // the block of the flow's action number Arg begins, on a packet of its own
	Set                      // the action assigned, pushed or chose Values()[Arg]
	Found                    // the action's look-up found something: Values()[Arg] is the MAC it is about
	Lost                     // the action's look-up found nothing
	Jump                     // on to the datapath's other pipeline, which Egress says: Port
	Redirect                 // outport Port is a chassisredirect; Arg is the port that replaces it
	Flood                    // to the members of multicast group Arg: Port is the inport
	Log                      // an ACL logs the packet: Arg indexes Trace.Keys
	Gone                     // its connection uses what the network no longer has: Arg indexes Trace.Texts
	Missed                   // it answers a translated connection, and was not translated: Arg indexes Trace.Texts
	Needed                   // the binding it would be translated back by: Arg indexes Trace.Texts
	Unserved                 // the flow that would have given it a backend: Arg indexes Trace.Texts
	Told                     // why it ended, as all of the network told it: Arg indexes Trace.Texts
	Outlived                 // what its NAT step Port uses and the network no longer has: Arg indexes Trace.Texts
)

// Event is one step of a packet.
type Event struct {
	Kind     Kind
	Reason   Reason
	Egress   bool
	Table    uint8
	Depth    uint16 // nesting: blocks and crossings
	Chassis  int32
	Datapath int32
	Flow     int32 // index in the network, -1 for none
	Port     uint32
	Arg      int32
}

// Trace is everything one injected packet did: events, and what they refer to.
// Most of them are in paths that the packet shares with others.
type Trace struct {
	CT    []CTStep
	NAT   []NATStep
	Texts []string
	Keys  []field.Key

	own    []Event
	values []field.Uint128
	parts  []part
	n      int // events, those of paths included
	drops  int // places at which there may be events that end a packet

	// All of them in one row, once asked for.
	flat, room             []Event
	flatValues, roomValues []field.Uint128
	flatLen                int
}

// Uses notes that the packet's connection uses what the network no longer has,
// once for a text.
func (t *Trace) Uses(gone string) {
	if slices.Contains(t.Texts, gone) {
		return
	}
	t.Texts = append(t.Texts, gone)
	t.Add(Event{Kind: Gone, Flow: -1, Arg: int32(len(t.Texts) - 1)})
}

// Says notes what is said of a packet, for whoever asks when neither tables nor the network are
// at hand; of is the Port of the note.
func (t *Trace) Says(kind Kind, of int, text string) {
	t.Texts = append(t.Texts, text)
	ev := Event{Kind: kind, Flow: -1, Port: uint32(of), Arg: int32(len(t.Texts) - 1)}
	if n := t.Len(); n > 0 {
		last := t.Events()[n-1]
		ev.Chassis, ev.Datapath, ev.Egress, ev.Table = last.Chassis, last.Datapath, last.Egress, last.Table
	}
	t.Add(ev)
}

// Said is what was noted of a packet, "" if nothing was.
func (t *Trace) Said(kind Kind, of int) string {
	for _, ev := range t.Events() {
		if ev.Kind == kind && ev.Port == uint32(of) {
			return t.Texts[ev.Arg]
		}
	}
	return ""
}

// Reset empties the trace and keeps its memory.
func (t *Trace) Reset() {
	t.CT, t.NAT, t.Texts, t.Keys = t.CT[:0], t.NAT[:0], t.Texts[:0], t.Keys[:0]
	t.own, t.values, t.parts = t.own[:0], t.values[:0], t.parts[:0]
	t.n, t.drops, t.flatLen = 0, 0, -1
}

// CTStep is one pass through connection tracking.
type CTStep struct {
	Chassis   int32
	Zone      uint16
	Commit    bool
	Created   bool
	Guess     bool
	Loose     bool
	State     conntrack.State
	Mark      uint32
	Label     conntrack.Label
	Orig      nat.Tuple // original direction
	Reply     nat.Tuple // reply direction, as it will be seen
	Connected bool      // there is a connection: Orig and Reply are its
	Override  bool      // the user gave State

	Refusal conntrack.Refusal // why State has inv
	Check   conntrack.Check   // by which numbers
}

// NATStep is one address and port that conntrack translated.
type NATStep struct {
	Dst      bool // destination, else source
	Undo     bool // of a reply: un-NAT
	Flow     int32
	From, To nat.Tuple // the packet's tuples before and after
}

// Reason says why: each drop, guess, approximation and note has one.
type Reason uint8

const (
	NoReason Reason = iota

	// Why a packet ends.
	DropAction     // the flow says drop
	DropNoMatch    // no flow matches
	DropNoOutport  // output with no outport
	DropLoopback   // back to its own port without flags.loopback
	DropNoBackend  // a load balancer without members here
	DropPortsTaken // SNAT found no free port
	DropTableFull  // conntrack table full
	DropZoneLimit  // conntrack zone limit
	DropFragment   // a fragment waits for its siblings
	DropTTL        // ip.ttl-- on a TTL of 0 or 1 without a flow that answers
	DropTooDeep    // more crossings than OVS allows
	DropNotLocal   // the port is on no chassis
	DropLocalOnly  // flags.local_only forbids the tunnel
	DropUnbound    // logical port is not bound
	DropNoGroup    // the multicast group has no member here
	DropWaits      // held until its next hop is resolved
	DropConsumed   // ovn-controller takes it
	DropEmptyGroup // fwd_group or select without members
	DropClash      // the new connection's tuple belongs to another
	DropRedirect   // ICMP redirect about a translated connection
	NotCommitted   // conntrack let the packet pass and remembers nothing: its table is full
	Expired        // its connection timed out before

	// What was made, learned or assumed.
	MadeARP
	MadeNDNS
	MadeNDNA
	MadeICMP
	MadeReset
	MadeDHCP
	MadeDNS
	LearnMAC
	LearnFDB
	LearnAffinity
	LearnECMP
	GuessBackend    // which member: the datapath's private hash decides
	GuessPort       // which source port
	GuessNextHop    // which member of an ECMP group
	ObservedChoice  // the choice was read from a capture
	LostAffinity    // the client does not stick to its backend any more
	Racing          // found its next hop unknown although it was just learned
	LooseConnection // never committed in the zone, and not a packet that opens a connection
	ApproxAction    // the action's effect is not modelled
	MadeRA
	LearnRouter
	GoesOn        // a packet that was held goes on
	GuessDNSOrder // the order of the addresses in a DNS answer
	DropNoAction  // the flow neither forwards the packet nor says drop
	DropRecirculated
	GuessMember   // which port of a forwarding group
	DropBlocked   // the port is not active on this chassis
	LearnActive   // now it is
	TieUndefined  // another flow (Arg, while its network lives) of the same priority matches and acts differently
	DropNoTunnel  // to a chassis of another availability zone, from one that does not interconnect
	DropNotThere  // the other availability zone does not know the tunnel's keys
	UnknownWay    // its connection came through OVN by a way that no capture shows: whether it ends here is not known
	Younger       // its next hop's binding is younger than the packet
	UnknownRest   // of its datagram no capture shows other fragments, without which conntrack holds it
	DropStranger  // of another availability zone, which knows no tunnel to the chassis that sent it
	DropPiece     // a fragment that conntrack cannot put together with others
	NotInZone     // NotCommitted, for the zone's limit
	NotTranslated // NotCommitted, for want of a source port
	DropMetered   // the flow's meter lets no more packets to ovn-controller
	NearRate      // it may soon let none
)

var reasonText = [...]string{
	NoReason:       "",
	DropAction:     "drop",
	DropNoMatch:    "no match (implicit drop)",
	DropNoOutport:  "output without an outport",
	DropLoopback:   "omitting output because inport == outport && !flags.loopback",
	DropNoBackend:  "load balancer has no backend here",
	DropPortsTaken: "SNAT: every source port, or ICMP id, of the range is taken",
	DropTableFull:  "conntrack table is full",
	DropZoneLimit:  "conntrack zone limit is reached",
	DropFragment:   "held until its datagram is complete",
	DropTTL:        "TTL exceeded",
	DropTooDeep:    "more crossings than Open vSwitch allows",
	DropNotLocal:   "the port is bound to no chassis",
	DropLocalOnly:  "local-only packet for a port of another chassis",
	DropUnbound:    "logical port is not bound",
	DropNoGroup:    "multicast group has no member here",
	DropWaits:      "held until the next hop's address is known",
	DropConsumed:   "taken by ovn-controller",
	DropEmptyGroup: "group without members",
	DropClash:      "conntrack: the new connection's tuple belongs to another",
	DropRedirect:   "conntrack: ICMP redirect about a translated connection",
	NotCommitted:   "the connection could not be committed, for conntrack's table is full: the packet passes as new",
	Expired:        "its connection had timed out",
	MadeARP:        "ovn-controller sends an ARP request",
	MadeNDNS:       "ovn-controller sends a neighbor solicitation",
	MadeNDNA:       "ovn-controller sends a neighbor advertisement",
	MadeICMP:       "ovn-controller sends an ICMP message",
	MadeReset:      "ovn-controller sends a reset",
	MadeDHCP:       "ovn-controller answers DHCP",
	MadeDNS:        "ovn-controller answers DNS",
	LearnMAC:       "MAC binding learned",
	LearnFDB:       "FDB entry learned",
	LearnAffinity:  "load balancer affinity learned",
	LearnECMP:      "ECMP next hop learned",
	GuessBackend:   "backend guessed: the datapath chooses by a hash of its own",
	GuessPort:      "source port guessed: the packet's own was taken",
	GuessNextHop:   "next hop guessed: the datapath chooses by a hash of its own",
	ObservedChoice: "choice read from a capture",
	TieUndefined: "tie-undefined: another logical flow of the same priority matches too and acts differently, and " +
		"OVN leaves open which applies",
	LostAffinity:     "the switch has forgotten the backend its client sticks to, as a capture shows",
	Racing:           "racing: its next hop was learned, but the packet came too early to find it, as a capture shows",
	Younger:          "asked for: the database's binding of its next hop is younger than the packet",
	LooseConnection:  "its connection was never committed in this zone: tracked from here on",
	ApproxAction:     "action's effect is not modelled",
	MadeRA:           "ovn-controller sends a router advertisement",
	LearnRouter:      "multicast router learned",
	GoesOn:           "held packet goes on: its next hop's address is known",
	GuessDNSOrder:    "order of addresses guessed: ovn-controller shuffles them",
	DropNoAction:     "the flow's actions end here",
	DropRecirculated: "more recirculations than Open vSwitch's userspace datapath allows",
	DropBlocked:      "the port is not active on this chassis: its machine has not announced itself here",
	LearnActive:      "port activated",
	DropNoTunnel:     "no tunnel: the port is on a remote chassis, and this one has no is-interconn=true",
	DropStranger:     "no tunnel takes it in: the chassis that it was sent to has none to the one that sent it",
	DropNotThere:     "the other availability zone's database has no datapath or port of the tunnel's keys",
	DropPiece:        "fragment that conntrack cannot put together with others",
	NotInZone: "the connection could not be committed, for its zone's limit is reached: the packet passes as " +
		"new",
	NotTranslated: "the connection could not be committed, for every source port, or ICMP id, of SNAT is taken: the " +
		"packet passes as new",
	UnknownWay:  "its connection came by a way that no capture shows",
	UnknownRest: "other fragments of its datagram are in no capture",
	GuessMember: "port of the forwarding group guessed: the datapath chooses by a hash of its own",
	DropMetered: "beyond the rate of the flow's meter: ovn-controller does not get it",
	NearRate:    "the flow's meter is nearly used up: if others went to ovn-controller too, it does not get the packet",
}

// Ends reports whether a packet, or a copy of it, goes no further for the reason.
func (r Reason) Ends() bool {
	switch r {
	case DropNoAction, DropRecirculated, DropBlocked, DropNoTunnel, DropNotThere, DropStranger, DropPiece:
		return true
	}
	return r >= DropAction && r < NotCommitted
}

// String returns the reason in words.
func (r Reason) String() string {
	if int(r) < len(reasonText) {
		return reasonText[r]
	}
	return "unknown reason"
}
