package trace

// JSONNode is a node of a trace as JSON shows it: the tree that the detailed
// form prints, with the numbers behind the text. Fields that do not apply are
// left out; new ones may be added, none changes its meaning.
//
//	kind      pipeline, table, action, transformation, modify, output, error or note
//	text      the line as ovn-trace's forms print it; notes are in JSON only
//	datapath  the datapath's name               (pipeline, table)
//	pipeline  ingress or egress                 (pipeline, table)
//	chassis   where the packet is               (pipeline, table)
//	table     number of the stage's table       (table)
//	stage     name of the stage                 (table)
//	flow      UUID of the logical flow          (table; absent: none matched)
//	priority  of the logical flow               (table)
//	reason    why it ended, what was learned    (error, note and others)
//	ct        the pass through conntrack        (transformation, action)
//	openflow  true: a flow of the switch, not of the logical network
//	children  what followed, in order
type JSONNode struct {
	Kind     string     `json:"kind"`
	Text     string     `json:"text"`
	Datapath string     `json:"datapath,omitempty"`
	Pipeline string     `json:"pipeline,omitempty"`
	Chassis  string     `json:"chassis,omitempty"`
	Table    *uint8     `json:"table,omitempty"`
	Stage    string     `json:"stage,omitempty"`
	Flow     string     `json:"flow,omitempty"`
	Priority *uint16    `json:"priority,omitempty"`
	Reason   string     `json:"reason,omitempty"`
	CT       *JSONCT    `json:"ct,omitempty"`
	OpenFlow bool       `json:"openflow,omitempty"`
	Children []JSONNode `json:"children,omitempty"`
}

// JSONCT is a pass through conntrack: state as ct_state, "new|trk"; the
// connection's tuples as text, absent if there is none; the translations.
type JSONCT struct {
	Zone      uint16    `json:"zone"`
	ZoneName  string    `json:"zone_name,omitempty"`
	State     string    `json:"state"`
	Given     bool      `json:"given,omitempty"` // by --ct
	Committed bool      `json:"committed,omitempty"`
	Original  string    `json:"original,omitempty"`
	Reply     string    `json:"reply,omitempty"`
	Mark      uint32    `json:"mark,omitempty"`
	Label     string    `json:"label,omitempty"`
	NAT       []JSONNAT `json:"nat,omitempty"`
}

// JSONNAT is one translation: kind is SNAT, DNAT, un-SNAT or un-DNAT.
type JSONNAT struct {
	Kind string `json:"kind"`
	From string `json:"from"`
	To   string `json:"to"`
}

// JSON returns a trace's tree as JSON shows it.
func (b *Book) JSON(t *Trace, nodes []*Node) []JSONNode {
	out := make([]JSONNode, 0, len(nodes))
	for _, n := range nodes {
		j := JSONNode{Kind: n.Kind.String(), Text: n.Text, OpenFlow: n.Flow, Children: b.JSON(t, n.Children)}
		if n.Event >= 0 {
			b.describe(&j, n.Kind, &t.Events()[n.Event])
		}
		if n.ct != nil {
			j.CT = b.ctJSON(n)
		}
		out = append(out, j)
	}
	return out
}

// describe adds what the event of a node knows.
func (b *Book) describe(j *JSONNode, kind NodeKind, ev *Event) {
	switch kind {
	case PipelineNode, TableNode:
		j.Datapath, j.Pipeline = b.datapath(ev.Datapath), "ingress"
		if ev.Egress {
			j.Pipeline = "egress"
		}
		if int(ev.Chassis) < len(b.Net.Chassis) {
			j.Chassis = b.Net.Chassis[ev.Chassis].Name
		}
	}
	if kind == TableNode {
		table := ev.Table
		j.Table, j.Stage = &table, b.stageOf(ev)
		if ev.Flow >= 0 {
			f := b.Net.Flows[ev.Flow]
			j.Stage, j.Flow, j.Priority = f.Stage, f.UUID, &f.Priority
		}
	}
	j.Reason = ev.Reason.String()
}

func (b *Book) ctJSON(n *Node) *JSONCT {
	s := n.ct
	j := &JSONCT{
		Zone: s.Zone, ZoneName: b.Zone(s.Chassis, s.Zone), State: StateString(s.State),
		Given: s.Override, Committed: s.Created, Mark: s.Mark,
	}
	if s.Connected {
		j.Original, j.Reply = TupleString(&s.Orig), TupleString(&s.Reply)
	}
	if s.Label.Hi != 0 || s.Label.Lo != 0 {
		j.Label = LabelString(s.Label)
	}
	for _, x := range n.nats {
		from, to := x.Ends()
		j.NAT = append(j.NAT, JSONNAT{x.Name(), from, to})
	}
	return j
}
