package pcap

import (
	"bytes"
	"io"
	"testing"
)

// endless repeats the body of a capture for ever.
type endless struct {
	head, body []byte
	at         int
}

func (e *endless) Read(p []byte) (int, error) {
	if len(e.head) > 0 {
		n := copy(p, e.head)
		e.head = e.head[n:]
		return n, nil
	}
	n := copy(p, e.body[e.at:])
	e.at = (e.at + n) % len(e.body)
	return n, nil
}

// endlessCaptures are steady states: plain pcap, and EPBs without options.
func endlessCaptures(t testing.TB) map[string]io.Reader {
	classic := mustRead(t, "testdata/client.pcap")
	ng := newNG(false)
	ng.section().iface(1, 0)
	head := ng.Len()
	for i := range 40 {
		ng.epb(0, uint64(i), bytes.Repeat([]byte{byte(i)}, 60+33*i))
	}
	return map[string]io.Reader{
		"pcap":   &endless{head: classic[:24], body: classic[24:]},
		"pcapng": &endless{head: ng.Bytes()[:head], body: ng.Bytes()[head:]},
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	for name, src := range endlessCaptures(t) {
		t.Run(name, func(t *testing.T) {
			r, err := NewReader(src, name)
			if err != nil {
				t.Fatal(err)
			}
			var rec Record
			next := func() {
				if err := r.Next(&rec); err != nil {
					t.Fatal(err)
				}
				if _, _, err := Frame(&rec); err != nil {
					t.Fatal(err)
				}
			}
			for range 100 {
				next()
			}
			if n := testing.AllocsPerRun(5000, next); n != 0 {
				t.Errorf("%v allocations a packet", n)
			}
		})
	}
}

func TestMergingAllocatesNothing(t *testing.T) {
	var sources []Source
	for name, src := range endlessCaptures(t) {
		r, err := NewReader(src, name)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, r)
	}
	m := NewMerge(sources...)
	var rec Record
	next := func() {
		if err := m.Next(&rec); err != nil {
			t.Fatal(err)
		}
	}
	for range 1000 {
		next()
	}
	if n := testing.AllocsPerRun(5000, next); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func TestWritingAllocatesNothing(t *testing.T) {
	w, err := NewWriter(io.Discard, Section{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.AddInterface(InterfaceInfo{LinkType: LinkEthernet}); err != nil {
		t.Fatal(err)
	}
	p := Packet{Time: 1, Data: make([]byte, 1500), Direction: DirectionIn, Comments: []string{"verdict: delivered"}}
	write := func() {
		if err := w.WritePacket(&p); err != nil {
			t.Fatal(err)
		}
	}
	write()
	if n := testing.AllocsPerRun(1000, write); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}
