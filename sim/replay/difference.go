package replay

import (
	"encoding/binary"
	"fmt"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/packet"
)

// Line describes a frame in one line.
func Line(frame []byte) string { return packet.Describe(frame) }

// differences lists where a predicted frame differs from the observed one:
// header fields by name, then what no field covers, by its place.
func differences(original, predicted, observed []byte) []Difference {
	var old, pred, obs field.Key
	packet.Parse(original, &old)
	pl := packet.Parse(predicted, &pred)
	packet.Parse(observed, &obs)
	var out []Difference
	for _, id := range packet.Fields() {
		p, o := pred.Get128(id), obs.Get128(id)
		if p != o {
			out = append(out, Difference{
				Field:     fieldName(id, &obs),
				Old:       packet.FormatField(id, old.Get128(id)),
				Predicted: packet.FormatField(id, p),
				Observed:  packet.FormatField(id, o),
			})
		}
	}
	if len(predicted) != len(observed) {
		return append(out, Difference{Field: "length", Predicted: fmt.Sprint(len(predicted)),
			Observed: fmt.Sprint(len(observed))})
	}
	if d, ok := idDifference(original, predicted, observed); ok {
		out = append(out, d)
	}
	if len(out) == 0 {
		out = append(out, bytesDifference(pl, predicted, observed))
	}
	return out
}

// idDifference is that of two echoes' ids, which no field holds.
func idDifference(original, predicted, observed []byte) (d Difference, differ bool) {
	var ids [3]uint16
	for i, frame := range [...][]byte{original, predicted, observed} {
		var h packet.Headers
		h.Read(frame)
		at := h.Layout.L4
		if isEcho(uint8(h.Key.Get(field.IPProto)), &h) && at != 0 && len(frame) >= at+8 {
			ids[i] = binary.BigEndian.Uint16(frame[at+4:])
		} else if i > 0 {
			return d, false
		}
	}
	d = Difference{Field: icmpID, Old: fmt.Sprint(ids[0]), Predicted: fmt.Sprint(ids[1]), Observed: fmt.Sprint(ids[2])}
	return d, ids[1] != ids[2]
}

// fieldName names a field as the logical flows do, ports by their protocol.
func fieldName(id field.ID, k *field.Key) string {
	proto := packet.ProtoName(uint8(k.Get(field.IPProto)))
	switch id {
	case field.TpSrc:
		return proto + ".src"
	case field.TpDst:
		return proto + ".dst"
	}
	return id.String()
}

// isTupleField reports whether NAT can change the field.
func isTupleField(name string) bool {
	switch name {
	case "ip4.src", "ip4.dst", "ip6.src", "ip6.dst",
		"tcp.src", "tcp.dst", "udp.src", "udp.dst", "sctp.src", "sctp.dst":
		return true
	}
	return false
}

// icmpID is what tells one machine's echoes apart; NAT may change it.
const icmpID = "icmp.id"

// ofPayload follows the number of a byte that no field holds.
const ofPayload = " of the transport header or payload"

// bytesDifference describes the first bytes that differ where no field does.
func bytesDifference(l packet.Layout, predicted, observed []byte) Difference {
	i := 0
	for i < len(predicted) && predicted[i] == observed[i] {
		i++
	}
	end := min(i+8, len(predicted))
	name := fmt.Sprintf("byte %d", i)
	switch {
	case l.L3 != 0 && i >= l.L3+10 && i < l.L3+12 &&
		binary.BigEndian.Uint16(predicted[max(l.L3-2, 0):]) == header.EtherIPv4:
		name = "ip4 header checksum"
	case l.L4 != 0 && i >= l.L4:
		name = fmt.Sprintf("byte %d%s", i-l.L4, ofPayload)
	}
	return Difference{Field: name, Predicted: fmt.Sprintf("%x", predicted[i:end]),
		Observed: fmt.Sprintf("%x", observed[i:end])}
}

// sameARP reports whether both are ARP packets that ask or tell about the same address.
func sameARP(a, b *packet.Headers) bool {
	ka, kb := &a.Key, &b.Key
	return ka.Get(field.EthType) == header.EtherARP && kb.Get(field.EthType) == header.EtherARP &&
		ka.Get(field.ARPOp) == kb.Get(field.ARPOp) && ka.Get(field.ARPTPA) == kb.Get(field.ARPTPA)
}
