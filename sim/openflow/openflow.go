// Package openflow finds the OpenFlow flows that ovn-controller made of a
// logical flow, in the output of "ovs-ofctl dump-flows".
//
// A flow's cookie is the beginning of its logical flow's UUID. The package
// reads text and writes text: it knows no switch and judges no flow.
package openflow

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Dump is the flows of one bridge.
type Dump struct{ byCookie map[uint64][]string }

// maxLine bounds a line of a dump: the longest flows are load balancers' with
// thousands of backends.
const maxLine = 16 << 20

// Read reads a dump. It may have been made with any version of OpenFlow, and
// hold headings between flows; a line that has a cookie is a flow. A dump
// without any is an error that names it.
func Read(r io.Reader, name string) (*Dump, error) {
	d := &Dump{byCookie: map[uint64][]string{}}
	err := each(r, name, func(cookie uint64, line string) {
		d.byCookie[cookie] = append(d.byCookie[cookie], newer(line))
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// each calls flow with each flow of a dump.
func each(r io.Reader, name string, flow func(cookie uint64, line string)) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, maxLine)
	found := false
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		rest, ok := strings.CutPrefix(line, "cookie=")
		if !ok {
			continue
		}
		text, _, _ := strings.Cut(rest, ",")
		cookie, err := strconv.ParseUint(text, 0, 64)
		if err != nil {
			return fmt.Errorf("%s: line %d: cookie %q is no number", name, n, text)
		}
		found = true
		flow(cookie, line)
	}
	switch err := sc.Err(); {
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	case !found:
		return fmt.Errorf("%s: no OpenFlow flows; give the output of ovs-ofctl dump-flows", name)
	}
	return nil
}

// Installed is which logical flows switches have.
type Installed map[uint64]bool

// Add notes the logical flows of a dump.
func (i Installed) Add(r io.Reader, name string) error {
	return each(r, name, func(cookie uint64, _ string) { i[cookie] = true })
}

// Has reports whether a switch has the logical flow with a UUID.
func (i Installed) Has(uuid string) bool {
	cookie, err := strconv.ParseUint(uuid[:min(8, len(uuid))], 16, 64)
	return err == nil && i[cookie]
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
