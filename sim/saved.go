package sim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ovnreplay/conntrack"
	"ovnreplay/conntrack/coding"
)

// savedVersion is the number of the form in which Save writes.
const savedVersion = 9

// Save returns everything that changes as packets are replayed:
// connections, what was learned, packets that are held. An engine that
// restores it goes on exactly as this one. The same state gives the same bytes.
//
// Things are written by their names, so that another state of the network can
// take them over; only held packets belong to this very network, of which
// hash is Net.Hash.
func (e *Engine) Save(hash [32]byte) []byte {
	s := saver{Coder: coding.NewWriter(nil), e: e, hash: hash}
	s.code()
	return s.Bytes()
}

// Loss is what of a saved state an engine could not take over because its network
// is not the one the saved state was taken on.
type Loss struct {
	Network     bool // it is another
	Connections int  // their conntrack zone or chassis does not exist
	Learned     int  // bindings and the like of ports that do not exist
	Packets     int  // held ones
}

// String tells of the loss, "" if there is none.
func (l Loss) String() string {
	var parts []string
	for _, x := range []struct {
		n    int
		what string
	}{{l.Connections, "connections"}, {l.Learned, "learned entries"}, {l.Packets, "held packets"}} {
		if x.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", x.n, x.what))
		}
	}
	return strings.Join(parts, ", ")
}

// Restore makes the engine's state that of a saved state; hash is Net.Hash. The
// engine must be new or have forgotten all. After an error it has forgotten all.
func (e *Engine) Restore(state []byte, hash [32]byte) (Loss, error) {
	s := saver{Coder: coding.NewReader(state), e: e, hash: hash}
	s.code()
	if err := s.Finish(); err != nil {
		e.Forget()
		return Loss{}, fmt.Errorf("saved state of a replay: %w", err)
	}
	return s.loss, nil
}

// Held calls visit with the injection of every packet that is held.
func (e *Engine) Held(visit func(*Injection)) {
	for _, q := range e.waiting.queues {
		for _, h := range q.packets {
			visit(&h.of)
		}
	}
	for _, h := range e.waiting.ready {
		visit(&h.of)
	}
}

// Due counts the held packets that go on once their time comes, whatever else
// happens.
func (e *Engine) Due() int {
	n := len(e.waiting.ready)
	for _, q := range e.waiting.queues {
		if q.goesOn != 0 && q.goesOn <= q.expires {
			n += len(q.packets)
		}
	}
	return n
}

// ChassisTable is the connection tracking table of one chassis.
type ChassisTable struct {
	Chassis string
	Zones   map[uint16]string // names of the zones that are in use
	Table   *conntrack.Table
}

// Tables returns the connection tracking tables of a saved state, by chassis
// name; it needs no network.
func Tables(state []byte) ([]ChassisTable, error) {
	s := saver{Coder: coding.NewReader(state)}
	s.header()
	var tables []ChassisTable
	s.tables(func(t *savedTable) {
		table, err := conntrack.Restore(t.state, conntrack.Options{}, nil)
		if err != nil {
			s.Fail("%v", err)
			return
		}
		tables = append(tables, ChassisTable{t.chassis, t.zones, table})
	})
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("saved state of a replay: %w", err)
	}
	return tables, nil
}

// saver writes or reads an engine's state.
type saver struct {
	*coding.Coder
	e    *Engine
	hash [32]byte // of its network
	same bool     // the network is the one the saved state was taken on
	gone bool     // a name read just now is unknown
	loss Loss
}

func (s *saver) code() {
	s.same = s.header() == s.hash
	s.loss.Network = !s.same
	s.tables(s.restoreTable)
	s.codeLearned()
	s.codeSelections()
	s.codeLeftOut()
	s.codePreferred()
	s.codeMeters()
	held := coding.NewWriter(nil)
	if !s.Reading() {
		w := *s
		w.Coder = held
		w.codeHeld()
	}
	blob := held.Bytes()
	s.Blob(&blob)
	if !s.Reading() || s.Err() != nil {
		return
	}
	r := *s
	r.Coder = coding.NewReader(blob)
	if !s.same {
		coding.Int(r.Coder, &s.loss.Packets)
		return
	}
	r.codeHeld()
	if err := r.Finish(); err != nil {
		s.Fail("held packets: %v", err)
	}
}

// header is the version and the network's hash; it returns the hash read.
func (s *saver) header() (hash [32]byte) {
	version := uint8(savedVersion)
	coding.Uint(s.Coder, &version)
	if version != savedVersion {
		s.Fail("it is of form %d, this ovn-replay knows %d", version, savedVersion)
	}
	hash = s.hash
	s.Raw(hash[:])
	return hash
}

// savedTable is a chassis' connection tracking as a saved state holds it.
type savedTable struct {
	chassis string
	zones   map[uint16]string
	state   []byte
}

func (s *saver) tables(restore func(*savedTable)) {
	var list []savedTable
	if !s.Reading() {
		for _, ch := range s.e.chassis {
			if ch == nil {
				continue
			}
			t := savedTable{chassis: ch.Name, zones: map[uint16]string{}, state: ch.ct.Save(nil)}
			for _, z := range ch.ct.Zones() {
				t.zones[z] = ch.zones.names[z]
			}
			list = append(list, t)
		}
	}
	coding.Slice(s.Coder, &list, 3, func(t *savedTable) {
		s.Text(&t.chassis)
		zones := slices.Sorted(maps.Keys(t.zones))
		if s.Reading() {
			t.zones = map[uint16]string{}
		}
		coding.Slice(s.Coder, &zones, 2, func(z *uint16) {
			coding.Uint(s.Coder, z)
			name := t.zones[*z]
			s.Text(&name)
			t.zones[*z] = name
		})
		s.Blob(&t.state)
		if s.Reading() && s.Err() == nil {
			restore(t)
		}
	})
}

// restoreTable gives a chassis its connections, in zones of the same names.
func (s *saver) restoreTable(t *savedTable) {
	c := s.e.Net.ChassisByName(t.chassis)
	if c == nil {
		table, err := conntrack.Restore(t.state, conntrack.Options{}, nil)
		if err != nil {
			s.Fail("%v", err)
			return
		}
		s.loss.Connections += len(table.Entries(0))
		return
	}
	ch := s.e.on(c)
	byName := map[string]uint16{}
	for z, name := range ch.zones.names {
		byName[name] = z
	}
	move := func(z uint16) (uint16, bool) {
		name := t.zones[z]
		if name == "" || ch.zones.names[z] == name {
			return z, true
		}
		to, ok := byName[name]
		return to, ok
	}
	moves := func(z uint16) bool { to, ok := move(z); return !ok || to != z }
	if !slices.ContainsFunc(slices.Collect(maps.Keys(t.zones)), moves) {
		move = nil
	}
	if err := ch.ct.Restore(t.state, nil); err != nil {
		s.Fail("%v", err)
		return
	}
	if move != nil {
		before := len(ch.ct.Entries(0))
		if err := ch.ct.Restore(t.state, move); err != nil {
			s.Fail("%v", err)
		}
		s.loss.Connections += before - len(ch.ct.Entries(0))
	}
}

// port codes a port's index by the port's name.
func (s *saver) port(index *uint32) {
	name := ""
	if !s.Reading() && *index != 0 {
		name = s.e.Net.Ports[*index].Name
	}
	s.Text(&name)
	if !s.Reading() || name == "" {
		return
	}
	if p := s.e.Net.Port(name); p != nil && p.Name == name {
		*index = uint32(p.Index)
		return
	}
	s.gone = true
}

// datapath codes a datapath's index by its UUID.
func (s *saver) datapath(index *int) {
	uuid := ""
	if !s.Reading() {
		uuid = s.e.Net.Datapaths[*index].UUID
	}
	s.Text(&uuid)
	if !s.Reading() {
		return
	}
	for i, dp := range s.e.Net.Datapaths {
		if dp.UUID == uuid {
			*index = i
			return
		}
	}
	s.gone = true
}

// flow codes a flow's index by its UUID.
func (s *saver) flow(index *int) {
	uuid := ""
	if !s.Reading() {
		uuid = s.e.Net.Flows[*index].UUID
	}
	s.Text(&uuid)
	if !s.Reading() {
		return
	}
	flows := s.e.Net.Flows // by UUID
	i, ok := slices.BinarySearchFunc(flows, uuid, func(f *networkFlow, u string) int {
		return strings.Compare(f.UUID, u)
	})
	if *index = i; !ok {
		s.gone = true
	}
}

// codeEntries codes the entries of a map in an order that depends on nothing
// but them. One that names what the network does not have is lost.
func codeEntries[K comparable, V any](s *saver, m map[K]V, entry func(*saver, *K, *V)) {
	coding.Map(s.Coder, m, 1, func(c *coding.Coder, k *K, v *V) bool {
		one := *s
		one.Coder, one.gone = c, false
		entry(&one, k, v)
		if one.gone {
			s.loss.Learned++
		}
		return !one.gone
	})
}

var errHeld = errors.New("a packet that cannot be")

// ConntrackOptions is how every chassis tracks connections.
func (e *Engine) ConntrackOptions() conntrack.Options { return e.opts.Conntrack }
