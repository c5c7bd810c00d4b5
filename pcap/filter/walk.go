package filter

import "ovnreplay/nat/header"

// walk follows the chain of headers of "protochain" to one of the protocol in
// x, or else to one that leads no further, and leaves its protocol in a.
//
// Libpcap takes the place of what follows an authentication header of its
// length alone, not adding where the header begins. That can lead in a circle,
// in which tcpdump stays forever; here the packet is rejected.
func (m *machine) walk(i *instruction) bool {
	wanted, base := m.x, uint64(i.k)
	protocol, at := uint64(9), uint64(0)
	if i.op == walk6 {
		protocol, at = 6, 40
	} else if base < uint64(len(m.data)) {
		at = uint64(m.data[base]&15) << 2
	}
	if !m.load(base+protocol, 1) {
		return false
	}
	const afterAH = 1024 // places that an authentication header can lead to
	for range len(m.data) + afterAH {
		kind := m.a
		extension := i.op == walk6 && (kind == 0 || kind == 43 || kind == header.ProtoFragment || kind == 60)
		if kind == wanted || kind == 59 || !extension && kind != header.ProtoAH {
			return true
		}
		if base+at+1 >= uint64(len(m.data)) {
			return false
		}
		next, size := m.data[base+at], uint64(m.data[base+at+1])
		m.a = uint32(next)
		if extension {
			at += 8 * (size + 1)
		} else {
			at = 4 * (size + 2)
		}
	}
	return false
}
