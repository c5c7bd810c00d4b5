package replay

import (
	"encoding/binary"
	"slices"
	"testing"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
)

// sctpFrame is a frame of an association between two hosts that carries data, one way or
// the other, to the end that has chosen a tag.
func sctpFrame(t *testing.T, back bool, tag uint32) *Frame {
	t.Helper()
	f := tcpFrame(t, back, false, 0)
	l4 := make([]byte, sctpHeader+20)
	copy(l4, f.Data[34:38])
	binary.BigEndian.PutUint32(l4[4:], tag)
	l4[sctpHeader+3] = 20 // DATA
	binary.LittleEndian.PutUint32(l4[8:], header.SCTP(l4))
	f.Data = append(f.Data[:34], l4...)
	f.Data[23] = header.ProtoSCTP
	binary.BigEndian.PutUint16(f.Data[16:], uint16(20+len(l4)))
	f.Data[24], f.Data[25] = 0, 0
	binary.BigEndian.PutUint16(f.Data[24:], header.Checksum(0, f.Data[14:34]))
	f.Wire = len(f.Data)
	return f
}

// What opens a connection of which frames show the middle makes the kernel's conntrack
// take these for what they are.
func TestOpeningsAreTaken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		there, back *Frame
		n           numbers // of the one that goes there
		cold        conntrack.State
	}{
		"TCP":  {tcpFrame(t, false, false, 1), tcpFrame(t, true, false, 1), numbers{}, conntrack.New},
		"SCTP": {sctpFrame(t, false, 0xb), sctpFrame(t, true, 0xa), numbers{0xa, 0xb}, conntrack.Invalid},
	} {
		table := conntrack.NewTable(conntrack.Options{Profile: conntrack.Linux})
		state := func(frame []byte, commit bool) conntrack.State {
			var m conntrack.Meta
			table.Execute(conntrack.Second, slices.Clone(frame[14:]), &m, &conntrack.Request{Zone: 1, Commit: commit})
			return m.State
		}
		if got := state(c.there.Data, false); got&c.cold == 0 {
			t.Errorf("%s: without its opening a packet is %v, want %v", name, got, c.cold)
		}
		for step, f := range []*Frame{c.there, c.back, c.there, c.back} {
			n := c.n
			if f == c.back {
				n = n.back()
			}
			data, _ := opening(f, greeting(step), n)
			if got := state(data, step == 0); got&conntrack.Invalid != 0 {
				t.Errorf("%s: step %d of its opening is %v", name, step, got)
			}
		}
		if got := state(c.there.Data, false); got&conntrack.Established == 0 {
			t.Errorf("%s: after its opening a packet is %v", name, got)
		}
		if got := state(c.back.Data, false); got&conntrack.Established == 0 || got&conntrack.Reply == 0 {
			t.Errorf("%s: after its opening an answer is %v", name, got)
		}
	}
}
