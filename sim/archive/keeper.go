package archive

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"ovnreplay/conntrack"
	"ovnreplay/pcap"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/printable"
	"ovnreplay/sim/replay"
)

// File is where a session is kept, for as long as it is: values by name,
// packets and pieces by number, from 1 on. What is handed in counts once it is
// committed.
type File interface {
	Path() string
	Value(name string) ([]byte, error) // nil: there is none
	Set(name string, value []byte)
	Len() uint64 // packets
	Append(packet []byte) (number uint64)
	Packet(number uint64) ([]byte, error)
	Piece(content []byte) (number uint64, err error) // keeps it once
	GetPiece(number uint64) ([]byte, error)
	Commit() error
}

// A session's values, by name.
const (
	aboutValue = "about" // JSON of about
	stateValue = "state" // sim's saved state
	tailValue  = "tail"  // JSON of tail
	knownValue = "known" // what replay.Run.Memory returned, and hash of the network
	namesValue = "names" // what Roster.Bytes returned
	doneValue  = "done/" // + identity of a capture file: JSON of done
)

// about is what a session belongs to.
type about struct {
	Encoding  int               `json:"encoding"` // Version
	Conntrack conntrack.Options `json:"conntrack"`
	Source    string            `json:"source"`  // of the database, as the user named it
	Network   string            `json:"network"` // hash
}

// tail is where a replay stopped.
type tail struct {
	Time  conntrack.Time `json:"time"`  // of the latest packet
	Names map[int]string `json:"names"` // of the captures that held packets are from, by index
}

// done tells how much of a capture file is replayed.
type done struct {
	File   string `json:"file"`
	Frames int    `json:"frames"`
}

// Keeper is a replay.Handler that keeps a replay in a file, and hands on what
// it finds to the next. The replay goes on where that in the file ended.
type Keeper struct {
	// Taps are the replay's, and those of packets that the session holds.
	Taps []*replay.Tap
	// Every is how many packets there are from one commit to the next at least,
	// and Share which part of the bytes of the state.
	Every, Share int

	// Roster notes who has the addresses of packets; nil: nobody does.
	Roster Roster

	next    replay.Handler
	engine  *sim.Engine
	tell    Tell
	file    File
	archive *Writer
	about   about
	hash    [32]byte
	changed bool // the network, since hash was taken

	replay  *replay.Run
	moved   map[int]int // see resume
	files   map[fileOf]*keptFile
	since   int // packets since the last commit
	size    int // of the last state
	last    conntrack.Time
	earlier int // frames skipped because they are in the session
	err     error
}

// Roster notes names of what packets show, to be kept with them.
type Roster interface {
	Note(f *replay.Frame, out *sim.Outcome)
	Bytes() ([]byte, error)
}

// Names is what the roster of a session's packets returned, nil if it has none.
func Names(file File) ([]byte, error) { return file.Value(namesValue) }

// Tell is told what the user should know.
type Tell func(format string, args ...any)

// fileOf names a file of a capture.
type fileOf struct {
	capture int
	file    string
}

// keptFile is a capture file of this run.
type keptFile struct {
	key  string
	done done
	skip int // frames that an earlier run has replayed
}

// Source is where an engine's network is from.
type Source struct {
	Name    string           // for people
	Objects *network.Objects // of the Northbound database, nil without one
}

// Keep makes an engine go on where the session in a file ended, and returns
// what keeps what it finds there. taps are the captures that will be replayed.
func Keep(file File, e *sim.Engine, taps []*replay.Tap, source Source, next replay.Handler, tell Tell) (*Keeper,
	error) {
	k := &Keeper{
		Taps: taps, next: next, engine: e, file: file, tell: tell, files: map[fileOf]*keptFile{},
		hash: e.Net.Hash(), Every: commitPackets, Share: 64,
	}
	k.about = about{Version, e.ConntrackOptions(), source.Name, hex.EncodeToString(k.hash[:])}
	t, err := resume(file, e, source.Name, tell)
	if err != nil {
		return nil, err
	}
	if t != nil {
		k.last = t.Time
		k.nameHeld(t.Names)
	}
	k.archive = NewWriter(e, k.hash, file.Piece)
	k.archive.Objects = source.Objects
	return k, nil
}

// Changes is a session's source of changes of the network, kept as well.
func (k *Keeper) Changes(changes replay.Changes) replay.Changes {
	if changes == nil {
		return nil
	}
	return func(t conntrack.Time) (*network.Network, conntrack.Time, error) {
		net, since, err := changes(t)
		k.changed = k.changed || net != nil
		return net, since, err
	}
}

// resume makes an engine go on where a session ended, and returns where that
// is; nil for a new one. The session is not written to.
func resume(file File, e *sim.Engine, source string, tell Tell) (*tail, error) {
	of, t, err := readAbout(file)
	if err != nil || of == nil {
		return nil, err
	}
	if want, err := optionsDiffer(of.Conntrack, e.ConntrackOptions()); err != nil || want {
		return nil, errors.Join(err,
			fmt.Errorf("%s: this session was made with connection tracking of %s and other settings than now; give "+
				"the same "+
				"--ct-profile, or name another --session", file.Path(), of.Conntrack.Profile))
	}
	state, err := file.Value(stateValue)
	if err != nil {
		return nil, err
	}
	loss, err := e.Restore(state, e.Net.Hash())
	if err != nil {
		return nil, fmt.Errorf("%s: %w; replay the captures into a new session", file.Path(), err)
	}
	if loss.Network {
		lost := loss.String()
		if lost != "" {
			lost = "; what it has no place for is dropped: " + lost
		}
		tell("%s: the network has changed since (%s then, %s now)%s", file.Path(), of.Source, source, lost)
	}
	return t, nil
}

func optionsDiffer(a, b conntrack.Options) (bool, error) {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return string(x) != string(y), errors.Join(err, err2)
}

// readAbout returns what a session belongs to and where it stopped; nil for a
// new one.
func readAbout(file File) (*about, *tail, error) {
	var a about
	var t tail
	for _, v := range []struct {
		name string
		to   any
	}{{aboutValue, &a}, {tailValue, &t}} {
		text, err := file.Value(v.name)
		if err == nil && text == nil && file.Len() > 0 {
			err = fmt.Errorf("%s: its %s is missing; replay the captures into a new session", file.Path(), v.name)
		}
		if err != nil || text == nil {
			return nil, nil, err
		}
		if err := json.Unmarshal(text, v.to); err != nil {
			return nil, nil, fmt.Errorf("%s: its %s is damaged: %w; replay the captures into a new session",
				file.Path(), v.name, err)
		}
	}
	if a.Encoding != Version {
		return nil, nil, fmt.Errorf("%s: its packets are written in form %d, which this ovn-replay does not know "+
			"(it knows "+
			"%d); use the ovn-replay that wrote them, or name another --session",
			file.Path(), a.Encoding, Version)
	}
	return &a, &t, nil
}

// nameHeld gives the packets that are held captures of their own: those they
// are from are not read again.
func (k *Keeper) nameHeld(names map[int]string) {
	k.moved = map[int]int{}
	k.engine.Held(func(of *sim.Injection) {
		capture, rest := replay.SplitRef(of.Ref)
		to, ok := k.moved[capture]
		if !ok {
			to = len(k.Taps)
			k.moved[capture] = to
			k.Taps = append(k.Taps, &replay.Tap{Index: to, Name: names[capture]})
		}
		of.Ref = replay.JoinRef(to, rest)
	})
}

// remember makes a replay know what that of the session did, if the network is
// the same.
func (k *Keeper) remember(s *replay.Run) error {
	b, err := k.file.Value(knownValue)
	if err != nil || len(b) < len(k.hash) || [32]byte(b) != k.hash {
		return err
	}
	if err := s.Remember(b[len(k.hash):], k.moved); err != nil {
		return fmt.Errorf("%s: %w; replay the captures into a new session", k.file.Path(), err)
	}
	return nil
}

// add hands a record to the session unless an earlier run has replayed it.
func (k *Keeper) add(s *replay.Run) func(*pcap.Record) {
	return func(rec *pcap.Record) {
		name := fileOf{rec.Capture, rec.File}
		f := k.files[name]
		if f == nil {
			f = k.begin(rec)
			k.files[name] = f
		}
		if rec.Frame <= f.skip {
			k.earlier++
			return
		}
		s.Add(rec)
	}
}

// begin finds how much of a capture file was replayed before. A file is known
// by its name and its first record: it may have grown, or be another file that
// a rotation gave the name of an older one.
func (k *Keeper) begin(rec *pcap.Record) *keptFile {
	h := sha256.New()
	name := filepath.Base(rec.File)
	fmt.Fprintf(h, "%d %s ", len(name), name)
	site := ""
	if t := k.Taps[rec.Capture]; t.Site != nil && t.Site.Port != nil {
		site = t.Site.Port.Name
	}
	fmt.Fprintf(h, "%d %s ", len(site), site)
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(rec.RawTime)))
	h.Write(rec.Data)
	f := &keptFile{key: doneValue + hex.EncodeToString(h.Sum(nil)[:16]), done: done{File: rec.File}}
	for _, other := range k.files {
		if other.key == f.key { // the same file twice in one run
			return f
		}
	}
	text, err := k.file.Value(f.key)
	if err == nil && text != nil {
		if err = json.Unmarshal(text, &f.done); err != nil {
			err = fmt.Errorf("%s: how far it has read a capture is damaged: %w; replay the captures into a new session",
				k.file.Path(), err)
		}
	}
	if err != nil {
		k.fail(err)
	}
	if f.skip = f.done.Frames; f.skip == 0 && rec.Time < int64(k.last) {
		k.tell("%s begins before the session's latest packet (%s): what overlaps is replayed late",
			rec.File, replay.Timestamp(k.last))
	}
	return f
}

func (k *Keeper) fail(err error) { k.err = errors.Join(k.err, err) }

// Entered implements replay.Handler.
func (k *Keeper) Entered(f *replay.Frame, p *replay.Point, out *sim.Outcome) {
	if k.changed {
		k.changed, k.hash = false, k.engine.Net.Hash()
		k.about.Network = hex.EncodeToString(k.hash[:])
		k.archive.Changed(k.hash)
	}
	b, err := k.archive.Packet(f, p, replay.NameOf(k.Taps, f), out)
	if err != nil {
		k.fail(err)
		return
	}
	k.next.Entered(f, p, out)
	if k.Roster != nil {
		k.Roster.Note(f, out)
	}
	k.file.Append(b)
	if !out.Late {
		k.seen(f)
	}
	if k.since++; k.since >= max(k.Every, k.size/k.Share) {
		k.commit()
	}
}

// commitPackets is after how many packets they are committed, and what a
// killed replay loses at most; more where the state is large, so that keeping
// it costs little beside replaying.
const commitPackets = 4096

// Observed implements replay.Handler.
func (k *Keeper) Observed(f *replay.Frame, p *replay.Point) {
	k.next.Observed(f, p)
	k.seen(f)
}

// Skipped implements replay.Handler.
func (k *Keeper) Skipped(f *replay.Frame, p *replay.Point, why string) {
	k.next.Skipped(f, p, why)
	k.seen(f)
}

// seen notes that a frame is done.
func (k *Keeper) seen(f *replay.Frame) {
	k.last = max(k.last, f.Time)
	name := fileOf{f.Capture, replay.NameOf(k.Taps, f)}
	if x := k.files[name]; x != nil && !f.Inferred {
		x.done.Frames = max(x.done.Frames, f.Number)
	}
}

// Replay runs a replay and keeps it. feed hands every record to add and then
// calls end. What ovn-controller holds when the captures end waits for the
// next; without any (more is false) it goes on.
func (k *Keeper) Replay(s *replay.Run, more bool, feed func(add func(*pcap.Record), end func()) error) error {
	if err := k.remember(s); err != nil {
		return err
	}
	k.replay = s
	end := s.Pause
	if !more {
		end = s.Flush
	}
	err := errors.Join(feed(k.add(s), end), s.Err())
	k.commit()
	if k.earlier > 0 {
		k.tell("%d frames were in %s already", k.earlier, k.file.Path())
	}
	if n := k.engine.Due(); n > 0 {
		k.tell("%d packets that ovn-controller holds go on with the next capture; if there is none, run --session %s "+
			"without -r", n, k.file.Path())
	}
	return errors.Join(err, k.err)
}

func (k *Keeper) commit() {
	k.set()
	k.fail(k.file.Commit())
	k.since = 0
}

// set hands in everything but packets.
func (k *Keeper) set() {
	t := tail{Time: k.last, Names: map[int]string{}}
	k.engine.Held(func(of *sim.Injection) {
		capture, _ := replay.SplitRef(of.Ref)
		t.Names[capture] = k.Taps[capture].Name
	})
	state := k.engine.Save(k.hash)
	known := append(k.hash[:len(k.hash):len(k.hash)], k.replay.Memory()...)
	k.size = len(state) + len(known)
	k.file.Set(stateValue, state)
	k.file.Set(knownValue, known)
	if k.Roster != nil {
		names, err := k.Roster.Bytes()
		k.fail(err)
		k.file.Set(namesValue, names)
	}
	k.json(aboutValue, k.about)
	k.json(tailValue, t)
	for _, f := range k.files {
		k.json(f.key, f.done)
	}
}

func (k *Keeper) json(name string, v any) {
	text, err := json.Marshal(v)
	k.fail(err)
	k.file.Set(name, text)
}

// Check reports whether what a file holds can be read; a new file can.
func Check(file File) error {
	_, _, err := readAbout(file)
	return err
}

// Tables returns the connection tracking tables of the session in a file, and
// the time of its latest packet.
func Tables(file File) ([]sim.ChassisTable, conntrack.Time, error) {
	_, t, err := readAbout(file)
	if err != nil {
		return nil, 0, err
	}
	if t == nil {
		return nil, 0, emptySession(file)
	}
	state, err := file.Value(stateValue)
	if err != nil {
		return nil, 0, err
	}
	tables, err := sim.Tables(state)
	if err != nil {
		err = fmt.Errorf("%s: %w", file.Path(), err)
	}
	return tables, t.Time, err
}

// Listings returns the connections that the session in a file keeps, of one chassis and one
// zone if they are named.
func Listings(file File, chassis, zone string) (list []conntrack.Listing, err error) {
	tables, _, err := Tables(file)
	for _, t := range tables {
		if chassis == "" || chassis == t.Chassis {
			name := func(zone uint16) string { return t.Zones[zone] }
			list = append(list, conntrack.List(t.Table, printable.Line(t.Chassis), zone, name))
		}
	}
	return list, err
}

// Load makes an engine start from the connections and whatever else a session
// has, and returns the time of its latest packet.
func Load(file File, e *sim.Engine, source string, tell Tell) (conntrack.Time, error) {
	t, err := resume(file, e, source, tell)
	switch {
	case err != nil:
		return 0, err
	case t == nil:
		return 0, emptySession(file)
	}
	return t.Time, nil
}

func emptySession(file File) error {
	return fmt.Errorf("%s: the session is empty; replay something with \"ovn-replay run --session FILE\"", file.Path())
}

// Each hands the packets first to last of the session in a file to do, whose
// error ends it. What a packet points to is good until the next.
func Each(ctx context.Context, file File, first, last uint64, do func(n uint64, p *Packet) error) error {
	reader := NewReader(file.GetPiece)
	for n := first; n <= last; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := file.Packet(n)
		if err != nil {
			return err
		}
		p, err := reader.Packet(b)
		if err != nil {
			return fmt.Errorf("%s: packet %d: %w", file.Path(), n, err)
		}
		if err := do(n, p); err != nil {
			return err
		}
	}
	return nil
}
