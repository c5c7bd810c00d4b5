package recording

import (
	"fmt"
	"strings"

	"ovnreplay/pcap"
	"ovnreplay/sim/network"
	"ovnreplay/sim/replay"
)

// placed is a capture that its packets say to be of an interface.
type placed struct {
	tap  *replay.Tap
	open *openCapture
}

// together looks at the captures that were placed by their packets side by side: an
// interface has one capture, or several that show the same packets (a bond and its
// member, a tap and its veth, a file given twice). Others are not guessed about.
func (r *Recording) together(owners *replay.Owners, all []placed) error {
	for i, a := range all {
		if err := r.contested(a.tap); err != nil {
			return err
		}
		for _, b := range all[:i] {
			s, t := a.tap.Site, b.tap.Site
			if s == nil || t == nil || s.Port != t.Port || s.Chassis != t.Chassis || s.Port == nil ||
				s.Port.Type != network.VIF {
				continue
			}
			if common, of := agree(b.open.ahead, a.open.ahead); of > 0 && 2*common < of {
				return fmt.Errorf("%s and %s both seem to be of port %s, but %d of %d packets of the same time "+
					"are in both: name their ports with -r FILE@PORT; by their addresses %s may be of %s, %s of %s",
					b.tap.Name, a.tap.Name, s.Port.Name, common, of, b.tap.Name, candidates(owners, b.open),
					a.tap.Name, candidates(owners, a.open))
			}
		}
	}
	return nil
}

// contested says that a capture which may be of any port of a switch is not of the one
// that it seems to be of: another is.
func (r *Recording) contested(t *replay.Tap) error {
	if t.Site == nil || t.Site.Doubt == "" {
		return nil
	}
	for _, other := range r.Taps {
		if s := other.Site; other != t && s != nil && s.Port == t.Site.Port && s.Doubt == "" {
			return fmt.Errorf("%s: all that it holds %s sent to all of its switch, and %s is of that port: say at "+
				"which other one it was taken with -r FILE@PORT", t.Name, s.Port.Called(), other.Name)
		}
	}
	return nil
}

// agree counts the packets of the time that two captures share that are in both, and
// all of the one that has fewer.
func agree(a, b []pcap.Record) (common, of int) {
	if len(a) == 0 || len(b) == 0 {
		return 0, 0
	}
	from, to := max(a[0].Time, b[0].Time), min(a[len(a)-1].Time, b[len(b)-1].Time)
	in := [2]map[pcap.Key]int{{}, {}}
	var n [2]int
	for i, list := range [...][]pcap.Record{a, b} {
		for j := range list {
			if t := list[j].Time; t < from || t > to {
				continue
			}
			if _, m, err := pcap.Frame(&list[j]); err == nil {
				in[i][pcap.PacketKey(&m)]++
				n[i]++
			}
		}
	}
	for k, times := range in[0] {
		common += min(times, in[1][k])
	}
	return common, min(n[0], n[1])
}

// candidates are the interfaces that a capture may be of.
func candidates(owners *replay.Owners, open *openCapture) string {
	var names []string
	for _, p := range owners.Candidates(open.ahead) {
		names = append(names, p.Name)
	}
	return strings.Join(names, " or ")
}
