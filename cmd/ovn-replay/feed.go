package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"ovnreplay/pcap"
	"ovnreplay/sim/replay"
)

// feed hands every record of the captures to the session, in the order of their
// times. Damage to one capture ends that capture; the others go on, and the
// damage is the error that is returned. Interrupted, it ends as if the captures
// ended there.
func (j *job) feed(ctx context.Context, s *replay.Session) error {
	return errors.Join(j.feedTo(ctx, s.Add, s.Flush), s.Err())
}

// feedTo is feed with what is done with each record and at the end.
func (j *job) feedTo(ctx context.Context, add func(*pcap.Record), flush func()) error {
	sources := make([]pcap.Source, len(j.captures))
	for i, c := range j.captures {
		sources[i] = c
	}
	merge := pcap.NewMerge(sources...)
	show := newProgress(j)
	defer show.clear()
	var rec pcap.Record
	var damage error
	for ctx.Err() == nil {
		err := merge.Next(&rec)
		if err == io.EOF || ctx.Err() != nil {
			break
		}
		if err != nil {
			damage = errors.Join(damage, cause(err))
			continue
		}
		add(&rec)
		show.step()
	}
	flush()
	show.clear()
	for _, t := range j.taps {
		if t.Faults > 0 && t.Faults == t.Frames {
			damage = errors.Join(damage, fmt.Errorf("%s; is this the capture's true link type? No frame of it can be read", t.Fault))
		}
	}
	if ctx.Err() != nil {
		fmt.Fprintf(j.in.stderr, "ovn-replay: interrupted after %d packets; what was done so far is complete\n", show.packets)
	}
	if j.in.explain {
		for _, t := range j.taps {
			fmt.Fprint(j.in.stderr, t.Explain())
		}
	}
	return damage
}

// cause is what ended a capture, without the merge around it.
func cause(err error) error {
	var ce *pcap.CaptureError
	if errors.As(err, &ce) {
		return ce.Err
	}
	return err
}

// interruptible is a stream whose reading ends when a context does.
type interruptible struct {
	ctx  context.Context
	src  io.Reader
	want chan []byte
	got  chan readResult
	rest []byte
}

type readResult struct {
	n   int
	err error
}

// Read implements io.Reader.
func (r *interruptible) Read(p []byte) (int, error) {
	if r.want == nil {
		r.want, r.got = make(chan []byte), make(chan readResult, 1)
		r.rest = make([]byte, 64<<10)
		go r.serve()
	}
	buf := r.rest[:min(len(p), len(r.rest))]
	select {
	case <-r.ctx.Done():
		return 0, io.EOF
	case r.want <- buf:
	}
	select {
	case <-r.ctx.Done():
		return 0, io.EOF
	case res := <-r.got:
		return copy(p, buf[:res.n]), res.err
	}
}

// serve reads what is wanted. It ends with the stream; interrupted, it is left
// waiting for input that no one will take.
func (r *interruptible) serve() {
	for buf := range r.want {
		n, err := r.src.Read(buf)
		r.got <- readResult{n, err}
		if err != nil {
			return
		}
	}
}
