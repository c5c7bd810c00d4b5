package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// relay stands between the client library and a server. The library takes in
// whatever a server sends, whole messages, for as long as it sends: here their
// length is bounded, and how long it takes until more of one comes. It also
// makes the TLS connection. To the library each server is a socket in a
// directory that only this user can enter.
type relay struct {
	limit    int64         // bytes of one message
	watching bool          // the server may tell of changes
	wait     time.Duration // for more of a message that has begun
	tls      *tls.Config

	dir       string
	listeners []net.Listener

	mu    sync.Mutex
	conns map[net.Conn]bool // true: to a server
	asked bool              // an answer is awaited: it has to begin as soon
	fault error             // why a connection was ended here; the first
	done  bool
}

// messageShare is which part of the memory that a database may take one of the
// server's messages may be long: the library makes that much of it.
const messageShare = 8

func newRelay(opts Options, config *tls.Config, watching bool) (*relay, error) {
	dir, err := os.MkdirTemp("", "ovn-replay-")
	if err != nil {
		return nil, err
	}
	limit := int64(opts.MaxMemory)
	if limit <= 0 {
		limit = DefaultMaxMemory
	}
	return &relay{limit: limit / messageShare, watching: watching, wait: opts.timeout(), tls: config, dir: dir,
		conns: map[net.Conn]bool{}}, nil
}

// endpoint returns what the library is to connect to for a server.
func (r *relay) endpoint(server string) (string, error) {
	path := filepath.Join(r.dir, fmt.Sprint(len(r.listeners)))
	l, err := net.Listen("unix", path)
	if err != nil {
		return "", err
	}
	r.listeners = append(r.listeners, l)
	go r.serve(l, server)
	return (&url.URL{Scheme: "unix", Path: path}).String(), nil
}

func (r *relay) serve(l net.Listener, server string) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		go r.pair(client, server)
	}
}

// keep notes a connection that is to end with the relay; false: it has ended.
func (r *relay) keep(c net.Conn, server bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.done {
		r.conns[c] = server
	}
	return !r.done
}

func (r *relay) drop(c net.Conn) {
	r.mu.Lock()
	delete(r.conns, c)
	r.mu.Unlock()
	c.Close()
}

// pair connects the library to a server until one of them ends.
func (r *relay) pair(client net.Conn, server string) {
	defer r.drop(client)
	if !r.keep(client, false) {
		return
	}
	conn, err := r.dial(server)
	if err != nil {
		return // why, a probe tells
	}
	defer r.drop(conn)
	if !r.keep(conn, true) {
		return
	}
	go func() { // what is asked
		buf := make([]byte, 32<<10)
		for {
			n, err := client.Read(buf)
			if _, failed := conn.Write(buf[:n]); err != nil || failed != nil {
				conn.Close()
				return
			}
		}
	}()
	if err := r.answers(client, conn); err != nil {
		r.mu.Lock()
		if r.fault == nil && !r.done {
			r.fault = err
		}
		r.mu.Unlock()
	}
}

func (r *relay) dial(server string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), r.wait)
	defer cancel()
	scheme, address, _ := strings.Cut(server, ":")
	switch scheme {
	case "unix":
		return new(net.Dialer).DialContext(ctx, "unix", strings.TrimPrefix(address, "//"))
	case "ssl":
		return (&tls.Dialer{Config: r.tls}).DialContext(ctx, "tcp", address)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

var errSilent = errors.New("no more of an answer in time")

// ask bounds how long the answer to what is asked next takes to begin.
func (r *relay) ask() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = true
	for c, server := range r.conns {
		if !server {
			continue
		}
		c.SetReadDeadline(time.Now().Add(r.wait))
	}
}

// errLong is a message longer than a database's.
type errLong struct{ limit int64 }

func (e errLong) Error() string {
	return fmt.Sprintf("the server sends a message of more than %d MiB", e.limit>>20)
}

// answers hands on what the server sends. The error is why that was ended here.
func (r *relay) answers(to, from net.Conn) error {
	m := messages{watching: r.watching}
	buf := make([]byte, 64<<10)
	for {
		var deadline time.Time
		r.mu.Lock()
		if m.depth > 0 || r.asked {
			deadline = time.Now().Add(r.wait)
		}
		from.SetReadDeadline(deadline)
		r.mu.Unlock()
		n, err := from.Read(buf)
		if err := m.read(buf[:n]); err != nil {
			return err
		}
		if m.length > r.limit {
			return errLong{r.limit}
		}
		if _, failed := to.Write(buf[:n]); failed != nil {
			return nil
		}
		if isTimeout(err) {
			return errSilent
		}
		if err != nil {
			return nil
		}
	}
}

// messages tells where JSON values end in a stream, and whether they are
// messages of JSON-RPC 1.0: the library does not survive an answer without an
// id, and takes part of a message that nobody asked for at its word.
type messages struct {
	watching bool // changes are told

	depth    int
	length   int64 // of the present one, so far
	inString bool
	escape   bool

	// Of the object at the top.
	value   bool   // behind a name's colon
	text    []byte // beginning of the name or value under way
	name    string
	id      bool   // it has one, not null
	method  string // as written, with its quotes
	strange bool   // a name has an escape
}

// errMessage is a message that is none of OVSDB's.
var errMessage = errors.New("the server sends what is no message of OVSDB")

// methods are what a server may call.
func (m *messages) called() bool {
	switch m.method {
	case `""`, "":
		return m.id
	case `"echo"`:
		return true
	case `"update"`, `"update2"`, `"update3"`:
		return m.watching
	}
	return false
}

func (m *messages) read(b []byte) error {
	for _, c := range b {
		m.length++
		if m.depth == 1 && len(m.text) < 16 && (len(m.text) > 0 || c > ' ') {
			m.text = append(m.text, c)
		}
		switch {
		case m.depth == 0 && !strings.ContainsRune("{[ \n\r\t", rune(c)):
			return errMessage // a value that is no object: the client would look for its members
		case m.escape:
			m.escape = false
		case m.inString:
			m.escape = c == '\\'
			m.inString = c != '"'
			m.strange = m.strange || m.escape && m.depth == 1 && !m.value
		case c == '"':
			m.inString = true
		case c == '{' || c == '[':
			if m.depth++; m.depth == 1 {
				m.text, m.value, m.id, m.method, m.strange = m.text[:0], false, false, "", c == '['
			}
		case c == '}' || c == ']':
			if m.depth == 1 {
				m.member()
			}
			if m.depth--; m.depth > 0 {
				continue
			}
			if m.strange || !m.called() {
				return errMessage
			}
			m.depth, m.length = 0, 0
		case m.depth == 1 && c == ':':
			m.name = strings.ToLower(strings.Trim(string(m.text), "\": \t\r\n"))
			m.text, m.value = m.text[:0], true
		case m.depth == 1 && c == ',':
			m.member()
		case m.depth == 0 && (c == ' ' || c == '\n' || c == '\r' || c == '\t'):
			m.length = 0
		}
	}
	return nil
}

// member ends a member of the object at the top.
func (m *messages) member() {
	v := strings.Trim(string(m.text), ", }\t\r\n")
	switch m.name {
	case "id":
		m.id = v != "null"
	case "method":
		if v != "null" {
			m.method = v
		}
	}
	m.text, m.value, m.name = m.text[:0], false, ""
}

// err is why the relay ended a connection, nil if it did not.
func (r *relay) err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fault
}

// close ends all connections.
func (r *relay) close() {
	r.mu.Lock()
	r.done = true
	for c := range r.conns {
		c.Close()
	}
	r.mu.Unlock()
	for _, l := range r.listeners {
		l.Close()
	}
	os.RemoveAll(r.dir)
}
