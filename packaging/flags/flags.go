// Package flags is how the command line names what a command reads: databases, servers, captures,
// dumps. A flag that several commands have is declared here, once, and means the same in each.
//
// It fills in what job and store are told. It opens nothing.
package flags

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ovnreplay/sim/job"
	"ovnreplay/sim/openflow"
	"ovnreplay/store"
	"ovnreplay/store/output"
)

// Usages of flags that commands declare themselves.
const (
	// DBTime is of --db-time, but for the default.
	DBTime = "with a database file: `WHEN` the network is from: follow its history, so that each packet meets " +
		"that of its own moment, last (or off), or a time such as 2026-11-22T10:00:35Z (default "
	// Profile is of --ct-profile.
	Profile = "whose connection tracking: `PROFILE` linux, ovs-userspace, a release of that as in " +
		"ovs-userspace:3.5, or a file of settings (default linux)"
)

// Replay adds the flags of a command that replays captures on one network.
func Replay(f *pflag.FlagSet, in *job.Spec) {
	in.Given = f.Changed
	Databases(f, &in.DBs, "Southbound database `SOURCE`: a file, directory or tar, unix:, tcp: or ssl: server, or "+
		"snapshot:NAME; repeated: of several zones (default $OVN_SB_DB, else that of this host)")
	Source(f, &in.Source)
	f.StringVar(&in.DBTime, "db-time", "", DBTime+"follow if the history holds the captures)")
	f.BoolVar(&in.Watch, "watch", false, "with a live server: keep following its changes")
	Captures(f, in)
}

// Databases adds --db, of which the environment may hold the default.
func Databases(f *pflag.FlagSet, dbs *[]string, usage string) {
	var usual []string
	if env := os.Getenv("OVN_SB_DB"); env != "" {
		usual = []string{env}
	}
	f.StringArrayVar(dbs, "db", usual, usage)
}

// Source adds the flags that say how a database SOURCE is read, in the names of OVN's own tools.
func Source(f *pflag.FlagSet, o *store.Options) {
	f.StringVar(&o.Shelf, "store", "", "`FILE` of snapshots (default ovn-replay/store.db in the user's state "+
		"directory)")
	Server(f, o)
	f.Var(&o.MaxMemory, "max-memory",
		"`SIZE` that a database may take in memory, such as 4GiB (default 2GiB, less for small files)")
}

// Server adds the flags that say how a server is reached.
func Server(f *pflag.FlagSet, o *store.Options) {
	f.StringVarP(&o.TLS.PrivateKey, "private-key", "p", "", "private key `FILE` for ssl:")
	f.StringVarP(&o.TLS.Certificate, "certificate", "c", "", "certificate `FILE` for ssl:")
	f.StringVarP(&o.TLS.CACert, "ca-cert", "C", "", "CA certificate `FILE` for ssl:, or none")
	f.Bool("leader-only", true, "of a cluster, read the leader only")
	f.BoolVar(&o.AnyMember, "no-leader-only", false, "of a cluster, read any member")
	f.DurationVar(&o.Timeout, "timeout", 0, "`DURATION` that each wait for a server may take, as in 30s (default 10s)")
}

// Captures adds the flags of every command that replays captures.
func Captures(f *pflag.FlagSet, in *job.Spec) {
	f.StringArrayVarP(&in.Captures, "read", "r", nil,
		"capture `FILE[@PORT[@CHASSIS]]`, FILE@any[@CHASSIS] or FILE@underlay[:CHASSIS]; a pattern is a rotated "+
			"set, - is standard input (repeatable)")
	f.StringVar(&in.Case, "case", "", "`DIR` of a recorded case: all inputs at once; --db and --ct-profile replace "+
		"the case's, the others are added to them")
	f.StringArrayVar(&in.NBs, "nb", nil, "Northbound database `SOURCE`, for the names of ACLs, load balancers, NAT "+
		"rows and routes (default: the one beside the Southbound database)")
	f.StringVar(&in.Profile, "ct-profile", "", Profile)
	f.StringArrayVar(&in.Imports, "ct-import", nil,
		"start a chassis' connection tracking from the dump in `FILE[@CHASSIS]` (repeatable)")
	f.StringArrayVar(&in.Zones, "ct-zones", nil,
		"a chassis' zone numbers, as ovn-appctl ct-zone-list prints them, in `FILE[@CHASSIS]` (repeatable)")
	f.StringArrayVar(&in.Pins, "pin", nil, "connections of the real tables, as a dump in `FILE`: they dictate what "+
		"the datapath chose at random (repeatable)")
	f.StringArrayVar(&in.Offsets, "offset", nil, "correct a capture's clock by hand: `FILE=+1.5ms` (repeatable)")
	f.BoolVar(&in.NoAlign, "no-align", false, "leave the captures' clocks as they are")
	f.BoolVar(&in.NoInfer, "no-infer", false, "inject only packets that are in a capture")
	f.StringVar(&in.Filter, "filter", "", "list only packets that match the logical flow expression `EXPR`, such as "+
		"'ip4.dst == 10.0.0.0/8 && ct.rpl'")
	PcapFilter(f, &in.Selects)
	f.IntVar(&in.Frames, "max-frames", 0,
		"the most frames of a compressed capture (default 100000, and one more for each 8 bytes beyond 4 MiB)")
	f.BoolVar(&in.Explain, "explain-points", false, "tell on standard error how each capture was placed")
	f.BoolVarP(&in.Quiet, "quiet", "q", false, "print less")
}

// PcapFilter adds what selects packets as they are read.
func PcapFilter(f *pflag.FlagSet, expr *string) {
	f.StringVar(expr, "pcap-filter", "", "read only the packets of the captures that tcpdump would with `EXPR`, such "+
		"as 'tcp port 80 and not host 10.0.0.1' (see pcap-filter(7))")
}

// OVS adds --ovs.
func OVS(f *pflag.FlagSet, sources *[]string) {
	f.StringArrayVar(sources, "ovs", nil,
		"show the OpenFlow flows of each logical flow, from `SOURCE[@CHASSIS]`: a file of ovs-ofctl dump-flows, or a "+
			"bridge (default those of --case, else "+openflow.DefaultBridge+"; repeatable)")
	f.Lookup("ovs").NoOptDefVal = openflow.DefaultBridge
}

// Profiled gives every command --cpuprofile; what it returns writes the profile.
func Profiled(root *cobra.Command) (write func() error) {
	p := &output.Profile{}
	root.PersistentFlags().StringVar(&p.Path, "cpuprofile", "",
		"write a CPU profile of the command to `FILE`, for go tool pprof")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return p.Start(cmd.Context()) }
	return func() error { return p.Write("--cpuprofile") }
}
