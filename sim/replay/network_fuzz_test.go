package replay

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"ovnreplay/conntrack"
	"ovnreplay/sim"
	"ovnreplay/sim/southbound"
	"ovnreplay/sim/trace"
	"ovnreplay/store"
)

func schemaAndRows(t *testing.T, file string) (schema []byte, rows map[string]any) {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(file, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	b := bufio.NewReaderSize(r, 1<<20)
	for i := 0; ; i++ {
		line, err := b.ReadString('\n')
		if err != nil {
			return
		}
		n, _ := strconv.Atoi(strings.Fields(line)[2])
		body := make([]byte, n)
		io.ReadFull(b, body)
		if i == 0 {
			schema = body
		} else if rows == nil {
			json.Unmarshal(body, &rows)
		}
	}
}

var nastyValues = []any{"", "0", "-1", "18446744073709551616", "ff:ff:ff:ff:ff:ff 0.0.0.0", "unknown", "router",
	"dynamic", "::/0", "0.0.0.0/0", "10.0.0.1/33",
	float64(0), float64(-1), float64(1 << 53), float64(65536), true, false, []any{"set", []any{}},
	[]any{"map", []any{}}, []any{"uuid", "00000000-0000-0000-0000-000000000000"},
	"next; next; output;", "clone { output; }; output;", "ct_lb_mark(backends=10.0.0.1:80,10.0.0.2:80);",
	"ct_snat(1.2.3.4);", "ct_dnat(fd00::1);", "ct_snat; ct_dnat; next;",
	"icmp4 { eth.dst <-> eth.src; ip4.dst <-> ip4.src; output; };", "reject { outport <-> inport; output; };",
	"get_arp(outport, reg0); next;", "put_arp(inport, arp.spa, arp.sha);",
	"reg0[5] = check_pkt_larger(1); next;", "reg9[3] = lookup_arp(inport, arp.spa, arp.sha); next;",
	"outport = inport; flags.loopback = 1; output;", "outport = \"\"; output;", "select(reg8[16..31], 1, 2);",
	"reg0[3] = put_dhcp_opts(offerip = 1.2.3.4, netmask = 255.255.255.0); next;", "reg0[3] = dns_lookup(); next;",
	"fwd_group(liveness=\"true\", childports=\"a\",\"b\");",
	"commit_lb_aff(vip = \"1.1.1.1:80\", backend = \"2.2.2.2:80\", proto = tcp, timeout = 30);",
	"push(xxreg0); pop(xxreg0); next;", "pop(reg0); next;", "ip.ttl--; next;", "xxreg0 = xxreg1; next;",
	"tcp_reset { output; };", "sctp_abort { output; };", "mirror(\"x\");", "set_queue(61440); next;", "log(); next;",
	"sample(probability=65535); next;",
	"handle_dhcpv6_reply;", "bind_vport(\"a\", inport);", "put_fdb(inport, eth.src); next;",
	"trigger_event(event = \"empty_lb_backends\", vip = \"1:2\");", "igmp;", "nd_na { output; };", "nd_ns { output; };",
	"arp { output; };", "eth.dst <-> eth.src; next;", "ct_clear; next;",
	"ct_commit { ct_mark = 1; ct_label = 2; }; next;", "ct_commit_nat; next;", "ct_commit_to_zone(dnat); next;",
	"1", "0", "ip4", "ip6", "tcp", "inport == \"\"", "ct.est", "ct_label.natted", "!(ip4 || ip6)",
	"is_chassis_resident(\"a\")", "ip.ttl == {0,1}", "tcp.dst == 1..65535", "outport == \"_MC_flood\""}

func sameKind(a, b any) bool {
	if x, ok := a.([]any); ok && len(x) == 2 {
		y, ok := b.([]any)
		return ok && len(y) == 2 && x[0] == y[0]
	}
	return fmt.Sprintf("%T", a) == fmt.Sprintf("%T", b)
}

func mutateRow(r *rand.Rand, rows map[string]any, names []string) string {
	pick := func() (row map[string]any, col, where string) {
		for range 50 {
			t, ok := rows[names[r.Intn(len(names))]].(map[string]any)
			if !ok || len(t) == 0 {
				continue
			}
			keys := make([]string, 0, len(t))
			for k := range t {
				keys = append(keys, k)
			}
			sort.Strings(keys)
			k := keys[r.Intn(len(keys))]
			row, ok = t[k].(map[string]any)
			if !ok || len(row) == 0 {
				continue
			}
			cols := make([]string, 0, len(row))
			for c := range row {
				cols = append(cols, c)
			}
			sort.Strings(cols)
			return row, cols[r.Intn(len(cols))], k
		}
		return nil, "", ""
	}
	row, col, where := pick()
	if row == nil {
		return ""
	}
	switch r.Intn(6) {
	case 0, 1, 2:
		for range 40 { // a value of the same kind, or ovsdb's types refuse it
			if v := nastyValues[r.Intn(len(nastyValues))]; sameKind(v, row[col]) {
				row[col] = v
				break
			}
		}
	case 3:
		for range 40 {
			if o, c, _ := pick(); o != nil && sameKind(o[c], row[col]) {
				row[col] = o[c]
				break
			}
		}
	case 4:
		delete(row, col)
	case 5: // the same column of another row of the same table, or a number changed
		if n, ok := row[col].(float64); ok {
			row[col] = n + float64(r.Intn(5)-2)
		} else if s, ok := row[col].(string); ok && len(s) > 0 {
			i, j := r.Intn(len(s)), r.Intn(len(s))
			if i > j {
				i, j = j, i
			}
			row[col] = s[:i] + s[j:]
		} else if l, ok := row[col].([]any); ok && len(l) == 2 {
			if x, ok := l[1].([]any); ok && len(x) > 0 {
				row[col] = []any{l[0], append(append([]any{}, x...), x...)}
			}
		}
	}
	return where + " " + col + fmt.Sprintf(" = %.80v", row[col])
}

// FuzzNetwork exchanges, retypes, empties, repeats and poisons values of recorded
// databases, which are then loaded, compiled, used, shown and kept. A seed
// stands for a database and all that is done to it.
func FuzzNetwork(f *testing.F) {
	for seed := range int64(6) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed int64) {
		r := rand.New(rand.NewSource(seed))
		files := recordedDatabases(t)
		file := files[r.Intn(len(files))]
		schema, rows := schemaAndRows(t, file)
		var names []string
		for k, v := range rows {
			if _, ok := v.(map[string]any); ok {
				names = append(names, k)
			}
		}
		sort.Strings(names)
		var what []string
		for range 1 + r.Intn(40) {
			what = append(what, mutateRow(r, rows, names))
		}
		body, err := json.Marshal(rows)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "x.db")
		text := fmt.Appendf(nil, "OVSDB JSON %d %x\n%sOVSDB JSON %d %x\n%s", len(schema), sha1.Sum(schema), schema,
			len(body), sha1.Sum(body), body)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		defer func() {
			if x := recover(); x != nil {
				t.Fatalf("%s: %v\n%s\n%s", file, x, strings.Join(what, "\n"), debug.Stack())
			}
			if d := time.Since(begin); d > 20*time.Second {
				t.Errorf("%s took %v: %s", file, d, strings.Join(what, "\n"))
			}
		}()
		useNetwork(t, r, path)
	})
}

// useNetwork does with a database what the commands do.
func useNetwork(t *testing.T, r *rand.Rand, path string) {
	net, _, err := southbound.Open(context.Background(), path, store.Options{})
	if err != nil {
		return
	}
	e, err := sim.New(net, sim.Options{Profile: conntrack.Profile(1 + r.Intn(2))})
	if err != nil {
		return
	}
	e.Broken()
	if len(net.Ports) < 2 || len(net.Chassis) == 0 {
		return
	}
	g := grammarOf(r, net)
	g.macs = append(g.macs, [6]byte{2, 0, 0, 0, 0, 1})
	book := &trace.Book{Net: net, Action: e.ActionText, Zone: e.ZoneName, Flow: e.Compiled}
	now := conntrack.Time(1795341635e9)
	var last [][]byte
	for range 60 {
		now += conntrack.Time(r.Intn(1e8))
		fuzzFrame(t, g, e, book, now, &last, nil, path)
	}
	h := net.Hash()
	b := e.Save(h)
	again, err := sim.New(net, sim.Options{Profile: e.ConntrackOptions().Profile})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Restore(b, h); err != nil {
		t.Errorf("restore: %v", err)
	}
}
