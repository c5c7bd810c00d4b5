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
}

// readSwitches reads what --ovs names; recorded are the sources of the case,
// if there is one. It returns nil if there are none.
func readSwitches(ctx context.Context, sources, recorded []string) (*switches, error) {
	if slices.Equal(sources, []string{defaultBridge}) && len(recorded) > 0 {
		sources = recorded
	}
	if len(sources) == 0 {
		return nil, nil
	}
	s := &switches{of: map[string]*openflow.Dump{}, lacking: map[string]string{}}
	for _, arg := range sources {
		source, chassis := arg, ""
		if _, err := os.Stat(arg); err != nil {
			source, chassis, _ = strings.Cut(arg, "@")
		}
		dump, err := readOpenFlow(ctx, source)
		switch {
		case err != nil:
			return nil, fmt.Errorf("--ovs: %w", err)
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
		dump := s.any
		if own := s.of[b.Net.Chassis[chassis].Name]; own != nil {
			dump = own
		}
		if dump == nil {
			return nil, false
		}
		f := b.Net.Flows[flow]
		lines := dump.Of(f.UUID)
		if len(lines) == 0 {
			s.lacking[f.UUID] = b.StageName(flow, f.Table) + ": " + f.Match
		}
		return lines, true
	}
}

// report tells which logical flows the packets used that the switch lacks.
func (s *switches) report(w io.Writer, packets string) {
	if s == nil || len(s.lacking) == 0 {
		return
	}
	printable.Fprintf(w, "ovn-replay: finding: the switch lacks the OpenFlow flows of %d logical flow(s) that %s used\n", len(s.lacking), packets)
	const most = 10
	var list []string
	for uuid, where := range s.lacking {
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
