// Package completion is what shells complete: the words that flags take, captures and the ports
// they may have been taken at, snapshots.
//
// It reads what the command line names so far. What it cannot read completes nothing: a shell is
// no place for errors.
package completion

import (
	"context"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ovnreplay/conntrack"
	"ovnreplay/pcap"
	"ovnreplay/sim/recording"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/show"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

// words are what flags take that take nothing else.
var words = map[string][]string{
	"format":     {"line", "detailed", "summary", "minimal", "json", "none"},
	"ct-profile": {"linux", "ovs-userspace"},
	"only":       show.Kinds(false),
	"ignore":     replay.ComparedFields(),
	"db-time":    {"follow", "last"},
	"db-time-b":  {"follow", "last"},
	"sort":       {"id", "first", "last", "packets", "bytes", "retransmissions", "drops"},
}

// releases are those that a word begins of the profiles of Open vSwitch's own connection tracking: there is
// one for each release that changed it.
func releases(word string) (names []string) {
	before := conntrack.OVSUserspace.String() + ":"
	if !strings.HasPrefix(word, before) {
		return nil
	}
	for _, r := range conntrack.Releases() {
		names = append(names, before+r.String())
	}
	return beginning(names, word)
}

// lists are the flags of words that take several, separated by commas.
var lists = map[string]bool{"only": true, "ignore": true}

// wordsOf are what a command's flag takes.
func wordsOf(cmd *cobra.Command, flag string) []string {
	switch {
	case flag == "only" && cmd.Name() == "verify":
		return show.Kinds(true)
	case flag == "format" && cmd.HasParent() && cmd.Parent().Name() == "conntrack":
		return conntrack.FormatNames()
	case flag == "format" && cmd.Name() == "show":
		return slices.DeleteFunc(slices.Clone(words[flag]), func(s string) bool { return s == "none" })
	}
	return words[flag]
}

// Asked reports whether a shell asks with these arguments what it may complete.
func Asked(args []string) bool {
	return len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd)
}

// Set makes shells complete what a command takes.
func Set(cmd *cobra.Command) {
	for name := range words {
		list := wordsOf(cmd, name)
		flag(cmd, name, func(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
			if lists[name] {
				return another(list, word), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
			}
			if of := releases(word); name == "ct-profile" && of != nil {
				return of, cobra.ShellCompDirectiveNoFileComp
			}
			return beginning(slices.Clone(list), word), cobra.ShellCompDirectiveDefault
		})
	}
	if cmd.Flags().Lookup("case") != nil {
		cmd.MarkFlagDirname("case")
	}
	flag(cmd, "read", captures)
	flag(cmd, "db", sources)
	flag(cmd, "db-b", sources)
	flag(cmd, "nb", sources)
	flag(cmd, "port", ports)
	flag(cmd, "inport", ports)
	flag(cmd, "chassis", chassis)
	flag(cmd, "mtu", mtus)
	switch use := strings.ReplaceAll(cmd.Use, "-r FILE[@PORT]", ""); {
	case strings.Contains(use, "FILE[@PORT]"):
		cmd.ValidArgsFunction = captures
	case strings.HasPrefix(use, "rm NAME"):
		cmd.ValidArgsFunction = snapshots
	case strings.Contains(use, "SOURCE") && !strings.Contains(use, "--db"), strings.HasPrefix(use, "diff A B"):
		cmd.ValidArgsFunction = sources
	}
}

func flag(cmd *cobra.Command, name string, complete cobra.CompletionFunc) {
	if cmd.Flags().Lookup(name) != nil {
		cmd.RegisterFlagCompletionFunc(name, complete)
	}
}

// another completes the last of words that commas separate: none is given twice.
func another(list []string, word string) (out []string) {
	i := strings.LastIndexByte(word, ',') + 1
	given := strings.Split(word[:i], ",")
	for _, w := range beginning(slices.Clone(list), word[i:]) {
		if !slices.Contains(given, w) {
			out = append(out, word[:i]+w)
		}
	}
	return out
}

// captures completes FILE@PORT@CHASSIS: after the @ with ports, and where a capture is of a tunnel
// or of many ports, of which chassis.
func captures(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	file, place, at := pcap.CutFile(word)
	if !at {
		return nil, cobra.ShellCompDirectiveDefault | cobra.ShellCompDirectiveNoSpace
	}
	net := networkOf(cmd)
	var out []string
	add := func(before string, names ...string) {
		for _, name := range names {
			if strings.HasPrefix(before+name, place) {
				out = append(out, file+"@"+before+name)
			}
		}
	}
	port, _, ofChassis := strings.Cut(place, "@")
	switch {
	case ofChassis:
		add(port+"@", net.chassis...)
	case strings.HasPrefix(place, "underlay:"), strings.HasPrefix(place, "tunnel:"):
		add(place[:strings.IndexByte(place, ':')+1], net.chassis...)
	default:
		add("", append(net.ports, "any", "underlay")...)
		if add("", "tunnel:"); len(out) == 1 && strings.HasSuffix(out[0], ":") {
			return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

func ports(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	return beginning(networkOf(cmd).ports, word), cobra.ShellCompDirectiveNoFileComp
}

func chassis(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	return beginning(networkOf(cmd).chassis, word), cobra.ShellCompDirectiveNoFileComp
}

// mtus completes PORT=, or else the file of a switch's database.
func mtus(cmd *cobra.Command, _ []string, word string) (out []string, _ cobra.ShellCompDirective) {
	for _, name := range beginning(networkOf(cmd).ports, word) {
		out = append(out, name+"=")
	}
	return out, cobra.ShellCompDirectiveNoSpace
}

// objects are names of the database that the command line names.
type objects struct{ ports, chassis []string }

// networkOf is what is in the database that the command line names, itself or by a case, if that
// is a file or a snapshot.
func networkOf(cmd *cobra.Command) (of objects) {
	list, err := cmd.Flags().GetStringArray("db")
	if err != nil {
		list = []string{cmd.Flags().Lookup("db").Value.String()}
	}
	if f := cmd.Flags().Lookup("case"); f != nil && f.Changed && !cmd.Flags().Changed("db") {
		s, err := recording.ReadCase(f.Value.String(), recording.Files{Open: store.OpenFile})
		if err != nil {
			return of
		}
		list = s.DBs
	}
	for _, source := range slices.Compact(list) { // flags are parsed twice
		if info, err := os.Stat(source); !strings.HasPrefix(source, snapshot) && (err != nil || info.IsDir()) {
			continue
		}
		net, _, err := southbound.Open(contextOf(cmd), source, store.Options{Shelf: shelfOf(cmd)})
		if err != nil {
			continue
		}
		for _, p := range net.Ports {
			if p != nil {
				of.ports = append(of.ports, p.Name)
			}
		}
		for _, c := range net.Chassis {
			of.chassis = append(of.chassis, c.Host())
		}
	}
	return of
}

func contextOf(cmd *cobra.Command) context.Context {
	if ctx := cmd.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}

// snapshot is before the name of a snapshot where a database is meant.
const snapshot = "snapshot:"

// sources completes databases: snapshots where the word begins as they do, else files.
func sources(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	if word == "" {
		return nil, cobra.ShellCompDirectiveDefault
	}
	var all []string
	for _, name := range snapshotNames(cmd) {
		all = append(all, snapshot+name)
	}
	return beginning(all, word), cobra.ShellCompDirectiveDefault
}

func snapshots(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	names := slices.DeleteFunc(snapshotNames(cmd), func(n string) bool { return slices.Contains(args, n) })
	return beginning(names, word), cobra.ShellCompDirectiveNoFileComp
}

func snapshotNames(cmd *cobra.Command) (names []string) {
	shelf, err := store.OpenShelf(shelfOf(cmd), false)
	if err != nil {
		return nil
	}
	defer shelf.Close()
	list, err := shelf.List()
	if err != nil {
		return nil
	}
	for _, s := range list {
		names = append(names, s.Name)
	}
	return names
}

// shelfOf is the file of snapshots that the command line names, "" for the default.
func shelfOf(cmd *cobra.Command) string {
	if f := cmd.Flag("store"); f != nil {
		return f.Value.String()
	}
	return ""
}

func beginning(all []string, word string) []string {
	return slices.DeleteFunc(all, func(s string) bool { return !strings.HasPrefix(s, word) })
}
