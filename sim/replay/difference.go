package replay

import (
	"bytes"
	"encoding/binary"
	"fmt"

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
		return append(out, Difference{Field: "length", Predicted: fmt.Sprint(len(predicted)), Observed: fmt.Sprint(len(observed))})
	}
	if len(out) == 0 {
		out = append(out, bytesDifference(pl, predicted, observed))
	}
	return out
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

// bytesDifference describes the first bytes that differ where no field does.
func bytesDifference(l packet.Layout, predicted, observed []byte) Difference {
	i := 0
	for i < len(predicted) && predicted[i] == observed[i] {
		i++
	}
	end := min(i+8, len(predicted))
	name := fmt.Sprintf("byte %d", i)
	switch {
	case l.L3 != 0 && i >= l.L3+10 && i < l.L3+12 && binary.BigEndian.Uint16(predicted[max(l.L3-2, 0):]) == packet.TypeIPv4:
		name = "ip4 header checksum"
	case l.L4 != 0 && i >= l.L4:
		name = fmt.Sprintf("byte %d of the transport header or payload", i-l.L4)
	}
	return Difference{Field: name, Predicted: fmt.Sprintf("%x", predicted[i:end]), Observed: fmt.Sprintf("%x", observed[i:end])}
}

// samePacket reports whether two frames at one point are the same packet that
// was translated differently: what NAT and routing leave alone is equal.
func samePacket(a, b *waiter) bool {
	if a.point != b.point {
		return false
	}
	var ka, kb field.Key
	la, lb := packet.Parse(a.data, &ka), packet.Parse(b.data, &kb)
	if ka.Get(field.EthType) != kb.Get(field.EthType) || ka.Get(field.IPProto) != kb.Get(field.IPProto) || (la.L4 == 0) != (lb.L4 == 0) {
		return false
	}
	if la.L4 == 0 {
		return la.L3 != 0 && lb.L3 != 0 && len(a.data) == len(b.data) &&
			ka.Get(field.ARPTPA) == kb.Get(field.ARPTPA) && ka.Get(field.ARPOp) == kb.Get(field.ARPOp)
	}
	if ka.Get(field.EthType) == packet.TypeIPv4 && ipID(a.data, la) != ipID(b.data, lb) {
		return false
	}
	return bytes.Equal(payload(a.data, la, &ka), payload(b.data, lb, &kb))
}

func ipID(frame []byte, l packet.Layout) uint16 { return binary.BigEndian.Uint16(frame[l.L3+4:]) }

// payload returns the part of a transport packet that translation leaves
// alone: from the TCP sequence number on without the checksum's effect, the
// data of others.
func payload(frame []byte, l packet.Layout, k *field.Key) []byte {
	l4 := frame[l.L4:l.L3End]
	skip := 8
	if k.Get(field.IPProto) == packet.ProtoTCP {
		skip = 20
	}
	if len(l4) < skip {
		return nil
	}
	return l4[skip:]
}
