package pcap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"ovnreplay/pcap/filter"
)

func expression(t *testing.T, expr string) Options {
	t.Helper()
	e, err := filter.Parse(expr)
	if err != nil {
		t.Fatal(err)
	}
	return Options{Filter: e}
}

// Records that the filter removes are not counted, and keep their numbers.
func TestFilter(t *testing.T) {
	t.Parallel()
	all := readFile(t, "testdata/client.pcap")
	r, err := OpenWith("testdata/client.pcap", expression(t, "tcp[tcpflags] & tcp-push != 0"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := readAll(r)
	if err != nil {
		t.Fatal(err)
	}
	var want []*Record
	for _, rec := range all {
		if rec.Data[23] == 6 && rec.Data[47]&8 != 0 {
			want = append(want, rec)
		}
	}
	if len(got) != len(want) || len(got) == 0 || r.Counts().Frames != len(want) {
		t.Fatalf("%d records of %d, %d counted, want %d", len(got), len(all), r.Counts().Frames, len(want))
	}
	for i, rec := range got {
		if rec.Frame != want[i].Frame || rec.Time != want[i].Time || !bytes.Equal(rec.Data, want[i].Data) {
			t.Errorf("frame %d, want %d", rec.Frame, want[i].Frame)
		}
	}
}

// The files of a set are in the order of their first packets, selected or not.
func TestFilteredSet(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	all := rotated(t, dir)
	s, err := OpenSet(filepath.Join(dir, "cap.pcap*"), expression(t, "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := readAll(s)
	if err != nil || len(got) == 0 || len(got) >= len(all) || s.Counts().Frames != len(got) {
		t.Fatalf("%d of %d records, %d counted: %v", len(got), len(all), s.Counts().Frames, err)
	}
	for i := 1; i < len(got); i++ {
		if got[i].Time < got[i-1].Time {
			t.Errorf("record %d is older than the one before", i)
		}
	}
}

// Each interface of a pcapng has a program for its own link type.
func TestFilterOfEachLinkType(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w, err := NewWriter(&b, Section{})
	if err != nil {
		t.Fatal(err)
	}
	links := []LinkType{LinkEthernet, LinkSLL2, LinkRaw, LinkNull}
	for _, link := range links {
		if _, err := w.AddInterface(InterfaceInfo{LinkType: link}); err != nil {
			t.Fatal(err)
		}
	}
	for i, rec := range readFile(t, "testdata/client.pcap") {
		ip := rec.Data[14:]
		data := [][]byte{
			rec.Data,
			append(append(binary.BigEndian.AppendUint16(nil, 0x800), make([]byte, 18)...), ip...),
			ip,
			append([]byte{2, 0, 0, 0}, ip...),
		}[i%len(links)]
		if err := w.WritePacket(&Packet{Interface: i % len(links), Time: rec.Time, Data: data,
			OrigLen: len(data)}); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	for expr, want := range map[string]int{"tcp port 30007": 20, "udp": 0, "ether host 0a:58:0a:f4:01:03 or tcp": -1} {
		r, err := NewReaderWith(bytes.NewReader(b.Bytes()), "x", expression(t, expr))
		if err != nil {
			t.Fatal(err)
		}
		got, err := readAll(r)
		var bad *filter.Error
		if want < 0 && (!errors.As(err, &bad) || !strings.Contains(err.Error(), "LINUX_SLL2")) || want >= 0 &&
			(err != nil || len(got) != want) {
			t.Errorf("%q: %d records, want %d: %v", expr, len(got), want, err)
		}
	}
}

// A filter that does not suit a capture's only link type is refused as it is
// opened.
func TestUnsuitableFilter(t *testing.T) {
	t.Parallel()
	_, err := OpenWith("testdata/client.pcap", expression(t, "inbound"))
	if err == nil || !strings.HasPrefix(err.Error(),
		"testdata/client.pcap: the filter does not suit its EN10MB frames: column 1: ") {
		t.Error(err)
	}
}
