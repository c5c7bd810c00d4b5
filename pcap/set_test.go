package pcap

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// rotated writes a capture as tcpdump -C would, in parts whose names do not sort by age.
func rotated(t *testing.T, dir string) []*Record {
	t.Helper()
	all := readFile(t, "testdata/client.pcap")
	for i, part := range [][]*Record{all[:5], all[5:12], all[12:], nil} {
		name := filepath.Join(dir, "cap.pcap"+[]string{"", "10", "2", "3"}[i])
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		w, _ := NewClassicWriter(f, ClassicOptions{LinkType: LinkEthernet})
		for _, r := range part {
			if err := w.WritePacket(r.Time, r.Data, r.OrigLen); err != nil {
				t.Fatal(err)
			}
		}
		w.Flush()
		f.Close()
	}
	return all
}

func TestRotatedSet(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	want := rotated(t, dir)
	s, err := OpenSet(filepath.Join(dir, "cap.pcap*"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := readAll(s)
	if err != nil || len(got) != len(want) || s.Counts().Frames != len(want) {
		t.Fatalf("%d records, want %d; %v", len(got), len(want), err)
	}
	if read, size := s.Progress(); read != size || size != int64(len(mustRead(t, "testdata/client.pcap")))+3*24 {
		t.Errorf("progress %d of %d", read, size)
	}
	frames := map[string]int{}
	for i, r := range got {
		if r.Time != want[i].Time || string(r.Data) != string(want[i].Data) {
			t.Errorf("record %d is another", i+1)
		}
		frames[filepath.Base(r.File)]++
		if r.Frame != frames[filepath.Base(r.File)] {
			t.Errorf("record %d is frame %d of %s", i+1, r.Frame, r.File)
		}
	}
	if !reflect.DeepEqual(frames, map[string]int{"cap.pcap": 5, "cap.pcap10": 7, "cap.pcap2": 9}) {
		t.Errorf("frames per file %v", frames)
	}
}

// TestSetGoesOn: a damaged part is reported in its place, the parts after it are read, alone and merged.
func TestSetGoesOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rotated(t, dir)
	middle := filepath.Join(dir, "cap.pcap10")
	if err := os.Truncate(middle, int64(len(mustRead(t, middle))-1)); err != nil {
		t.Fatal(err)
	}
	s, err := OpenSet(filepath.Join(dir, "cap.pcap*"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.Clock.Offset = 5
	var last *FormatError
	n, after := 0, 0
	m := NewMerge(s, timesCapture(t, "other", 0, 1))
	for {
		var rec Record
		err := m.Next(&rec)
		if ce, ok := err.(*CaptureError); ok {
			last = ce.Err.(*FormatError)
			continue
		}
		if err != nil {
			break
		}
		if n++; last != nil {
			after++
		}
		if rec.File != "other" && rec.Time != rec.RawTime+5 {
			t.Errorf("frame %d of %s is not corrected", rec.Frame, rec.File)
		}
	}
	if last == nil || last.File != middle || last.Frame != 7 || n != 5+6+9+1 || after != 9 {
		t.Errorf("%d records, %d after %v", n, after, last)
	}
}

func TestSetFaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := OpenSet(filepath.Join(dir, "*.pcap"), Options{}); err == nil ||
		!strings.HasSuffix(err.Error(), "names no capture file; check the pattern") {
		t.Error(err)
	}
	if _, err := OpenSet(filepath.Join(dir, "[.pcap"), Options{}); err == nil ||
		!strings.Contains(err.Error(), "syntax error in pattern") {
		t.Error(err)
	}
	odd := filepath.Join(dir, "notes.pcap")
	if err := os.WriteFile(odd, []byte("not a capture at all"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSet(filepath.Join(dir, "*.pcap"), Options{}); err == nil ||
		!strings.HasPrefix(err.Error(), odd+": is not a capture") {
		t.Error(err)
	}
	named := filepath.Join(dir, "a[1].pcap") // a name that looks like a pattern
	if err := os.WriteFile(named, mustRead(t, "testdata/client.pcap"), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := OpenSet(named, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if all, err := readAll(s); err != nil || len(all) != 21 {
		t.Errorf("%d records, %v", len(all), err)
	}
}
