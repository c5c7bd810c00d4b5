package answer

import (
	"github.com/google/gopacket/layers"

	"ovnreplay/sim/packet"
)

// ownHops is the TTL of what ovn-controller sends of itself.
const ownHops = 255

// BFD describes a control packet of a BFD session (RFC 5880, RFC 5881).
type BFD struct {
	SrcMAC   [6]byte
	Src, Dst [16]byte // IPv4 in the first four bytes
	V6       bool
	SrcPort  uint16

	Disc         uint32 // the session's
	Mult         uint8
	MinTX, MinRX uint32 // microseconds

	// As the session stands.
	State      uint8
	Final      bool // it answers a poll
	RemoteDisc uint32
}

// BFDPort is the UDP port of BFD control packets.
const BFDPort = 3784

const (
	bfdLen     = 24
	bfdVersion = 1
	bfdFinal   = 0x10
)

// Frame returns the control packet as ovn-controller gives it to the router:
// to every Ethernet address.
func (m *BFD) Frame() Frame {
	e := ends{m.SrcMAC, [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, m.Src, m.Dst, m.V6}
	eth, ip := e.headers(layers.IPProtocolUDP, ownHops)
	return frame(eth, ip, newUDP(ip, m.SrcPort, BFDPort), &layers.BFD{
		Version: bfdVersion, State: layers.BFDState(m.State), Final: m.Final,
		DetectMultiplier: layers.BFDDetectMultiplier(m.Mult),
		MyDiscriminator:  layers.BFDDiscriminator(m.Disc), YourDiscriminator: layers.BFDDiscriminator(m.RemoteDisc),
		DesiredMinTxInterval: layers.BFDTimeInterval(m.MinTX), RequiredMinRxInterval: layers.BFDTimeInterval(m.MinRX),
	})
}

// Stands reads from the control packet in what the database does not say of
// the session that sent it; false if it is none that ovn-controller sends.
func (m *BFD) Stands(in *packet.Packet) bool {
	b := udpPayload(in)
	if len(b) < bfdLen || b[1]&0x3f&^bfdFinal != 0 || b[1]>>6 == 0 {
		return false
	}
	m.State, m.Final, m.RemoteDisc = b[1]>>6, b[1]&bfdFinal != 0, be.Uint32(b[8:])
	return true
}
