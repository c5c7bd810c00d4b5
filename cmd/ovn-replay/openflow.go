package main

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

	"github.com/spf13/pflag"

	"ovnreplay/sim/openflow"
	"ovnreplay/sim/trace"
	"ovnreplay/store"

	"ovnreplay/sim/printable"
)

// defaultBridge is where ovn-trace looks for the flows, too.
const defaultBridge = "unix:/var/run/openvswitch/br-int.mgmt"

// ovsFlag adds --ovs.
func ovsFlag(f *pflag.FlagSet, sources *[]string) {
	f.StringArrayVar(sources, "ovs", nil, "show the OpenFlow flows of each logical flow, from `SOURCE[@CHASSIS]`: a file of ovs-ofctl dump-flows, or a bridge (default those of --case, else "+defaultBridge+"; repeatable)")
	f.Lookup("ovs").NoOptDefVal = defaultBridge
}

// switches are the OpenFlow flows of the chassis' bridges.
type switches struct {
	any     *openflow.Dump            // of every chassis without one of its own
	of      map[string]*openflow.Dump // by chassis name
	lacking map[string]string         // logical flows that were used but are not there: UUID to stage and match
	tied    map[string]string         // those with the priority and match of one that was used
}

// readSwitches reads what --ovs names; recorded are the sources of the case,
// if there is one. It returns nil if there are none.
func readSwitches(ctx context.Context, sources, recorded []string, stderr io.Writer) (*switches, error) {
	if slices.Equal(sources, []string{defaultBridge}) && len(recorded) > 0 {
		sources = recorded
	}
	if len(sources) == 0 {
		return nil, nil
	}
	s := &switches{of: map[string]*openflow.Dump{}, lacking: map[string]string{}, tied: map[string]string{}}
	for _, arg := range sources {
		source, chassis := arg, ""
		if _, err := os.Stat(arg); err != nil {
			source, chassis, _ = strings.Cut(arg, "@")
		}
		dump, err := readOpenFlow(ctx, source)
		if err != nil {
			return nil, fmt.Errorf("--ovs: %w", err)
		}
		if dump.Part != "" {
			printable.Fprintf(stderr, "ovn-replay: warning: %s is a part of a switch's flows (%s): flows that it lacks are no finding\n", source, dump.Part)
		}
		switch {
		case chassis != "":
			s.of[chassis] = dump
		case s.any != nil:
			return nil, fmt.Errorf("--ovs %s: there is one already for every chassis; say whose this is: %s@CHASSIS", arg, arg)
		default:
			s.any = dump
		}
	}
	return s, nil
}

// attach makes a book's traces show the flows.
func (s *switches) attach(b *trace.Book) {
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
		if len(lines) == 0 && dump.Part != "" {
			return nil, false
		}
		if len(lines) == 0 {
			s.lacking[f.UUID] = b.StageName(flow, f.Table) + ": " + f.Match
		}
		return lines, true
	}
}

// on is the dump of a chassis, nil if there is none.
func (s *switches) on(b *trace.Book, chassis int32) *openflow.Dump {
	if own := s.of[b.Net.Chassis[chassis].Name]; own != nil {
		return own
	}
	return s.any
}

// met notes flows of which OVN leaves open which is used, and of which the switch
// has but one: that is its choice, and may be another after a restart.
func (s *switches) met(b *trace.Book, t *trace.Trace) {
	if s == nil {
		return
	}
	for _, ev := range t.Events() {
		if ev.Kind != trace.Note || ev.Reason != trace.TieUndefined || int(ev.Arg) >= len(b.Net.Flows) {
			continue
		}
		used, other := b.Net.Flows[ev.Flow], b.Net.Flows[ev.Arg]
		dump := s.on(b, ev.Chassis)
		if other == nil || other.Match != used.Match || dump == nil || dump.Part != "" || len(dump.Of(other.UUID)) > 0 {
			continue // the network has changed since, or nothing is lacking
		}
		s.tied[other.UUID] = b.StageName(ev.Flow, used.Table) + " (" + used.UUID + " was used): " + used.Match
	}
}

// report tells which logical flows the switch lacks, of those that the packets
// used or might have.
func (s *switches) report(w io.Writer, packets string) {
	if s == nil {
		return
	}
	for uuid := range s.lacking {
		delete(s.tied, uuid)
	}
	listed(w, s.lacking, "that "+packets+" used")
	listed(w, s.tied, "with the priority and match of one that "+packets+" used: OVN leaves open which applies")
}

// listed tells of logical flows without OpenFlow flows.
func listed(w io.Writer, lacking map[string]string, which string) {
	if len(lacking) == 0 {
		return
	}
	printable.Fprintf(w, "ovn-replay: finding: the switch lacks the OpenFlow flows of %d logical flow(s) %s\n", len(lacking), which)
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

// readOpenFlow reads a dump from a file, or from a bridge with ovs-ofctl.
func readOpenFlow(ctx context.Context, source string) (*openflow.Dump, error) {
	f, err := store.OpenFile(source)
	if err == nil {
		defer f.Close()
		return openflow.Read(f, source)
	}
	if !errors.Is(err, os.ErrNotExist) || !isBridge(source) {
		return nil, fmt.Errorf("%w; give a file of ovs-ofctl dump-flows, or a bridge as unix:PATH, tcp:HOST:PORT or by name", err)
	}
	cmd := exec.CommandContext(ctx, "ovs-ofctl", "-O", "OpenFlow15", "dump-flows", source)
	var problem bytes.Buffer
	cmd.Stderr = &problem
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("ovs-ofctl dump-flows %s: %w: %s", source, err, strings.TrimSpace(problem.String()))
	}
	return openflow.Read(bytes.NewReader(text), source)
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
