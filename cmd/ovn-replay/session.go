package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"ovnreplay/conntrack"
	"ovnreplay/pcap"
	"ovnreplay/sim"
	"ovnreplay/sim/archive"
	"ovnreplay/sim/network"
	"ovnreplay/sim/replay"
	"ovnreplay/store"
)

// A session's values, by name.
const (
	aboutValue = "about" // JSON of about
	stateValue = "state" // sim's snapshot
	tailValue  = "tail"  // JSON of tail
	knownValue = "known" // what replay.Session.Memory returned, and hash of the network
	doneValue  = "done/" // + identity of a capture file: JSON of done
)

// about is what a session belongs to.
type about struct {
	Encoding  int               `json:"encoding"` // archive.Version
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

// keeper is a replay.Handler that keeps what it hands on to the next.
type keeper struct {
	next    replay.Handler
	job     *job
	file    *store.Session
	archive *archive.Writer
	about   about
	hash    [32]byte
	changed bool // the network, since hash was taken

	replay  *replay.Session
	moved   map[int]int // see resume
	files   map[string]*keptFile
	every   int // packets from one commit to the next, at least,
	share   int // and this part of the bytes of the state
	since   int // packets since the last commit
	size    int // of the last state
	last    conntrack.Time
	earlier int // frames skipped because they are in the session
	err     error
}

// keptFile is a capture file of this run.
type keptFile struct {
	key  string
	done done
	skip int // frames that an earlier run has replayed
}

// maybeSession is the session of a command that need not have one.
type maybeSession struct{ *store.Session }

// openSession opens the session that is to be written, if there is one.
func openSession(path string) (maybeSession, error) {
	if path == "" {
		return maybeSession{}, nil
	}
	file, err := store.OpenSession(path, true)
	return maybeSession{file}, err
}

// Close lets go of the session's file.
func (m maybeSession) Close() error {
	if m.Session == nil {
		return nil
	}
	return m.Session.Close()
}

// keep makes the job go on where the session in a file ended, and keep what it
// finds there.
func (j *job) keep(file *store.Session, next replay.Handler) (*keeper, error) {
	k := &keeper{
		next: next, job: j, file: file, files: map[string]*keptFile{},
		hash: j.engine.Net.Hash(), every: commitPackets, share: 64,
	}
	k.about = about{archive.Version, j.engine.ConntrackOptions(), j.source, hex.EncodeToString(k.hash[:])}
	var err error
	if k.moved, err = j.resume(file, k.hash); err != nil {
		return nil, err
	}
	if _, t, err := readAbout(file); err != nil {
		return nil, err
	} else if t != nil {
		k.last = t.Time
	}
	k.archive = archive.NewWriter(j.engine, k.hash, file.Piece)
	if changes := j.changes; changes != nil {
		j.changes = func(t conntrack.Time) (*network.Network, error) {
			net, err := changes(t)
			k.changed = k.changed || net != nil
			return net, err
		}
	}
	return k, nil
}

// resume makes the job's engine go on where a session ended. The session is
// not written to. It returns the indexes that the captures of held packets
// have now, by those they had.
func (j *job) resume(file *store.Session, hash [32]byte) (moved map[int]int, err error) {
	of, t, err := readAbout(file)
	if err != nil || of == nil {
		return nil, err
	}
	if want, err := optionsDiffer(of.Conntrack, j.engine.ConntrackOptions()); err != nil || want {
		return nil, errors.Join(err, fmt.Errorf("%s: this session was made with connection tracking of %s and other settings than now; give the same --ct-profile, or name another --session", file.Path(), of.Conntrack.Profile))
	}
	state, err := file.Value(stateValue)
	if err != nil {
		return nil, err
	}
	loss, err := j.engine.Restore(state, hash)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; replay the captures into a new session", file.Path(), err)
	}
	if loss.Network && !j.in.quiet {
		fmt.Fprintf(j.in.stderr, "ovn-replay: %s: the network has changed since (%s then, %s now)", file.Path(), of.Source, j.source)
		if lost := loss.String(); lost != "" {
			fmt.Fprintf(j.in.stderr, "; what it has no place for is dropped: %s", lost)
		}
		fmt.Fprintln(j.in.stderr)
	}
	return j.nameHeld(t.Names), nil
}

func optionsDiffer(a, b conntrack.Options) (bool, error) {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return string(x) != string(y), errors.Join(err, err2)
}

// readAbout returns what a session belongs to and where it stopped; nil for a
// new one.
func readAbout(file *store.Session) (*about, *tail, error) {
	var a about
	var t tail
	for _, v := range []struct {
		name string
		to   any
	}{{aboutValue, &a}, {tailValue, &t}} {
		text, err := file.Value(v.name)
		if err != nil || text == nil {
			return nil, nil, err
		}
		if err := json.Unmarshal(text, v.to); err != nil {
			return nil, nil, fmt.Errorf("%s: its %s is damaged: %w; replay the captures into a new session", file.Path(), v.name, err)
		}
	}
	if a.Encoding != archive.Version {
		return nil, nil, fmt.Errorf("%s: its packets are written in form %d, which this ovn-replay does not know (it knows %d); use the ovn-replay that wrote them, or name another --session",
			file.Path(), a.Encoding, archive.Version)
	}
	return &a, &t, nil
}

// nameHeld gives the packets that are held captures of their own: those they
// are from are not read again.
func (j *job) nameHeld(names map[int]string) (moved map[int]int) {
	moved = map[int]int{}
	j.engine.Held(func(of *sim.Injection) {
		capture, rest := replay.SplitRef(of.Ref)
		to, ok := moved[capture]
		if !ok {
			to = len(j.taps)
			moved[capture] = to
			j.taps = append(j.taps, &replay.Tap{Index: to, Name: names[capture]})
		}
		of.Ref = replay.JoinRef(to, rest)
	})
	return moved
}

// remember makes a replay know what that of a session did, if the network is
// the same.
func (j *job) remember(s *replay.Session, file *store.Session, hash [32]byte, moved map[int]int) error {
	b, err := file.Value(knownValue)
	if err != nil || len(b) < len(hash) || [32]byte(b) != hash {
		return err
	}
	if err := s.Remember(b[len(hash):], moved); err != nil {
		return fmt.Errorf("%s: %w; replay the captures into a new session", file.Path(), err)
	}
	return nil
}

// add hands a record to the session unless an earlier run has replayed it.
func (k *keeper) add(s *replay.Session) func(*pcap.Record) {
	return func(rec *pcap.Record) {
		name := fmt.Sprint(rec.Capture, " ", rec.File)
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
func (k *keeper) begin(rec *pcap.Record) *keptFile {
	h := sha256.New()
	name := filepath.Base(rec.File)
	fmt.Fprintf(h, "%d %s ", len(name), name)
	site := ""
	if t := k.job.taps[rec.Capture]; t.Site != nil && t.Site.Port != nil {
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
		err = json.Unmarshal(text, &f.done)
	}
	if err != nil {
		k.fail(err)
	}
	if f.skip = f.done.Frames; f.skip == 0 && rec.Time < int64(k.last) && !k.job.in.quiet {
		fmt.Fprintf(k.job.in.stderr, "ovn-replay: %s begins before the session's latest packet (%s): what overlaps is replayed late\n",
			rec.File, replay.Timestamp(k.last))
	}
	return f
}

func (k *keeper) fail(err error) { k.err = errors.Join(k.err, err) }

// Entered implements replay.Handler.
func (k *keeper) Entered(f *replay.Frame, p *replay.Point, out *sim.Outcome) {
	if k.changed {
		k.changed, k.hash = false, k.job.engine.Net.Hash()
		k.about.Network = hex.EncodeToString(k.hash[:])
		k.archive.Changed(k.hash)
	}
	b, err := k.archive.Packet(f, p, k.job.nameOf(f), out)
	if err != nil {
		k.fail(err)
		return
	}
	k.next.Entered(f, p, out)
	k.file.Append(b)
	if !out.Late {
		k.seen(f)
	}
	if k.since++; k.since >= max(k.every, k.size/k.share) {
		k.commit()
	}
}

// commitPackets is after how many packets they are committed, and what a
// killed replay loses at most; more where the state is large, so that keeping
// it costs little beside replaying.
const commitPackets = 4096

// Observed implements replay.Handler.
func (k *keeper) Observed(f *replay.Frame, p *replay.Point) {
	k.next.Observed(f, p)
	k.seen(f)
}

// Skipped implements replay.Handler.
func (k *keeper) Skipped(f *replay.Frame, p *replay.Point, why string) {
	k.next.Skipped(f, p, why)
	k.seen(f)
}

// seen notes that a frame is done.
func (k *keeper) seen(f *replay.Frame) {
	k.last = max(k.last, f.Time)
	name := fmt.Sprint(f.Capture, " ", k.job.nameOf(f))
	if x := k.files[name]; x != nil && !f.Inferred {
		x.done.Frames = max(x.done.Frames, f.Number)
	}
}

// feed is the job's feed for a replay that is kept. What ovn-controller holds
// when the captures end waits for the next; without captures it goes on.
func (k *keeper) feed(ctx context.Context, s *replay.Session) error {
	if err := k.job.remember(s, k.file, k.hash, k.moved); err != nil {
		return err
	}
	k.replay = s
	end := s.Pause
	if len(k.job.captures) == 0 {
		end = s.Flush
	}
	err := errors.Join(k.job.feedTo(ctx, k.add(s), end), s.Err())
	k.commit()
	if !k.job.in.quiet {
		k.tell()
	}
	return errors.Join(err, k.err)
}

// tell says what is not to be seen in the packets.
func (k *keeper) tell() {
	if k.earlier > 0 {
		fmt.Fprintf(k.job.in.stderr, "ovn-replay: %d frames were in %s already\n", k.earlier, k.file.Path())
	}
	if n := k.job.engine.Due(); n > 0 {
		fmt.Fprintf(k.job.in.stderr, "ovn-replay: %d packets that ovn-controller holds go on with the next capture; if there is none, run --session %s without -r\n",
			n, k.file.Path())
	}
}

func (k *keeper) commit() {
	k.set()
	k.fail(k.file.Commit())
	k.since = 0
}

// set hands in everything but packets.
func (k *keeper) set() {
	t := tail{Time: k.last, Names: map[int]string{}}
	k.job.engine.Held(func(of *sim.Injection) {
		capture, _ := replay.SplitRef(of.Ref)
		t.Names[capture] = k.job.taps[capture].Name
	})
	state := k.job.engine.Snapshot(k.hash)
	known := append(k.hash[:len(k.hash):len(k.hash)], k.replay.Memory()...)
	k.size = len(state) + len(known)
	k.file.Set(stateValue, state)
	k.file.Set(knownValue, known)
	k.json(aboutValue, k.about)
	k.json(tailValue, t)
	for _, f := range k.files {
		k.json(f.key, f.done)
	}
}

func (k *keeper) json(name string, v any) {
	text, err := json.Marshal(v)
	k.fail(err)
	k.file.Set(name, text)
}

// sessionTables returns the connection tracking tables of the session in a
// file and the time of its latest packet.
func sessionTables(path string) ([]sim.TableSnapshot, conntrack.Time, error) {
	file, err := store.OpenSession(path, false)
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	_, t, err := readAbout(file)
	if err != nil {
		return nil, 0, err
	}
	if t == nil {
		return nil, 0, emptySession(path)
	}
	state, err := file.Value(stateValue)
	if err != nil {
		return nil, 0, err
	}
	tables, err := sim.Tables(state)
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return tables, t.Time, err
}

// loadSession makes an engine start from the connections and whatever else a
// session has, and returns the time of its latest packet; it tells on w what
// the engine's network has no place for.
func loadSession(path string, e *sim.Engine, w io.Writer) (conntrack.Time, error) {
	file, err := store.OpenSession(path, false)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	_, t, err := readAbout(file)
	if err != nil {
		return 0, err
	}
	if t == nil {
		return 0, emptySession(path)
	}
	j := &job{in: &input{stderr: w}, engine: e, net: e.Net, source: "the database given"}
	_, err = j.resume(file, e.Net.Hash())
	return t.Time, err
}

func emptySession(path string) error {
	return fmt.Errorf("%s: the session is empty; replay something with \"ovn-replay run --session FILE\"", path)
}
