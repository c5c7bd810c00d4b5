// Package field defines the flow key: every field an OVN logical flow can
// match or set, laid out as bits in one fixed array of words.
//
// A Key is plain data. It is compared, copied and masked word by word, holds
// no pointers and never allocates. The layout is private to the program and
// may change between versions; nothing stores a Key.
//
// The package knows fields, not symbols: names with prerequisites, predicates
// and aliases (reg0, ct.est, ip4.mcast) belong to package lflow, which maps
// each of them to a Slice of a field.
//
// Authority: ovn-sb(5), Logical_Flow "match"; ovs-fields(7).
package field

// Words is the number of 64-bit words in a Key.
const Words = 32

// Key is the flow key of one packet: packet fields in host order, right
// aligned, and the metadata OVN's pipelines carry beside the packet.
type Key [Words]uint64

// ID names a field. The zero ID is no field.
type ID uint8

// The fields. Registers exist in their widest form only, as in OVN: reg0 is
// bits 96..127 of XXReg0, xreg0 bits 64..127, reg8 bits 32..63 of XReg4.
const (
	None ID = iota

	XXReg0 // 128: reg0 (most significant) to reg3
	XXReg1 // 128: reg4 to reg7
	XReg4  // 64: reg8, reg9

	Inport  // 32: index of the logical port in the network, 0 is none
	Outport // 32: index of the logical port or multicast group, 0 is none
	Flags   // 32: MLF_* bits
	PktMark // 32

	CTState // 32: new 0, est 1, rel 2, rpl 3, inv 4, trk 5, snat 6, dnat 7
	CTMark  // 32
	CTLabel // 128

	// The original tuple of the packet's connection, 0 when untracked.
	CTProto  // 8
	CTTpSrc  // 16
	CTTpDst  // 16
	CTNwSrc  // 32
	CTNwDst  // 32
	CTIP6Src // 128
	CTIP6Dst // 128

	EthSrc  // 48
	EthDst  // 48
	EthType // 16
	VLANTCI // 16: 802.1Q TCI with bit 12 (CFI) set when a tag is present

	IPProto  // 8
	IPDSCP   // 6
	IPECN    // 2
	IPTTL    // 8
	IPFrag   // 8: bit 0 any fragment, bit 1 not the first
	IP4Src   // 32
	IP4Dst   // 32
	IP6Src   // 128
	IP6Dst   // 128
	IP6Label // 32 (20 used)

	ICMP4Type // 8
	ICMP4Code // 8
	ICMP6Type // 8
	ICMP6Code // 8

	TpSrc    // 16: TCP, UDP and SCTP ports
	TpDst    // 16
	TCPFlags // 16 (12 used)

	ARPOp  // 16: ARP and RARP
	ARPSPA // 32
	ARPTPA // 32
	ARPSHA // 48
	ARPTHA // 48

	NDTarget // 128
	NDSLL    // 48
	NDTLL    // 48

	numIDs
)

// slot is where a field lives. A 128-bit field fills words word (most
// significant) and word+1; every other field lies within one word.
type slot struct {
	name  string
	word  uint8
	shift uint8
	width uint8
}

var slots = [numIDs]slot{
	XXReg0:    {"xxreg0", 0, 0, 128},
	XXReg1:    {"xxreg1", 2, 0, 128},
	XReg4:     {"xreg4", 4, 0, 64},
	Inport:    {"inport", 5, 32, 32},
	Outport:   {"outport", 5, 0, 32},
	Flags:     {"flags", 6, 32, 32},
	CTState:   {"ct_state", 6, 0, 32},
	PktMark:   {"pkt.mark", 7, 32, 32},
	CTMark:    {"ct_mark", 7, 0, 32},
	CTLabel:   {"ct_label", 8, 0, 128},
	EthSrc:    {"eth.src", 10, 16, 48},
	VLANTCI:   {"vlan.tci", 10, 0, 16},
	EthDst:    {"eth.dst", 11, 16, 48},
	EthType:   {"eth.type", 11, 0, 16},
	IPProto:   {"ip.proto", 12, 56, 8},
	IPTTL:     {"ip.ttl", 12, 48, 8},
	IPFrag:    {"ip.frag", 12, 40, 8},
	IPDSCP:    {"ip.dscp", 12, 34, 6},
	IPECN:     {"ip.ecn", 12, 32, 2},
	IP6Label:  {"ip6.label", 12, 0, 32},
	IP4Src:    {"ip4.src", 13, 32, 32},
	IP4Dst:    {"ip4.dst", 13, 0, 32},
	IP6Src:    {"ip6.src", 14, 0, 128},
	IP6Dst:    {"ip6.dst", 16, 0, 128},
	TpSrc:     {"tp.src", 18, 48, 16},
	TpDst:     {"tp.dst", 18, 32, 16},
	TCPFlags:  {"tcp.flags", 18, 16, 16},
	ICMP4Type: {"icmp4.type", 19, 24, 8},
	ICMP4Code: {"icmp4.code", 19, 16, 8},
	ICMP6Type: {"icmp6.type", 19, 8, 8},
	ICMP6Code: {"icmp6.code", 19, 0, 8},
	ARPOp:     {"arp.op", 19, 48, 16},
	ARPSPA:    {"arp.spa", 20, 32, 32},
	ARPTPA:    {"arp.tpa", 20, 0, 32},
	ARPSHA:    {"arp.sha", 21, 16, 48},
	CTTpSrc:   {"ct_tp_src", 21, 0, 16},
	ARPTHA:    {"arp.tha", 22, 16, 48},
	CTTpDst:   {"ct_tp_dst", 22, 0, 16},
	NDTarget:  {"nd.target", 23, 0, 128},
	NDSLL:     {"nd.sll", 25, 16, 48},
	CTProto:   {"ct_proto", 25, 0, 8},
	NDTLL:     {"nd.tll", 26, 16, 48},
	CTNwSrc:   {"ct_nw_src", 27, 32, 32},
	CTNwDst:   {"ct_nw_dst", 27, 0, 32},
	CTIP6Src:  {"ct_ipv6_src", 28, 0, 128},
	CTIP6Dst:  {"ct_ipv6_dst", 30, 0, 128},
}

// String returns the field's OVN name.
func (id ID) String() string {
	if id >= numIDs || id == None {
		return "none"
	}
	return slots[id].name
}

// Width returns the field's width in bits.
func (id ID) Width() int { return int(slots[id].width) }

// Word returns the index of the field's (most significant) word.
func (id ID) Word() int { return int(slots[id].word) }

// All returns every field, in ID order.
func All() []ID {
	ids := make([]ID, 0, numIDs-1)
	for id := None + 1; id < numIDs; id++ {
		ids = append(ids, id)
	}
	return ids
}

// Slice is a run of bits of a field: Width bits from bit Ofs, bit 0 being the
// field's least significant.
type Slice struct {
	Field ID
	Ofs   uint8
	Width uint8
}

// Whole returns the slice that is all of id.
func Whole(id ID) Slice { return Slice{id, 0, slots[id].width} }

// Get returns the value of a field of at most 64 bits.
func (k *Key) Get(id ID) uint64 {
	p := &slots[id]
	return k[p.word] >> p.shift & ones(p.width)
}

// Set stores v, cut to the field's width, in a field of at most 64 bits.
func (k *Key) Set(id ID, v uint64) {
	p := &slots[id]
	m := ones(p.width) << p.shift
	k[p.word] = k[p.word]&^m | v<<p.shift&m
}

// Get128 returns the value of any field.
func (k *Key) Get128(id ID) Uint128 {
	p := &slots[id]
	if p.width == 128 {
		return Uint128{k[p.word], k[p.word+1]}
	}
	return Uint128{0, k.Get(id)}
}

// Set128 stores v, cut to the field's width, in any field.
func (k *Key) Set128(id ID, v Uint128) {
	p := &slots[id]
	if p.width == 128 {
		k[p.word], k[p.word+1] = v.Hi, v.Lo
		return
	}
	k.Set(id, v.Lo)
}

// Load returns the bits of s, right aligned.
func (k *Key) Load(s Slice) Uint128 {
	return k.Get128(s.Field).Rsh(uint(s.Ofs)).And(Ones(int(s.Width)))
}

// Store replaces the bits of s by the low bits of v.
func (k *Key) Store(s Slice, v Uint128) {
	m := Ones(int(s.Width)).Lsh(uint(s.Ofs))
	old := k.Get128(s.Field)
	k.Set128(s.Field, old.AndNot(m).Or(v.Lsh(uint(s.Ofs)).And(m)))
}

// EachWord calls f with each word of a key that the slice has bits in, and
// which these are.
func (s Slice) EachWord(f func(word uint8, mask uint64)) {
	p := &slots[s.Field]
	m := Ones(int(s.Width)).Lsh(uint(s.Ofs))
	if p.width == 128 {
		if m.Hi != 0 {
			f(p.word, m.Hi)
		}
		if m.Lo != 0 {
			f(p.word+1, m.Lo)
		}
		return
	}
	if m := m.Lo & ones(p.width); m != 0 {
		f(p.word, m<<p.shift)
	}
}

// Term is a masked test of one word of a key: k[Word]&Mask == Value.
type Term struct {
	Word  uint8
	Mask  uint64
	Value uint64
}

// Terms returns the word tests equivalent to "id & mask == value": none when
// mask is zero, two when a 128-bit mask reaches into both words.
func Terms(id ID, value, mask Uint128) []Term { return AppendTerms(nil, id, value, mask) }

// AppendTerms appends what Terms returns to ts.
func AppendTerms(ts []Term, id ID, value, mask Uint128) []Term {
	p := &slots[id]
	if p.width == 128 {
		if mask.Hi != 0 {
			ts = append(ts, Term{p.word, mask.Hi, value.Hi & mask.Hi})
		}
		if mask.Lo != 0 {
			ts = append(ts, Term{p.word + 1, mask.Lo, value.Lo & mask.Lo})
		}
		return ts
	}
	m := mask.Lo & ones(p.width)
	if m == 0 {
		return ts
	}
	return append(ts, Term{p.word, m << p.shift, value.Lo & m << p.shift})
}

func ones(width uint8) uint64 {
	if width >= 64 {
		return ^uint64(0)
	}
	return 1<<width - 1
}
