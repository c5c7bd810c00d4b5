package main

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"testing"

	"ovnreplay/pcap"
	"ovnreplay/sim/network"
	"ovnreplay/sim/replay"
)

// records reads all records of a capture.
func records(t *testing.T, file string) []pcap.Record {
	t.Helper()
	r, err := pcap.OpenWith(file, pcap.Options{Annotations: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var all []pcap.Record
	for {
		var rec, kept pcap.Record
		err := r.Next(&rec)
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		kept.CopyFrom(&rec)
		all = append(all, kept)
	}
}

// frame is a packet to be written to a capture.
type frame struct {
	time int64
	data []byte
	wire int
}

// classic writes a classic pcap with nanoseconds.
func classic(t *testing.T, link pcap.LinkType, frames []frame) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := pcap.NewClassicWriter(&b, pcap.ClassicOptions{LinkType: link})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range frames {
		if err := w.WritePacket(f.time, f.data, f.wire); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// framesOf reads a capture as frames that may be written again.
func framesOf(t *testing.T, file string) []frame {
	t.Helper()
	var out []frame
	for _, r := range records(t, file) {
		out = append(out, frame{r.Time, r.Data, r.OrigLen})
	}
	return out
}

// replaceFrames rewrites a capture's frames, numbered from 1.
func replaceFrames(t *testing.T, capture []byte, change func(n int, frame []byte)) []byte {
	t.Helper()
	frames := framesOf(t, write(t, "in.pcap", capture))
	for i := range frames {
		change(i+1, frames[i].data)
	}
	return classic(t, pcap.LinkEthernet, frames)
}

// cooked makes a Linux cooked frame, version 2, of an Ethernet frame seen on
// an interface of the host: received, or sent.
func cooked(eth []byte, ifindex uint32, out bool) []byte {
	b := make([]byte, 20, 20+len(eth))
	copy(b, eth[12:14])
	binary.BigEndian.PutUint32(b[4:], ifindex)
	binary.BigEndian.PutUint16(b[8:], 1) // ARPHRD_ETHER
	if out {
		b[10] = 4
	}
	b[11] = 6
	copy(b[12:], eth[6:12])
	return append(b, eth[14:]...)
}

// placedFrames reads a case's captures and tells which way each frame went.
func placedFrames(t *testing.T, c *recordedCase, files map[string]string,
	each func(f frame, p *network.Port, d replay.Direction, file string)) {
	t.Helper()
	owners := replay.NewOwners(c.net)
	for file, port := range files {
		p := c.net.Port(port)
		chassis, err := replay.ChassisOf(c.net, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range framesOf(t, filepath.Join(c.dir, file)) {
			each(f, p, owners.Direction(p, chassis, f.data), file)
		}
	}
}

func writeTo(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
