// Package openflow finds the OpenFlow flows that ovn-controller made of a
// logical flow, in the output of "ovs-ofctl dump-flows".
//
// A flow's cookie is the beginning of its logical flow's UUID. Dumps come from
// files, or from a bridge with ovs-ofctl: the package writes nothing there. It
// judges no flow.
package openflow

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Dump is the flows of one bridge.
type Dump struct {
	byCookie map[uint64][]string

	// Part says why the dump holds only a part of the bridge's flows, "" if it
	// holds all: what it lacks the bridge may have.
	Part string
}

// maxLine bounds a line of a dump: the longest flows are load balancers' with
// thousands of backends.
const maxLine = 16 << 20

// lastTable is OVN's table from which packets leave for ports. Each bridge has
// flows in it and in table 0, where they come from ports, and dumps list the tables in order.
const lastTable = 64

// Read reads a dump. It may have been made with any version of OpenFlow, and
// hold headings between flows; a line that has a cookie is a flow. A dump
// without any is an error that names it.
func Read(r io.Reader, name string) (*Dump, error) {
	d := &Dump{byCookie: map[uint64][]string{}}
	part, err := each(r, name, func(cookie uint64, line string) {
		d.byCookie[cookie] = append(d.byCookie[cookie], newer(line))
	})
	if err != nil {
		return nil, err
	}
	d.Part = part
	return d, nil
}

// each calls flow with each flow of a dump, and says why these are only a part
// of the bridge's: "" if they are all.
func each(r io.Reader, name string, flow func(cookie uint64, line string)) (part string, err error) {
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, maxLine)
	found, more, highest, lowest, cut := false, false, -1, lastTable, 0
	n := 1
	for ; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		rest, ok := strings.CutPrefix(line, "cookie=")
		if !ok {
			switch {
			case strings.Contains(line, "_FLOW reply "):
				more = strings.Contains(line, "flags=[more]")
			case strings.Contains(line, "actions="):
				cut = n // its beginning lacks
			}
			continue
		}
		text, _, _ := strings.Cut(rest, ",")
		cookie, err := strconv.ParseUint(text, 0, 64)
		match, actions, whole := strings.Cut(rest, "actions=")
		if !whole || strings.Count(actions, "(") != strings.Count(actions, ")") {
			cut = n
			continue
		}
		if err != nil {
			return "", fmt.Errorf("%s: line %d: cookie %q is no number", name, n, text)
		}
		table := tableOf(match)
		found, highest, lowest = true, max(highest, table), min(lowest, table)
		flow(cookie, line)
	}
	switch err := sc.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return "", fmt.Errorf("%s: line %d is too long; give the output of ovs-ofctl dump-flows", name, n)
	case err != nil:
		return "", fmt.Errorf("%s: %w", name, err)
	case !found:
		return "", fmt.Errorf("%s: no OpenFlow flows; give the output of ovs-ofctl dump-flows", name)
	case cut > 0:
		return fmt.Sprintf("line %d is cut short", cut), nil
	case more:
		return "its last heading says that more follows", nil
	case lowest > 0:
		return "it has no flows of table 0, in which every bridge of OVN has some", nil
	case highest < lastTable:
		return fmt.Sprintf("it has no flows of table %d, in which every bridge of OVN has some", lastTable+1), nil
	}
	return "", nil
}

// tableOf is the table of a flow, of which what it matches is given.
func tableOf(match string) int {
	n, _ := number(match, "table")
	return n
}

// number is a number that a flow's match gives.
func number(match, name string) (int, bool) {
	for field := range strings.SplitSeq(match, ",") {
		if text, ok := strings.CutPrefix(strings.TrimSpace(field), name+"="); ok {
			if n, err := strconv.Atoi(text); err == nil {
				return n, true
			}
		}
	}
	return 0, false
}

// Of returns the flows of the logical flow with a UUID, in the dump's order,
// as OpenFlow 1.5 writes them.
func (d *Dump) Of(uuid string) []string {
	cookie, err := strconv.ParseUint(uuid[:min(8, len(uuid))], 16, 64)
	if err != nil {
		return nil
	}
	return d.byCookie[cookie]
}

// Len returns how many flows the dump has.
func (d *Dump) Len() int {
	n := 0
	for _, flows := range d.byCookie {
		n += len(flows)
	}
	return n
}
