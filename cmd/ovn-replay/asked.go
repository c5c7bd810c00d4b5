package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"ovnreplay/sim/archive"
	"ovnreplay/sim/network"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
	"ovnreplay/store"
)

// asked is what questions are about: a session, or captures to be replayed.
type asked struct {
	input
	session string
}

func (o *asked) flags(cmd *cobra.Command) {
	o.input.flags(cmd)
	cmd.Flags().StringVar(&o.session, "session", "", "ask about the packets of the session in `FILE`, without a database or captures")
}

// each hands every packet to a handler: of the session that is named, as they
// were kept, or else by replaying. make is called once, before the first.
func (o *asked) each(ctx context.Context, make func(*why.Explainer, *job) (replay.Handler, error)) error {
	if o.session != "" {
		if o.filter != "" {
			return errors.New("--filter needs the network: name the database and captures instead of --session")
		}
		return o.kept(ctx, make)
	}
	j, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer j.close()
	h, err := make(j.explainer(), j)
	if err != nil {
		return err
	}
	return errors.Join(j.feed(ctx, j.session(h, j.ahead())), errors.Join(j.warnings...))
}

// kept reads the packets of a session.
func (o *asked) kept(ctx context.Context, make func(*why.Explainer, *job) (replay.Handler, error)) error {
	file, err := store.OpenSession(o.session, false)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := archive.Check(file); err != nil {
		return err
	}
	x := &why.Explainer{Book: &trace.Book{Net: &network.Network{}}}
	h, err := make(x, nil)
	if err != nil {
		return err
	}
	reader := archive.NewReader(file.GetPiece)
	for n := uint64(1); n <= file.Len(); n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		p, err := archive.Read(file, reader, n)
		if err != nil {
			return err
		}
		x.Book = p.Book
		if p.Frame.File == "" {
			p.Frame.File = p.Capture
		}
		h.Entered(&p.Frame, p.Point, &p.Outcome)
	}
	return nil
}
