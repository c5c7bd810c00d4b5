package southbound

import (
	"context"
	"io"
	"maps"
	"slices"
	"time"

	"ovnreplay/sim/network"
	"ovnreplay/store"
)

// Past is what a database file's history tells about packets from a moment on.
type Past struct {
	// Net is the last network, with what was in it at any time since: ports that
	// were bound meanwhile are where they were last, those that are gone are there.
	// Packets are placed by it, and replayed by the network of their own moment.
	Net      *network.Network
	Warnings []error
	Since    time.Time // the first state that is known
	Changes  int       // of the network after the moment
	Remade   Remade    // after the moment
}

// OpenPasts is OpenPast for the databases of several zones, whose networks it joins.
// What is known since when counts of those that change after the moment.
func OpenPasts(ctx context.Context, sources []string, opts store.Options, from time.Time) (*Past, error) {
	if len(sources) == 1 {
		return OpenPast(ctx, sources[0], opts, from)
	}
	all := &Past{Remade: Remade{}}
	var nets []*network.Network
	for _, source := range sources {
		p, err := pastOf(ctx, source, opts, from)
		if err != nil {
			return nil, err
		}
		nets, all.Warnings = append(nets, p.Net), append(all.Warnings, p.Warnings...)
		maps.Copy(all.Remade, p.Remade)
		if p.Changes > 0 {
			all.Changes += p.Changes
			all.Since = latest(all.Since, p.Since)
		}
	}
	err := piped(sources, nets)
	if err == nil {
		all.Net, all.Warnings, err = joined(nets, all.Warnings)
	}
	return all, err
}

// pastOf is OpenPast for one of several zones, which may have no history.
func pastOf(ctx context.Context, source string, opts store.Options, from time.Time) (*Past, error) {
	if store.HasHistory(source) {
		return OpenPast(ctx, source, opts, from)
	}
	net, warnings, err := Open(ctx, source, opts)
	return &Past{Net: net, Warnings: warnings}, err
}

// OpenPast reads a database file's history; what matters is what came after a
// moment, that of the first packet.
func OpenPast(ctx context.Context, source string, opts store.Options, from time.Time) (*Past, error) {
	h, err := store.OpenHistory(ctx, source, opts)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	p := &Past{Remade: Remade{}}
	if p.Since, err = h.NextTime(); err != nil && err != io.EOF {
		return nil, err
	}
	// Up to the first packet only the state counts.
	if _, err := h.Until(from); err != nil {
		return nil, err
	}
	lives := lives{port: map[store.UUID]*store.Row{}, been: map[string][]network.Stay{}, had: map[string][]string{},
		db: h.Database()}
	for _, r := range h.Database().Table("Port_Binding").Rows() {
		lives.see(r, time.Time{})
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		t, err := h.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if Affects(t.Changes) {
			p.Changes++
		}
		lives.follow(t)
		p.Remade.follow(t)
	}
	db := h.Database()
	if p.Changes > 0 {
		lives.keep(db)
	}
	if p.Net, err = Load(db); err != nil {
		return nil, err
	}
	for _, port := range p.Net.Ports[1:] {
		port.Been, port.Had = lives.been[port.Name], lives.addresses(port)
	}
	p.Warnings = db.Warnings
	return p, nil
}

// lives is what the rows were that are no more, or no more bound.
type lives struct {
	port  map[store.UUID]*store.Row // Port_Binding: the last that was bound, else the last
	order []store.UUID              // of port, as they came
	gone  []*store.Row              // Datapath_Binding and Chassis
	been  map[string][]network.Stay // by logical port
	had   map[string][]string       // by logical port what its mac column was
	db    *store.Database           // as it is at the moment
}

// see notes what a port's row was.
func (l *lives) see(r *store.Row, since time.Time) {
	name := r.Text("logical_port")
	for _, text := range r.Set("mac") {
		if !slices.Contains(l.had[name], text) {
			l.had[name] = append(l.had[name], text)
		}
	}
	at, bound := r.Ref("chassis")
	if c := l.db.Table("Chassis").Row(at); bound && c != nil {
		chassis := c.Text("name")
		if been := l.been[name]; len(been) == 0 || been[len(been)-1].Chassis != chassis {
			l.been[name] = append(been, network.Stay{Since: since, Chassis: chassis})
		}
	}
	was := l.port[r.UUID]
	if was == nil {
		l.order = append(l.order, r.UUID)
	} else if _, wasBound := was.Ref("chassis"); wasBound && !bound {
		return
	}
	l.port[r.UUID] = r
}

// addresses are those that a port had and has no more.
func (l *lives) addresses(p *network.Port) (had []network.Address) {
	for _, text := range l.had[p.Name] {
		if a, err := network.ParseAddress(text); err == nil && a != nil && !slices.Contains(p.RawMAC, text) {
			had = append(had, *a)
		}
	}
	return had
}

func (l *lives) follow(t *store.Transaction) {
	for _, c := range t.Changes {
		switch {
		case c.Table == "Port_Binding" && c.New != nil:
			l.see(c.New, t.Time)
		case (c.Table == "Datapath_Binding" || c.Table == "Chassis") && c.New == nil && c.Old != nil:
			l.gone = append(l.gone, c.Old)
		}
	}
}

// keep puts back what a database has no more; of chassis only those whose name
// none has now.
func (l *lives) keep(db *store.Database) {
	names := map[string]bool{}
	for _, r := range db.Table("Chassis").Rows() {
		names[r.Text("name")] = true
	}
	for _, r := range l.gone {
		if r.Table().Name == "Chassis" {
			if names[r.Text("name")] {
				continue
			}
			names[r.Text("name")] = true
		}
		db.Keep(r)
	}
	ports := map[string]bool{}
	for _, r := range db.Table("Port_Binding").Rows() {
		ports[r.Text("logical_port")] = true
		if was := l.port[r.UUID]; was != nil {
			if _, bound := r.Ref("chassis"); !bound {
				db.Keep(was)
			}
		}
	}
	for _, u := range slices.Backward(l.order) {
		if was := l.port[u]; !ports[was.Text("logical_port")] {
			ports[was.Text("logical_port")] = true
			db.Keep(was)
		}
	}
}
