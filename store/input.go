package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/bits"
)

// input is a window on a source, from which records and the JSON in them are
// read without holding either whole. The window grows only to hold one token,
// with bytes really read.
type input struct {
	r       io.Reader
	buf     []byte
	pos     int   // next byte
	stop    int   // end of what may be read of the window: the limit, or end
	end     int   // end of the window
	base    int64 // offset in the source of buf[0]
	limit   int64 // offset where the present record ends; -1 is none
	readErr error // why the source gives no more, io.EOF at its end

	sum    hash.Hash // of the present record, nil when nobody asks
	summed int       // buf[:summed] is in sum

	scratch []byte // an unescaped string

	budget *budget // of what raw keeps; nil: there is no bound

	keeping bool   // raw is taking a copy
	kept    []byte // of what has left the window
	keepAt  int    // where in buf the rest of it starts
}

const windowSize = 64 << 10

// maxToken is the longest string or number. No value of a database comes near
// it: a set's members, and a map's, are strings of their own.
var maxToken = 32 << 20

var errToken = fmt.Errorf("a value of more than %d MiB: this is no OVSDB database", maxToken>>20)

func newInput(r io.Reader) *input {
	return &input{r: r, buf: make([]byte, windowSize), limit: -1}
}

// bytesInput reads text that is already whole. Offsets count from base.
func bytesInput(text []byte, base int64) *input {
	return &input{buf: text, stop: len(text), end: len(text), base: base, limit: base + int64(len(text)),
		readErr: io.EOF}
}

// offset is that of the next byte.
func (in *input) offset() int64 { return in.base + int64(in.pos) }

// setLimit makes the n bytes from here on all there is; -1 lifts the limit.
func (in *input) setLimit(n int64) {
	in.limit = -1
	if n >= 0 {
		in.limit = in.offset() + n
	}
	in.setStop()
}

func (in *input) setStop() {
	in.stop = in.end
	if in.limit >= 0 && in.limit-in.base < int64(in.end) {
		in.stop = int(in.limit - in.base)
	}
}

// more reads on, keeping buf[keep:], which moves to the window's start. It
// returns false when there is no more before the limit or the source's end.
func (in *input) more(keep int) bool {
	if in.readErr != nil || (in.limit >= 0 && in.base+int64(in.end) >= in.limit) {
		return false
	}
	if in.sum != nil {
		in.sum.Write(in.buf[in.summed:max(keep, in.summed)])
	}
	if in.keeping {
		in.kept = append(in.kept, in.buf[in.keepAt:keep]...)
		in.keepAt = 0
		if err := in.budget.check(2 * int64(len(in.kept))); err != nil {
			in.readErr = err
			return false
		}
	}
	if keep > 0 {
		copy(in.buf, in.buf[keep:in.end])
		in.base += int64(keep)
		in.pos -= keep
		in.end -= keep
		in.summed = max(in.summed-keep, 0)
	}
	if in.end == len(in.buf) {
		if len(in.buf) >= maxToken {
			in.readErr = errToken
			return false
		}
		in.buf = append(in.buf, make([]byte, min(len(in.buf), maxToken-len(in.buf)))...)
	}
	for range 100 {
		n, err := in.r.Read(in.buf[in.end:])
		in.end += n
		if err != nil {
			in.readErr = err
		}
		if n > 0 || err != nil {
			in.setStop()
			return n > 0
		}
	}
	in.readErr = io.ErrNoProgress
	return false
}

// startSum starts the checksum of what follows.
func (in *input) startSum(h hash.Hash) { in.sum, in.summed = h, in.pos }

// drain reads to the limit and ends the checksum. It reports how many bytes
// before the limit the source does not have.
func (in *input) drain() (missing int64) {
	for {
		in.pos = in.stop
		if !in.more(in.pos) {
			break
		}
	}
	if in.sum != nil {
		in.sum.Write(in.buf[in.summed:in.pos])
		in.sum = nil
	}
	return in.limit - in.offset()
}

// A syntaxError is JSON that is not as it should be.
type syntaxError struct {
	offset int64
	detail string
}

func (e *syntaxError) Error() string { return e.detail }

// errEnd is JSON that ends too early.
var errEnd = errors.New("ends in the middle of a JSON value")

func (in *input) errorf(format string, args ...any) error {
	return &syntaxError{in.offset(), brief(fmt.Sprintf(format, args...))}
}

// next returns the next byte that is not white space, without taking it.
func (in *input) next() (byte, error) {
	for {
		for in.pos < in.stop {
			switch c := in.buf[in.pos]; c {
			case ' ', '\t', '\n', '\r':
				in.pos++
			default:
				return c, nil
			}
		}
		if !in.more(in.pos) {
			return 0, errEnd
		}
	}
}

// take takes the next byte, which must be c.
func (in *input) take(c byte) error {
	got, err := in.next()
	if err != nil {
		return err
	}
	if got != c {
		return in.errorf("%q where %q was expected", got, c)
	}
	in.pos++
	return nil
}

// member moves to the next member of an object, whose '{' has been taken, and
// past its name, which lives until the next read. more is false at the '}'.
func (in *input) member(first bool) (name []byte, more bool, err error) {
	c, err := in.next()
	if err != nil {
		return nil, false, err
	}
	if c == '}' {
		in.pos++
		return nil, false, nil
	}
	if !first {
		if err := in.take(','); err != nil {
			return nil, false, err
		}
	}
	if name, err = in.text(); err != nil {
		return nil, false, err
	}
	// The ':' may be in the next window; the name would not survive.
	if in.pos < in.stop && in.buf[in.pos] == ':' {
		in.pos++
		return name, true, nil
	}
	in.scratch = append(in.scratch[:0], name...)
	return in.scratch, true, in.take(':')
}

// item moves to the next item of an array, whose '[' has been taken.
func (in *input) item(first bool) (more bool, err error) {
	c, err := in.next()
	if err != nil {
		return false, err
	}
	if c == ']' {
		in.pos++
		return false, nil
	}
	if first {
		return true, nil
	}
	return true, in.take(',')
}

// text takes a string. It lives until the next read.
func (in *input) text() ([]byte, error) {
	if err := in.take('"'); err != nil {
		return nil, err
	}
	start := in.pos
	for {
		in.pos += unescaped(in.buf[in.pos:in.stop])
		if in.pos < in.stop {
			switch c := in.buf[in.pos]; c {
			case '"':
				in.pos++
				return in.buf[start : in.pos-1], nil
			case '\\':
				return in.escaped(start)
			default:
				return nil, in.errorf("control character %#02x in a string", c)
			}
		}
		if !in.more(start) {
			return nil, errEnd
		}
		start = 0
	}
}

// unescaped is how many bytes a string goes on before a quote, a backslash or a control
// character. Eight at a time, a byte of a word has its high bit set in the end if it
// is less than ' ', or equal to one of the other two, or comes after one that is.
func unescaped(b []byte) (n int) {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for ; len(b)-n >= 8; n += 8 {
		w := binary.LittleEndian.Uint64(b[n:])
		quote, slash := w^ones*'"', w^ones*'\\'
		found := ((w-ones*' ')&^w | (quote-ones)&^quote | (slash-ones)&^slash) & high
		if found != 0 {
			return n + bits.TrailingZeros64(found)/8
		}
	}
	for n < len(b) && b[n] >= ' ' && b[n] != '"' && b[n] != '\\' {
		n++
	}
	return n
}

// number takes a number's text. It lives until the next read.
func (in *input) number() ([]byte, error) {
	if _, err := in.next(); err != nil {
		return nil, err
	}
	start := in.pos
	for {
		for in.pos < in.stop {
			switch c := in.buf[in.pos]; {
			case '0' <= c && c <= '9', c == '-', c == '+', c == '.', c == 'e', c == 'E':
				in.pos++
			default:
				return in.buf[start:in.pos], nil
			}
		}
		n := in.pos - start
		if !in.more(start) {
			return in.buf[in.pos-n : in.pos], nil // they may have moved
		}
		start = 0
	}
}

// word takes true, false or null.
func (in *input) word() (string, error) {
	c, err := in.next()
	if err != nil {
		return "", err
	}
	for _, w := range []string{"true", "false", "null"} {
		if c != w[0] {
			continue
		}
		for in.stop-in.pos < len(w) {
			if !in.more(in.pos) {
				return "", errEnd
			}
		}
		if string(in.buf[in.pos:in.pos+len(w)]) == w {
			in.pos += len(w)
			return w, nil
		}
	}
	return "", in.errorf("%q where a value was expected", c)
}

// skip takes a value of any kind and forgets it.
func (in *input) skip() error {
	depth := 0
	for {
		c, err := in.next()
		if err != nil {
			return err
		}
		switch {
		case c == '"':
			_, err = in.text()
		case c == '{' || c == '[':
			in.pos++
			depth++
		case c == '}' || c == ']':
			in.pos++
			depth--
		case c == ',' || c == ':':
			if depth == 0 {
				return in.errorf("%q where a value was expected", c)
			}
			in.pos++
			continue
		case c == 't' || c == 'f' || c == 'n':
			_, err = in.word()
		case c == '-' || '0' <= c && c <= '9':
			_, err = in.number()
		default:
			return in.errorf("%q where a value was expected", c)
		}
		if err != nil {
			return err
		}
		if depth <= 0 {
			if depth < 0 {
				return in.errorf("%q without its opening bracket", c)
			}
			return nil
		}
	}
}

// raw takes a value of any kind and returns a copy of its text, which counts
// in the budget until the caller says otherwise.
func (in *input) raw() ([]byte, error) {
	if _, err := in.next(); err != nil {
		return nil, err
	}
	in.keeping, in.kept, in.keepAt = true, nil, in.pos
	err := in.skip()
	in.keeping = false
	if err != nil {
		return nil, err
	}
	text := append(in.kept, in.buf[in.keepAt:in.pos]...)
	in.kept = nil
	in.budget.keep(len(text))
	return text, nil
}

// uint takes an integer that is not negative.
func (in *input) uint() (uint64, error) {
	text, err := in.number()
	if err != nil {
		return 0, err
	}
	n, ok := integer(text)
	if !ok || n < 0 {
		return 0, in.errorf("%q where a count was expected", text)
	}
	return uint64(n), nil
}
