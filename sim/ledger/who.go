package ledger

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/sim/printable"
	"ovnreplay/sim/trace"
)

// Question is whose an address was: ADDRESS[:PORT], at a moment or ever.
type Question struct {
	Addr netip.Addr
	Port uint16 // 0: any
	At   string // as asked: RFC 3339, or a time of day of the captures; "": ever
}

// ParseQuestion reads ADDRESS[:PORT]; an IPv6 address with a port is in brackets.
func ParseQuestion(text, at string) (Question, error) {
	q := Question{At: strings.TrimPrefix(at, "@")}
	if ap, err := netip.ParseAddrPort(text); err == nil {
		q.Addr, q.Port = ap.Addr(), ap.Port()
		return q, nil
	}
	addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return q, fmt.Errorf("%s: no address; ask for ADDRESS or ADDRESS:PORT, an IPv6 address with a port in "+
			"brackets", text)
	}
	q.Addr = addr
	return q, nil
}

// moment is the question's, on the day of a connection; 0 is any.
func (q *Question) moment(c *Conn) (conntrack.Time, error) {
	if q.At == "" {
		return 0, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, q.At); err == nil {
		return conntrack.Time(t.UnixNano()), nil
	}
	day := time.Unix(0, int64(c.First)).UTC().Format("2006-01-02T")
	t, err := time.Parse(time.RFC3339Nano, day+q.At+"Z")
	if err != nil {
		return 0, fmt.Errorf("@%s: no moment; give 2026-11-22T10:00:35Z, or a time of day such as 10:00:35", q.At)
	}
	return conntrack.Time(t.UnixNano()), nil
}

// Moment reports whether a text is a moment that a question may be about.
func Moment(text string) bool {
	for _, layout := range [...]string{time.RFC3339Nano, "15:04:05.999999999"} {
		if _, err := time.Parse(layout, text); err == nil {
			return true
		}
	}
	return false
}

// Found is a connection that had the address, with how.
type Found struct {
	Conn *Conn
	How  string
}

// closeBy is how far from a moment a connection may be to be told when none
// was under way just then.
const closeBy = 5 * conntrack.Second

// Who finds the connections that had an address, before or after translation,
// in any zone: those of the moment first, else the nearest in time.
func (l *Ledger) Who(q Question) ([]Found, error) {
	var during, near []Found
	for _, c := range l.Conns {
		how := l.role(c, &q)
		if how == "" {
			continue
		}
		t, err := q.moment(c)
		switch {
		case err != nil:
			return nil, err
		case c.during(t):
			during = append(during, Found{c, how})
		case t != 0 && t > c.First-closeBy && t < c.Last+closeBy:
			near = append(near, Found{c, how})
		}
	}
	if during == nil {
		return near, nil
	}
	return during, nil
}

// is reports whether an end of a tuple is the address asked for.
func (q *Question) is(t *nat.Tuple, dst bool) bool {
	addr, port := t.SrcAddr(), t.SrcPort
	if dst {
		addr, port = t.DstAddr(), t.DstPort
	}
	return t.Proto != 0 && addr == q.Addr && (q.Port == 0 || q.Port == port)
}

// role says in a sentence what the address was in a connection, "" if nothing.
func (l *Ledger) role(c *Conn, q *Question) string {
	r := l.Row(c)
	server := r.Asked
	if r.Server != nil {
		server = *r.Server
	}
	switch {
	case q.is(&c.Asked, false):
		return fmt.Sprintf("is the client itself, %s", r.Client)
	case q.is(&c.Asked, true) && r.Server != nil:
		return fmt.Sprintf("is what %s asked for; %s answered", r.Client, server)
	case q.is(&c.Asked, true):
		return fmt.Sprintf("is who %s asked, at %s", r.Client, server)
	case q.is(&c.Sent, false):
		return fmt.Sprintf("was %s, who asked %s%s", r.Client, r.Asked, l.through(c, q))
	case q.is(&c.Sent, true):
		return fmt.Sprintf("is %s, who answers %s for %s", server, r.Client, r.Asked)
	}
	for i := range c.Zones {
		z := &c.Zones[i]
		switch {
		case q.is(&z.Orig, false), q.is(&z.Reply, true):
			return fmt.Sprintf("was %s, who asked %s%s", r.Client, r.Asked, l.through(c, q))
		case q.is(&z.Orig, true), q.is(&z.Reply, false):
			return fmt.Sprintf("stood for %s, asked by %s", server, r.Client)
		}
	}
	return ""
}

// through names the translation, and the zone that keeps it.
func (l *Ledger) through(c *Conn, q *Question) string {
	i := slices.IndexFunc(c.Zones, func(z Zone) bool { return q.is(&z.Reply, true) && !q.is(&z.Orig, false) })
	if i < 0 {
		return ""
	}
	z := &c.Zones[i]
	text := fmt.Sprintf(": SNAT in zone %s of %s", z.called, z.host)
	for _, n := range c.NAT {
		if n.Kind == "SNAT" && n.By != "" {
			text += " by " + n.By
		}
	}
	return text + ", kept as " + trace.TupleString(&z.Orig)
}

// Whose is what who --json prints of a connection that had an address.
type Whose struct {
	*Row
	Address string `json:"address"` // as it was asked for
	How     string `json:"how"`
}

// WriteWho writes whose an address was; text is the address as it was asked for.
func (l *Ledger) WriteWho(w io.Writer, text string, q Question, found []Found, asJSON bool) error {
	switch {
	case len(found) == 0 && asJSON:
		return nil
	case len(found) == 0:
		said := "no connection in the captures had " + text
		if name := l.Names().Whose(q.Addr, q.Port); name != "" {
			said = text + " is " + name + "; no connection in the captures had it"
		}
		_, err := printable.Fprintf(w, "%s\n", said)
		return err
	case asJSON:
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		for _, f := range found {
			if err := e.Encode(Whose{l.Row(f.Conn), text, f.How}); err != nil {
				return err
			}
		}
		return nil
	}
	for _, f := range found {
		if _, err := printable.Fprintf(w, "%s %s\n    %s\n", text, f.How, l.Row(f.Conn).Line()); err != nil {
			return err
		}
	}
	return nil
}
