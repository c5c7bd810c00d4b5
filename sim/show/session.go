package show

import (
	"bufio"
	"context"
	"fmt"
	"slices"
	"strings"

	"ovnreplay/sim/archive"
	"ovnreplay/sim/ledger"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/microflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
)

// Kept shows packets of a session. What it has read of flows it keeps for those that met them, too.
type Kept struct {
	why     why.Explainer
	numbers ledger.Numbers // of connections, where they are told: see Before
	last    uint64         // packet that has its number
}

// Before takes in the packets before one, which decide how connections are numbered: where packets are
// told with those, it is called before the first of each that follow on each other.
func (k *Kept) Before(ctx context.Context, file archive.File, first uint64) error {
	if first <= k.last { // it goes back
		k.numbers, k.last = ledger.Numbers{}, 0
	}
	return archive.Each(ctx, file, k.last+1, first-1, func(n uint64, p *archive.Packet) error {
		k.number(n, p)
		return nil
	})
}

func (k *Kept) number(n uint64, p *archive.Packet) int {
	k.last = n
	return k.numbers.Number(&p.Frame, p.Point, &p.Outcome)
}

// Packet writes the n-th packet of a session; lines, if not nil, are those of a terminal.
func (k *Kept) Packet(out *bufio.Writer, n uint64, p *archive.Packet, format trace.Format, lines *replay.Lines) error {
	x := &k.why
	x.Book, x.Objects, x.KeptElsewhere = p.Book, p.Objects, p.Elsewhere
	p.Outcome.Of.Frame, p.Outcome.Of.Time = p.Frame.Data, p.Frame.Time
	r := replay.NewRecord(x, &p.Frame, p.Point, p.Capture, &p.Outcome, false)
	if format == trace.JSONFormat {
		r.Conn = k.number(n, p)
	}
	return WriteFate(out, format, lines, r, p.Book, &p.Outcome.Trace)
}

// Listed is Packet in a list: a line begins with the packet's number.
func (k *Kept) Listed(out *bufio.Writer, n uint64, p *archive.Packet, format trace.Format, lines *replay.Lines) error {
	switch number := fmt.Sprintf("%6d  ", n); {
	case format == trace.LineFormat && lines != nil:
		lines.Before = number
	case format == trace.LineFormat:
		out.WriteString(number)
	}
	return k.Packet(out, n, p, format, lines)
}

// AsOVNTrace writes the ovn-trace command line for a packet of a session.
func AsOVNTrace(out *bufio.Writer, p *archive.Packet) error {
	words := []string{"ovn-trace"}
	t := &p.Outcome.Trace
	for _, ev := range t.Events() {
		if ev.Kind != trace.CT {
			continue
		}
		if s := &t.CT[ev.Arg]; ovnTraceAsks(p.Book, &ev) {
			words = append(words, "--ct "+strings.ReplaceAll(trace.StateString(s.State), "|", ","))
		}
	}
	for i := range t.NAT {
		if s := &t.NAT[i]; s.Dst && !s.Undo {
			_, to := s.Ends()
			words = append(words, "--lb-dst "+to)
			break
		}
	}
	words = append(words, fmt.Sprintf("%q", p.Point.Port.Datapath.Name),
		"'"+microflow.Express(p.Frame.Data, p.Point.Port.Name)+"'")
	_, err := fmt.Fprintln(out, strings.Join(words, " "))
	return err
}

// ovnTraceAsks reports whether ovn-trace takes the next --ct at a pass through
// conntrack: not for commits, nor for un-SNAT on gateway routers, which it
// leaves out.
func ovnTraceAsks(book *trace.Book, ev *trace.Event) bool {
	gateway := slices.ContainsFunc(book.Net.Datapaths[ev.Datapath].Ports,
		func(p *network.Port) bool { return p.Type == network.L3Gateway })
	return !slices.ContainsFunc(book.Flow(ev.Flow).Ops, func(op table.Op) bool {
		switch a := op.Action.(type) {
		case lflow.CTCommit:
			return true
		case lflow.CTNAT:
			return gateway && a.SNAT && !a.InCommonZone && !a.Addr.IsValid()
		}
		return false
	})
}
