package store

import (
	"context"
	"fmt"
	"go/token"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/ovn-org/libovsdb/cache"
	"github.com/ovn-org/libovsdb/client"
	"github.com/ovn-org/libovsdb/model"
	"github.com/ovn-org/libovsdb/ovsdb"
)

// Watcher follows a server's database. When the connection is lost it
// connects again, less and less often; until it succeeds the database stays
// as it was.
type Watcher struct {
	source  string
	server  *serverSource
	c       client.Client
	schema  *schema
	changed chan struct{}
	changes atomic.Uint64
}

// Watch starts to follow the database of the server at source, which is as
// for Open. It returns once the first state is there.
func Watch(ctx context.Context, source string, opts Options) (*Watcher, error) {
	if !remote(source) {
		return nil, &SourceError{Source: source, Problem: "only a server can be watched",
			Advice: "give unix:, tcp: or ssl: and an address"}
	}
	s, err := parseServer(source, opts)
	if err != nil {
		return nil, err
	}
	s.watching = true
	stays := false
	defer func() {
		if !stays {
			s.close()
		}
	}()
	probe, err := s.connectPatiently(ctx, opts)
	if err != nil {
		return nil, err
	}
	known := probe.Schema()
	probe.Close()
	w := &Watcher{source: source, server: s, changed: make(chan struct{}, 1)}
	if w.schema, err = schemaOf(known); err != nil {
		return nil, &SourceError{Source: source, Problem: err.Error()}
	}
	for _, t := range w.schema.tables {
		if !token.IsIdentifier("Table_" + t.name) {
			return nil, &SourceError{Source: source, Problem: fmt.Sprintf("its table %.40q has an impossible name",
				t.name)}
		}
	}
	m, err := model.NewClientDBModel(known.Name, modelsOf(known))
	if err != nil {
		return nil, &SourceError{Source: source, Problem: err.Error(), Err: err}
	}
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval, waits.MaxElapsedTime = firstBackoff, 8*time.Second, 0
	w.c, err = s.client(m, !opts.AnyMember, client.WithReconnect(opts.timeout(), waits))
	if err != nil {
		return nil, err
	}
	if err := w.start(ctx, opts); err != nil {
		w.c.Close()
		return nil, s.connectError(ctx, err)
	}
	stays = true
	return w, nil
}

func (w *Watcher) start(ctx context.Context, opts Options) error {
	connecting, cancel := context.WithTimeout(ctx, opts.timeout())
	defer cancel()
	if err := w.c.Connect(connecting); err != nil {
		return err
	}
	note := func() {
		w.changes.Add(1)
		select {
		case w.changed <- struct{}{}:
		default:
		}
	}
	w.c.Cache().AddEventHandler(&cache.EventHandlerFuncs{
		AddFunc:    func(string, model.Model) { note() },
		UpdateFunc: func(string, model.Model, model.Model) { note() },
		DeleteFunc: func(string, model.Model) { note() },
	})
	reading, cancel := context.WithTimeout(ctx, readFactor*opts.timeout())
	defer cancel()
	_, err := w.c.MonitorAll(reading)
	return err
}

// Changed receives when the database has changed. Many changes may make one
// receipt.
func (w *Watcher) Changed() <-chan struct{} { return w.changed }

// Connected reports whether the connection stands at this moment.
func (w *Watcher) Connected() bool { return w.c.Connected() }

// Close ends the watch.
func (w *Watcher) Close() {
	w.c.Close()
	w.server.close()
}

// Database is the database as it is now. If changes keep coming while it is
// put together, it may hold part of the last of them; Changed then receives
// again.
func (w *Watcher) Database() (*Database, error) {
	for attempt := 0; ; attempt++ {
		before := w.changes.Load()
		db, err := w.build()
		if err != nil || w.changes.Load() == before || attempt == 3 {
			return db, err
		}
	}
}

func (w *Watcher) build() (*Database, error) {
	db := newDatabase(w.source, "server", w.schema)
	db.Transactions = 1
	d := &decoder{db: db}
	rows := w.c.Cache()
	for _, t := range w.schema.tables {
		table := db.tables[t.name]
		for uuid, m := range rows.Table(t.name).RowsShallow() {
			u, ok := ParseUUID(uuid)
			if !ok {
				return nil, fmt.Errorf("table %s: %q is not a UUID", t.name, uuid)
			}
			fields := reflect.ValueOf(m).Elem()
			d.row = d.row[:0]
			for i, c := range t.columns {
				v, err := d.nativeValue(c.typ, fields.Field(firstColumnField+i))
				if err != nil {
					return nil, fmt.Errorf("column %s of row %s of table %s: %w", c.name, u, t.name, err)
				}
				if v != 0 {
					d.row = append(d.row, cell{uint16(i), v})
				}
			}
			table.rows[u] = d.newRow(table, u, 0, d.cut())
		}
	}
	return db, nil
}

// firstColumnField is the number of the field of a table's first column in
// the structures of modelsOf.
const firstColumnField = 2

// modelsOf makes a structure for each table's rows, as the client wants them
// to keep rows in, but of whatever columns this server's schema has.
func modelsOf(s ovsdb.DatabaseSchema) map[string]model.Model {
	models := make(map[string]model.Model)
	for name, t := range s.Tables {
		fields := []reflect.StructField{
			{Name: "UUID", Type: reflect.TypeFor[string](), Tag: `ovsdb:"_uuid"`},
			// The client knows a table by the type of its rows: tables of
			// the same columns must not have the same.
			{Name: "Table_" + name, Type: reflect.TypeFor[struct{}]()},
		}
		for i, column := range sortedKeys(t.Columns) {
			fields = append(fields, reflect.StructField{
				Name: fmt.Sprintf("Column%d", i), Type: ovsdb.NativeType(t.Columns[column]),
				Tag: reflect.StructTag(fmt.Sprintf("ovsdb:%q", column)),
			})
		}
		models[name] = reflect.New(reflect.StructOf(fields)).Interface()
	}
	return models
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// nativeValue reads a value as the client keeps it in such a structure: a
// pointer for an optional one, a slice for a set, a map, or the thing itself.
func (d *decoder) nativeValue(t columnType, v reflect.Value) (uint32, error) {
	d.elems.reset()
	var err error
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			err = d.nativeElement(t, v.Elem(), reflect.Value{})
		}
	case reflect.Slice:
		for i := 0; i < v.Len() && err == nil; i++ {
			err = d.nativeElement(t, v.Index(i), reflect.Value{})
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next() && err == nil; {
			err = d.nativeElement(t, it.Key(), it.Value())
		}
	default:
		err = d.nativeElement(t, v, reflect.Value{})
	}
	switch {
	case err != nil:
		return 0, err
	case !t.scalar():
		return d.db.values.id(d.elems.encode(t)), nil
	}
	return d.db.values.id(scalarForm(t.key, d.elems.text)), nil
}

func (d *decoder) nativeElement(t columnType, key, value reflect.Value) (err error) {
	e := &d.elems
	e.begin()
	if e.text, err = appendNativeAtom(e.text, t.key, key); err != nil {
		return err
	}
	e.atKey()
	if t.value != 0 {
		e.text, err = appendNativeAtom(e.text, t.value, value)
		e.atEnd()
	}
	return err
}

func appendNativeAtom(out []byte, t atomType, v reflect.Value) ([]byte, error) {
	switch v.Kind() {
	case reflect.Int:
		return appendGoAtom(out, t, int(v.Int()))
	case reflect.String:
		if t != uuidAtom {
			return appendGoAtom(out, t, v.String())
		}
		if v.Len() == 0 { // a scalar never set
			return append(out, make([]byte, 16)...), nil
		}
		return appendGoAtom(out, t, ovsdb.UUID{GoUUID: v.String()})
	}
	return appendGoAtom(out, t, v.Interface())
}
