package replay_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ovnreplay/pcap"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/recording"
	"ovnreplay/sim/replay"
)

// entrances notes which frames entered, and on which chassis each capture is.
type entrances struct {
	entered map[[2]int]bool // capture, frame
	on      map[int]string
}

func (h *entrances) Entered(f *replay.Frame, p *replay.Point, _ *sim.Outcome) {
	h.entered[[2]int{f.Capture, f.Number}], h.on[f.Capture] = true, p.Chassis.Name
}
func (h *entrances) Observed(f *replay.Frame, p *replay.Point)    { h.on[f.Capture] = p.Chassis.Name }
func (h *entrances) Skipped(*replay.Frame, *replay.Point, string) {}

// cooked is a frame as tcpdump -i any writes it (LINKTYPE_LINUX_SLL2): without the
// Ethernet destination, with the number of the interface, and whether the host
// sent it there.
func cooked(frame []byte, index int, sent bool) []byte {
	kind := byte(3) // of somebody else, to somebody else
	if sent {
		kind = 4
	}
	d := append([]byte{frame[12], frame[13], 0, 0}, binary.BigEndian.AppendUint32(nil, uint32(index))...)
	d = append(append(d, 0, 1, kind, 6), frame[6:12]...)
	return append(append(d, 0, 0), frame[14:]...)
}

// anywhere makes of a case's captures one of all interfaces of each host.
func anywhere(t *testing.T, name string) (captures []recording.Capture) {
	t.Helper()
	type frame struct {
		time int64
		data []byte
		wire int
	}
	at := &entrances{map[[2]int]bool{}, map[int]string{}}
	j := recorded(t, name, nil)
	verified(t, j, at)
	hosts := map[string][]frame{}
	for i := range j.Taps {
		host := at.on[i]
		if host == "" {
			continue // nothing was seen there
		}
		r, err := pcap.Open(j.Taps[i].Name)
		if err != nil {
			t.Fatal(err)
		}
		var rec pcap.Record
		for err = r.Next(&rec); err == nil; err = r.Next(&rec) {
			hosts[host] = append(hosts[host], frame{rec.Time,
				cooked(rec.Data, i+3, !at.entered[[2]int{i, rec.Frame}]), rec.OrigLen + 6})
		}
		if err != io.EOF {
			t.Fatal(err)
		}
		r.Close()
	}
	dir := t.TempDir()
	for host, frames := range hosts {
		slices.SortStableFunc(frames, func(a, b frame) int { return cmp.Compare(a.time, b.time) })
		var b bytes.Buffer
		put := func(v ...uint32) {
			for _, one := range v {
				b.Write(binary.LittleEndian.AppendUint32(nil, one))
			}
		}
		put(0xa1b23c4d, 2|4<<16, 0, 0, 262144, 276)
		for _, f := range frames {
			put(uint32(f.time/1e9), uint32(f.time%1e9), uint32(len(f.data)), uint32(f.wire))
			b.Write(f.data)
		}
		file := filepath.Join(dir, fmt.Sprintf("any-%d.pcap", len(captures)))
		if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		captures = append(captures, recording.Capture{File: file, Chassis: host, Kind: replay.AtHost})
	}
	return captures
}

// A capture of all interfaces of a host says as much as one of each: which is
// which is found out.
func TestHostCaptures(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"nodeport", "clusterip", "kube-hairpin", "cloud-l2-geneve", "cloud-snat",
		"cloud-fip-distributed", "kube-nodeport-v6"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole := verified(t, recorded(t, name, nil))
			captures := anywhere(t, name)
			hosts := slices.Clone(captures)
			for i := range hosts {
				hosts[i].Kind, hosts[i].Chassis = 0, "" // whose they are is found out, too
			}
			for what, captures := range map[string][]recording.Capture{"said": captures, "found": hosts} {
				if what == "found" && len(captures) > 1 {
					continue
				}
				j := recorded(t, name, func(s *recording.Spec, _ *network.Network) { s.Captures = captures })
				r := verified(t, j)
				if len(r.Mismatched)+len(r.Missing)+len(r.Unexpected) > 0 {
					t.Errorf("%s, %s: %+v", what, j.Taps[0].Explain(), r)
				}
				if r.Matched < whole.Matched*3/4 {
					t.Errorf("%s: %d match, of %d where each interface has a capture", what, r.Matched, whole.Matched)
				}
			}
		})
	}
}
