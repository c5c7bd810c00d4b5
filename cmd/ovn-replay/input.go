package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ovnreplay/sim/job"
	"ovnreplay/sim/openflow"
	"ovnreplay/sim/recording"
	"ovnreplay/store"
)

// input is what the commands that replay take: a network and captures.
type input struct{ job.Spec }

func newInput(stdin io.Reader, stderr io.Writer) input {
	return input{job.Spec{Stdin: stdin, Stderr: stderr}}
}

func (in *input) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	in.Given = f.Changed
	f.StringArrayVar(&in.DBs, "db", databasesOf(os.Getenv("OVN_SB_DB")),
		"Southbound database `SOURCE`: a file, directory or tar, unix:, tcp: or ssl: server, or snapshot:NAME; "+
			"repeated: of several zones (default $OVN_SB_DB, else that of this host)")
	sourceFlags(f, &in.Source)
	f.StringVar(&in.DBTime, "db-time", "", dbTimeUsage+"follow if the history holds the captures)")
	f.BoolVar(&in.Watch, "watch", false, "with a live server: keep following its changes")
	in.captureFlags(f)
}

// dbTimeUsage is of --db-time, but for the default.
const dbTimeUsage = "with a database file: `WHEN` the network is from: follow its history, so that each packet meets " +
	"that of its own moment, last, or a time such as 2026-11-22T10:00:35Z (default "

// databasesOf is the default of --db.
func databasesOf(env string) []string {
	if env == "" {
		return nil
	}
	return []string{env}
}

// captureFlags are those of every command that replays captures.
func (in *input) captureFlags(f *pflag.FlagSet) {
	f.StringArrayVarP(&in.Captures, "read", "r", nil,
		"capture `FILE[@PORT[@CHASSIS]]`, FILE@any[@CHASSIS] or FILE@underlay[:CHASSIS]; a pattern is a rotated "+
			"set, - is "+
			"standard input (repeatable)")
	f.StringVar(&in.Case, "case", "",
		"`DIR` of a recorded case: all inputs at once; --db and --ct-profile replace the case's, the others are "+
			"added to "+
			"them")
	f.StringArrayVar(&in.NBs, "nb", nil,
		"Northbound database `SOURCE`, for the names of ACLs, load balancers, NAT rows and routes (default: the "+
			"one beside "+
			"the Southbound database)")
	f.StringVar(&in.Profile, "ct-profile", "", ctProfileUsage)
	f.StringArrayVar(&in.Imports, "ct-import", nil,
		"start a chassis' connection tracking from the dump in `FILE[@CHASSIS]` (repeatable)")
	f.StringArrayVar(&in.Zones, "ct-zones", nil,
		"a chassis' zone numbers, as ovn-appctl ct-zone-list prints them, in `FILE[@CHASSIS]` (repeatable)")
	f.StringArrayVar(&in.Pins, "pin", nil,
		"connections of the real tables, as a dump in `FILE`: they dictate what the datapath chose at random "+
			"(repeatable)")
	f.StringArrayVar(&in.Offsets, "offset", nil, "correct a capture's clock by hand: `FILE=+1.5ms` (repeatable)")
	f.BoolVar(&in.NoAlign, "no-align", false, "leave the captures' clocks as they are")
	f.BoolVar(&in.NoInfer, "no-infer", false, "inject only packets that are in a capture")
	f.StringVar(&in.Filter, "filter", "",
		"list only packets that match the logical flow expression `EXPR`, such as 'ip4.dst == 10.0.0.0/8 && ct.rpl'")
	pcapFilterFlag(f, &in.Selects)
	f.IntVar(&in.Frames, "max-frames", 0,
		"the most frames of a compressed capture (default 100000, and one more for each 8 bytes beyond 4 MiB)")
	f.BoolVar(&in.Explain, "explain-points", false, "tell on standard error how each capture was placed")
	f.BoolVarP(&in.Quiet, "quiet", "q", false, "print less")
}

// pcapFilterFlag selects packets as they are read.
func pcapFilterFlag(f *pflag.FlagSet, expr *string) {
	f.StringVar(expr, "pcap-filter", "",
		"read only the packets of the captures that tcpdump would with `EXPR`, such as 'tcp port 80 and not host "+
			"10.0.0.1' "+
			"(see pcap-filter(7))")
}

// filesOf is how the files of a recording are read.
func filesOf(stdin io.Reader) recording.Files {
	return recording.Files{Stdin: stdin, Open: store.OpenFile}
}

const ctProfileUsage = "whose connection tracking: `PROFILE` linux, ovs-userspace, a release of that as in " +
	"ovs-userspace:3.5, or a file of settings (default linux)"

// ovsFlag adds --ovs.
func ovsFlag(f *pflag.FlagSet, sources *[]string) {
	f.StringArrayVar(sources, "ovs", nil,
		"show the OpenFlow flows of each logical flow, from `SOURCE[@CHASSIS]`: a file of ovs-ofctl dump-flows, or a "+
			"bridge (default those of --case, else "+openflow.DefaultBridge+"; repeatable)")
	f.Lookup("ovs").NoOptDefVal = openflow.DefaultBridge
}
