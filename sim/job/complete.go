package job

import (
	"context"
	"os"
	"strings"

	"ovnreplay/pcap"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

// Complete returns what the beginning of FILE@PORT may go on as, after the @ with the
// ports of a database that is a file. False: it is the beginning of a file's name.
func Complete(ctx context.Context, word, source string) (words []string, ours bool) {
	file, port, at := pcap.CutFile(word)
	if !at {
		return nil, false
	}
	if info, err := os.Stat(source); err != nil || info.IsDir() {
		return nil, true
	}
	words = []string{}
	for _, name := range append(portNames(ctx, source), "any", "underlay") {
		if strings.HasPrefix(name, port) {
			words = append(words, file+"@"+name)
		}
	}
	return words, true
}

// portNames are the logical ports of a database; none if it cannot be read.
func portNames(ctx context.Context, source string) (names []string) {
	net, _, err := southbound.Open(ctx, source, store.Options{})
	if err != nil {
		return nil
	}
	for _, p := range net.Ports {
		if p != nil {
			names = append(names, p.Name)
		}
	}
	return names
}
