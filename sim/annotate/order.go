package annotate

import (
	"cmp"
	"io"
	"slices"
)

// Spool keeps packets until they are written.
type Spool interface {
	io.Writer
	io.ReaderAt
	Size() int64
	Close() error
}

// orderer hands on what is written, but for packets, which it keeps until all are there: then they
// are written in the order of time, as those who read captures expect them. What a file has beside
// packets (interfaces, names, secrets) comes before them so.
type orderer struct {
	to      io.Writer
	spool   Spool // nil: packets are handed on, too
	packets []spooled
	keeps   bool // what is written now is a packet
}

// spooled is a packet in the spool.
type spooled struct {
	time, at int64
	length   int
}

// Write implements io.Writer.
func (o *orderer) Write(p []byte) (int, error) {
	if o.keeps {
		return o.spool.Write(p)
	}
	return o.to.Write(p)
}

// kept notes that what was written is a packet of a moment.
func (o *orderer) kept(time int64) {
	o.keeps = false
	from := int64(0)
	if n := len(o.packets); n > 0 {
		from = o.packets[n-1].at + int64(o.packets[n-1].length)
	}
	o.packets = append(o.packets, spooled{time, from, int(o.spool.Size() - from)})
}

// release writes the packets in their order; those of one moment as they came.
func (o *orderer) release() error {
	if o.spool == nil {
		return nil
	}
	slices.SortStableFunc(o.packets, func(a, b spooled) int { return cmp.Compare(a.time, b.time) })
	var buf []byte
	for _, p := range o.packets {
		buf = slices.Grow(buf[:0], p.length)[:p.length]
		if _, err := o.spool.ReadAt(buf, p.at); err != nil {
			return err
		}
		if _, err := o.to.Write(buf); err != nil {
			return err
		}
	}
	err := o.spool.Close()
	o.spool, o.packets = nil, nil
	return err
}
