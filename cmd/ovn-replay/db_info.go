package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/southbound"
	"ovnreplay/sim/table"
	"ovnreplay/store"

	"ovnreplay/sim/printable"
)

// infoJSON is what "db info --json" prints.
type infoJSON struct {
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
	Stages        []stageJSON    `json:"stages"`
	Tables        map[string]int `json:"tables"` // rows
	Problems      []problemJSON  `json:"problems"`
	Unparsed      []unparsedJSON `json:"unparsed"`
	Ties          []tieJSON      `json:"ties"`
	Warnings      []string       `json:"warnings"`
	Behaviour     *behaviourJSON `json:"behaviour,omitempty"` // with --behaviour
}

type stageJSON struct {
	Router   bool   `json:"router"`
	Pipeline string `json:"pipeline"`
	Table    int    `json:"table"`
	Stage    string `json:"stage"`
	Flows    int    `json:"flows"`
}

type problemJSON struct {
	Table  string `json:"table"`
	UUID   string `json:"uuid"`
	Reason string `json:"reason"`
}

type unparsedJSON struct {
	UUID   string `json:"uuid"`
	Reason string `json:"reason"`
}

// tieJSON is logical flows of which OVN leaves open which is used.
type tieJSON struct {
	Datapath string   `json:"datapath"`
	Stage    string   `json:"stage"`
	Priority int      `json:"priority"`
	Match    string   `json:"match"`
	Flows    []string `json:"flows"` // UUIDs
	Actions  []string `json:"actions"`
}

func ties(net *network.Network) []tieJSON {
	list := []tieJSON{}
	for _, t := range net.Ties() {
		f := t.Flows[0]
		j := tieJSON{Datapath: t.Datapath.Name, Stage: f.StageName(), Priority: int(f.Priority), Match: f.Match}
		for _, f := range t.Flows {
			j.Flows, j.Actions = append(j.Flows, f.UUID), append(j.Actions, f.Actions)
		}
		list = append(list, j)
	}
	return list
}

func (o *dbOptions) info(ctx context.Context, args []string) error {
	source := store.DefaultSource()
	if len(args) > 0 {
		source = args[0]
	}
	db, err := o.open(ctx, source)
	if err != nil {
		return err
	}
	net, err := southbound.Load(db)
	if err != nil {
		return err
	}
	info := describe(db, net)
	info.Unparsed = unparsed(net)
	info.Ties = ties(net)
	if o.behaviour {
		info.Behaviour = behaviour(net)
	}
	if o.json {
		return o.printJSON(info)
	}
	o.printInfo(info)
	if o.behaviour {
		o.printBehaviour(info)
	}
	return nil
}

func describe(db *store.Database, net *network.Network) *infoJSON {
	info := &infoJSON{
		Source: db.Source, Format: db.Format, Database: db.Name, SchemaVersion: db.Version, Version: net.Version,
		Transactions: db.Transactions, Bytes: db.Bytes,
		Datapaths: len(net.Datapaths), Ports: len(net.Ports) - 1, Chassis: len(net.Chassis), Flows: len(net.Flows),
		Stages: stages(net), Tables: make(map[string]int), Problems: []problemJSON{}, Warnings: []string{},
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
		info.Problems = append(info.Problems, problemJSON(p))
	}
	for _, w := range db.Warnings {
		info.Warnings = append(info.Warnings, oneLine(w))
	}
	return info
}

// stages counts the flow rows of each stage. A row that many datapaths share
// counts once.
func stages(net *network.Network) []stageJSON {
	counts := make(map[stageJSON]int)
	for _, f := range net.Flows {
		s := stageJSON{Router: f.Datapaths[0].Router, Pipeline: "ingress", Table: int(f.Table), Stage: f.StageName()}
		if f.Egress {
			s.Pipeline = "egress"
		}
		counts[s]++
	}
	list := []stageJSON{}
	for s, n := range counts {
		s.Flows = n
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b stageJSON) int {
		router := func(s stageJSON) int {
			if s.Router {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(router(a), router(b)), -cmp.Compare(a.Pipeline, b.Pipeline), cmp.Compare(a.Table, b.Table), cmp.Compare(a.Stage, b.Stage))
	})
	return list
}

// unparsed compiles every logical flow, one at a time, and lists those that
// do not compile.
//
// It needs no engine, which would have every chassis's state ready.
func unparsed(net *network.Network) []unparsedJSON {
	type place struct {
		egress bool
		table  uint8
		ctACL  bool
	}
	checkers := make(map[place]*table.Checker)
	names := newNameNumbers(net)
	list := []unparsedJSON{}
	for _, f := range net.Flows {
		p := place{f.Egress, f.Table, f.Tags["acl_ct_translation"] == "true"}
		c := checkers[p]
		if c == nil {
			c = table.NewChecker(sim.NewEnv(net, f), names)
			checkers[p] = c
		}
		if err := c.Check(f); err != nil {
			list = append(list, unparsedJSON{f.UUID, table.Brief(err)})
		}
	}
	return list
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

func (o *dbOptions) printInfo(i *infoJSON) {
	w := o.stdout
	version := i.Version
	if version == "" {
		version = "unknown version"
	}
	printable.Fprintf(w, "%s: %s, %s, schema %s, written by OVN %s\n", i.Source, i.Database, i.Format, i.SchemaVersion, version)
	if i.Time != "" {
		printable.Fprintf(w, "  as of %s, after %d transactions\n", i.Time, i.Transactions)
	}
	printable.Fprintf(w, "  %d datapaths (%d switches, %d routers), %d ports, %d chassis, %d logical flows\n\n", i.Datapaths, i.Switches, i.Routers, i.Ports, i.Chassis, i.Flows)
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
	for _, t := range i.Ties {
		printable.Fprintf(w, "tie: %s of %s, priority %d, %s: OVN leaves open which of these is used\n", t.Stage, t.Datapath, t.Priority, t.Match)
		for n := range t.Flows {
			printable.Fprintf(w, "    %s: %s\n", t.Flows[n], t.Actions[n])
		}
	}
	printable.Fprintf(w, "%d rows with problems, %d logical flows that do not parse\n", len(i.Problems), len(i.Unparsed))
}
