package pcap

import (
	"bufio"
	"fmt"
	"io"
	"math"
)

// ClassicOptions shape a classic pcap.
type ClassicOptions struct {
	LinkType     LinkType
	SnapLen      uint32 // 0 is 262144
	BigEndian    bool
	Microseconds bool // else nanoseconds; times are cut, not rounded
}

// ClassicWriter writes classic pcap, buffered.
type ClassicWriter struct {
	w    *bufio.Writer
	opts ClassicOptions
	buf  [24]byte
}

// NewClassicWriter writes the file header.
func NewClassicWriter(w io.Writer, o ClassicOptions) (*ClassicWriter, error) {
	c := &ClassicWriter{w: bufio.NewWriterSize(w, 1<<16), opts: o}
	order, magic := orderOf(o.BigEndian), uint32(magicNano)
	if o.Microseconds {
		magic = magicMicro
	}
	if o.SnapLen == 0 {
		o.SnapLen = 262144
	}
	order.PutUint32(c.buf[0:], magic)
	order.PutUint16(c.buf[4:], 2)
	order.PutUint16(c.buf[6:], 4)
	order.PutUint32(c.buf[16:], o.SnapLen)
	order.PutUint32(c.buf[20:], uint32(o.LinkType))
	_, err := c.w.Write(c.buf[:classicHeader])
	return c, err
}

// WritePacket writes one packet; originalLen 0 is len(data). The time must lie
// between 1970 and 2106.
func (c *ClassicWriter) WritePacket(ns int64, data []byte, originalLen int) error {
	if ns < 0 || ns/billion > math.MaxUint32 {
		return fmt.Errorf("time %d ns is outside 1970 to 2106, which pcap cannot say; write pcapng or correct "+
			"the clock", ns)
	}
	if originalLen == 0 {
		originalLen = len(data)
	}
	frac := ns % billion
	if c.opts.Microseconds {
		frac /= 1000
	}
	order := orderOf(c.opts.BigEndian)
	order.PutUint32(c.buf[0:], uint32(ns/billion))
	order.PutUint32(c.buf[4:], uint32(frac))
	order.PutUint32(c.buf[8:], uint32(len(data)))
	order.PutUint32(c.buf[12:], uint32(originalLen))
	if _, err := c.w.Write(c.buf[:16]); err != nil {
		return err
	}
	_, err := c.w.Write(data)
	return err
}

// Flush hands on what has been written.
func (c *ClassicWriter) Flush() error { return c.w.Flush() }
