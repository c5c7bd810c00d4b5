package sim

import (
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/trace"
)

// Outcome is what became of an injected packet. It and all it refers to is
// valid until the engine's next Inject.
type Outcome struct {
	Verdict Verdict
	Drop    trace.Reason // Dropped: why the packet ended, the first reason found; Unknown: what is not known
	DropAt  int          // both: index of the event that ends the packet, -1 if none
	Outputs []Output
	Tunnels []TunnelOutput // sent from chassis to chassis
	Hops    []Hop          // with Options.Hops
	Trace   trace.Trace

	Of   Injection // what was injected
	Late bool      // from Advance: the rest of a packet that was held
}

// Untold makes the fate of a packet that did not leave be not known: it belongs to
// a connection of which, for the reason, the engine lacks a part. What was made
// in its place is not known then either.
func (o *Outcome) Untold(why trace.Reason) {
	o.Verdict, o.Drop, o.Outputs = Unknown, why, o.Outputs[:0]
	o.Tunnels = slices.DeleteFunc(o.Tunnels, func(t TunnelOutput) bool { return t.Made })
}

// Hop is a packet, or a copy of it, as it comes to a datapath over a router's or
// switch's port.
type Hop struct {
	Port    *network.Port
	Chassis *network.Chassis
	Data    []byte
	Wire    int // its length on the wire
	Event   int // index of its Enter event
}

// Verdict is a packet's fate in a word.
type Verdict uint8

const (
	Delivered Verdict = iota + 1 // something left at a port
	Dropped                      // nothing left, and nothing was learned from it
	Consumed                     // ovn-controller took it or holds it, or conntrack holds it for its datagram
	Unknown                      // nothing left, for want of what no capture shows: see Outcome.Untold
)

// String returns the verdict as run --json spells it.
func (v Verdict) String() string {
	switch v {
	case Delivered:
		return "delivered"
	case Dropped:
		return "dropped"
	case Consumed:
		return "consumed"
	case Unknown:
		return "not known"
	}
	return "none"
}

// Output is a packet that leaves OVN at a logical port.
type Output struct {
	Port    *network.Port
	Chassis *network.Chassis
	Time    conntrack.Time
	Data    []byte // the frame
	Wire    int    // its length on the wire; more than len(Data) if the capture had cut it
	Guess   bool   // a choice on its way was guessed
	Seen    bool   // a choice on its way was read from a capture
	Event   int    // index of its Out event
	Made    bool   // ovn-controller made the packet

	headers packet.HeadersOnce
}

// Headers returns the frame's headers, parsed when first asked for.
func (o *Output) Headers() *packet.Headers { return o.headers.Of(o.Data) }

// Choice is one decision a real datapath takes at random or by a private hash.
type Choice struct {
	Kind    trace.Reason // GuessBackend, GuessNextHop, GuessMember or GuessPort
	Time    conntrack.Time
	Chassis *network.Chassis // GuessBackend: where it is made
	Options []ChoiceOption
	Itself  bool // only the packet itself shows it, and no other of its connection
}

// ChoiceOption is one of a choice's alternatives: a destination, for
// GuessNextHop the Ethernet addresses that the packet would get, 0 if unknown,
// or for GuessMember the port it would leave at, nil if none.
type ChoiceOption struct {
	Addr [16]byte
	V6   bool
	Port uint16

	EthSrc, EthDst uint64

	Out *network.Port

	// RuledOut is set by a Chooser that does not know which, but not this one.
	RuledOut bool
}

// SeenHop is how a packet is seen to go on to a next hop.
type SeenHop struct {
	To, From uint64 // Ethernet addresses; From is 0 where nothing shows it
	// Gateway: To is of a router that answers for the next hop's address, which may have others.
	Gateway bool
}

// Chooser says which of a choice's options the datapath took; false if it
// cannot know. The packet is as it is then; it is to be looked at only.
type Chooser interface {
	Choose(c *Choice, p *packet.Packet) (int, bool)
	// SourcePort says which port SNAT to an address gave the packet.
	SourcePort(addr [16]byte, v6 bool, p *packet.Packet) (uint16, bool)
	// MovedPort says which port the packet's source is known to have got, since another
	// connection would have looked alike, where no SNAT was asked for.
	MovedPort(p *packet.Packet) (uint16, bool)
	// Asked says whether the packet made ovn-controller ask for the Ethernet
	// address of its next hop (ip; IPv4 in the low 32 bits) from a router port's
	// address, although it had just learned it.
	Asked(ip field.Uint128, v6 bool, src uint64) bool
	// NextHop returns how the packet is seen to go on towards a next hop whose
	// address no capture shows being learned. bound is the one that is known, 0: none;
	// false: that holds.
	NextHop(ip field.Uint128, v6 bool, bound uint64, p *packet.Packet) (hop SeenHop, ok bool)
	// Behind returns the port of a switch to which alone the packet is seen to go on, where
	// the switch is not known to have learned who has its destination; nil: none is.
	Behind(dp *network.Datapath, p *packet.Packet) *network.Port
	// Answer returns the first UDP payload that leaves soon after for which is
	// says that it is the one looked for, nil if none does.
	Answer(is func(payload []byte) bool) []byte
}
