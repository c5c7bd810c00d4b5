package recording

import (
	"errors"
	"fmt"
	"strings"

	"ovnreplay/pcap"
)

// passed are captures that have nothing to replay, for one reason.
type passed struct {
	one, many string // what is said of one of them, or of several
	files     []string
}

// passOver notes that a capture, or a file of a set, has nothing that can be read.
func (r *Recording) passOver(err error) {
	e, _ := errors.AsType[*pcap.FormatError](err)
	if e.Fault == pcap.Empty {
		r.pass(e.File, "it is empty, without even a capture's header; it is passed over",
			"are empty, without even a capture's header, and are passed over")
		return
	}
	r.pass(e.File, fmt.Sprintf("it holds no packets (%s); it is passed over", e.What),
		fmt.Sprintf("hold no packets (%s) and are passed over", e.What))
}

// pass notes what is to be said of a capture: of many at once.
func (r *Recording) pass(file, one, many string) {
	for i := range r.passed {
		if p := &r.passed[i]; p.one == one {
			p.files = append(p.files, file)
			return
		}
	}
	r.passed = append(r.passed, passed{one, many, []string{file}})
}

// tellPassed says what captures have nothing to replay: of each kind in a line.
func (r *Recording) tellPassed() {
	const most = 3
	for _, p := range r.passed {
		n := len(p.files)
		if n == 1 {
			r.tell("%s: %s", p.files[0], p.one)
			continue
		}
		list := strings.Join(p.files[:min(n, most)], ", ")
		if n > most {
			list += fmt.Sprintf(" and %d more", n-most)
		}
		r.tell("%d captures %s: %s", n, p.many, list)
	}
	r.passed = nil
}
