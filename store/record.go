package store

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// A log file is a row of records (ovsdb(5)):
//
//	OVSDB MAGIC LENGTH SHA1\n
//	LENGTH bytes of JSON with that SHA-1
//
// MAGIC is JSON in standalone and CLUSTER in clustered databases. Here are
// the records' frames; what is in them is for those who call.

const (
	standaloneMagic = "JSON"
	clusterMagic    = "CLUSTER"
)

// maxHeader is the longest a record's first line can be.
const maxHeader = 128

// recordLog reads a log file record by record.
type recordLog struct {
	in     *input
	source string
	magic  string
	record int   // of the present record, counted from 1
	start  int64 // offset of its header
	body   int64 // offset of its JSON
	sha    [sha1.Size]byte
	length int64
}

// damage makes the error for something wrong in the present record.
func (l *recordLog) damage(d Damage, offset int64, format string, args ...any) *DamageError {
	return &DamageError{Source: l.source, Record: l.record, Offset: offset, Damage: d,
		Detail: fmt.Sprintf(format, args...)}
}

// open moves to the next record. It returns io.EOF after the last.
func (l *recordLog) open() error {
	in := l.in
	in.setLimit(-1)
	l.record++
	l.start = in.offset()
	if in.pos == in.stop && !in.more(in.pos) {
		if in.readErr != nil && in.readErr != io.EOF {
			return l.readError()
		}
		return io.EOF
	}
	var line []byte
	for {
		if i := bytes.IndexByte(in.buf[in.pos:in.stop], '\n'); i >= 0 {
			line = in.buf[in.pos : in.pos+i]
			break
		}
		if in.stop-in.pos > maxHeader {
			return l.damage(BadHeader, l.start, "not the start of a record")
		}
		if !in.more(in.pos) {
			if in.readErr != io.EOF {
				return l.readError()
			}
			return l.damage(Truncated, l.start, "the file ends inside a record's header")
		}
	}
	if !l.parseHeader(line) {
		return l.damage(BadHeader, l.start, "not the start of a record")
	}
	in.pos += len(line) + 1
	l.body = in.offset()
	in.setLimit(l.length)
	in.startSum(sha1.New())
	return nil
}

func (l *recordLog) parseHeader(line []byte) bool {
	f := bytes.Split(line, []byte(" "))
	if len(line) > maxHeader || len(f) != 4 || string(f[0]) != "OVSDB" || string(f[1]) != l.magic ||
		len(f[3]) != 2*sha1.Size {
		return false
	}
	n, err := strconv.ParseInt(string(f[2]), 10, 48)
	if err != nil || n <= 0 {
		return false
	}
	l.length = n
	_, err = hex.Decode(l.sha[:], f[3])
	return err == nil
}

// readError words why the source stopped giving bytes before its end, which
// for a compressed file is mostly that it is cut short or damaged.
func (l *recordLog) readError() error {
	d, detail := BadChecksum, fmt.Sprintf("cannot read on: %v", l.in.readErr)
	if errors.Is(l.in.readErr, io.ErrUnexpectedEOF) {
		d, detail = Truncated, "the compressed data end here"
	}
	return l.damage(d, l.in.offset(), "%s", detail)
}

// close reads to the record's end and holds its checksum against the header.
// parse is what reading its JSON said, nil if all is well: a record with a
// bad checksum is reported as that, whatever its JSON looks like.
func (l *recordLog) close(parse error) error {
	in := l.in
	if parse == nil {
		if c, err := in.next(); err == nil {
			parse = in.errorf("%q after the record's JSON", c)
		}
	}
	if parse != nil && l.body+l.length-in.offset() > maxDrain {
		return l.badJSON(parse)
	}
	sum := in.sum
	missing := in.drain()
	if missing > 0 {
		if in.readErr != nil && in.readErr != io.EOF {
			return l.readError()
		}
		return l.damage(Truncated, in.offset(), "the file ends here, %d bytes before the end of this record", missing)
	}
	if got := sum.Sum(nil); !bytes.Equal(got, l.sha[:]) {
		return l.damage(BadChecksum, l.body, "bad checksum: the %d bytes from here have SHA-1 %x, not %x",
			l.length, got, l.sha)
	}
	if parse == nil {
		return nil
	}
	return l.badJSON(parse)
}

// maxDrain is how much of a record that is no JSON is read on, to tell whether
// it has the checksum its header gives.
const maxDrain = 1 << 30

func (l *recordLog) badJSON(parse error) error {
	offset := l.in.offset()
	var s *syntaxError
	if errors.As(parse, &s) {
		offset = s.offset
	}
	return l.damage(BadJSON, offset, "%v", parse)
}

// text reads the present record whole. It holds only what the file has.
func (l *recordLog) text() ([]byte, error) {
	in := l.in
	var text []byte
	for {
		text = append(text, in.buf[in.pos:in.stop]...)
		if len(text) > maxToken {
			in.readErr = errToken
			return nil, l.readError()
		}
		in.pos = in.stop
		if !in.more(in.pos) {
			return text, l.close(nil)
		}
	}
}
