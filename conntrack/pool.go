package conntrack

import (
	"encoding/binary"
	"math/bits"

	"ovnreplay/nat"
)

// connRef names a connection for as long as it exists. The zero connRef names none.
type connRef struct{ idx, gen uint32 }

// conn is one tracked connection. It holds no pointers, so that the garbage
// collector never looks into a table, however large.
type conn struct {
	tuple   [2]nat.Tuple // original and reply direction, as packets arrive
	label   Label
	expires Time // dead from then on
	due     Time // its key in the heap: never later than expires
	created Time
	seq     uint64    // order of creation
	next    [2]uint32 // hash chain of each direction
	pos     uint32    // place in the heap
	gen     uint32    // odd while in use
	mark    uint32
	zone    uint16
	status  status
	peer    [2]peer // TCP and SCTP
	last    lastSeg // TCP, profile Linux
	state   uint8   // protocol's own
	linked  uint8   // directions in hash chains
	helper  Helper
	natSide nat.Sides // OVSUserspace: what was asked for
}

// status is netfilter's notion of a connection's condition.
type status uint16

const (
	seenReply status = 1 << iota
	assured
	srcNAT
	dstNAT
	srcNATDone
	dstNATDone
	expected // opened by a helper's expectation
	liberal  // imported or picked up: do not check windows
	offered  // the helper was attached by a flow
	natAsked // committed with nat(), OVSUserspace
	stale    // ended by force, its reply tuple still taken; see endUserspace
	pickedUp // opened by a packet that opens none
)

// peer is what is known of one end of a TCP connection.
type peer struct {
	end    uint32 // highest sequence number sent (+1)
	maxEnd uint32 // highest one the other end allows
	maxWin uint32
	maxAck uint32 // Linux only; SCTP: verification tag
	scale  uint8
	flags  uint8 // Linux: peerFlag; OVSUserspace: TCP state
}

// lastSeg is the last segment seen, as nf_conntrack remembers it.
type lastSeg struct {
	seq, ack, end uint32
	win           uint16
	index         uint8
	dir           uint8
	scale         uint8
	flags         uint8
	retrans       uint8
}

const chunkBits = 10

// pool hands out connections by number, from chunks that never move.
type pool struct {
	chunks [][]conn
	size   uint32   // numbers ever given out
	spare  []uint32 // freed ones, last freed first
}

func (p *pool) at(idx uint32) *conn {
	return &p.chunks[idx>>chunkBits][idx&(1<<chunkBits-1)]
}

func (p *pool) alloc() uint32 {
	var idx uint32
	if n := len(p.spare); n > 0 {
		idx = p.spare[n-1]
		p.spare = p.spare[:n-1]
	} else {
		if p.size>>chunkBits == uint32(len(p.chunks)) {
			p.chunks = append(p.chunks, make([]conn, 1<<chunkBits))
		}
		idx = p.size
		p.size++
	}
	c := p.at(idx)
	gen := c.gen + 1
	*c = conn{gen: gen | 1}
	return idx
}

func (p *pool) free(idx uint32) {
	c := p.at(idx)
	c.gen++
	c.expires = 0
	p.spare = append(p.spare, idx)
}

// ref returns a reference to a connection in use.
func (p *pool) ref(idx uint32) connRef { return connRef{idx, p.at(idx).gen} }

// hashTuple spreads tuples over the buckets. It has no key: which bucket a
// tuple falls in never shows in a result, but time would.
func hashTuple(zone uint16, t *nat.Tuple) uint64 {
	const k0, k1, k2 = 0xa0761d6478bd642f, 0xe7037ed1a0b428db, 0x8ebc6af09c88c6e3
	tail := uint64(t.SrcPort)<<48 | uint64(t.DstPort)<<32 | uint64(t.Proto)<<24 | uint64(t.Type)<<16 | uint64(zone)
	h := mix(binary.LittleEndian.Uint64(t.Src[:])^k0, binary.LittleEndian.Uint64(t.Dst[:])^k1)
	if t.V6 {
		h ^= mix(binary.LittleEndian.Uint64(t.Src[8:])^k1, binary.LittleEndian.Uint64(t.Dst[8:])^k2)
	}
	return mix(h^k2, tail^k0)
}

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}
