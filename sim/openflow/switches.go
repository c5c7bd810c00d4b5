package openflow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"ovnreplay/pcap"
	"ovnreplay/sim/network"
	"ovnreplay/sim/printable"
	"ovnreplay/sim/trace"
)

// DefaultBridge is where ovn-trace looks for the flows, too.
const DefaultBridge = "unix:/var/run/openvswitch/br-int.mgmt"

// Switches are the OpenFlow flows of the chassis' bridges.
type Switches struct {
	any     *Dump             // of every chassis without one of its own
	of      map[string]*Dump  // by chassis name
	lacking map[string]string // logical flows that were used but are not there: UUID to stage and match
	tied    map[string]string // those with the priority and match of one that was used
	there   map[string]bool   // the logical flows of when the dumps were taken; nil: all
}

// Open is how a file is opened, compressed or not.
type Open func(name string) (io.ReadCloser, error)

// ReadSwitches reads what --ovs names, each as SOURCE[@CHASSIS]; recorded are the
// sources of the case, if there is one. It returns nil if there are none. What is
// to be known of a dump is told.
func ReadSwitches(ctx context.Context, sources, recorded []string, open Open,
	tell func(format string, args ...any)) (*Switches, error) {
	if slices.Equal(sources, []string{DefaultBridge}) && len(recorded) > 0 {
		sources = recorded
	}
	if len(sources) == 0 {
		return nil, nil
	}
	s := &Switches{of: map[string]*Dump{}, lacking: map[string]string{}, tied: map[string]string{}}
	for _, arg := range sources {
		source, chassis, _ := pcap.CutFile(arg)
		dump, err := readBridge(ctx, source, open)
		if err != nil {
			return nil, fmt.Errorf("--ovs: %w", err)
		}
		if dump.Part != "" {
			tell("warning: %s is a part of a switch's flows (%s): flows that it lacks are no finding", source,
				dump.Part)
		}
		switch {
		case chassis != "":
			s.of[chassis] = dump
		case s.any != nil:
			return nil, fmt.Errorf("--ovs %s: there is one already for every chassis; say whose this is: %s@CHASSIS",
				arg, arg)
		default:
			s.any = dump
		}
	}
	return s, nil
}

// Attach makes a book's traces show the flows.
func (s *Switches) Attach(b *trace.Book) {
	if s == nil {
		return
	}
	b.OpenFlow = func(chassis, flow int32) ([]string, bool) {
		dump := s.on(b, chassis)
		if dump == nil {
			return nil, false
		}
		f := b.Net.Flows[flow]
		lines := dump.Of(f.UUID)
		if len(lines) == 0 && (dump.Part != "" || s.gone(f.UUID)) {
			return nil, false
		}
		if len(lines) == 0 {
			s.lacking[f.UUID] = b.StageName(flow, f.Table) + ": " + f.Match
		}
		return lines, true
	}
}

// on is the dump of a chassis, nil if there is none.
func (s *Switches) on(b *trace.Book, chassis int32) *Dump {
	if own := s.of[b.Net.Chassis[chassis].Name]; own != nil {
		return own
	}
	return s.any
}

// Met notes flows of which OVN leaves open which is used, and of which the switch
// has but one: that is its choice, and may be another after a restart.
func (s *Switches) Met(b *trace.Book, t *trace.Trace) {
	if s == nil {
		return
	}
	for _, ev := range t.Events() {
		if ev.Kind != trace.Note || ev.Reason != trace.TieUndefined || int(ev.Arg) >= len(b.Net.Flows) {
			continue
		}
		used, other := b.Net.Flows[ev.Flow], b.Net.Flows[ev.Arg]
		dump := s.on(b, ev.Chassis)
		if other == nil || s.gone(other.UUID) ||
			other.Match != used.Match || dump == nil || dump.Part != "" || len(dump.Of(other.UUID)) > 0 {
			continue // the network has changed since, or nothing is lacking
		}
		s.tied[other.UUID] = b.StageName(ev.Flow, used.Table) + " (" + used.UUID + " was used): " + used.Match
	}
}

// Report tells which logical flows the switch lacks, of those that the packets
// used or might have.
func (s *Switches) Report(w io.Writer, packets string) {
	if s == nil {
		return
	}
	for uuid := range s.lacking {
		delete(s.tied, uuid)
	}
	listed(w, s.lacking, "that "+packets+" used")
	listed(w, s.tied, "with the priority and match of one that "+packets+" used: OVN leaves open which applies")
}

// There tells the network of when the dumps were taken: what it has no more the
// switch lacks rightly.
func (s *Switches) There(net *network.Network) {
	if s == nil {
		return
	}
	s.there = make(map[string]bool, len(net.Flows))
	for _, f := range net.Flows {
		s.there[f.UUID] = true
	}
}

// gone reports whether a logical flow was no more when the dumps were taken.
func (s *Switches) gone(uuid string) bool { return s.there != nil && !s.there[uuid] }

// listed tells of logical flows without OpenFlow flows.
func listed(w io.Writer, lacking map[string]string, which string) {
	if len(lacking) == 0 {
		return
	}
	printable.Fprintf(w, "ovn-replay: finding: the switch lacks the OpenFlow flows of %d logical flow(s) %s\n",
		len(lacking), which)
	const most = 10
	var list []string
	for uuid, where := range lacking {
		list = append(list, uuid+", "+where)
	}
	slices.Sort(list)
	for _, line := range list[:min(most, len(list))] {
		printable.Fprintf(w, "    %s\n", line)
	}
	if n := len(list) - most; n > 0 {
		printable.Fprintf(w, "    and %d more\n", n)
	}
}

// readBridge reads a dump from a file, or from a bridge with ovs-ofctl.
func readBridge(ctx context.Context, source string, open Open) (*Dump, error) {
	f, err := open(source)
	if err == nil {
		defer f.Close()
		return Read(f, source)
	}
	if !errors.Is(err, os.ErrNotExist) || !isBridge(source) {
		return nil, fmt.Errorf("%w; give a file of ovs-ofctl dump-flows, or a bridge as unix:PATH, tcp:HOST:PORT "+
			"or by name",
			err)
	}
	cmd := exec.CommandContext(ctx, "ovs-ofctl", "-O", "OpenFlow15", "dump-flows", source)
	var problem bytes.Buffer
	cmd.Stderr = &problem
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("ovs-ofctl dump-flows %s: %w: %s", source, err, strings.TrimSpace(problem.String()))
	}
	return Read(bytes.NewReader(text), source)
}

// isBridge reports whether a source that is no file can be a bridge.
func isBridge(source string) bool {
	for _, p := range []string{"unix:", "tcp:", "ssl:"} {
		if strings.HasPrefix(source, p) {
			return true
		}
	}
	return !strings.ContainsAny(source, "/.")
}
