// Package inventory tells what is in a Southbound database: datapaths, ports and
// flows by stage, rows by table, what of it cannot be used and why, and which
// changes of OVN and Open vSwitch apply to it.
//
// It counts and checks; it replays nothing and changes nothing.
package inventory

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/printable"
	"ovnreplay/sim/table"
	"ovnreplay/store"
)

// Inventory is what is in a database.
type Inventory struct {
	Form
	Source        string         `json:"source"`
	Format        string         `json:"format"` // standalone, clustered, dump, server, snapshot
	Database      string         `json:"database"`
	SchemaVersion string         `json:"schema_version"`
	Version       string         `json:"version"` // of the northd that wrote it
	Time          string         `json:"time,omitempty"`
	Transactions  int            `json:"transactions"`
	Bytes         int64          `json:"bytes"`
	Datapaths     int            `json:"datapaths"`
	Switches      int            `json:"switches"`
	Routers       int            `json:"routers"`
	Ports         int            `json:"ports"`
	Chassis       int            `json:"chassis"`
	Flows         int            `json:"flows"`
	Stages        []Stage        `json:"stages"`
	Tables        map[string]int `json:"tables"` // rows
	Problems      []Problem      `json:"problems"`
	Unparsed      []Unparsed     `json:"unparsed"`
	Ties          []Tie          `json:"ties"`
	AllTies       bool           `json:"all_ties"` // false: there are too many flows to look for them
	Warnings      []string       `json:"warnings"`
	Behaviour     *Behaviour     `json:"behaviour,omitempty"` // with --behaviour
}

// Stage counts the flows of one.
type Stage struct {
	Router   bool   `json:"router"`
	Pipeline string `json:"pipeline"`
	Table    int    `json:"table"`
	Stage    string `json:"stage"`
	Flows    int    `json:"flows"`
}

// Problem is a row that cannot be used.
type Problem struct {
	Table  string `json:"table"`
	UUID   string `json:"uuid"`
	Reason string `json:"reason"`
}

// Unparsed is a logical flow that cannot be used.
type Unparsed struct {
	UUID   string `json:"uuid"`
	Reason string `json:"reason"`
}

// Tie is two logical flows of one stage and priority that may match the same packets
// and act differently: OVN leaves open which is used.
type Tie struct {
	Datapath string   `json:"datapath"`
	Stage    string   `json:"stage"`
	Priority int      `json:"priority"`
	Match    string   `json:"match"` // of the first
	Flows    []string `json:"flows"` // UUIDs
	Matches  []string `json:"matches"`
	Actions  []string `json:"actions"`
}

// ties lists them; all is false if the network has too many flows for that.
func ties(net *network.Network) (list []Tie, all bool) {
	c, compiled := newCompilers(net), map[*network.Flow]*table.Flow{}
	flow := func(f *network.Flow) *table.Flow {
		if compiled[f] == nil {
			compiled[f] = c.at(f).maker.Flow(f)
		}
		return compiled[f]
	}
	found, all := net.Ties(func(f, g *network.Flow) bool { return table.MayMeet(flow(f), flow(g)) })
	list = []Tie{}
	for _, t := range found {
		f := t.Flows[0]
		j := Tie{Datapath: t.Datapath.Name, Stage: f.StageName(), Priority: int(f.Priority), Match: f.Match}
		for _, f := range t.Flows {
			j.Flows, j.Matches = append(j.Flows, f.UUID), append(j.Matches, f.Match)
			j.Actions = append(j.Actions, f.Actions)
		}
		list = append(list, j)
	}
	return list, all
}

// Of describes a database and the network that was made of it. Behaviour is
// left out: see Behave.
func Of(db *store.Database, net *network.Network) *Inventory {
	i := describe(db, net)
	i.Unparsed = unparsed(net)
	i.Ties, i.AllTies = ties(net)
	return i
}

func describe(db *store.Database, net *network.Network) *Inventory {
	info := &Inventory{
		Form:   form,
		Source: db.Source, Format: db.Format, Database: db.Name, SchemaVersion: db.Version, Version: net.Version,
		Transactions: db.Transactions, Bytes: db.Bytes,
		Datapaths: len(net.Datapaths), Ports: len(net.Ports) - 1, Chassis: len(net.Chassis), Flows: len(net.Flows),
		Stages: stages(net), Tables: make(map[string]int), Problems: []Problem{}, Warnings: []string{},
	}
	if !db.Time.IsZero() {
		info.Time = db.Time.Format(time.RFC3339)
	}
	for _, d := range net.Datapaths {
		if d.Router {
			info.Routers++
		} else {
			info.Switches++
		}
	}
	for _, t := range db.Tables() {
		info.Tables[t.Name] = t.Len()
	}
	for _, p := range net.Problems {
		info.Problems = append(info.Problems, Problem(p))
	}
	for _, w := range db.Warnings {
		info.Warnings = append(info.Warnings, printable.Errors(w))
	}
	return info
}

// stages counts the flow rows of each stage. A row that many datapaths share
// counts once.
func stages(net *network.Network) []Stage {
	counts := make(map[Stage]int)
	for _, f := range net.Flows {
		s := Stage{Router: f.Datapaths[0].Router, Pipeline: "ingress", Table: int(f.Table), Stage: f.StageName()}
		if f.Egress {
			s.Pipeline = "egress"
		}
		counts[s]++
	}
	list := []Stage{}
	for s, n := range counts {
		s.Flows = n
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b Stage) int {
		router := func(s Stage) int {
			if s.Router {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(router(a), router(b)), -cmp.Compare(a.Pipeline, b.Pipeline),
			cmp.Compare(a.Table, b.Table), cmp.Compare(a.Stage, b.Stage))
	})
	return list
}

// unparsed compiles every logical flow, one at a time, and lists those that
// do not compile.
//
// It needs no engine, which would have every chassis's state ready.
func unparsed(net *network.Network) []Unparsed {
	c, list := newCompilers(net), []Unparsed{}
	for _, f := range net.Flows {
		if err := c.at(f).checker.Check(f); err != nil {
			list = append(list, Unparsed{f.UUID, table.Brief(err)})
		}
	}
	return list
}

// compilers compile a network's flows, which share the sets that they name.
type compilers struct {
	envs  *sim.Envs
	names *nameNumbers
	sets  *table.Sets
	byEnv map[surroundings]compiler
}

// surroundings is what the parsing of a flow depends on beside its text.
type surroundings struct {
	egress bool
	table  uint8
	ctACL  bool
}

// compiler compiles the flows of one place.
type compiler struct {
	checker *table.Checker
	maker   *table.Maker
}

func newCompilers(net *network.Network) *compilers {
	return &compilers{sim.NewEnvs(net), newNameNumbers(net), table.NewSets(), map[surroundings]compiler{}}
}

// at is the compiler at a flow's place.
func (c *compilers) at(f *network.Flow) compiler {
	p := surroundings{f.Egress, f.Table, f.Tags["acl_ct_translation"] == "true"}
	x, ok := c.byEnv[p]
	if !ok {
		env := c.envs.Of(f)
		x = compiler{table.NewChecker(env, c.names, c.sets), table.NewMaker(env, c.names, c.sets)}
		c.byEnv[p] = x
	}
	return x
}

// nameNumbers gives the ports and groups that flows name numbers.
type nameNumbers struct {
	net    *network.Network
	groups map[string]uint32
}

func newNameNumbers(net *network.Network) *nameNumbers {
	n := &nameNumbers{net, make(map[string]uint32)}
	for _, g := range net.Groups {
		if _, ok := n.groups[g.Name]; !ok {
			n.groups[g.Name] = uint32(len(net.Ports) + len(n.groups))
		}
	}
	return n
}

// Port implements table.Resolver.
func (n *nameNumbers) Port(name string) (uint32, bool) {
	if p := n.net.Port(name); p != nil {
		return uint32(p.Index), true
	}
	g, ok := n.groups[name]
	return g, ok || name == "none"
}

// Write writes it for people.
func (i *Inventory) Write(w io.Writer) {
	printable.Fprintf(w, "%s: %s, %s, schema %s, written by OVN %s\n", i.Source, i.Database, i.Format, i.SchemaVersion,
		i.version())
	if i.Time != "" {
		printable.Fprintf(w, "  as of %s, after %s\n", i.Time, printable.Count(i.Transactions, "transaction"))
	}
	printable.Fprintf(w, "  %s (%s, %s), %s, %d chassis, %s\n\n", printable.Count(i.Datapaths, "datapath"),
		printable.Count(i.Switches, "switch"), printable.Count(i.Routers, "router"),
		printable.Count(i.Ports, "port"), i.Chassis, printable.Count(i.Flows, "logical flow"))
	for _, s := range i.Stages {
		printable.Fprintf(w, "  %-8s %2d %-28s %7d\n", s.Pipeline, s.Table, s.Stage, s.Flows)
	}
	fmt.Fprintln(w)
	for _, name := range slices.Sorted(maps.Keys(i.Tables)) {
		if i.Tables[name] > 0 {
			printable.Fprintf(w, "  %-24s %7d rows\n", name, i.Tables[name])
		}
	}
	fmt.Fprintln(w)
	for _, p := range i.Problems {
		printable.Fprintf(w, "problem: %s %s: %s\n", p.Table, p.UUID, p.Reason)
	}
	for _, u := range i.Unparsed {
		printable.Fprintf(w, "unparsed: %s: %s\n", u.UUID, u.Reason)
	}
	i.writeTies(w)
	do := "do"
	if len(i.Unparsed) == 1 {
		do = "does"
	}
	printable.Fprintf(w, "%s with problems, %s that %s not parse\n", printable.Count(len(i.Problems), "row"),
		printable.Count(len(i.Unparsed), "logical flow"), do)
	if i.Behaviour != nil {
		i.writeBehaviour(w)
	}
}

func (i *Inventory) version() string { return cmp.Or(i.Version, "unknown version") }

// maxTies is how many ties are written: JSON has all.
const maxTies = 20

func (i *Inventory) writeTies(w io.Writer) {
	for n, t := range i.Ties {
		if n == maxTies {
			printable.Fprintf(w, "tie: %d more (--json lists them)\n", len(i.Ties)-n)
			break
		}
		printable.Fprintf(w, "tie: %s of %s, priority %d: OVN leaves open which of these is used where both match\n",
			t.Stage, t.Datapath, t.Priority)
		for n := range t.Flows {
			printable.Fprintf(w, "    %s: %s: %s\n", t.Flows[n], t.Matches[n], t.Actions[n])
		}
	}
	if !i.AllTies {
		fmt.Fprintln(w, "tie: not looked for: too many logical flows of one stage and priority; verify and run say "+
			"where packets meet some")
	}
}
