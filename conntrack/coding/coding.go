// Package coding turns plain data into bytes and back with one description
// for both directions: a value's code method names its parts, in order, and a
// Coder that writes appends them where one that reads sets them.
//
// Numbers are varints, so small ones are short. What is read is hostile: a
// Coder never reads past its input, a length it returns is one the rest of the
// input can hold, and after the first error it changes nothing more.
package coding

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"ovnreplay/nat"
)

// Coder writes or reads one value.
type Coder struct {
	buf  []byte // written so far, or left to read
	size int    // of the input
	read bool
	err  error
}

// NewWriter returns a Coder that appends to buf.
func NewWriter(buf []byte) *Coder { return &Coder{buf: buf} }

// NewReader returns a Coder that reads b, and keeps no part of it.
func NewReader(b []byte) *Coder { return &Coder{buf: b, size: len(b), read: true} }

// Reading reports whether the Coder reads.
func (c *Coder) Reading() bool { return c.read }

// Bytes returns what was written, or what is left to read.
func (c *Coder) Bytes() []byte { return c.buf }

// Err returns the first error.
func (c *Coder) Err() error { return c.err }

// Finish returns the first error of a reader, or that input is left over.
func (c *Coder) Finish() error {
	if c.read && c.err == nil && len(c.buf) > 0 {
		c.Fail("%d bytes too many", len(c.buf))
	}
	return c.err
}

// Fail makes a value invalid: it is the error unless there was one before.
func (c *Coder) Fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("byte %d: %s", c.size-len(c.buf), fmt.Sprintf(format, args...))
	}
}

var errEnd = errors.New("ends too early")

func (c *Coder) take(n int) []byte {
	if c.err == nil && n > len(c.buf) {
		c.Fail("%v", errEnd)
	}
	if c.err != nil {
		return nil
	}
	b := c.buf[:n]
	c.buf = c.buf[n:]
	return b
}

func (c *Coder) uvarint() uint64 {
	if c.err != nil {
		return 0
	}
	v, n := binary.Uvarint(c.buf)
	if n <= 0 {
		c.Fail("not a number")
		return 0
	}
	c.buf = c.buf[n:]
	return v
}

// Uint codes an unsigned number; one that its type cannot hold is an error.
func Uint[T ~uint8 | ~uint16 | ~uint32 | ~uint64](c *Coder, p *T) {
	if !c.read {
		c.buf = binary.AppendUvarint(c.buf, uint64(*p))
		return
	}
	v := c.uvarint()
	if uint64(T(v)) != v {
		c.Fail("number %d is too large", v)
	}
	if c.err == nil {
		*p = T(v)
	}
}

// Int codes a signed number; one that its type cannot hold is an error.
func Int[T ~int | ~int32 | ~int64](c *Coder, p *T) {
	z := uint64(*p)<<1 ^ uint64(int64(*p)>>63)
	Uint(c, &z)
	v := int64(z>>1) ^ -int64(z&1)
	if int64(T(v)) != v {
		c.Fail("number %d is too large", v)
	}
	if c.read && c.err == nil {
		*p = T(v)
	}
}

// Fixed codes a number as four bytes, whatever its value.
func (c *Coder) Fixed(p *uint32) {
	if !c.read {
		c.buf = binary.LittleEndian.AppendUint32(c.buf, *p)
		return
	}
	if b := c.take(4); b != nil {
		*p = binary.LittleEndian.Uint32(b)
	}
}

// Bools codes up to eight flags in a byte.
func (c *Coder) Bools(flags ...*bool) {
	var b uint8
	for i, f := range flags {
		if *f {
			b |= 1 << i
		}
	}
	if !c.read {
		c.buf = append(c.buf, b)
		return
	}
	got := c.take(1)
	if got == nil {
		return
	}
	if got[0]>>len(flags) != 0 {
		c.Fail("flags %#x", got[0])
		return
	}
	for i, f := range flags {
		*f = got[0]>>i&1 == 1
	}
}

// Len codes the length of a list whose elements take at least each bytes, and
// returns it.
func (c *Coder) Len(n, each int) int {
	if !c.read {
		c.buf = binary.AppendUvarint(c.buf, uint64(n))
		return n
	}
	v := c.uvarint()
	if c.err == nil && v > uint64(len(c.buf)/max(each, 1)) {
		c.Fail("%d elements do not fit", v)
	}
	if c.err != nil {
		return 0
	}
	return int(v)
}

// Raw codes bytes of a known number.
func (c *Coder) Raw(b []byte) {
	if !c.read {
		c.buf = append(c.buf, b...)
		return
	}
	copy(b, c.take(len(b)))
}

// Blob codes bytes with their length. What was read is a copy.
func (c *Coder) Blob(p *[]byte) {
	n := c.Len(len(*p), 1)
	if !c.read {
		c.buf = append(c.buf, *p...)
		return
	}
	if b := c.take(n); b != nil {
		*p = append([]byte(nil), b...)
	}
}

// Text codes a string with its length.
func (c *Coder) Text(p *string) {
	n := c.Len(len(*p), 1)
	if !c.read {
		c.buf = append(c.buf, *p...)
		return
	}
	*p = string(c.take(n))
}

// Slice codes a list, whose elements take at least each bytes, by the function
// for one of them.
func Slice[T any](c *Coder, p *[]T, each int, code func(*T)) {
	n := c.Len(len(*p), each)
	if c.read {
		*p = (*p)[:0]
		for i := 0; i < n && c.err == nil; i++ {
			var v T
			code(&v)
			*p = append(*p, v)
		}
		return
	}
	for i := range *p {
		code(&(*p)[i])
	}
}

// Map codes a map in an order that depends on nothing but its entries, which
// take at least each bytes, by the function for one of them and the Coder it is
// given. An entry that was read and for which that returns false is left out.
func Map[K comparable, V any](c *Coder, m map[K]V, each int, code func(*Coder, *K, *V) bool) {
	var written [][]byte
	if !c.read {
		for k, v := range m {
			w := NewWriter(nil)
			code(w, &k, &v)
			written = append(written, w.Bytes())
		}
		slices.SortFunc(written, bytes.Compare)
	}
	n := c.Len(len(written), each)
	for i := range n {
		if !c.read {
			c.Raw(written[i])
			continue
		}
		var k K
		var v V
		ok := code(c, &k, &v)
		if c.err != nil {
			return
		}
		if ok {
			m[k] = v
		}
	}
}

// Tuple codes a connection's tuple.
func (c *Coder) Tuple(t *nat.Tuple) {
	long := t.V6 || [12]byte(t.Src[4:]) != [12]byte{} || [12]byte(t.Dst[4:]) != [12]byte{}
	typed := t.Type != 0 || t.Code != 0
	c.Bools(&t.V6, &long, &typed)
	n := 4
	if long {
		n = 16
	}
	c.Raw(t.Src[:n])
	c.Raw(t.Dst[:n])
	Uint(c, &t.SrcPort)
	Uint(c, &t.DstPort)
	Uint(c, &t.Proto)
	if typed {
		Uint(c, &t.Type)
		Uint(c, &t.Code)
	}
}

// TupleSize is the least that a tuple takes.
const TupleSize = 12
