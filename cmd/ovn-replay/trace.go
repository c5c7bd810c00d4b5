package main

import (
	"bufio"
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"ovnreplay/conntrack"
	"ovnreplay/packaging/flags"
	"ovnreplay/sim"
	"ovnreplay/sim/archive"
	"ovnreplay/sim/job"
	"ovnreplay/sim/network"
	"ovnreplay/sim/openflow"
	"ovnreplay/sim/ovntrace"
	"ovnreplay/sim/printable"
	"ovnreplay/store"
	"ovnreplay/store/output"
)

// errDropped makes the command exit with exitDropped; the trace says why.
var errDropped = errors.New("the packet is not delivered")

// traceOptions is ovn-trace's command line, and what we add to it.
type traceOptions struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	ovntrace.Options
	from          job.Spec // its network
	friendlyNames bool
	ovs           []string
	anywhere      bool
	session       string
}

const traceLong = `trace asks what would happen to one packet, with ovn-trace's arguments and output.
Connection tracking, NAT, MAC bindings and chassis are real: where ovn-trace says
what it assumes, trace says what was found.

MICROFLOW is a match that describes one packet, such as
  inport == "lp11" && eth.src == 00:01:02:03:04:05 &&
  eth.dst == 00:00:00:00:ff:11 && ip4.src == 192.168.11.1 &&
  ip4.dst == 192.168.22.2 && ip.ttl == 64 && tcp.dst == 80
A TCP segment is a SYN unless tcp.flags says otherwise. Datapaths and ports go by name,
second name, UUID or the beginning of one. With --packet or -r the packet is a real
one; MICROFLOW, if given, then only names its inport.

Without --db the database is $OVN_SB_DB, else OVN's local socket.

Exit status: 0 delivered or answered, 1 dropped, refused or held, 2 bad input.`

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
	f.StringArrayVar(&o.from.DBs, "db", nil,
		"Southbound `DATABASE`: a file, a server or a snapshot; repeated: of several zones")
	f.StringVar(&o.from.DBTime, "db-time", "", flags.DBTime+"that of the packet's moment with -r, else the last)")
	f.BoolVar(&o.Detailed, "detailed", false, "table by table (the default)")
	f.BoolVar(&o.Summary, "summary", false, "pipelines and actions")
	f.BoolVar(&o.Minimal, "minimal", false, "only what can be seen from outside")
	f.BoolVar(&o.All, "all", false, "all three forms")
	f.BoolVar(&o.JSON, "json", false, "the trace as a tree, in JSON")
	f.StringArrayVar(&o.CT, "ct", nil,
		"`FLAGS` that the next look-up in conntrack reports, whatever it finds (repeatable)")
	f.StringVar(&o.LBDst, "lb-dst", "", "`IP[:PORT]` of the load balancer's backend to take")
	f.Uint16Var(&o.SelectID, "select-id", 0, "`ID` of the member that select takes")
	f.BoolVar(&o.friendlyNames, "friendly-names", false, "names that people gave, for ports and datapaths (the "+
		"default)")
	f.BoolVar(&o.PlainNames, "no-friendly-names", false, "the names and UUIDs of the database")
	flags.OVS(f, &o.ovs)
	f.BoolVar(&o.Reply, "reply", false, "trace the answer to the packet as well, where it is delivered")
	f.StringVar(&o.Packet, "packet", "", "the packet: an Ethernet frame in `HEX`")
	f.StringVarP(&o.Read, "read", "r", "", "the packet: frame N of a capture, `FILE#N`")
	f.StringVar(&o.Inport, "inport", "", "the `PORT` where --packet or -r enters")
	f.BoolVar(&o.AllChassis, "all-chassis", false, "ask each chassis: who answers, who delivers?")
	f.StringVar(&o.Chassis, "chassis", "", "the `CHASSIS` where the packet enters (default: where its inport is)")
	f.BoolVar(&o.anywhere, "anywhere", false, "take every port for resident, as ovn-trace does")
	f.StringVar(&o.from.Case, "case", "", "`DIR` of a recorded case, for its database and conntrack zones")
	f.StringVar(&o.from.Profile, "ct-profile", "", flags.Profile)
	f.StringVar(&o.session, "session", "",
		"start from the connections, and what else was learned, of a replay kept in `FILE`")
	flags.Server(f, &o.from.Source)
	cmd.MarkFlagsMutuallyExclusive("leader-only", "no-leader-only")
	cmd.MarkFlagsMutuallyExclusive("packet", "read")
	cmd.MarkFlagsMutuallyExclusive("friendly-names", "no-friendly-names")
	cmd.MarkFlagsMutuallyExclusive("chassis", "all-chassis")
	cmd.SetIn(stdin)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	return cmd
}

func (o *traceOptions) run(ctx context.Context, args []string) (err error) {
	o.Tell = func(format string, args ...any) { printable.Fprintf(o.stderr, "ovn-replay: "+format+"\n", args...) }
	t := &ovntrace.Tracer{Options: &o.Options, Out: bufio.NewWriter(o.stdout)}
	defer func() { err = errors.Join(err, t.Out.Flush()) }()
	// What it reads stays, and it ends soon: collecting while that grows is a tenth of the work.
	defer store.Spare(ctx)()
	o.from.Stdin, o.from.Stderr = o.stdin, o.stderr
	net, recorded, err := o.from.ForTrace(ctx, o.Moment)
	if err != nil {
		return err
	}
	files := output.Of(ctx)
	files.Reads(recorded.Inputs()...)
	if err := files.Check("the result", "-"); err != nil {
		return err
	}
	if len(net.Chassis) == 0 {
		// Nothing is bound anywhere: all of it is taken to be in one place.
		net.AddChassis(&network.Chassis{Name: "anywhere"})
		o.anywhere = true
	}
	q, err := o.Question(net, args)
	if err != nil {
		return err
	}
	profile, err := filesOf(o.stdin).ReadProfile(recorded.Profile)
	if err != nil {
		return err
	}
	if t.Switches, err = openflow.ReadSwitches(ctx, o.ovs, recorded.OpenFlow, store.OpenFile, o.Tell); err != nil {
		return err
	}
	if q.In.Given, err = o.Given(q); err != nil {
		return err
	}
	if o.session != "" {
		t.Prepared = o.load
	}
	verdict, err := t.Run(net, sim.Options{Conntrack: profile, Zones: recorded.Zones, Anywhere: o.anywhere,
		Tie: o.tie(net)}, q)
	if err != nil {
		return err
	}
	t.Switches.Report(o.stderr, "the packet")
	if verdict != sim.Delivered {
		return errDropped
	}
	return nil
}

// tie is what orders flows of which OVN leaves open which is used: where neither
// a packet nor what came before it decides, ovn-trace's choice.
func (o *traceOptions) tie(net *network.Network) sim.Tie {
	if o.session != "" || o.Packet != "" || o.Read != "" || len(o.ovs) > 0 {
		return nil
	}
	return net.AsOVNTrace()
}

// load makes an engine start from a session, and returns the time of its latest packet.
func (o *traceOptions) load(e *sim.Engine) (conntrack.Time, error) {
	file, err := store.OpenSession(o.session, false)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	return archive.Load(file, e, "the database given", o.Tell)
}
