package ledger

import (
	"encoding/json"
	"fmt"

	"ovnreplay/nat"
	"ovnreplay/sim"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/why"
)

// Roster notes who had the addresses of packets, for whoever asks when the network
// is not at hand: a session holds as much of it as its packets came through, which
// need not have whom they asked for.
type Roster struct {
	engine *sim.Engine
	names  *Names
	seen   map[nat.Tuple]bool
	named  map[string]string
	became int // how often the network had become another
}

// maxRoster bounds the tuples that are remembered and the names that are kept.
const maxRoster = 1 << 18

// NewRoster returns the roster of an engine's packets, which goes on with what
// Bytes of an earlier one returned; nil: there is none.
func NewRoster(e *sim.Engine, earlier []byte) (*Roster, error) {
	named, err := ReadRoster(earlier)
	names := NewNames(e.Net, why.New(e, nil).Floating)
	return &Roster{engine: e, names: names, seen: map[nat.Tuple]bool{}, named: named}, err
}

// ReadRoster reads what Bytes of a Roster returned: names by address, and by
// address and port.
func ReadRoster(b []byte) (map[string]string, error) {
	named := map[string]string{}
	if b == nil {
		return named, nil
	}
	if err := json.Unmarshal(b, &named); err != nil {
		return named, fmt.Errorf("the names of its addresses are damaged: %w", err)
	}
	return named, nil
}

// Bytes is what the roster knows.
func (r *Roster) Bytes() ([]byte, error) { return json.Marshal(r.named) }

// Note notes who has a packet's addresses, as it entered and as it left.
func (r *Roster) Note(f *replay.Frame, out *sim.Outcome) {
	if r.names.net != r.engine.Net || r.became != r.engine.Net.Became {
		r.names.net, r.became = r.engine.Net, r.engine.Net.Became
		clear(r.seen)
	}
	if t, _, ok := read(f); ok {
		r.note(t)
	} else if t, ok := firstOf(f.Data, f.Headers()); ok {
		r.note(t)
	}
	for i := range out.Outputs {
		o := &out.Outputs[i]
		left := replay.Frame{Data: o.Data}
		if t, _, ok := read(&left); ok {
			r.note(t)
		} else if t, ok := firstOf(o.Data, o.Headers()); ok {
			r.note(t)
		}
	}
}

func (r *Roster) note(t nat.Tuple) {
	if r.seen[t] || len(r.named) >= maxRoster {
		return
	}
	if len(r.seen) >= maxRoster {
		clear(r.seen)
	}
	r.seen[t] = true
	r.names.each(&t, func(key, name string) { r.named[key] = name })
}
