package replay

import (
	"encoding/binary"
	"net/netip"

	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
)

// rebuild returns the frame as it must have entered.
func (inf *inferrer) rebuild(f *Frame, from *origin) *Frame {
	p := &inf.scratch
	p.SetRead(f.Data, f.Wire, f.Headers())
	p.Key.Set(field.IPTTL, startTTL(p.Key.Get(field.IPTTL), from.hops))
	from.tagged = f.tunnel != nil || f.point.Port.Tag == 0 && f.point.Port.Type == network.VIF &&
		f.point.Port.Datapath == from.port.Datapath
	inf.address(from)
	if from.quotes {
		inf.requote(from)
	}
	point := inf.s.Taps[f.Capture].point(from.port, from.chassis)
	point.Found = "inferred"
	return &Frame{
		Capture: f.Capture, File: f.File, Number: f.Number, Time: f.Time, Data: p.Data, Wire: p.Wire,
		Inferred: true, Why: from.why, point: point, dir: Entered, partial: from.partial,
	}
}

// address gives the packet in scratch the addresses it enters with.
func (inf *inferrer) address(from *origin) {
	p := &inf.scratch
	k := &p.Key
	proto := uint8(k.Get(field.IPProto))
	k.Set(field.EthSrc, from.ethSrc)
	k.Set(field.EthDst, from.ethDst)
	if from.to != 0 {
		k.Set(field.EthDst, from.to)
	}
	if !from.keepIP {
		setAddr(k, field.IP4Src, field.IP6Src, from.src)
		setAddr(k, field.IP4Dst, field.IP6Dst, from.dst)
		if !from.piece && (proto == header.ProtoTCP || proto == header.ProtoUDP || proto == header.ProtoSCTP) {
			k.Set(field.TpSrc, uint64(from.src.port))
			k.Set(field.TpDst, uint64(from.dst.port))
		}
		if !from.piece {
			inf.echoID(from.src.port)
		}
	}
	switch {
	case from.port.Tag != 0:
		k.Set(field.VLANTCI, uint64(from.port.Tag)|1<<12)
	case !from.tagged:
		k.Set(field.VLANTCI, 0)
	}
	p.Flush()
}

// echoID gives an echo in scratch the id it enters with.
func (inf *inferrer) echoID(id uint16) {
	p := &inf.scratch
	if l4 := p.Layout.L4; l4 != 0 && len(p.Data) >= l4+6 && isEcho(uint8(p.Key.Get(field.IPProto)), p.Headers()) {
		at := p.Data[l4:]
		old := binary.BigEndian.Uint16(at[4:])
		binary.BigEndian.PutUint16(at[4:], id)
		binary.BigEndian.PutUint16(at[2:], header.UpdateWord(binary.BigEndian.Uint16(at[2:]), old, id))
	}
}

// startTTL is the TTL a packet began with that was observed with another: as
// many more as it passes routers, or while that is not known the next that
// hosts begin with.
func startTTL(observed uint64, hops int) uint64 {
	if hops >= 0 {
		return min(observed+uint64(hops), 255)
	}
	for _, usual := range [...]uint64{32, 64, 128} {
		if observed <= usual {
			return usual
		}
	}
	return 255
}

// settle gives the predicted frames of one that entered in no capture their TTL, since
// the sender's own is not known, as the observed frame shows it: all copies of it began
// with the same. It notes how many routers the packet passed.
func (inf *inferrer) settle(f *Frame, from *origin, out *sim.Outcome) {
	seen, sent := f.Headers().Key.Get(field.IPTTL), inf.scratch.Key.Get(field.IPTTL)
	was := seen
	for i := range out.Tunnels {
		o := &out.Tunnels[i]
		if tunnelKey(o.From, o.To) == f.point.key() && identityHash(o.Data, o.Headers()) == f.id {
			was = o.Headers().Key.Get(field.IPTTL)
		}
	}
	for i := range out.Outputs {
		o := &out.Outputs[i]
		if keyOf(o.Port, o.Chassis) == f.point.key() && !o.Made && identityHash(o.Data, o.Headers()) == f.id {
			was = o.Headers().Key.Get(field.IPTTL)
			from.hops = int(sent) - int(was)
		}
	}
	if was == seen {
		return
	}
	for i := range out.Tunnels {
		o := &out.Tunnels[i]
		addTTL(o.Data, o.Headers(), int(seen)-int(was))
	}
	for i := range out.Outputs {
		if o := &out.Outputs[i]; !o.Made {
			addTTL(o.Data, o.Headers(), int(seen)-int(was))
		}
	}
}

// addTTL changes the TTL of a frame that has one, and that in its headers.
func addTTL(data []byte, h *packet.Headers, by int) {
	was := int(h.Key.Get(field.IPTTL))
	ttl := was + by
	if was == 0 || ttl <= 0 || ttl > 255 {
		return
	}
	setTTL(data, h.Layout.L3, uint8(ttl))
	h.Key.Set(field.IPTTL, uint64(ttl))
}

// setTTL writes a TTL or hop limit, and IPv4's header checksum (RFC 1624).
func setTTL(frame []byte, l3 int, ttl uint8) {
	if frame[l3]>>4 == 6 {
		frame[l3+7] = ttl
		return
	}
	old := binary.BigEndian.Uint16(frame[l3+8:])
	frame[l3+8] = ttl
	at := frame[l3+10:]
	binary.BigEndian.PutUint16(at, header.UpdateWord(binary.BigEndian.Uint16(at), old,
		binary.BigEndian.Uint16(frame[l3+8:])))
}

func setAddr(k *field.Key, v4, v6 field.ID, e endpoint) {
	if k.Get(field.EthType) == header.EtherIPv4 {
		k.Set(v4, uint64(binary.BigEndian.Uint32(e.addr[:])))
		return
	}
	k.Set128(v6, field.FromBytes(e.addr))
}

// addrOf returns an endpoint's address as the frame's family has it.
func addrOf(h *packet.Headers, e endpoint) netip.Addr {
	if h.Key.Get(field.EthType) == header.EtherIPv4 {
		return netip.AddrFrom4([4]byte(e.addr[:4]))
	}
	return netip.AddrFrom16(e.addr)
}
