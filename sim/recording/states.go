package recording

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/pcap"
	"ovnreplay/sim/printable"
)

// OpenCapture opens a capture, - is standard input.
func (f Files) OpenCapture(name string, opts pcap.Options) (*pcap.Reader, error) {
	if name == "-" {
		return pcap.NewReaderWith(f.Stdin, "standard input", opts)
	}
	return pcap.OpenWith(name, opts)
}

// WriteStates commits every packet of a capture in one zone of a table, and writes
// the state of each as Open vSwitch's own test program does (ovstest
// test-conntrack pcap).
func WriteStates(ctx context.Context, w io.Writer, r *pcap.Reader, table *conntrack.Table) error {
	var rec pcap.Record
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := r.Next(&rec)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		_, meta, err := pcap.Frame(&rec)
		if err != nil && meta.Payload == nil {
			return fmt.Errorf("%s: frame %d: %w", rec.File, rec.Frame, err)
		}
		m := conntrack.Meta{State: conntrack.Tracked | conntrack.Invalid} // what is not IP
		if ip := ipOf(&meta); ip != nil {
			m.Clear()
			table.Execute(conntrack.Time(rec.Time), ip, &m, &conntrack.Request{Commit: true})
		}
		printable.Fprintf(w, "%d: %s\n", rec.Frame, m.State)
	}
}

// ipOf is the IP packet in a frame, behind at most one VLAN tag; nil: there is none.
func ipOf(meta *pcap.LinkMeta) []byte {
	payload, kind := meta.Payload, meta.EtherType
	if (kind == header.EtherVLAN || kind == header.EtherQinQ) && len(payload) >= 4 {
		payload, kind = payload[4:], binary.BigEndian.Uint16(payload[2:])
	}
	if kind == header.EtherIPv4 || kind == header.EtherIPv6 {
		return payload
	}
	return nil
}
