package coverage

import (
	"slices"
	"strings"

	"ovnreplay/sim/network"
	"ovnreplay/sim/trace"
)

// A session keeps of the network what its packets met, in several excerpts: a flow is another
// thing in each of them, and does not say of which datapaths it is.

// kept is what the packets of a session told of the flows that they met.
type kept struct {
	byUUID  map[string]*network.Flow
	at      map[*network.Flow][]*network.Datapath // where it was met
	objects map[*network.Flow]*network.Object
}

// ofSession reports whether packets come from a session.
func (c *Coverage) ofSession() bool { return c.why.Names != nil }

// flow is the flow that a packet meets: of a session the same in all its excerpts.
func (c *Coverage) flow(ev *trace.Event) *network.Flow {
	f := c.why.Book.Net.Flows[ev.Flow]
	if !c.ofSession() {
		return f
	}
	k := &c.kept
	first := k.byUUID[f.UUID]
	if first == nil {
		if k.byUUID == nil {
			*k = kept{map[string]*network.Flow{}, map[*network.Flow][]*network.Datapath{},
				map[*network.Flow]*network.Object{}}
		}
		first, k.byUUID[f.UUID] = f, f
	}
	if o := c.why.Object(f); o != nil { // as it was when it was met last
		k.objects[first] = o
	}
	at := c.why.Book.Net.Datapaths[ev.Datapath]
	if !slices.ContainsFunc(k.at[first], func(d *network.Datapath) bool { return d.UUID == at.UUID }) {
		k.at[first] = append(k.at[first], at)
	}
	return first
}

// all are the flows that may be listed: of a session those that were met, in the order in which
// databases have them.
func (c *Coverage) all() []*network.Flow {
	if !c.ofSession() {
		return c.why.Book.Net.Flows
	}
	list := make([]*network.Flow, 0, len(c.kept.byUUID))
	for _, f := range c.kept.byUUID {
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b *network.Flow) int { return strings.Compare(a.UUID, b.UUID) })
	return list
}

// datapaths are those that a flow is of; of a session's those where it was met.
func (c *Coverage) datapaths(f *network.Flow) []*network.Datapath {
	if c.ofSession() {
		return c.kept.at[f]
	}
	return f.Datapaths
}

// object is the Northbound row that a flow was made of, nil if that is not known.
func (c *Coverage) object(f *network.Flow) *network.Object {
	if c.ofSession() {
		return c.kept.objects[f]
	}
	return c.why.Object(f)
}
