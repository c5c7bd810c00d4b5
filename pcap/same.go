package pcap

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"ovnreplay/nat/header"
)

// Key tells packets apart by their bytes above the link layer. Equal packets
// have equal keys, on any link type and machine; 128 bits make an accidental
// likeness of different ones as good as impossible.
type Key [2]uint64

// keySeed begins every key.
var keySeed = Key{0x9e3779b97f4a7c15, 0xd1b54a32d192ed03}

// PacketKey is the key of a frame's payload and EtherType. Padding after an IP
// packet does not count.
func PacketKey(m *LinkMeta) Key {
	return keySeed.bytes(withoutPadding(m.Payload, m.EtherType)).word(uint64(m.EtherType))
}

// bytes takes in p and its length.
func (k Key) bytes(p []byte) Key {
	n := len(p)
	for ; len(p) >= 16; p = p[16:] {
		k = k.mix(binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[8:]))
	}
	var last [16]byte
	copy(last[:], p)
	return k.mix(binary.LittleEndian.Uint64(last[:]), binary.LittleEndian.Uint64(last[8:])).word(uint64(n))
}

func (k Key) word(v uint64) Key { return k.mix(v, keySeed[0]) }

// mix takes in 16 bytes by two multiplications that do not wait for each other.
func (k Key) mix(u, v uint64) Key {
	hi, lo := bits.Mul64(u^k[0], v^0x8cb92ba72f3d8dd7)
	hi2, lo2 := bits.Mul64(v^k[1], u^0xa0761d6478bd642f)
	return Key{hi ^ lo + k[1], hi2 ^ lo2 + k[0]}
}

// withoutPadding cuts what short Ethernet frames are filled up with, which a
// cooked or raw capture of the same packet lacks.
func withoutPadding(p []byte, etherType uint16) []byte {
	n := len(p)
	switch {
	case etherType == header.EtherIPv4 && n >= 20:
		if total := int(binary.BigEndian.Uint16(p[2:])); total >= 20 {
			n = min(n, total)
		}
	case etherType == header.EtherIPv6 && n >= 40:
		if payload := int(binary.BigEndian.Uint16(p[4:])); payload > 0 {
			n = min(n, 40+payload)
		}
	}
	return p[:n]
}

// Sightings recognises one packet seen at several places of one capture, as
// an "any" capture sees it on each device it passes. Equal bytes at another
// place (device, direction, packet type) within Window are the same packet
// again; equal bytes at a place that has seen them are another packet.
type Sightings struct {
	Window int64 // ns; 0 means 100 ms

	packets uint64
	recent  map[Key]uint64 // the youngest packet with these bytes
	queue   []sighting     // ring of packets in Window, oldest first
	head    int
	used    int
}

type sighting struct {
	key    Key
	packet uint64
	time   int64
	places [maxPlaces]vantage
	seen   uint8
}

// maxPlaces is how many places one packet is followed over; further ones count
// as seen before.
const maxPlaces = 12

// vantage is where a sighting was.
type vantage struct {
	iface     int32
	ifIndex   int32
	direction Direction
	kind      PacketType
}

// Sighting is what is known of a record's packet.
type Sighting struct {
	Packet uint64 // running number, from 1, of distinct packets
	Nth    int    // 1 for the first sighting
}

// See notes a record. Its times must not step back by more than Window.
func (s *Sightings) See(rec *Record, m *LinkMeta) Sighting {
	if s.recent == nil {
		s.recent, s.queue = map[Key]uint64{}, make([]sighting, 256)
	}
	window := s.Window
	if window == 0 {
		window = 100_000_000
	}
	s.forget(rec.Time - window)
	key := PacketKey(m)
	at := vantage{iface: int32(rec.Interface.Index), ifIndex: int32(m.IfIndex), direction: m.Direction,
		kind: m.PacketType}
	if packet, ok := s.recent[key]; ok {
		if q := s.find(packet); q != nil && !slices.Contains(q.places[:q.seen], at) {
			if q.seen < maxPlaces {
				q.places[q.seen] = at
				q.seen++
			}
			return Sighting{packet, int(q.seen)}
		}
	}
	s.packets++
	q := s.add()
	*q = sighting{key: key, packet: s.packets, time: rec.Time, seen: 1}
	q.places[0] = at
	s.recent[key] = s.packets
	return Sighting{s.packets, 1}
}

// forget drops packets older than the given time.
func (s *Sightings) forget(before int64) {
	for s.used > 0 {
		q := &s.queue[s.head]
		if q.time >= before {
			return
		}
		if s.recent[q.key] == q.packet {
			delete(s.recent, q.key)
		}
		s.head = (s.head + 1) % len(s.queue)
		s.used--
	}
}

// find returns a packet's entry: packets are queued in the order of their numbers.
func (s *Sightings) find(packet uint64) *sighting {
	if s.used == 0 {
		return nil
	}
	i := packet - s.queue[s.head].packet
	if i >= uint64(s.used) {
		return nil
	}
	return &s.queue[(s.head+int(i))%len(s.queue)]
}

func (s *Sightings) add() *sighting {
	if s.used == len(s.queue) {
		bigger := make([]sighting, 2*len(s.queue))
		n := copy(bigger, s.queue[s.head:])
		copy(bigger[n:], s.queue[:s.head])
		s.queue, s.head = bigger, 0
	}
	s.used++
	return &s.queue[(s.head+s.used-1)%len(s.queue)]
}
