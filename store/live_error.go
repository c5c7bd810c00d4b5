package store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ovn-org/libovsdb/ovsdb"
)

// connectError puts into words why there is no database from the server. The
// client does not always tell, or not by the error's type; then the server
// is asked once more.
func (s *serverSource) connectError(ctx context.Context, err error) error {
	e := &SourceError{Source: s.source, Err: err}
	text := err.Error()
	switch {
	case ctx.Err() == context.Canceled:
		return ctx.Err()
	case s.relay != nil && s.relay.err() != nil:
		e.Err = s.relay.err()
		if e.Problem, e.Advice = e.Err.Error(),
			"see whether an OVSDB server listens there, or give it longer with --timeout"; errors.As(e.Err,
			new(errLong)) {
			e.Advice = "if it is a real database, raise the limit with --max-memory"
		}
		return e
	case strings.Contains(text, "is not leader"):
		return s.notLeader()
	case strings.Contains(text, "target database"):
		return s.otherDatabase(ctx)
	}
	for _, endpoint := range s.endpoints {
		if problem, advice := s.probe(endpoint); problem != "" {
			e.Problem, e.Advice = problem, advice
			if len(s.endpoints) > 1 {
				e.Problem = fmt.Sprintf("no member can be used (%s: %s)", endpoint, problem)
			}
			return e
		}
	}
	if ctx.Err() != nil {
		e.Problem, e.Advice = "no answer in time", "see whether an OVSDB server listens there"
		return e
	}
	e.Problem = text
	return e
}

func (s *serverSource) notLeader() error {
	if len(s.endpoints) > 1 {
		return &temporaryError{"none of the members is the leader of the cluster",
			"name all members, wait for an election to end, or use --no-leader-only"}
	}
	return &temporaryError{"this member is not the leader of its cluster",
		"name all members, separated by commas, or use --no-leader-only"}
}

// otherDatabase tells which databases the server has instead.
func (s *serverSource) otherDatabase(ctx context.Context) error {
	e := &SourceError{Source: s.source, Problem: "the server has no " + s.opts.database() + " database",
		Advice: "give the address of the Southbound server"}
	c, err := s.connect(ctx, "_Server", false)
	if err != nil {
		e.Err = err
		return e
	}
	defer c.Close()
	r, err := c.Transact(ctx, ovsdb.Operation{Op: ovsdb.OperationSelect, Table: "Database", Columns: []string{"name"}})
	if err != nil || len(r) == 0 {
		return e
	}
	var names []string
	for _, row := range r[0].Rows {
		if name, ok := row["name"].(string); ok && name != "_Server" {
			names = append(names, name)
		}
	}
	if slices.Sort(names); len(names) > 0 {
		e.Problem += "; it has " + strings.Join(names, ", ")
	}
	return e
}

// probe connects to an endpoint to learn what is wrong with it.
func (s *serverSource) probe(endpoint string) (problem, advice string) {
	wait := min(2*time.Second, s.opts.timeout())
	scheme, address, _ := strings.Cut(endpoint, ":")
	network := "tcp"
	if scheme == "unix" {
		network, address = "unix", strings.TrimPrefix(address, "//")
	}
	conn, err := net.DialTimeout(network, address, wait)
	if err != nil {
		return dialProblem(scheme, err)
	}
	defer conn.Close()
	if scheme != "ssl" {
		return "", ""
	}
	conn.SetDeadline(time.Now().Add(wait))
	secure := tls.Client(conn, s.tls)
	if err := secure.Handshake(); err != nil {
		return tlsProblem(err)
	}
	// A server that refuses our certificate says so only now.
	if _, err := secure.Read(make([]byte, 1)); err != nil && !errors.Is(err, syscall.ETIMEDOUT) && !isTimeout(err) {
		return tlsProblem(err)
	}
	return "", ""
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

func dialProblem(scheme string, err error) (problem, advice string) {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused", "see whether an OVSDB server listens there"
	case errors.Is(err, syscall.ENOENT):
		return "no such socket", "see whether an OVSDB server runs, and where its socket is"
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return "permission denied", "run as a user who may use the socket"
	case errors.Is(err, syscall.ENOTSOCK), errors.Is(err, syscall.EPROTOTYPE):
		return "not a socket", "give a database file without unix:"
	case errors.As(err, &dns):
		return "no such host " + dns.Name, "check the address"
	case isTimeout(err):
		return "no answer in time", "see whether an OVSDB server listens there"
	case strings.Contains(err.Error(), "missing port"):
		return "no port in the address", "give " + scheme + ":HOST:PORT; a Southbound server's port is mostly 6642"
	}
	return err.Error(), "check the address"
}

func tlsProblem(err error) (problem, advice string) {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &unknown):
		return "TLS: the server's certificate is not signed by the CA given",
			"give the CA that signed it with --ca-cert"
	case errors.As(err, &invalid):
		return "TLS: the server's certificate cannot be trusted: " + invalid.Error(), "renew it"
	case errors.As(err, &record), errors.Is(err, io.EOF):
		return "TLS: the server does not speak TLS", "use tcp: instead of ssl:"
	case strings.Contains(err.Error(), "certificate required"), strings.Contains(err.Error(), "bad certificate"),
		strings.Contains(err.Error(), "unknown certificate authority"),
		strings.Contains(err.Error(), "handshake failure"):
		return "TLS: the server does not accept our certificate (" + err.Error() + ")",
			"give a --private-key and --certificate signed by the server's CA"
	}
	return "TLS: " + err.Error(), "see whether the server listens there for ssl: (pssl:)"
}
