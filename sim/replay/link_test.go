package replay

import (
	"bytes"
	"slices"
	"testing"
)

// What bridges on a wire tell each other enters no network of OVN's; other groups do.
func TestFramesOfTheLinkAreLeftOut(t *testing.T) {
	t.Parallel()
	for to, want := range map[string][]string{
		"\x01\x80\xc2\x00\x00\x02": {whyLink}, // LACP
		"\x01\x80\xc2\x00\x00\x0e": {whyLink}, // LLDP
		"\x01\x80\xc2\x00\x00\x20": nil,       // GARP
		"\xff\xff\xff\xff\xff\xff": nil,
	} {
		s := remembering(t)
		h := &interrupted{s: s, memory: []byte{}}
		s.handler = h
		rec := captured(t, "client.pcap")[0]
		rec.Data = bytes.Clone(rec.Data)
		copy(rec.Data, to)
		s.Add(&rec)
		s.Flush()
		if !slices.Equal(h.why, want) || h.entered != 1-len(want) {
			t.Errorf("to %x: %d entered, skipped: %q, want %q", to, h.entered, h.why, want)
		}
	}
}
