package southbound

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"slices"
	"time"

	"ovnreplay/sim/network"
	"ovnreplay/store"
)

// maxDepartures is how many departures are kept: the last ones.
const maxDepartures = 1 << 16

// Departed reads the histories of database files and tells what went from their
// networks, oldest first: ports, or their addresses, and of logical flows those
// that keep wants. Sources that are no files have no history.
func Departed(ctx context.Context, sources []string, opts store.Options,
	keep func(*network.Flow) bool) ([]network.Departure, error) {
	var all []network.Departure
	for _, source := range sources {
		if !store.HasHistory(source) {
			continue
		}
		list, err := departures(ctx, source, opts, keep)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	slices.SortStableFunc(all, func(a, b network.Departure) int { return a.Time.Compare(b.Time) })
	return all, nil
}

func departures(ctx context.Context, source string, opts store.Options,
	keep func(*network.Flow) bool) ([]network.Departure, error) {
	h, err := store.OpenHistory(ctx, source, opts)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	if _, err := h.Until(time.Time{}); err != nil { // the first state: nothing went with it
		return nil, err
	}
	d := departed{db: h.Database(), keep: keep, groups: map[store.UUID][]string{}}
	for _, r := range d.db.Table("Logical_DP_Group").Rows() {
		d.groups[r.UUID] = uuids(r, "datapaths")
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		t, err := h.Next()
		if errors.Is(err, io.EOF) {
			return d.list, nil
		}
		if err != nil {
			return nil, err
		}
		d.follow(t)
	}
}

// departed collects what transactions take away.
type departed struct {
	db     *store.Database
	keep   func(*network.Flow) bool
	groups map[store.UUID][]string // the datapaths of each group, before the transaction
	list   []network.Departure
}

func (d *departed) follow(t *store.Transaction) {
	after := map[store.UUID][]string{}
	for _, c := range t.Changes {
		if c.Table == "Logical_DP_Group" && c.New != nil {
			after[c.UUID] = uuids(c.New, "datapaths")
		}
	}
	for _, c := range t.Changes {
		switch {
		case c.Old == nil:
		case c.Table == "Logical_Flow":
			d.flow(t.Time, c.Old, c.New, after)
		case c.Table == "Logical_DP_Group" && c.New != nil:
			d.shrunk(t, c.UUID, after)
		case c.Table == "Port_Binding":
			d.port(t.Time, c.Old, c.New)
		}
	}
	for _, c := range t.Changes {
		if c.Table == "Logical_DP_Group" && c.New == nil {
			delete(d.groups, c.UUID)
		}
	}
	for u, list := range after {
		d.groups[u] = list
	}
	if n := len(d.list); n > maxDepartures {
		d.list = slices.Clone(d.list[n-maxDepartures/2:])
	}
}

// flow notes where a flow that changed is no more.
func (d *departed) flow(at time.Time, was, is *store.Row, after map[store.UUID][]string) {
	gone := d.where(was, nil)
	if is != nil && is.Text("match") == was.Text("match") && is.Text("actions") == was.Text("actions") {
		gone = without(gone, d.where(is, after))
	}
	d.left(at, was, gone)
}

// shrunk notes the flows of a group that datapaths have left.
func (d *departed) shrunk(t *store.Transaction, group store.UUID, after map[store.UUID][]string) {
	gone := without(d.groups[group], after[group])
	if len(gone) == 0 {
		return
	}
	changed := map[store.UUID]bool{}
	for _, c := range t.Changes {
		if c.Table == "Logical_Flow" {
			changed[c.UUID] = true
		}
	}
	for _, r := range d.db.Table("Logical_Flow").Rows() {
		if u, ok := r.Ref("logical_dp_group"); ok && u == group && !changed[r.UUID] {
			d.left(t.Time, r, gone)
		}
	}
}

func (d *departed) left(at time.Time, r *store.Row, gone []string) {
	if len(gone) == 0 {
		return
	}
	f := &network.Flow{
		UUID: r.UUID.String(), Egress: r.Text("pipeline") == "egress", Table: uint8(r.Integer("table_id")),
		Priority: uint16(r.Integer("priority")),
		Match:    r.Text("match"), Actions: r.Text("actions"), Stage: r.Get("external_ids", "stage-name"),
		StageHint: r.Get("external_ids", "stage-hint"),
	}
	if d.keep(f) {
		d.list = append(d.list, network.Departure{Time: at, Flow: f, Datapaths: gone})
	}
}

// where is which datapaths a flow is in. Groups that are not in a list are as
// they were before the transaction.
func (d *departed) where(r *store.Row, groups map[store.UUID][]string) (list []string) {
	if u, ok := r.Ref("logical_dp_group"); ok {
		if in, changed := groups[u]; changed {
			list = slices.Clone(in)
		} else {
			list = slices.Clone(d.groups[u])
		}
	}
	if u, ok := r.Ref("logical_datapath"); ok {
		list = append(list, u.String())
	}
	return list
}

// port notes a port that went, or lost an address.
func (d *departed) port(at time.Time, was, is *store.Row) {
	p := addressed(was)
	if is != nil {
		now := addressed(is)
		p.Addresses = slices.DeleteFunc(p.Addresses, func(a network.Address) bool {
			return !slices.ContainsFunc(a.IPs, func(ip netip.Prefix) bool { return !now.Has(ip.Addr()) })
		})
	}
	if len(p.Addresses) > 0 {
		d.list = append(d.list, network.Departure{Time: at, Port: p})
	}
}

// addressed is what a row alone says of a port, in no network.
func addressed(r *store.Row) *network.Port {
	p := &network.Port{
		UUID: r.UUID.String(), Name: r.Text("logical_port"), Type: portTypes[r.Text("type")],
		ExternalIDs: r.Map("external_ids"),
		RawMAC:      r.Set("mac"), Datapath: &network.Datapath{},
	}
	p.Name2 = p.ExternalIDs["name"]
	(&loader{net: network.New()}).portAddresses(r, p) // what it cannot read, reading the network has told
	return p
}

func uuids(r *store.Row, column string) (list []string) {
	for u := range r.Refs(column) {
		list = append(list, u.String())
	}
	return list
}

func without(list, others []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(others, s) })
}
