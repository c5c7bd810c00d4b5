package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ovnreplay/sim/replay"
)

// Where a flow that packets met drops them, and less comes out as predicted, no artefact of
// capturing explains that: not even what OVN answers itself, which no other capture tells of.
func TestNothingExcusesADroppingFlow(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"cloud-frag-needed", "cloud-ttl-exceeded", "cloud-dhcpv4", "nodeport"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(cases, name)
			c := &recordedCase{dir: dir, db: "sb.db.gz"}
			if name == "nodeport" {
				c.db = "sb.db"
			}
			clean, _ := verdictOf(t, "--case", dir)
			tried := 0
			for _, uuid := range metFlows(t, dir) {
				r, status := verdictOf(t, "--case", c.mutated(t, uuid, "drop;"))
				if r.Matched >= clean.Matched {
					continue // it makes no difference to what is seen
				}
				if tried++; status == exitOK {
					t.Errorf("flow %s drops, %d of %d matched, and yet all is explained: %v", uuid, r.Matched,
						clean.Matched, causesOf(r))
				}
			}
			if tried < 5 {
				t.Errorf("%d flows make a difference", tried)
			}
		})
	}
}

func verdictOf(t *testing.T, args ...string) (*replay.Report, int) {
	t.Helper()
	status, out, errs := replayed(t, append([]string{"verify", "--json"}, args...)...)
	r := &replay.Report{}
	if err := json.Unmarshal([]byte(out), r); err != nil {
		t.Fatalf("%v: %v: %s", args, err, errs)
	}
	return r, status
}

func causesOf(r *replay.Report) (list []string) {
	for _, g := range r.Groups {
		list = append(list, string(g.Cause)+": "+strings.Join(g.Evidence, "; "))
	}
	return list
}

// metFlows are the flows that packets of a case met, but for those by which OVN answers for
// an address: without them the owner may.
func metFlows(t *testing.T, dir string) (uuids []string) {
	t.Helper()
	_, out, _ := replayed(t, "run", "--case", dir, "--json")
	d := json.NewDecoder(strings.NewReader(out))
	for d.More() {
		var r replay.Record
		if err := d.Decode(&r); err != nil {
			t.Fatal(err)
		}
		for _, p := range r.Path {
			if p.Flow != "" && !strings.Contains(p.Stage, "arp_rsp") && !slices.Contains(uuids, p.Flow) {
				uuids = append(uuids, p.Flow)
			}
		}
	}
	return uuids
}

// Captures that are changed as another network would have made them differ, whatever else
// could explain what they lack, and those that a network makes that way do not.
func TestNothingExcusesChangedCaptures(t *testing.T) {
	t.Parallel()
	left := func(c *wildCase, x *wildCapture, change func(f *wildFrame)) {
		for i := range x.frames {
			if f := &x.frames[i]; !c.entered(x, f) {
				change(f)
			}
		}
	}
	retag := func(vid byte) func(f *wildFrame) {
		return func(f *wildFrame) {
			f.data = slices.Insert(slices.Clone(f.data), 12, 0x81, 0, 0, vid)
			f.wire += 4
		}
	}
	for _, x := range []struct {
		name, of, file string
		status         int
		change         func(c *wildCase, x *wildCapture)
	}{
		{"answers never come, and the client asks again", "nodeport", "client.pcap", exitDifference,
			func(c *wildCase, x *wildCapture) {
				opening := x.frames[slices.IndexFunc(x.frames, func(f wildFrame) bool { return isTCP(&f, 0x02) })]
				x.frames = slices.DeleteFunc(x.frames, func(f wildFrame) bool { return isTCP(&f, 0) })
				for _, after := range []time.Duration{0, time.Second, 3 * time.Second} {
					again := wildFrame{opening.ts + int64(after), slices.Clone(opening.data), opening.wire}
					x.frames = append(x.frames, again)
				}
				for _, o := range c.captures {
					if o != x {
						o.frames = slices.DeleteFunc(o.frames, func(f wildFrame) bool {
							return isTCP(&f, 0) && !isTCP(&f, 0x02) && !isTCP(&f, 0x12)
						})
					}
				}
			}},
		{"answers come to another port", "nodeport", "client.pcap", exitDifference,
			func(c *wildCase, x *wildCapture) {
				for _, o := range c.captures {
					if o != x {
						left(c, x, func(f *wildFrame) {
							if isTCP(f, 0) {
								o.frames = append(o.frames, *f)
							}
						})
						slices.SortStableFunc(o.frames, func(a, b wildFrame) int { return int(a.ts - b.ts) })
					}
				}
				x.frames = slices.DeleteFunc(x.frames, func(f wildFrame) bool {
					return isTCP(&f, 0) && !c.entered(x, &f)
				})
			}},
		{"another VLAN on the provider network", "cloud-fip-distributed", "provider-c1.pcap", exitDifference,
			func(c *wildCase, x *wildCapture) { left(c, x, retag(77)) }},
		{"another next hop's Ethernet address", "cloud-fip-distributed", "provider-c1.pcap", exitDifference,
			func(c *wildCase, x *wildCapture) {
				left(c, x, func(f *wildFrame) {
					f.data = slices.Clone(f.data)
					f.data[5] ^= 0x55
				})
			}},
		{"a priority and no VLAN", "nodeport", "client.pcap", exitOK,
			func(c *wildCase, x *wildCapture) {
				for i := range x.frames {
					if f := &x.frames[i]; c.entered(x, f) {
						retag(0)(f)
					}
				}
			}},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			c := mutated(t, filepath.Join(cases, x.of), "", 1)
			at := slices.IndexFunc(c.captures, func(cap *wildCapture) bool { return cap.file == x.file })
			if at < 0 {
				t.Fatalf("%s has no %s", x.of, x.file)
			}
			x.change(c, c.captures[at])
			if r, status := verdictOf(t, c.save(t, t.TempDir())...); status != x.status {
				t.Errorf("exit status %d, want %d; %v", status, x.status, causesOf(r))
			}
		})
	}
}

// isTCP reports whether a frame is a TCP packet over IPv4 with just these of SYN, RST and ACK;
// 0: with any.
func isTCP(f *wildFrame, flags byte) bool {
	p, ok := parseWild(f.data)
	return ok && !p.v6 && p.proto == 6 && len(f.data) > p.l4+13 && (flags == 0 || f.data[p.l4+13]&0x16 == flags)
}
