package pcap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"testing"
)

// timesCapture is a capture of one-byte packets at the given times.
func timesCapture(t *testing.T, name string, cut int, times ...int64) *Reader {
	t.Helper()
	var b bytes.Buffer
	w, _ := NewClassicWriter(&b, ClassicOptions{LinkType: LinkEthernet})
	for i, ns := range times {
		if err := w.WritePacket(ns, []byte{byte(i)}, 0); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	r, err := NewReader(bytes.NewReader(b.Bytes()[:b.Len()-cut]), name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// story is what a source tells, errors included.
func story(s Source) (out []string) {
	var rec Record
	for {
		err := s.Next(&rec)
		var ce *CaptureError
		switch {
		case err == io.EOF:
			return out
		case errors.As(err, &ce):
			out = append(out, fmt.Sprintf("error of %d at %d", ce.Capture, ce.Time))
		case err != nil:
			return append(out, err.Error())
		default:
			out = append(out, fmt.Sprintf("%s %d/%d at %d", rec.File, rec.Capture, rec.Frame, rec.Time))
		}
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	m := NewMerge(
		timesCapture(t, "a", 0, 10, 20, 20, 50),
		timesCapture(t, "b", 1, 5, 20, 30, 40), // its frame 4 is cut
		timesCapture(t, "c", 0, 20, 15, 60),    // steps back once
		timesCapture(t, "d", 0),
	)
	want := []string{
		"b 1/1 at 5", "a 0/1 at 10", "a 0/2 at 20", "a 0/3 at 20", "b 1/2 at 20", "c 2/1 at 20", "c 2/2 at 15",
		"b 1/3 at 30", "error of 1 at 30", "a 0/4 at 50", "c 2/3 at 60",
	}
	if got := story(m); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestMergeCorrectsClocks(t *testing.T) {
	t.Parallel()
	a, b := timesCapture(t, "a", 0, 100, 200), timesCapture(t, "b", 0, 1120, 1180)
	b.Clock = Clock{Offset: -1000}
	want := []string{"a 0/1 at 100", "b 1/1 at 120", "b 1/2 at 180", "a 0/2 at 200"}
	if got := story(NewMerge(a, b)); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestMergeKeepsRecords: a record stays what it was while the merge goes on, as long as it is not handed in again.
func TestMergeKeepsRecords(t *testing.T) {
	t.Parallel()
	m := NewMerge(timesCapture(t, "a", 0, 1, 3, 5), timesCapture(t, "b", 0, 2, 4))
	records := make([]Record, 5)
	for i := range records {
		if err := m.Next(&records[i]); err != nil {
			t.Fatal(err)
		}
	}
	for i, r := range records {
		if r.Time != int64(i+1) || r.Data[0] != byte(i/2) {
			t.Errorf("record %d now says time %d, data %x", i, r.Time, r.Data)
		}
	}
}
