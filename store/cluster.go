package store

import (
	"bytes"
	"fmt"
	"io"
)

// clustered is the format of a cluster's member (ovsdb(5), "Clustered
// Format"): record 1 is a header with a snapshot, each other record an entry
// of the Raft log or a note about the log.
//
// What counts is what the cluster has agreed on, as far as this member
// knows: the snapshot, and the entries up to the last commit index recorded.
type clustered struct {
	recordLog
	snapshot bool    // read, not yet told: the decoder holds it
	last     uint64  // index of the newest entry
	commit   uint64  // index of the newest entry agreed on
	cluster  string  // the cluster's ID
	entries  []entry // after those told, in order of index
	schemas  int     // changes of the schema so far
}

// maxSchemas bounds how often all rows are taken over into another schema:
// each upgrade of OVN does so once.
const maxSchemas = 256

// entry is an entry of the Raft log.
type entry struct {
	index  uint64
	record int
	offset int64 // of the record
	body   int64 // of data
	data   []byte
}

func (f *clustered) open(h *History) error {
	if err := f.recordLog.open(); err != nil {
		return err
	}
	parse := f.header(h)
	if err := f.close(parse); err != nil {
		return err
	}
	if !f.snapshot {
		return &SourceError{Source: h.source,
			Problem: "this cluster member has not joined its cluster yet and holds no data",
			Advice:  "pass the file of another member"}
	}
	h.db.Cluster, h.db.index = f.cluster, f.last
	return nil
}

// header reads the header's members: "prev_data" is the snapshot, "prev_index"
// the index of its last entry.
func (f *clustered) header(h *History) error {
	in := f.in
	if err := in.take('{'); err != nil {
		return err
	}
	for first := true; ; first = false {
		name, more, err := in.member(first)
		if err != nil || !more {
			return err
		}
		switch string(name) {
		case "prev_index":
			f.last, err = in.uint()
			f.commit = f.last
		case "cluster_id":
			var id []byte
			id, err = in.text()
			f.cluster = string(id)
		case "prev_data":
			err = f.prevData(h)
		default:
			err = in.skip()
		}
		if err != nil {
			return err
		}
	}
}

// prevData reads [SCHEMA, ROWS]; the rows are left to the decoder.
func (f *clustered) prevData(h *History) error {
	in := f.in
	if f.snapshot {
		return in.errorf("two snapshots")
	}
	if err := in.take('['); err != nil {
		return err
	}
	text, err := in.raw()
	if err != nil {
		return err
	}
	s, err := parseSchema(text)
	if err != nil {
		return in.errorf("%v", err)
	}
	in.budget.keep(-len(text))
	h.start("clustered", s)
	if err := in.take(','); err != nil {
		return err
	}
	if err := h.dec.read(in); err != nil {
		return err
	}
	f.snapshot = true
	return in.take(']')
}

func (f *clustered) read(h *History) (int, int64, error) {
	if f.snapshot {
		f.snapshot = false
		return 1, 0, nil
	}
	for {
		if len(f.entries) > 0 && f.entries[0].index <= f.commit {
			e := f.entries[0]
			f.entries = f.entries[1:]
			if string(e.data) == "" { // servers joined or left, nothing of the data
				continue
			}
			h.pending.Record, h.db.index = e.record, e.index
			h.budget.keep(-len(e.data))
			if err := f.data(h, e); err != nil {
				return 0, 0, &DamageError{Source: h.source, Record: e.record, Offset: e.body, Damage: BadJSON,
					Detail: err.Error()}
			}
			return e.record, e.offset, nil
		}
		err := f.recordLog.open()
		if err == nil {
			err = f.logRecord()
		}
		if err != nil {
			f.uncommitted(h, err)
			return 0, 0, err
		}
	}
}

// uncommitted tells of entries at the end that no record says are agreed on.
func (f *clustered) uncommitted(h *History, err error) {
	n := 0
	for _, e := range f.entries {
		if len(e.data) > 0 {
			n++
		}
	}
	if n > 0 && err == io.EOF {
		h.db.Warnings = append(h.db.Warnings, &IgnoredError{h.source, f.entries[0].record,
			fmt.Sprintf("the last %s not known to this member to be committed, and not used",
				count(n, "transaction is", "transactions are"))})
	}
	f.entries = nil
}

// logRecord reads one record after the header.
func (f *clustered) logRecord() error {
	e := entry{record: f.record, offset: f.start}
	var commit uint64
	in := f.in
	parse := in.take('{')
	for first := true; parse == nil; first = false {
		var name []byte
		var more bool
		if name, more, parse = in.member(first); parse != nil || !more {
			break
		}
		switch string(name) {
		case "index":
			e.index, parse = in.uint()
		case "commit_index":
			commit, parse = in.uint()
		case "data":
			e.body = in.offset()
			e.data, parse = in.raw()
		default: // term, servers, eid, vote, leader, note, comment
			parse = in.skip()
		}
	}
	if err := f.close(parse); err != nil {
		return err
	}
	switch {
	case commit > 0:
		if commit > f.last {
			return f.damage(Inconsistent, f.body, "commits entry %d, but the newest is %d", commit, f.last)
		}
		f.commit = max(f.commit, commit)
	case e.index > 0:
		return f.append(e)
	}
	return nil
}

// append adds an entry. One of an index that is taken replaces it and all
// after it: they were never agreed on.
func (f *clustered) append(e entry) error {
	if e.index > f.last+1 {
		return f.damage(Inconsistent, f.body, "holds entry %d, but the newest before it is %d", e.index, f.last)
	}
	if e.index <= f.commit {
		f.in.budget.keep(-len(e.data))
		return nil // written again; what is agreed on does not change
	}
	for len(f.entries) > 0 && f.entries[len(f.entries)-1].index >= e.index {
		f.in.budget.keep(-len(f.entries[len(f.entries)-1].data))
		f.entries = f.entries[:len(f.entries)-1]
	}
	f.entries = append(f.entries, e)
	f.last = e.index
	return nil
}

// data reads an entry's [SCHEMA or null, TRANSACTION]. With a schema the
// database changes to it: the transaction then holds all rows, or is null and
// the rows stay as far as the schema has room for them.
func (f *clustered) data(h *History, e entry) error {
	in := bytesInput(e.data, e.body)
	if err := in.take('['); err != nil {
		return err
	}
	text, err := in.raw()
	if err != nil {
		return err
	}
	if err := in.take(','); err != nil {
		return err
	}
	c, err := in.next()
	if err != nil {
		return err
	}
	if !bytes.Equal(text, []byte("null")) {
		s, err := parseSchema(text)
		if err != nil {
			return err
		}
		if f.schemas++; f.schemas > maxSchemas {
			return fmt.Errorf("changes the schema for the %dth time: no database does", f.schemas)
		}
		if s.name != h.db.Name {
			return fmt.Errorf("changes the database from %s to %s", h.db.Name, s.name)
		}
		if c == 'n' {
			h.dec.next = h.db.converted(s)
		} else {
			h.dec.next = &Database{values: h.db.values}
			h.dec.next.adopt(s)
		}
	}
	if c == 'n' {
		h.dec.ops, h.dec.date, h.dec.comment = h.dec.ops[:0], 0, ""
		_, err = in.word()
	} else {
		err = h.dec.read(in)
	}
	if err != nil {
		return err
	}
	return in.take(']')
}
