package pcap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"

	"ovnreplay/pcap/compressed"
)

// checkCapture reads hostile input: it must not panic, must end, must not
// allocate more than a small multiple of the input, and what it delivers must
// survive being written and read again.
func checkCapture(t *testing.T, data []byte) {
	if compressed.Name(data) != "" {
		return // what is packed may rightly be larger than its input
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, err := NewReaderWith(bytes.NewReader(data), "fuzz", Options{KeepBlocks: true})
	n := 0
	if err == nil {
		n, err = checkRecords(t, r, len(data))
	}
	runtime.ReadMemStats(&after)
	if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(inputChunk+128<<10+40*len(data)); got > limit {
		t.Errorf("%d bytes allocated for an input of %d", got, len(data))
	}
	var fe *FormatError
	if err != nil && (!errors.As(err, &fe) || fe.Fault == 0 || fe.What == "" || r != nil &&
		(fe.Frame != n+1 || fe.Offset > int64(len(data)))) {
		t.Errorf("after %d frames: %#v", n, err)
	}
	checkRewrite(t, data)
}

func checkRecords(t *testing.T, r *Reader, size int) (n int, err error) {
	var rec Record
	total := 0
	for {
		if err = r.Next(&rec); err != nil {
			if err == io.EOF {
				err = nil
			}
			return n, err
		}
		n++
		total += len(rec.Data)
		if rec.Frame != n || rec.Interface == nil || len(rec.Data) > 256<<10 || total > size {
			t.Fatalf("record %d: %+v", n, rec)
		}
		Frame(&rec)
	}
}

// checkRewrite writes everything read and reads it again.
func checkRewrite(t *testing.T, data []byte) {
	r, err := NewReaderWith(bytes.NewReader(data), "fuzz", Options{KeepBlocks: true})
	if err != nil {
		return
	}
	all, _ := readAll(r)
	var buf bytes.Buffer
	w, err := NewWriter(&buf, Section{})
	if err != nil {
		t.Fatal(err)
	}
	ids, written := map[*Interface]int{}, []*Record{}
	for _, rec := range all {
		id, ok := ids[rec.Interface]
		if !ok {
			if id, err = w.AddInterface(rec.Interface.Info()); err != nil {
				t.Fatal(err)
			}
			ids[rec.Interface] = id
		}
		p := Packet{Interface: id, Time: rec.Time, Data: rec.Data, OrigLen: rec.OrigLen, Direction: rec.Direction,
			Comments: rec.Comments, Options: rec.Options}
		if rec.Time < 0 || rec.OrigLen == 0 {
			continue
		}
		if err := w.WritePacket(&p); err != nil {
			t.Fatal(err)
		}
		written = append(written, rec)
	}
	kept := r.TakeBlocks()
	for _, b := range kept {
		if err := w.WriteBlock(b); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	again, err := NewReaderWith(&buf, "again", Options{KeepBlocks: true})
	if err != nil {
		t.Fatal(err)
	}
	got, err := readAll(again)
	if err != nil || len(got) != len(written) {
		t.Fatalf("%d records written, %d read: %v", len(written), len(got), err)
	}
	for i, g := range got {
		w := written[i]
		if !bytes.Equal(g.Data, w.Data) || g.Time != w.Time || g.OrigLen != w.OrigLen || g.LinkType != w.LinkType ||
			g.Direction != w.Direction || fmt.Sprint(g.Options) != fmt.Sprint(w.Options) {
			t.Fatalf("record %d: %+v became %+v", i+1, w, g)
		}
	}
	if blocks := again.TakeBlocks(); len(blocks) != len(kept) {
		t.Fatalf("%d blocks written, %d read", len(kept), len(blocks))
	}
}

func FuzzClassic(f *testing.F) {
	for _, name := range []string{"testdata/client.pcap", "testdata/client.nsec.pcap", "testdata/nginx.any.pcap"} {
		data := mustRead(f, name)[:400]
		f.Add(data)
		if modified := bytes.Clone(data); name == "testdata/client.pcap" {
			copy(modified, []byte{0x34, 0xcd, 0xb2, 0xa1})
			f.Add(modified)
		}
	}
	var big bytes.Buffer
	w, _ := NewClassicWriter(&big, ClassicOptions{LinkType: LinkRaw, BigEndian: true})
	w.WritePacket(1, []byte("E"), 60)
	w.Flush()
	f.Add(big.Bytes())
	f.Fuzz(checkCapture)
}

func FuzzPcapng(f *testing.F) {
	f.Add(mustRead(f, "testdata/client.pcapng")[:800])
	for _, big := range []bool{false, true} {
		b := newNG(big)
		b.section(b.opt(optComment, []byte("c"))).iface(1, 6, b.opt(optResolution, []byte{0x80 | 10}),
			b.opt(optTimeOffset, b.u64(5)), b.opt(optSpeed, b.u64(9)))
		b.epb(0, 1<<32, []byte("abcde"), b.opt(optFlags, b.u32(2)), b.opt(optComment, []byte("hi")),
			b.opt(optCustomText, b.u32(32473, 1)))
		b.spb(9, []byte("simple"))
		b.block(blockPacket, b.u16(0, 1), b.u32(0, 7, 4, 4), []byte("pack"), b.opt(optQueue, b.u32(1)))
		b.block(blockStatistics, b.u32(0, 0, 0), b.opt(optReceived, b.u64(10)))
		b.block(blockNames, b.opt(1, []byte("\x0a\x00\x00\x01host")), b.opt(0, nil), b.opt(optComment, []byte("n")))
		b.block(blockSecrets, b.u32(1, 3), []byte("key\x00"))
		b.block(blockCustom, b.u32(32473), []byte("data"))
		b.block(99, []byte("what"))
		other := newNG(!big)
		other.section().iface(276, 0).epb(0, 3, bytes.Repeat([]byte{1}, 30))
		b.Write(other.Bytes())
		f.Add(b.Bytes())
	}
	f.Fuzz(checkCapture)
}

// FuzzBlocks wraps hostile bodies into blocks that are whole, so that what is
// inside them gets read: options, lengths, numbers of interfaces.
func FuzzBlocks(f *testing.F) {
	b := newNG(false)
	f.Add(false, uint32(blockInterface), append(b.u16(1, 0), b.u32(0)...), uint32(blockEnhanced),
		b.u32(0, 0, 5, 4, 4, 0x01020304))
	f.Add(true, uint32(blockInterface), []byte("\x00\x01\x00\x00\x00\x00\x00\x00\x00\x09\x00\x01\xc0\x00\x00\x00"),
		uint32(blockSecrets), []byte("\x00\x00\x00\x01\x00\x00\x00\x01k\x00\x00\x00\x00\x01\x00\x02hi\x00\x00"))
	f.Add(true, uint32(blockNames),
		[]byte("\x00\x01\x00\x05\x01\x02\x03\x04h\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x02hi\x00\x00"),
		uint32(blockStatistics), make([]byte, 12))
	f.Add(false, uint32(blockPacket), make([]byte, 20), uint32(blockSimplePacket), make([]byte, 4))
	f.Fuzz(func(t *testing.T, big bool, typ1 uint32, body1 []byte, typ2 uint32, body2 []byte) {
		b := newNG(big)
		b.section().iface(1, 0).block(typ1, body1).block(typ2, body2).epb(0, 1, []byte("last"))
		checkCapture(t, b.Bytes())
	})
}

func FuzzLink(f *testing.F) {
	for _, rec := range append(readFile(f, "testdata/nginx.any.pcap")[:2], readFile(f, "testdata/client.pcap")[:2]...) {
		f.Add(uint16(rec.LinkType), 0, 0, rec.Data)
	}
	f.Add(uint16(LinkNull), 4, 9, []byte{2, 0, 0, 0, 0x45})
	f.Add(uint16(LinkSLL), 0, 0, unhex(f, "0004000100060200000000010000 8100 0064 0800 45"))
	f.Fuzz(func(t *testing.T, link uint16, fcs, cut int, data []byte) {
		rec := Record{LinkType: LinkType(link), FCSLen: fcs & 15, OrigLen: len(data) + cut&0xffff, Data: data,
			Interface: &Interface{}}
		eth, m, err := Frame(&rec)
		if err != nil {
			if eth != nil || err.Error() == "" {
				t.Errorf("frame %x with error %v", eth, err)
			}
			return
		}
		if m.Offset+len(m.Payload) > len(data) || m.Offset > 20 || (eth != nil) != (m.HasDst && m.Offset == 14) {
			t.Errorf("payload of %d at %d in %d bytes", len(m.Payload), m.Offset, len(data))
		}
		if eth != nil && m.EtherType != 0 && !bytes.Equal(m.AppendEthernet(nil, [6]byte{}, [6]byte{}), eth) {
			t.Error("a frame built again differs")
		}
		PacketKey(&m)
		NATKey(&m)
		m.Decap()
	})
}

func FuzzDecap(f *testing.F) {
	for _, tunnel := range tunnels() {
		frame, _ := tunnel.AppendEncap(nil)
		f.Add(frame)
		f.Add(append(append(bytes.Clone(frame[:12]), 0x81, 0, 0, 1), frame[12:]...))
	}
	for _, rec := range readFile(f, "testdata/underlay-ch1.pcap")[:6] {
		f.Add(rec.Data)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		tunnel, fault := Decap(frame)
		if fault != TunnelOK {
			if fault.Error() == "" || tunnel.Inner != nil {
				t.Errorf("%v with %d inner bytes", fault, len(tunnel.Inner))
			}
			return
		}
		if len(tunnel.Inner) > tunnel.InnerLen || tunnel.InnerLen > 65535 && tunnel.InnerLen > len(frame) ||
			tunnel.VNI >= 1<<24 || tunnel.Outport >= 1<<16 || tunnel.Inport >= 1<<15 {
			t.Fatalf("%+v", tunnel)
		}
		built, err := tunnel.AppendEncap(nil)
		if err != nil {
			return // e.g. IPv4 addresses written as IPv6 ones
		}
		again, fault := Decap(built)
		if fault != TunnelOK || again.VNI != tunnel.VNI || again.Inport != tunnel.Inport ||
			again.Outport != tunnel.Outport ||
			again.Src != tunnel.Src || again.Dst != tunnel.Dst || again.SrcPort != tunnel.SrcPort ||
			!bytes.Equal(again.Inner, tunnel.Inner) {
			t.Errorf("%v\nfirst %+v\nagain %+v", fault, tunnel, again)
		}
	})
}
