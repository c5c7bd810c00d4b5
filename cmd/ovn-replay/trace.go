package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"ovnreplay/conntrack"
	"ovnreplay/sim"
	"ovnreplay/sim/archive"
	"ovnreplay/sim/network"
	"ovnreplay/sim/recording"
	"ovnreplay/sim/southbound"
	"ovnreplay/sim/trace"
	"ovnreplay/store"
)

// errDropped makes the command exit with exitDropped; the trace says why.
var errDropped = errors.New("the packet is not delivered")

// traceOptions is ovn-trace's command line, and what we add to it.
type traceOptions struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	dbs                               []string
	store                             store.Options
	leaderOnly, noLeaderOnly          bool
	detailed, summary, minimal, all   bool
	json                              bool
	friendlyNames, noFriendlyNames    bool
	ct                                []string
	lbDst                             string
	selectID                          uint16
	ovs                               []string
	reply                             bool
	packet, read                      string
	chassis, profile, caseDir, inport string
	anywhere, allChassis              bool
	session                           string

	recorded []string // the case's dumps of OpenFlow flows, as --ovs takes them
}

const traceLong = `trace asks what would happen to one packet, with ovn-trace's arguments and output.
Connection tracking, NAT, MAC bindings and chassis are real: where ovn-trace says
what it assumes, trace says what was found.

MICROFLOW is a match that describes one packet, such as
  inport == "lp11" && eth.src == 00:01:02:03:04:05 && eth.dst == 00:00:00:00:ff:11 &&
  ip4.src == 192.168.11.1 && ip4.dst == 192.168.22.2 && ip.ttl == 64 && tcp.dst == 80
A TCP segment is a SYN unless tcp.flags says otherwise. Datapaths and ports go by name,
second name, UUID or the beginning of one. With --packet or -r the packet is a real
one; MICROFLOW, if given, then only names its inport.

Without --db the database is $OVN_SB_DB, else OVN's local socket.

Exit status: 0 delivered, 1 dropped, 2 bad usage or bad input.`

func newTraceCommand(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	o := &traceOptions{stdin: stdin, stdout: stdout, stderr: stderr}
	cmd := &cobra.Command{
		Use:   "trace [flags] [DATAPATH] MICROFLOW",
		Short: "Trace one packet through the logical pipelines, as ovn-trace does but with real state",
		Long:  traceLong,
		Args:  cobra.MaximumNArgs(2),
		RunE:  func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.dbs, "db", nil, "Southbound `DATABASE`: a file, a server or a snapshot; repeated: of several zones")
	f.BoolVar(&o.detailed, "detailed", false, "table by table (the default)")
	f.BoolVar(&o.summary, "summary", false, "pipelines and actions")
	f.BoolVar(&o.minimal, "minimal", false, "only what can be seen from outside")
	f.BoolVar(&o.all, "all", false, "all three forms")
	f.BoolVar(&o.json, "json", false, "the trace as a tree, in JSON")
	f.StringArrayVar(&o.ct, "ct", nil, "`FLAGS` that the next look-up in conntrack reports, whatever it finds (repeatable)")
	f.StringVar(&o.lbDst, "lb-dst", "", "`IP[:PORT]` of the load balancer's backend to take")
	f.Uint16Var(&o.selectID, "select-id", 0, "`ID` of the member that select takes")
	f.BoolVar(&o.friendlyNames, "friendly-names", false, "names that people gave, for ports and datapaths (the default)")
	f.BoolVar(&o.noFriendlyNames, "no-friendly-names", false, "the names and UUIDs of the database")
	ovsFlag(f, &o.ovs)
	f.BoolVar(&o.reply, "reply", false, "trace the answer to the packet as well, where it is delivered")
	f.StringVar(&o.packet, "packet", "", "the packet: an Ethernet frame in `HEX`")
	f.StringVarP(&o.read, "read", "r", "", "the packet: frame N of a capture, `FILE#N`")
	f.StringVar(&o.inport, "inport", "", "the `PORT` where --packet or -r enters")
	f.BoolVar(&o.allChassis, "all-chassis", false, "ask each chassis: who answers, who delivers?")
	f.StringVar(&o.chassis, "chassis", "", "the `CHASSIS` where the packet enters (default: where its inport is)")
	f.BoolVar(&o.anywhere, "anywhere", false, "take every port for resident, as ovn-trace does")
	f.StringVar(&o.caseDir, "case", "", "`DIR` of a recorded case, for its database and conntrack zones")
	f.StringVar(&o.profile, "ct-profile", "", ctProfileUsage)
	f.StringVar(&o.session, "session", "", "start from the connections, and what else was learned, of a replay kept in `FILE`")
	o.serverFlags(cmd)
	cmd.MarkFlagsMutuallyExclusive("packet", "read")
	cmd.MarkFlagsMutuallyExclusive("friendly-names", "no-friendly-names")
	cmd.MarkFlagsMutuallyExclusive("chassis", "all-chassis")
	cmd.SetIn(stdin)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	return cmd
}

func (o *traceOptions) serverFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.leaderOnly, "leader-only", false, "of a cluster, read the leader only (the default)")
	f.BoolVar(&o.noLeaderOnly, "no-leader-only", false, "of a cluster, read any member")
	f.StringVarP(&o.store.TLS.PrivateKey, "private-key", "p", "", "private key `FILE` for ssl:")
	f.StringVarP(&o.store.TLS.Certificate, "certificate", "c", "", "certificate `FILE` for ssl:")
	f.StringVarP(&o.store.TLS.CACert, "ca-cert", "C", "", "CA certificate `FILE` for ssl:, or none")
	f.DurationVar(&o.store.Timeout, "timeout", 0, "how long a server may take (default 10s)")
	cmd.MarkFlagsMutuallyExclusive("leader-only", "no-leader-only")
}

// tracer traces packets on one engine and shows them.
type tracer struct {
	*traceOptions
	engine   *sim.Engine
	book     *trace.Book
	switches *switches
	out      *bufio.Writer
	json     []traceRecord
}

func (o *traceOptions) run(ctx context.Context, args []string) (err error) {
	t := &tracer{traceOptions: o, out: bufio.NewWriter(o.stdout)}
	defer func() { err = errors.Join(err, t.out.Flush()) }()
	net, zones, err := o.network(ctx)
	if err != nil {
		return err
	}
	q, err := o.question(net, args)
	if err != nil {
		return err
	}
	profile, err := filesOf(o.stdin).ReadProfile(o.profile)
	if err != nil {
		return err
	}
	if t.switches, err = readSwitches(ctx, o.ovs, o.recorded, o.stderr); err != nil {
		return err
	}
	if q.in.Given, err = o.given(q); err != nil {
		return err
	}
	options := sim.Options{Conntrack: profile, Zones: zones, Anywhere: o.anywhere, Tie: o.tie(net)}
	if o.allChassis {
		return t.everywhere(net, options, q)
	}
	if err := t.equip(net, options, q); err != nil {
		return err
	}
	verdict, err := t.trace(q)
	if err != nil {
		return err
	}
	return t.finish(verdict)
}

// tie is what orders flows of which OVN leaves open which is used: where neither
// a packet nor what came before it decides, ovn-trace's choice.
func (o *traceOptions) tie(net *network.Network) func(a, b *network.Flow) int {
	if o.session != "" || o.packet != "" || o.read != "" || len(o.ovs) > 0 {
		return nil
	}
	return net.AsOVNTrace()
}

// equip makes the engine on which the packet is traced.
func (t *tracer) equip(net *network.Network, options sim.Options, q *question) (err error) {
	if t.engine, err = sim.New(net, options); err != nil {
		return err
	}
	t.book = t.engine.Book()
	t.book.PlainNames = t.noFriendlyNames
	t.switches.attach(t.book)
	if t.session != "" {
		q.in.Time, err = t.load(t.session)
	}
	return err
}

// everywhere asks each chassis, as if the packet entered on it alone.
func (t *tracer) everywhere(net *network.Network, options sim.Options, q *question) error {
	best := sim.Dropped
	for _, c := range net.Chassis {
		if err := t.equip(net, options, q); err != nil {
			return err
		}
		q.in.Chassis = c
		verdict, err := t.trace(q)
		if err != nil {
			return err
		}
		if verdict == sim.Delivered {
			best = verdict
		}
	}
	return t.finish(best)
}

// load starts from a session and returns the time of its latest packet.
func (t *tracer) load(session string) (conntrack.Time, error) {
	file, err := store.OpenSession(session, false)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	return archive.Load(file, t.engine, "the database given", (&input{stderr: t.stderr}).tell)
}

// finish writes what is left to write and turns the verdict into the status.
func (t *tracer) finish(verdict sim.Verdict) error {
	if t.traceOptions.json {
		e := encoder(t.out)
		e.SetEscapeHTML(false)
		for i := range t.json {
			if err := e.Encode(&t.json[i]); err != nil {
				return err
			}
		}
	}
	t.switches.report(t.stderr, "the packet")
	if verdict != sim.Delivered {
		return errDropped
	}
	return nil
}

// network loads the database.
func (o *traceOptions) network(ctx context.Context) (*network.Network, map[string]map[string]uint16, error) {
	sources := o.dbs
	var zones map[string]map[string]uint16
	if o.caseDir != "" {
		s, err := recording.ReadCase(o.caseDir, filesOf(o.stdin))
		if err != nil {
			return nil, nil, err
		}
		zones, o.recorded = s.Zones, s.OpenFlow
		if len(sources) == 0 {
			sources = s.DBs
		}
		if o.profile == "" {
			o.profile = s.Profile
		}
	}
	if len(sources) == 0 {
		sources = []string{cmp.Or(os.Getenv("OVN_SB_DB"), "unix:/var/run/ovn/ovnsb_db.sock")}
	}
	o.store.AnyMember = o.noLeaderOnly
	sources, err := southbound.Zones(ctx, sources, o.store)
	if err != nil {
		return nil, nil, err
	}
	net, warnings, err := southbound.OpenAll(ctx, sources, o.store)
	for _, w := range warnings {
		fmt.Fprintf(o.stderr, "ovn-replay: warning: %s\n", oneLine(w))
	}
	if err == nil && len(net.Chassis) == 0 {
		// Nothing is bound anywhere: all of it is taken to be in one place.
		net.AddChassis(&network.Chassis{Name: "anywhere"})
		o.anywhere = true
	}
	return net, zones, err
}

// given collects what the flags and the microflow fix.
func (o *traceOptions) given(q *question) (*sim.Given, error) {
	g := &sim.Given{Meta: q.meta, Member: o.selectID}
	for _, text := range o.ct {
		s, err := parseState(text)
		if err != nil {
			return nil, err
		}
		g.States = append(g.States, s)
	}
	if o.lbDst == "" {
		return g, nil
	}
	if ap, err := netip.ParseAddrPort(o.lbDst); err == nil {
		g.Backend = ap.Addr()
		return g, nil
	}
	addr, err := netip.ParseAddr(strings.Trim(o.lbDst, "[]"))
	if err != nil {
		return nil, fmt.Errorf("%s: bad address; give --lb-dst IP or IP:PORT", o.lbDst)
	}
	g.Backend = addr
	return g, nil
}

// parseState parses --ct: names of ct_state flags separated by commas, spaces or |.
func parseState(text string) (conntrack.State, error) {
	state := conntrack.Tracked
	for _, name := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(", |", r) }) {
		bit, ok := stateFlags[name]
		if !ok {
			return 0, fmt.Errorf("%s: unknown connection tracking state flag", name)
		}
		state |= bit
	}
	return state, nil
}

var stateFlags = map[string]conntrack.State{
	"new": conntrack.New, "est": conntrack.Established, "rel": conntrack.Related, "rpl": conntrack.Reply,
	"inv": conntrack.Invalid, "trk": conntrack.Tracked, "snat": conntrack.SNAT, "dnat": conntrack.DNAT,
}
