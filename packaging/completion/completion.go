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

	"ovnreplay/pcap"
	"ovnreplay/sim/recording"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

// words are what flags take that take nothing else.
var words = map[string][]string{
	"format":     {"line", "detailed", "summary", "minimal", "json", "none"},
	"ct-profile": {"linux", "ovs-userspace"},
	"only":       {"delivered", "dropped", "consumed", "unknown", "natted", "guessed", "inferred", "noted"},
	"db-time":    {"follow", "last"},
	"sort":       {"id", "first", "last", "packets", "bytes", "retransmissions", "drops"},
}

// compared are the verdicts that --only takes of what was verified.
var compared = []string{"matched", "mismatched", "missing", "unexpected"}

// Asked reports whether a shell asks with these arguments what it may complete.
func Asked(args []string) bool {
	return len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd)
}

// Set makes shells complete what a command takes.
func Set(cmd *cobra.Command) {
	for name, list := range words {
		if name == "only" && cmd.Name() == "verify" {
			list = slices.Concat(list, compared)
		}
		flag(cmd, name, func(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
			return beginning(slices.Clone(list), word), cobra.ShellCompDirectiveDefault
		})
	}
	if cmd.Flags().Lookup("case") != nil {
		cmd.MarkFlagDirname("case")
	}
	flag(cmd, "read", captures)
	flag(cmd, "db", sources)
	flag(cmd, "port", ports)
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

// captures completes FILE@PORT: after the @ with ports.
func captures(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	file, port, at := pcap.CutFile(word)
	if !at {
		return nil, cobra.ShellCompDirectiveDefault | cobra.ShellCompDirectiveNoSpace
	}
	var out []string
	for _, name := range append(portNames(cmd), "any", "underlay") {
		if strings.HasPrefix(name, port) {
			out = append(out, file+"@"+name)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

func ports(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	return beginning(portNames(cmd), word), cobra.ShellCompDirectiveNoFileComp
}

// portNames are the logical ports of the database that the command line names, itself or by a
// case, if that is a file or a snapshot.
func portNames(cmd *cobra.Command) (names []string) {
	list, err := cmd.Flags().GetStringArray("db")
	if err != nil {
		list = []string{cmd.Flags().Lookup("db").Value.String()}
	}
	if f := cmd.Flags().Lookup("case"); f != nil && f.Changed && !cmd.Flags().Changed("db") {
		s, err := recording.ReadCase(f.Value.String(), recording.Files{Open: store.OpenFile})
		if err != nil {
			return nil
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
				names = append(names, p.Name)
			}
		}
	}
	return names
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
