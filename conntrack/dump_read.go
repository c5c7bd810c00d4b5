package conntrack

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"ovnreplay/nat"
	"ovnreplay/nat/header"
)

// maxLine bounds a dump's line; real ones are a few hundred bytes.
const maxLine = 64 << 10

// DumpError says where a dump cannot be read.
type DumpError struct {
	Name   string // of the file
	Line   int    // from 1
	Column int    // from 1, in bytes
	What   string
}

func (e *DumpError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.Name, e.Line, e.Column, e.What)
}

// Dump reads a dump of any of the formats, line by line by its looks.
// Empty lines and comments (#) are skipped. What an Entry has no place
// for (counters, start times, security contexts, use counts) is dropped.
type Dump struct {
	name  string // for messages
	lines *bufio.Scanner
	n     int // of them, so far
	seen  words
	pairs pairs // of a line
}

// NewDump returns a reader of a dump; name is for messages.
func NewDump(r io.Reader, name string) *Dump {
	d := &Dump{name: name, lines: bufio.NewScanner(r), seen: words{}}
	d.lines.Buffer(nil, maxLine)
	return d
}

// Next reads the next connection; io.EOF when there are no more. An error is a *DumpError where the dump
// is to blame.
func (d *Dump) Next(e *Entry) error {
	for d.lines.Scan() {
		d.n++
		line := strings.TrimRight(d.lines.Text(), " \t\r")
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "conntrack v") || line[0] == '#' {
			continue
		}
		at := 0
		var err error
		if *e, at, err = d.pairs.entry(line); err != nil {
			return &DumpError{d.name, d.n, at + 1, err.Error()}
		}
		d.seen.keep(&e.State, &e.PeerState[0], &e.PeerState[1], &e.Helper)
		return nil
	}
	if err := d.lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return &DumpError{d.name, d.n + 1, 1, "line too long: not a conntrack dump"}
	} else if err != nil {
		return fmt.Errorf("%s: %w", d.name, err)
	}
	return io.EOF
}

// ReadDump reads all connections of a dump, up to an error.
func ReadDump(r io.Reader, name string) (out []Entry, err error) {
	d := NewDump(r, name)
	var e Entry
	for {
		switch err := d.Next(&e); {
		case err == io.EOF:
			return out, nil
		case err != nil:
			return out, err
		}
		out = append(out, e)
	}
}

// words are the names of states and helpers in a dump, each kept once: as parts of their lines
// they would keep those.
type words map[string]string

// maxWords bounds them: there are some twenty.
const maxWords = 1000

func (w words) keep(names ...*string) {
	for _, name := range names {
		known, ok := w[*name]
		if !ok {
			known = strings.Clone(*name)
			if len(w) < maxWords {
				w[known] = known
			}
		}
		*name = known
	}
}

// entry reads one line; at is the offset of what is wrong.
func (p *pairs) entry(line string) (e Entry, at int, err error) {
	e.Timeout = -1
	p.list, p.at = p.list[:0], 0
	if strings.Contains(line, ",orig=(") {
		at, err = p.splitDpctl(line)
	} else {
		at, err = p.splitConntrack(line)
	}
	if err != nil {
		return e, at, err
	}
	if err := p.fill(&e); err != nil {
		return e, p.at, err
	}
	return e, 0, e.check()
}

// pair is key=value at an offset; in names the tuple or group it is within.
type pair struct {
	in, key, value string
	at             int
}

type pairs struct {
	proto uint8
	list  []pair
	at    int // of the pair under way
	words []string
	offs  []int // of words
}

// splitDpctl splits proto,key=value,group=(key=value,…).
func (p *pairs) splitDpctl(line string) (at int, err error) {
	name, rest, _ := strings.Cut(line, ",")
	if err := p.setProto(name); err != nil {
		return 0, err
	}
	in := ""
	at = len(line) - len(rest)
	for at < len(line) {
		end := len(line)
		if n := strings.IndexAny(line[at:], ",)("); n >= 0 {
			end = at + n
		}
		key, value, ok := strings.Cut(line[at:end], "=")
		switch {
		case !ok && key != "":
			return at, fmt.Errorf("%q is not key=value", key)
		case end < len(line) && line[end] == '(':
			if in != "" || value != "" {
				return end, errors.New("misplaced parenthesis")
			}
			in = key
		case key != "":
			p.list = append(p.list, pair{in, key, value, at})
		}
		at = end + 1
		if end < len(line) && line[end] == ')' {
			if in == "" {
				return end, errors.New("misplaced parenthesis")
			}
			in = ""
			if at < len(line) && line[at] == ',' {
				at++
			}
		}
	}
	if in != "" {
		return len(line), errors.New("the line ends within parentheses")
	}
	return 0, nil
}

func (p *pairs) setProto(name string) error {
	for n, s := range dpctlProtos {
		if s == name {
			p.proto = n
			return nil
		}
	}
	n, err := strconv.ParseUint(name, 10, 8)
	if err != nil {
		return fmt.Errorf("unknown protocol %q", name)
	}
	p.proto = uint8(n)
	return nil
}

// splitConntrack splits [ipv4 2] tcp 6 119 STATE key=value … [FLAG] key=value …
func (p *pairs) splitConntrack(line string) (at int, err error) {
	p.fields(line)
	words, offs := p.words, p.offs
	i := 0
	if len(words) > 2 && (words[0] == "ipv4" || words[0] == "ipv6") {
		i = 2
	}
	if len(words) < i+3 {
		return 0, errors.New("not a line of a conntrack dump")
	}
	n, err := strconv.ParseUint(words[i+1], 10, 8)
	if err != nil || strings.ContainsAny(words[i], "=,(") {
		return offs[i], errors.New("not a line of a conntrack dump")
	}
	p.proto = uint8(n)
	i += 2
	if _, err := strconv.ParseUint(words[i], 10, 32); err == nil {
		p.list = append(p.list, pair{"", "timeout", words[i], offs[i]})
		i++
	}
	in := ""
	for ; i < len(words); i++ {
		w, at := words[i], offs[i]
		key, value, isPair := strings.Cut(w, "=")
		switch {
		case w[0] == '[':
			p.list = append(p.list, pair{"", w, "", at})
		case !isPair && in == "":
			p.list = append(p.list, pair{"", "state", w, at})
		case !isPair:
			return at, fmt.Errorf("%q is not key=value", w)
		case strings.HasSuffix(key, "timeout"): // GRE in /proc: its configuration, not its state
		case key == "src" && in == "":
			in = "orig"
			p.list = append(p.list, pair{in, key, value, at})
		case key == "src":
			in = "reply"
			p.list = append(p.list, pair{in, key, value, at})
		case slices.Contains(tupleKeys, key):
			p.list = append(p.list, pair{in, key, value, at})
		default:
			p.list = append(p.list, pair{"", key, value, at})
		}
	}
	return 0, nil
}

var tupleKeys = []string{"src", "dst", "sport", "dport", "type", "code", "id", "srckey", "dstkey"}

// fields finds the words of a line.
func (p *pairs) fields(line string) {
	p.words, p.offs = p.words[:0], p.offs[:0]
	at := 0
	for w := range strings.FieldsSeq(line) {
		at += strings.Index(line[at:], w)
		p.words, p.offs = append(p.words, w), append(p.offs, at)
		at += len(w)
	}
}

// fill turns the pairs into an entry.
func (p *pairs) fill(e *Entry) error {
	e.Orig.Proto, e.Reply.Proto = p.proto, p.proto
	if slices.ContainsFunc(p.list, func(x pair) bool { return x.key == "[ASSURED]" || x.key == "use" }) {
		e.Status = StatusConfirmed | StatusSeenReply
	}
	for _, x := range p.list {
		p.at = x.at
		if err := e.set(x); err != nil {
			return err
		}
	}
	return nil
}

func (e *Entry) set(x pair) error {
	switch x.in {
	case "orig":
		return setTuple(&e.Orig, x)
	case "reply":
		return setTuple(&e.Reply, x)
	case "parent":
		e.Parent.Proto = e.Orig.Proto
		return setTuple(&e.Parent, x)
	case "protoinfo":
		return e.setProtoInfo(x)
	case "":
		return e.setField(x)
	}
	return fmt.Errorf("unknown group %q", x.in)
}

// dropped are the keys of tuples and entries an Entry has no place for.
var dropped = []string{"packets", "bytes", "start", "stop", "use", "secctx", "delta-time", "secmark"}

func setTuple(t *nat.Tuple, x pair) (err error) {
	var n uint64
	switch x.key {
	case "src", "dst":
		a, err := netip.ParseAddr(x.value)
		if err != nil || a.Zone() != "" {
			return fmt.Errorf("%q is not an address", x.value)
		}
		b := &t.Src
		if x.key == "dst" {
			b = &t.Dst
		}
		t.V6 = a.Is6()
		*b = header.Bytes(a)
		return nil
	case "type", "code":
		n, err = number(x.value, math.MaxUint8)
		if x.key == "type" {
			t.Type = uint8(n)
		} else {
			t.Code = uint8(n)
		}
	case "sport", "srckey":
		n, err = number(x.value, math.MaxUint16)
		t.SrcPort = uint16(n)
	case "dport", "dstkey":
		n, err = number(x.value, math.MaxUint16)
		t.DstPort = uint16(n)
	case "id":
		n, err = number(x.value, math.MaxUint16)
		t.SrcPort, t.DstPort = uint16(n), uint16(n)
	default:
		if !slices.Contains(dropped, x.key) {
			return fmt.Errorf("unknown field %q of a tuple", x.key)
		}
	}
	return err
}

func number(s string, limit uint64) (uint64, error) {
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil || n > limit {
		return 0, fmt.Errorf("%q is not a number up to %d", s, limit)
	}
	return n, nil
}

func (e *Entry) setField(x pair) error {
	var n uint64
	var err error
	switch x.key {
	case "zone":
		n, err = number(x.value, math.MaxUint16)
		e.Zone = uint16(n)
	case "mark":
		n, err = number(x.value, math.MaxUint32)
		e.Mark = uint32(n)
	case "id":
		n, err = number(x.value, math.MaxUint32)
		e.ID = uint32(n)
	case "timeout":
		n, err = number(x.value, math.MaxUint32)
		e.Timeout = Time(n) * Second
	case "labels":
		e.Label, err = parseLabel(x.value)
	case "status":
		n, err = parseFlags(x.value, statusNames[:])
		e.Status = Status(n)
	case "helper":
		e.Helper = x.value
	case "state":
		e.State = x.value
	case "[UNREPLIED]":
		e.Status = e.Status&^StatusSeenReply | StatusConfirmed
	case "[ASSURED]":
		e.Status |= StatusAssured
	case "[OFFLOAD]", "[HW_OFFLOAD]":
	default:
		if !slices.Contains(dropped, x.key) {
			return fmt.Errorf("unknown field %q", x.key)
		}
	}
	return err
}

func (e *Entry) setProtoInfo(x pair) error {
	i := 0
	if strings.HasSuffix(x.key, "_reply") {
		i = 1
	}
	var n uint64
	var err error
	switch x.key {
	case "state":
		e.State = x.value
	case "state_orig", "state_reply":
		e.PeerState[i] = x.value
		e.State = laterState(e.PeerState)
	case "wscale_orig", "wscale_reply":
		n, err = number(x.value, maxScale)
		e.Scale[i] = uint8(n)
	case "flags_orig", "flags_reply":
		n, err = parseFlags(x.value, tcpFlagNames[:])
		e.TCPFlags[i] = TCPFlag(n)
	case "vtag_orig", "vtag_reply":
		n, err = number(x.value, math.MaxUint32)
		e.VTag[i] = uint32(n)
	default:
		return fmt.Errorf("unknown field %q of protoinfo", x.key)
	}
	return err
}

// laterState is the one state a short dump would print for both ends.
func laterState(ends [2]string) string {
	a, b := slices.Index(endNames[:], ends[0]), slices.Index(endNames[:], ends[1])
	if n := max(a, b); n >= 0 {
		return shownState(uint8(n))
	}
	return ends[0]
}

func parseLabel(s string) (l Label, err error) {
	digits, _ := strings.CutPrefix(s, "0x")
	if digits == "" || len(digits) > 32 {
		return l, fmt.Errorf("%q is not a label", s)
	}
	lo := digits
	if cut := len(digits) - 16; cut > 0 {
		lo = digits[cut:]
		if l.Hi, err = strconv.ParseUint(digits[:cut], 16, 64); err != nil {
			return l, fmt.Errorf("%q is not a label", s)
		}
	}
	if l.Lo, err = strconv.ParseUint(lo, 16, 64); err != nil {
		return l, fmt.Errorf("%q is not a label", s)
	}
	return l, nil
}

func parseFlags(s string, names []string) (v uint64, err error) {
	if s == "0" || s == "" {
		return 0, nil
	}
	for _, f := range strings.Split(s, "|") {
		i := slices.Index(names, f)
		if i < 0 {
			return 0, fmt.Errorf("unknown flag %q", f)
		}
		v |= 1 << i
	}
	return v, nil
}

// check finds what no single field shows.
func (e *Entry) check() error {
	zero := [16]byte{}
	switch {
	case e.Orig.Src == zero && e.Orig.Dst == zero:
		return errors.New("no original tuple")
	case e.Reply.Src == zero && e.Reply.Dst == zero:
		return errors.New("no reply tuple")
	case e.Orig.V6 != e.Reply.V6:
		return errors.New("IPv4 and IPv6 in one connection")
	}
	return nil
}
