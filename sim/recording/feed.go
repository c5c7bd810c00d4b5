package recording

import (
	"context"
	"errors"
	"fmt"
	"io"

	"ovnreplay/pcap"
)

// Feed hands every record of the captures to add, in the order of their times,
// and then calls end. Damage to one capture ends that capture; the others go on,
// and the damage is the error that is returned. Cancelled, it ends as if the
// captures ended there.
func (r *Recording) Feed(ctx context.Context, add func(*pcap.Record), end func()) error {
	sources := make([]pcap.Source, len(r.captures))
	for i, c := range r.captures {
		if sources[i] = c; !r.Live() {
			sources[i] = pcap.Sorted(c)
		}
	}
	merge := pcap.NewMerge(sources...)
	var rec pcap.Record
	next := func() (*pcap.Record, error) { return &rec, merge.Next(&rec) }
	if !r.Live() {
		read := newAhead(merge, r.progress)
		defer read.stop()
		r.reading = read
		next = read.next
	}
	var damage error
	for ctx.Err() == nil {
		rec, err := next()
		if ended(err) || ctx.Err() != nil {
			break
		}
		if err != nil {
			damage = errors.Join(damage, cause(err))
			continue
		}
		add(rec)
	}
	end()
	for _, t := range r.Taps {
		if t.Faults > 0 && t.Faults == t.Frames {
			damage = errors.Join(damage, fmt.Errorf("%s; is this the capture's true link type? No frame of it "+
				"can be read",
				t.Fault))
		}
	}
	return damage
}

// ended reports whether all captures have ended.
func ended(err error) bool { return err == io.EOF }

// cause is what ended a capture, without the merge around it.
func cause(err error) error {
	var ce *pcap.CaptureError
	if errors.As(err, &ce) {
		return ce.Err
	}
	return err
}
