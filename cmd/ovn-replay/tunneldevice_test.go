package main

import (
	"encoding/binary"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ovnreplay/sim/replay"
)

// inTunnelDevices makes of a case's captures of the tunnel network what the tunnel
// devices show: the frames inside.
func (c *wildCase) inTunnelDevices(t *testing.T) (args []string) {
	t.Helper()
	dir := t.TempDir()
	c.args = []string{}
	args = c.anyArgs(c.dir)
	for _, x := range c.captures {
		place := "@" + x.port
		if x.underlay {
			place = "@tunnel:" + x.chassis
			x.frames = slices.DeleteFunc(x.frames, func(f wildFrame) bool {
				return len(f.data) < 64 || f.data[23] != 17 || binary.BigEndian.Uint16(f.data[36:]) != 6081 ||
					f.data[46]|f.data[47]|f.data[48] == 0
			})
			for i := range x.frames {
				f := &x.frames[i]
				n := 50 + int(f.data[42]&63)*4
				f.data, f.wire = f.data[n:], f.wire-n
			}
		} else if x.chassis != "" {
			place += "@" + x.chassis
		}
		x.write(t, filepath.Join(dir, x.file))
		args = append(args, "-r", filepath.Join(dir, x.file)+place)
	}
	return args
}

// toInterface reports whether a frame is to an interface.
func (c *wildCase) toInterface(d []byte) bool {
	for _, macs := range c.vifs {
		if macs[string(d[:6])] {
			return true
		}
	}
	return false
}

// A capture on a tunnel device shows frames without the headers that say between
// which chassis they go: what goes to interfaces is compared all the same.
func TestCapturesOnTunnelDevices(t *testing.T) {
	names := []string{"cloud-l3-geneve", "cloud-snat", "cloud-mixed", "cloud-vlan-tenant", "cloud-routed-v6"}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := mutated(t, filepath.Join(cases, name), "", 1)
			args := c.inTunnelDevices(t)
			status, out, errs := replayed(t, append([]string{"verify", "--json"}, args...)...)
			var r replay.Report
			if err := json.Unmarshal([]byte(out), &r); err != nil {
				t.Fatalf("%v: %s", err, errs)
			}
			if status != exitOK || r.Underlay == nil || r.Underlay.Matched == 0 ||
				r.Underlay.Matched != r.Underlay.Observed {
				t.Fatalf("exit status %d, underlay %+v\n%.2000s", status, r.Underlay, out)
			}
			changed := false
			for _, x := range c.captures {
				if changed || !x.underlay {
					continue
				}
				for i := range x.frames {
					if d := x.frames[i].data; c.toInterface(d) && d[12] == 8 && d[13] == 0 { // another TTL
						d[22]++
						changed = true
						break
					}
				}
				arg := args[slices.IndexFunc(args, func(a string) bool { return strings.Contains(a, x.file) })]
				file, _, _ := strings.Cut(arg, "@")
				x.write(t, file)
			}
			if !changed {
				return // nothing to an interface is IPv4
			}
			if status, out, _ = replayed(t, append([]string{"verify"}, args...)...); status != exitDifference {
				t.Errorf("with another TTL inside of a tunnel: exit status %d\n%.2000s", status, out)
			}
		})
	}
}

// Where none is said, such a capture is not placed at a port that it shows.
func TestTunnelDeviceIsNoPort(t *testing.T) {
	t.Parallel()
	c := mutated(t, filepath.Join(cases, "cloud-l3-geneve"), "", 1)
	args := c.inTunnelDevices(t)
	for i, a := range args {
		args[i], _, _ = strings.Cut(a, "@tunnel:")
	}
	status, _, errs := replayed(t, append([]string{"verify"}, args...)...)
	if status != exitBad || !strings.Contains(errs, "@tunnel:") {
		t.Errorf("exit status %d, want %d and the form to name it with: %s", status, exitBad, errs)
	}
}
