package job

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"ovnreplay/store"
	"ovnreplay/store/output"
)

// switchDatabase is the name of a switch's own database.
const switchDatabase = "Open_vSwitch"

// MTUs reads what longer packets than the usual do not leave at: PORT=N, or the
// database of a switch (conf.db, or an archive that holds it, such as a sosreport),
// whose interfaces name their logical ports.
func MTUs(ctx context.Context, args []string, opts store.Options) (map[string]int, error) {
	all := map[string]int{}
	for _, arg := range args {
		port, number, given := strings.Cut(arg, "=")
		if !given {
			of, err := interfaceMTUs(ctx, arg, opts)
			if err != nil {
				return nil, fmt.Errorf("--mtu %s: %w", arg, err)
			}
			maps.Copy(all, of)
			continue
		}
		n, err := strconv.Atoi(number)
		if err != nil || n <= 0 {
			return nil, fmt.Errorf("--mtu %s: want PORT=N, or the database of a switch (conf.db)", arg)
		}
		all[port] = n
	}
	return all, nil
}

// KnowMTUs refuses MTUs, as PORT=N, of ports that the network does not have, and notes those
// of ports that are called otherwise by their own names.
func (j *Job) KnowMTUs(args []string, mtus map[string]int) error {
	for _, arg := range args {
		name, _, given := strings.Cut(arg, "=")
		if !given {
			continue // of a switch, which may have more ports than OVN
		}
		port, err := j.Net.FindPort(name)
		if err != nil {
			return fmt.Errorf("--mtu %s: %w", arg, err)
		}
		mtus[port.Name] = mtus[name]
	}
	return nil
}

// interfaceMTUs reads the MTU of each interface that is a logical port's.
func interfaceMTUs(ctx context.Context, source string, opts store.Options) (map[string]int, error) {
	opts.Database = switchDatabase
	output.Of(ctx).Reads(source)
	db, err := store.Open(ctx, source, opts)
	if err != nil {
		return nil, err
	}
	found := map[string]int{}
	for _, r := range db.Table("Interface").Rows() {
		port := r.Get("external_ids", "iface-id")
		n := r.Integer("mtu") // a running switch's: it is in no file
		if n == 0 {
			n = r.Integer("mtu_request")
		}
		if n > 0 && port != "" {
			found[port] = int(n)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no logical port's interface there has an MTU; a file has those that were asked for " +
			"(mtu_request), the running switch has all (unix:/run/openvswitch/db.sock, ovsdb-client dump)")
	}
	return found, nil
}
