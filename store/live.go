package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/ovn-org/libovsdb/client"
	"github.com/ovn-org/libovsdb/model"
	"github.com/ovn-org/libovsdb/ovsdb"
)

const (
	defaultTimeout = 10 * time.Second
	firstBackoff   = 100 * time.Millisecond
	longestBackoff = 2 * time.Second
)

// server is a database server, or a cluster of them.
type serverSource struct {
	source    string
	endpoints []string
	opts      Options
	tls       *tls.Config // nil unless an endpoint is ssl:
	watching  bool        // it tells of changes
	relay     *relay      // nil until somebody connects
	relayed   []string    // the endpoints, through it
}

// through starts the relay.
func (s *serverSource) through() (err error) {
	if s.relay != nil {
		return nil
	}
	if s.relay, err = newRelay(s.opts, s.tls, s.watching); err != nil {
		return err
	}
	for _, e := range s.endpoints {
		to, err := s.relay.endpoint(e)
		if err != nil {
			return err
		}
		s.relayed = append(s.relayed, to)
	}
	return nil
}

// close ends all connections to the server.
func (s *serverSource) close() {
	if s.relay != nil {
		s.relay.close()
	}
}

// openServer reads the database of a server: its schema, then all rows in one
// transaction, so that they are of one moment. It takes the first of the
// endpoints that answers; while the cluster has no leader it tries again,
// less and less often, until the timeout.
func openServer(ctx context.Context, source string, opts Options) (*Database, error) {
	s, err := parseServer(source, opts)
	if err != nil {
		return nil, err
	}
	defer s.close()
	c, err := s.connectPatiently(ctx, opts)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, readFactor*opts.timeout())
	defer cancel()
	return s.read(ctx, c)
}

// readFactor is how much longer than connecting reading may take.
const readFactor = 10

func (o Options) timeout() time.Duration {
	if o.Timeout <= 0 {
		return defaultTimeout
	}
	return o.Timeout
}

// connectPatiently connects to the database, and while the cluster has no
// leader again and again.
func (s *serverSource) connectPatiently(ctx context.Context, opts Options) (client.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, opts.timeout())
	defer cancel()
	for wait := firstBackoff; ; wait = min(2*wait, longestBackoff) {
		c, err := s.connect(ctx, opts.database(), !opts.AnyMember)
		if err == nil {
			return c, nil
		}
		err = s.connectError(ctx, err)
		var again *temporaryError
		if !errors.As(err, &again) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, &SourceError{Source: s.source, Problem: again.problem, Advice: again.advice, Err: err}
		case <-time.After(wait):
		}
	}
}

// temporaryError may go away by itself.
type temporaryError struct{ problem, advice string }

func (e *temporaryError) Error() string { return e.problem }

// parseServer splits a source into the endpoints of a cluster's members.
func parseServer(source string, opts Options) (*serverSource, error) {
	s := &serverSource{source: source, opts: opts}
	for _, e := range strings.Split(source, ",") {
		e = strings.TrimSpace(e)
		scheme, rest, _ := strings.Cut(e, ":")
		switch {
		case !remote(e):
			return nil, &SourceError{Source: source, Problem: fmt.Sprintf("%q is not unix:, tcp: or ssl: and "+
				"an address", e),
				Advice: "separate the members of a cluster by commas"}
		case rest == "":
			return nil, &SourceError{Source: source, Problem: scheme + ": without an address",
				Advice: "give unix:PATH, tcp:HOST:PORT or ssl:HOST:PORT"}
		case scheme == "unix":
			path, err := filepath.Abs(rest)
			if err != nil {
				return nil, err
			}
			e = (&url.URL{Scheme: "unix", Path: path}).String()
		case scheme == "ssl":
			config, err := opts.TLS.config()
			if err != nil {
				return nil, err
			}
			s.tls = config
		}
		s.endpoints = append(s.endpoints, e)
	}
	return s, nil
}

// connect connects to a database of the server. With nobody's rows modelled
// the client keeps no cache and asks nothing of the schema.
func (s *serverSource) connect(ctx context.Context, database string, leaderOnly bool) (client.Client, error) {
	m, err := model.NewClientDBModel(database, nil)
	if err != nil {
		return nil, err
	}
	c, err := s.client(m, leaderOnly)
	if err != nil {
		return nil, err
	}
	if err := c.Connect(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// client makes a client, not connected yet.
func (s *serverSource) client(m model.ClientDBModel, leaderOnly bool, more ...client.Option) (client.Client, error) {
	quiet := logr.Discard()
	options := append(more, client.WithLogger(&quiet), client.WithLeaderOnly(leaderOnly))
	if err := s.through(); err != nil {
		return nil, err
	}
	for _, e := range s.relayed {
		options = append(options, client.WithEndpoint(e))
	}
	return client.NewOVSDBClient(m, options...)
}

// read reads the whole database once.
func (s *serverSource) read(ctx context.Context, c client.Client) (*Database, error) {
	schema, err := schemaOf(c.Schema())
	if err != nil {
		return nil, &SourceError{Source: s.source, Problem: err.Error()}
	}
	db := newDatabase(s.source, "server", schema)
	var selects []ovsdb.Operation
	for _, t := range schema.tables {
		op := ovsdb.Operation{Op: ovsdb.OperationSelect, Table: t.name, Columns: []string{"_uuid"}}
		for _, c := range t.columns {
			op.Columns = append(op.Columns, c.name)
		}
		selects = append(selects, op)
	}
	s.relay.ask()
	results, err := c.Transact(ctx, selects...)
	if err != nil {
		return nil, s.connectError(ctx, err)
	}
	if len(results) < len(selects) {
		return nil, &SourceError{Source: s.source, Problem: fmt.Sprintf("the server answered %d of %d questions",
			len(results), len(selects))}
	}
	db.values.budget = s.opts.budget(s.source, nil)
	d := &decoder{db: db}
	for i, r := range results[:len(selects)] {
		if r.Error != "" {
			return nil, &SourceError{Source: s.source, Problem: fmt.Sprintf("table %s: %s: %s", selects[i].Table,
				r.Error, r.Details)}
		}
		for _, row := range r.Rows {
			if err := d.goRow(db.tables[selects[i].Table], row); err != nil {
				if db.values.budget.refused != nil {
					return nil, err
				}
				return nil, &SourceError{Source: s.source, Problem: err.Error()}
			}
		}
		results[i].Rows = nil
	}
	d.apply(false)
	return db, nil
}

// schemaOf takes over what the client knows of the schema.
func schemaOf(in ovsdb.DatabaseSchema) (*schema, error) {
	s := &schema{name: in.Name, version: in.Version}
	for _, name := range slices.Sorted(maps.Keys(in.Tables)) {
		t := tableSchema{name: name}
		columns := in.Tables[name].Columns
		if len(columns) > maxColumns {
			return nil, fmt.Errorf("table %s has %d columns, more than %d", name, len(columns), maxColumns)
		}
		for _, cname := range slices.Sorted(maps.Keys(columns)) {
			typ, err := typeOf(columns[cname])
			if err != nil {
				return nil, fmt.Errorf("column %s of table %s: %w", cname, name, err)
			}
			t.columns = append(t.columns, column{cname, typ})
		}
		s.tables = append(s.tables, t)
	}
	return s, nil
}

func typeOf(c *ovsdb.ColumnSchema) (columnType, error) {
	t := columnType{min: 1}
	var err error
	if c.TypeObj == nil {
		t.key, err = atomTypeOf(c.Type)
		return t, err
	}
	if c.TypeObj.Key == nil {
		return t, errors.New("it has no type")
	}
	if t.key, err = atomTypeOf(c.TypeObj.Key.Type); err != nil {
		return t, err
	}
	if c.TypeObj.Value != nil {
		if t.value, err = atomTypeOf(c.TypeObj.Value.Type); err != nil {
			return t, err
		}
	}
	t.min = min(c.TypeObj.Min(), 1)
	t.many = c.TypeObj.Max() != 1
	return t, nil
}

func atomTypeOf(name string) (atomType, error) {
	switch name {
	case ovsdb.TypeInteger:
		return integerAtom, nil
	case ovsdb.TypeReal:
		return realAtom, nil
	case ovsdb.TypeBoolean:
		return booleanAtom, nil
	case ovsdb.TypeString:
		return stringAtom, nil
	case ovsdb.TypeUUID:
		return uuidAtom, nil
	}
	return 0, fmt.Errorf("unknown type %q", name)
}

// goRow reads a row as the client gives it.
func (d *decoder) goRow(t *Table, row ovsdb.Row) error {
	d.row = d.row[:0]
	var u UUID
	if id, ok := row["_uuid"].(ovsdb.UUID); ok {
		u, _ = ParseUUID(id.GoUUID)
	}
	if u.IsZero() {
		return fmt.Errorf("table %s has a row without a UUID", t.Name)
	}
	for i, c := range t.columns {
		in, ok := row[c.name]
		if !ok {
			continue
		}
		v, err := d.goValue(c.typ, in)
		if err != nil {
			return fmt.Errorf("column %s of row %s of table %s: %w", c.name, u, t.Name, err)
		}
		if v != 0 {
			d.row = append(d.row, cell{uint16(i), v})
		}
	}
	cells := d.cut()
	d.ops = append(d.ops, operation{table: t, uuid: u, cells: cells, insert: true})
	return d.db.values.budget.change(cells)
}

func (d *decoder) goValue(t columnType, in any) (uint32, error) {
	d.elems.reset()
	var err error
	switch in := in.(type) {
	case ovsdb.OvsSet:
		for _, v := range in.GoSet {
			err = errors.Join(err, d.goElement(t, v, nil))
		}
	case ovsdb.OvsMap:
		for k, v := range in.GoMap {
			err = errors.Join(err, d.goElement(t, k, v))
		}
	default:
		err = d.goElement(t, in, nil)
	}
	switch {
	case err != nil:
		return 0, err
	case !t.scalar():
		return d.db.values.id(d.elems.encode(t)), nil
	case len(d.elems.marks) != 1:
		return 0, fmt.Errorf("a set of %d where one value was expected", len(d.elems.marks))
	}
	return d.db.values.id(scalarForm(t.key, d.elems.text)), nil
}

func (d *decoder) goElement(t columnType, key, value any) (err error) {
	e := &d.elems
	e.begin()
	if e.text, err = appendGoAtom(e.text, t.key, key); err != nil {
		return err
	}
	e.atKey()
	if t.value != 0 {
		e.text, err = appendGoAtom(e.text, t.value, value)
		e.atEnd()
	}
	return err
}
