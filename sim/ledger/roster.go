package ledger

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"ovnreplay/conntrack"
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
	named  map[string]string // by what they are of, and since when if another had it before
	now    map[string]string // by what they are of
	became int               // how often the network had become another
}

// maxRoster bounds the tuples that are remembered and the names that are kept.
const maxRoster = 1 << 18

// NewRoster returns the roster of an engine's packets, which goes on with what
// Bytes of an earlier one returned; nil: there is none.
func NewRoster(e *sim.Engine, earlier []byte) (*Roster, error) {
	named, err := ReadRoster(earlier)
	names := NewNames(e.Net, why.New(e, nil).Floating)
	r := &Roster{engine: e, names: names, seen: map[nat.Tuple]bool{}, named: named.all, now: map[string]string{}}
	for key, list := range named.by {
		r.now[key] = list[len(list)-1].name
	}
	return r, err
}

// Named are names by address, and by address and port, as a Roster kept them.
type Named struct {
	all map[string]string
	by  map[string][]since // in the order of their moments
}

type since struct {
	moment conntrack.Time
	name   string
}

// sinceText is between what a name is of and the moment since which it is its.
const sinceText = " since "

// ReadRoster reads what Bytes of a Roster returned.
func ReadRoster(b []byte) (*Named, error) {
	n := &Named{map[string]string{}, map[string][]since{}}
	if b == nil {
		return n, nil
	}
	if err := json.Unmarshal(b, &n.all); err != nil {
		return n, fmt.Errorf("the names of its addresses are damaged: %w", err)
	}
	for key, name := range n.all {
		of, at, later := strings.Cut(key, sinceText)
		s := since{math.MinInt64, name}
		if later {
			t, err := strconv.ParseInt(at, 10, 64)
			if err != nil {
				return n, fmt.Errorf("the names of its addresses are damaged: %w", err)
			}
			s.moment = conntrack.Time(t)
		}
		n.by[of] = append(n.by[of], s)
	}
	for _, list := range n.by {
		slices.SortFunc(list, func(a, b since) int { return cmp.Compare(a.moment, b.moment) })
	}
	return n, nil
}

// longestText is before a port's name where what is told of it is how long the longest frame is
// that captures show to leave there.
const longestText = "longest at "

// Saw notes a frame that was seen to leave.
func (r *Roster) Saw(f *replay.Frame, p *replay.Point) {
	if p.Port == nil {
		return
	}
	key := longestText + p.Port.Name
	if n, err := strconv.Atoi(r.named[key]); err != nil || n < f.Wire {
		r.named[key] = strconv.Itoa(f.Wire)
	}
}

// longest is how long the longest frame is that a session's captures show to leave at a port;
// false if they show none, or there is no session.
func (n *Names) longest(port string) (int, bool) {
	length, err := strconv.Atoi(n.keptName(longestText + port))
	return length, err == nil
}

// At is the name of something at a moment, "" if it had none.
func (n *Named) At(key string, at conntrack.Time) (name string) {
	for _, s := range n.by[key] {
		if s.moment > at {
			break
		}
		name = s.name
	}
	return name
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
		r.note(t, f.Time)
	} else if t, ok := firstOf(f.Data, f.Headers()); ok {
		r.note(t, f.Time)
	}
	for i := range out.Outputs {
		o := &out.Outputs[i]
		left := replay.Frame{Data: o.Data}
		if t, _, ok := read(&left); ok {
			r.note(t, f.Time)
		} else if t, ok := firstOf(o.Data, o.Headers()); ok {
			r.note(t, f.Time)
		}
	}
}

func (r *Roster) note(t nat.Tuple, at conntrack.Time) {
	if r.seen[t] || len(r.named) >= maxRoster {
		return
	}
	if len(r.seen) >= maxRoster {
		clear(r.seen)
	}
	r.seen[t] = true
	r.names.each(&t, func(key, name string) {
		switch r.now[key] {
		case name:
			return
		case "":
			r.named[key] = name
		default: // another's now
			r.named[fmt.Sprint(key, sinceText, int64(at))] = name
		}
		r.now[key] = name
	})
}
