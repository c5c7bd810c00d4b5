// Package conntrack is a simulated connection tracking table: what netfilter
// (profile Linux) or Open vSwitch's userspace datapath (profile OVSUserspace)
// does when a flow says ct(…).
//
// One Table serves one chassis and holds all its zones. Packets are IP
// packets as bytes; a look-up that applies NAT rewrites them in place. The
// only clock is the one handed in with each packet: nothing here reads the
// wall clock, draws random numbers or depends on map order, so the same calls
// in the same order always give the same results.
//
// A Table is not safe for concurrent use. In steady state (no connection
// created or removed) Execute allocates nothing.
//
// The package knows nothing of OVN, databases or files of captures.
package conntrack

import (
	"ovnreplay/nat"
)

// Time is a moment on the capture's clock, in nanoseconds since the Unix epoch.
type Time int64

// State is a set of ct_state bits, as OVS and OVN number them.
type State uint16

const (
	New State = 1 << iota
	Established
	Related
	Reply
	Invalid
	Tracked
	SNAT
	DNAT
)

// Label is ct_label: 128 bits.
type Label struct{ Hi, Lo uint64 }

// Profile says whose behaviour the table imitates.
type Profile uint8

const (
	Linux Profile = iota + 1 // nf_conntrack, as the kernel datapath uses it
	OVSUserspace
)

// Meta is what a packet carries from one ct action to the next: the ct_*
// fields, and the connection it was found to belong to. The zero Meta is an
// untracked packet; ct_clear and crossing a patch port make it so again.
// Copying a Meta (clone) copies what the packet knows, not the connection.
type Meta struct {
	State State
	Zone  uint16
	Mark  uint32
	Label Label
	Orig  nat.Tuple // original direction of the connection; zero when untracked

	conn    connRef // cached connection, valid within Zone
	reply   bool    // the packet's direction in it
	related bool    // the packet is an ICMP error about it
}

// Clear makes the packet untracked: ct_clear, and crossing a patch port.
func (m *Meta) Clear() { *m = Meta{} }

// Detach is what happens to m when its packet leaves the datapath for a
// controller and comes back later: it still knows its state. Userspace looks
// for the connection anew; the kernel finds the one it was.
func (t *Table) Detach(m *Meta) {
	if t.opt.Profile == OVSUserspace {
		m.conn = connRef{}
	}
}

// Request is one ct action: ct(zone=Zone, commit, nat(…), exec(set mark, label)).
type Request struct {
	Zone   uint16
	Commit bool
	Force  bool

	// Exec: bits to set on the connection, with Commit only. Zero masks change nothing.
	Mark, MarkMask   uint32
	Label, LabelMask Label

	NAT    nat.Binding // zero: no nat(); nat.Apply: nat without arguments
	Helper Helper

	// Pin, if not nil, is the reply tuple a new connection is to get, as a
	// capture at the far side or a dump of the real table shows it. It is
	// taken instead of a choice when no live connection has it.
	Pin *nat.Tuple

	// Cut: a capture holds less of the packet than there was on the wire: what
	// its header promises was there.
	Cut bool

	// Sight, if not nil, is kept beside the packet.
	Sight *Sight
}

// Helper is a connection-tracking helper (alg=…).
type Helper uint8

const (
	NoHelper Helper = iota
	FTP
	TFTP
)

// Outcome says what Execute did beyond changing the packet and its Meta.
type Outcome struct {
	Drop Drop // not zero: the packet goes no further

	Created   bool // a connection was committed
	Rewritten bool // NAT changed the packet; Before and After are its tuples
	Before    nat.Tuple
	After     nat.Tuple

	// Guess: a choice that a real datapath makes at random or by a private
	// hash (another source port than the packet's own) was made by rule.
	Guess bool

	// Loose: the connection was picked up in the middle, by this packet or one before it: it
	// began before the capture.
	Loose bool

	// Refusal says why ct_state is +inv, Check by which numbers.
	Refusal Refusal
	Check   Check

	// Uncommitted says why a commit did not take although the packet goes on:
	// Open vSwitch's userspace lets it pass as new and remembers nothing.
	Uncommitted Drop

	// Expired: the packet's tuple belonged to a connection that timed out at
	// that moment. Zero: none is remembered.
	Expired Time

	// Replaced: the packet ended an older connection of its tuple: a SYN after
	// the close, or force in the reply direction.
	Replaced bool

	// Evicted: a full table dropped another connection to make room.
	Evicted bool

	// Held numbers a fragment that waits for its siblings (Drop is
	// DropFragment). Whoever drives the table keeps the packet's place under it.
	Held uint64

	// Freed are the fragments of a datagram this packet completed, itself
	// included, in order of offset (OVSUserspace): each goes on from where it
	// was held, with the bytes and the Meta given here.
	Freed []Fragment

	// Reassembled is the whole datagram this fragment completed (Linux): it goes
	// on in the fragment's place, its largest fragment having had MRU bytes, to
	// be cut again with Refragment where it leaves. Valid until the next Execute.
	Reassembled []byte
	Length      int // Reassembled: its own, which is more than there are bytes if a capture cut it
	MRU         int

	// Rewrites: a helper would rewrite an address in this packet's payload
	// (FTP over a translated connection). That is not simulated.
	Rewrites bool

	// Completes: NAT was applied (be it without any change) to a packet whose
	// transport checksum Open vSwitch since 3.6 computes anew on the way out.
	Completes bool

	// Clash: the reply tuple of the new connection already belongs to an
	// older one, to which replies will be counted (OVSUserspace only).
	Clash bool
}

// Refusal is why the tracker refuses a packet. Zero: it does not.
type Refusal uint8

const (
	NotRefused      Refusal = iota
	BadHeader               // malformed IP or transport header
	BadChecksum             // a wrong IP or transport checksum
	BadFlags                // impossible TCP flags
	BadState                // the TCP or SCTP state allows no such packet
	OutOfWindow             // TCP sequence or acknowledgement numbers
	NoConnection            // an ICMP error or answer about no known connection
	NotTrackable            // a packet that cannot open a connection, such as a SYN|ACK
	NotForTracking          // a kind the profile does not track, such as neighbour discovery
	LoneFragment            // a fragment not put together
	BadVerification         // SCTP verification tag
	FragmentsFull           // a fragment, and too many wait already
)

var refusalText = [...]string{"", "malformed header", "wrong checksum", "impossible TCP flags",
	"not allowed in this state",
	"outside the window", "about no known connection", "cannot open a connection", "not tracked", "fragment",
	"wrong verification tag", "too many fragments wait already"}

func (r Refusal) String() string {
	if int(r) < len(refusalText) {
		return refusalText[r]
	}
	return "refused"
}

// Drop is why the datapath drops a packet inside a ct action. Zero: it does not.
type Drop uint8

const (
	NoDrop         Drop = iota
	DropPortsTaken      // SNAT: no free port in the range
	DropTableFull       // the profile refuses new connections
	DropZoneLimit       // the zone's limit is reached
	DropFragment        // a fragment waits for its siblings (they leave together)
	DropClash           // a tuple of the new connection already belongs to another
	DropRedirect        // an ICMP redirect about a translated connection
)

var dropText = [...]string{"", "no free port for SNAT", "connection table full", "zone limit reached",
	"fragment held until complete", "tuple already taken", "ICMP redirect of a translated connection"}

func (d Drop) String() string { return dropText[d] }
