package sim_test

import (
	"bytes"
	"io"
	"path/filepath"
	"testing"

	"ovnreplay/conntrack"
	"ovnreplay/sim"
	"ovnreplay/sim/job"
	"ovnreplay/sim/network"
	"ovnreplay/sim/recording"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

// remembered are recordings after which an engine knows things of every kind:
// connections in many zones, affinity, next hops, FDB and MAC bindings, groups,
// virtual ports, fragments and packets that are held.
var remembered = []string{
	"nodeport", "kube-affinity", "cloud-lb-affinity-26.03", "cloud-ecmp", "kube-cold-egress", "cloud-cold",
	"cloud-unknown",
	"cloud-igmp", "kube-multicast", "cloud-virtual", "kube-fragments", "cloud-sg-reject-in", "cloud-prefix-delegation",
	"cloud-lb-health", "cloud-activation-26.03", "cloud-arp-nd", "kube-many-backends",
}

// keeper takes the engine's state now and then, and another engine that has it
// restored must have the same.
type keeper struct {
	t       *testing.T
	e       *sim.Engine
	net     *network.Network
	zones   map[string]map[string]uint16
	packets int
	states  int
}

func (k *keeper) Entered(*replay.Frame, *replay.Point, *sim.Outcome) {
	if k.packets++; k.packets%9 == 1 {
		k.compare()
	}
}

func (k *keeper) Observed(*replay.Frame, *replay.Point)        {}
func (k *keeper) Skipped(*replay.Frame, *replay.Point, string) {}

func (k *keeper) compare() {
	hash := k.net.Hash()
	state := k.e.Save(hash)
	other, err := sim.New(k.net, sim.Options{Conntrack: k.e.ConntrackOptions(), Zones: k.zones})
	if err != nil {
		k.t.Fatal(err)
	}
	loss, err := other.Restore(state, hash)
	if err != nil || loss != (sim.Loss{}) {
		k.t.Fatalf("after %d packets: lost %v, error %v", k.packets, loss, err)
	}
	if again := other.Save(hash); !bytes.Equal(again, state) {
		k.t.Fatalf("after %d packets a saved state of %d bytes is, restored and taken again, another of %d", k.packets,
			len(state), len(again))
	}
	k.states++
}

// A saved state holds all that an engine knows.
func TestWhatIsSavedIsAll(t *testing.T) {
	t.Parallel()
	for _, name := range remembered {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := opened(t, name)
			spec, err := recording.ReadCase(j.Spec.Case, recording.Files{Open: store.OpenFile})
			if err != nil {
				t.Fatal(err)
			}
			k := &keeper{t: t, e: j.Engine, net: j.Net, zones: spec.Zones}
			if err := j.Run(t.Context(), j.Start(k, job.LookAhead)); err != nil {
				t.Fatal(err)
			}
			k.compare()
			if k.states < 2 {
				t.Errorf("only %d states compared", k.states)
			}
		})
	}
}

func opened(t *testing.T, name string) *job.Job {
	t.Helper()
	in := job.Spec{Case: filepath.Join("..", "testdata", "cases", name), DBTime: job.Last, Stderr: io.Discard,
		Quiet: true}
	j, err := in.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	return j
}

// The network is read again and again while packets pass: as nothing in it has
// changed, nothing changes for them.
func TestBecomingTheSameNetworkChangesNothing(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"nodeport", "cloud-ecmp", "kube-affinity", "cloud-unknown", "cloud-igmp",
		"kube-many-backends"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := opened(t, name)
			calls := 0
			again := func(now conntrack.Time) (*network.Network, conntrack.Time, error) {
				if calls++; calls%10 != 0 {
					return nil, 0, nil
				}
				net, _, err := southbound.OpenAll(t.Context(), j.Sources, store.Options{}, nil)
				return net, now, err
			}
			v := replay.NewVerifier(replay.VerifyOptions{})
			if err := j.Run(t.Context(), j.Recording.Start(v, job.LookAhead, again)); err != nil {
				t.Fatal(err)
			}
			if r := v.Finish(); !r.OK() || r.Matched == 0 || calls < 10 {
				t.Errorf("after %d looks: %+v", calls, r)
			}
		})
	}
}
