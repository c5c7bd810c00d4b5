package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/ovntrace"
	"ovnreplay/sim/southbound"
	"ovnreplay/sim/trace"
	"ovnreplay/store"
)

// ovnTrace is Debian's ovn-trace, running as a daemon on a copy of a database.
type ovnTrace struct {
	dir   string
	flags string
	conn  net.Conn
	in    *json.Decoder
	next  int
}

// startOVNTrace starts ovsdb-server and ovn-trace; the test ends them.
func startOVNTrace(t *testing.T, db string, flags ...string) *ovnTrace {
	t.Helper()
	dir, err := os.MkdirTemp("", "parity") // sockets' paths must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	o := &ovnTrace{dir: dir, flags: strings.Join(flags, " ")}
	convert(t, db, filepath.Join(dir, "sb.db"))
	o.run(t, "ovsdb-server --detach --no-chdir --pidfile=server.pid --log-file=server.log -vconsole:off"+
		" --unixctl=$PWD/server.ctl --remote=punix:$PWD/sb.sock sb.db")
	t.Cleanup(func() { end(filepath.Join(dir, "server.pid")) })
	t.Cleanup(o.stop)
	o.start(t)
	return o
}

// start starts ovn-trace. Some packets make it recurse until memory is used
// up: it gets a gigabyte, and more for a big database.
func (o *ovnTrace) start(t *testing.T) {
	t.Helper()
	info, err := os.Stat(filepath.Join(o.dir, "sb.db"))
	if err != nil {
		t.Fatal(err)
	}
	o.run(t, fmt.Sprintf("ulimit -v %d; ovn-trace %s", 1_000_000+info.Size()/1000*400,
		o.flags)+" --detach --no-chdir --pidfile=trace.pid -vconsole:off"+
		" --log-file=trace.log --unixctl=$PWD/trace.ctl --db=unix:$PWD/sb.sock")
	if o.conn, err = net.Dial("unix", filepath.Join(o.dir, "trace.ctl")); err != nil {
		t.Fatal(err)
	}
	o.in = json.NewDecoder(bufio.NewReader(o.conn))
}

func (o *ovnTrace) stop() {
	if o.conn != nil {
		o.conn.Close()
	}
	end(filepath.Join(o.dir, "trace.pid"))
	os.Remove(filepath.Join(o.dir, "trace.ctl"))
	os.Remove(filepath.Join(o.dir, "trace.pid"))
}

// end ends the daemon that wrote a file with its process ID.
func end(pidfile string) {
	text, err := os.ReadFile(pidfile)
	if err != nil {
		return
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
		if p, err := os.FindProcess(pid); err == nil {
			p.Kill()
		}
	}
}

// run runs a shell command in the daemons' directory. Its output goes to a
// file: daemons keep it open.
func (o *ovnTrace) run(t *testing.T, command string) {
	t.Helper()
	log, err := os.Create(filepath.Join(o.dir, "output"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("sh", "-c", "cd "+o.dir+" && "+command)
	if root := otherRoot(); root != "" {
		cmd = exec.Command("chroot", append([]string{root}, cmd.Args...)...)
	}
	cmd.Env = append(os.Environ(), "OVN_RUNDIR="+o.dir, "OVS_RUNDIR="+o.dir, "PATH="+os.Getenv("PATH")+
		":/usr/sbin:/sbin")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(log.Name())
		t.Fatalf("%s: %v: %s", command, err, text)
	}
}

// otherRoot is the root directory, if not this one, of the OVN to compare with:
// a newer Debian's, as "lab.sh deps" makes it, with this machine's /tmp in it.
func otherRoot() string { return os.Getenv("OVN_REPLAY_ROOT") }

// traceVersion is the release of ovn-trace.
func traceVersion(t *testing.T) (year, month int) {
	t.Helper()
	cmd := exec.Command("ovn-trace", "--version")
	if root := otherRoot(); root != "" {
		cmd = exec.Command("chroot", root, "ovn-trace", "--version")
	}
	out, err := cmd.Output()
	if err == nil {
		_, err = fmt.Sscanf(string(out), "ovn-trace %d.%d", &year, &month)
	}
	if err != nil {
		t.Fatalf("ovn-trace --version: %v: %s", err, out)
	}
	return year, month
}

// convert writes the database, which may be compressed, as a plain file.
func convert(t *testing.T, from, to string) {
	t.Helper()
	cmd := exec.Command("cp", from, to)
	if strings.HasSuffix(from, ".gz") {
		cmd = exec.Command("sh", "-c", "gzip -dc \"$0\" > \"$1\"", from, to)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", from, err, out)
	}
}

// trace asks for all three forms; false if ovn-trace did not survive the question.
func (o *ovnTrace) trace(t *testing.T, microflow string) (string, bool) {
	t.Helper()
	o.next++
	o.conn.SetDeadline(time.Now().Add(10 * time.Second))
	err := json.NewEncoder(o.conn).Encode(map[string]any{"id": o.next, "method": "trace",
		"params": []string{"--all", microflow}})
	var reply struct {
		Result string
		Error  any
	}
	if err == nil {
		err = o.in.Decode(&reply)
	}
	if err != nil {
		o.stop()
		o.start(t)
		return "", false
	}
	if reply.Error != nil {
		t.Fatalf("ovn-trace: %v (microflow %s)", reply.Error, microflow)
	}
	return reply.Result, true
}

// ours is this program on the same database.
type ours struct {
	net    *network.Network
	engine *sim.Engine
	// anywhere takes every port for resident, as ovn-trace does.
	anywhere *sim.Engine
	opts     ovntrace.Options
}

// hashOrder orders logical flows as ovn-trace meets them: by where their
// UUIDs fall in a hash table of that many rows. Flows of the same priority
// stay in that order.
func hashOrder(rows int) sim.Tie {
	mask := uint64(3)
	for uint64(rows/2) > mask {
		mask = mask<<1 | 1
	}
	bucket := func(f *network.Flow) uint64 {
		first, _ := strconv.ParseUint(f.UUID[:8], 16, 64)
		return first & mask
	}
	return func(_ *network.Chassis, a, b *network.Flow) int { return cmp.Compare(bucket(a), bucket(b)) }
}

func openOurs(t *testing.T, db string) *ours {
	t.Helper()
	d, err := store.Open(context.Background(), db, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := &ours{opts: ovntrace.Options{All: true, Tell: quietly}}
	if o.net, err = southbound.Load(d); err != nil {
		t.Fatal(err)
	}
	options := sim.Options{Tie: hashOrder(len(d.Table("Logical_Flow").Rows()))}
	if o.engine, err = sim.New(o.net, options); err != nil {
		t.Fatal(err)
	}
	options.Anywhere = true
	if o.anywhere, err = sim.New(o.net, options); err != nil {
		t.Fatal(err)
	}
	return o
}

// trace returns all three forms, and the events that they tell of.
func (o *ours) trace(t *testing.T, e *sim.Engine, microflow string) (string, *trace.Trace) {
	t.Helper()
	o.engine.Forget()
	var out bytes.Buffer
	tr := &ovntrace.Tracer{Options: &o.opts, Out: bufio.NewWriter(&out)}
	tr.On(e)
	q, err := o.opts.Question(o.net, []string{microflow})
	if err != nil {
		return err.Error() + "\n", &trace.Trace{}
	}
	outcome := e.Inject(q.In)
	if err := tr.Show(q, outcome, false); err != nil {
		t.Fatal(err)
	}
	tr.Out.Flush()
	return onHost.ReplaceAllString(out.String(), ""), &outcome.Trace
}

// parityDatabases are those of the recorded cases, and those that
// OVN_REPLAY_DATABASES names, patterns separated by colons.
func parityDatabases(t *testing.T) []string {
	t.Helper()
	var all []string
	patterns := append([]string{"../../testdata/cases/*/sb*.db*"},
		filepath.SplitList(os.Getenv("OVN_REPLAY_DATABASES"))...)
	seen := map[string]bool{}
	for _, p := range patterns {
		found, err := filepath.Glob(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, db := range found {
			text, err := os.ReadFile(db)
			if err != nil {
				t.Fatal(err)
			}
			if !seen[string(text)] { // some cases share one
				all, seen[string(text)] = append(all, db), true
			}
		}
	}
	return all
}

// parityCount is how many stateless traces are compared.
func parityCount(t *testing.T) int {
	t.Helper()
	text := os.Getenv("OVN_REPLAY_PARITY")
	if text == "" {
		return 200
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("OVN_REPLAY_PARITY: %v", err)
	}
	return n
}

// Made-up microflows trace as in Debian's ovn-trace, byte for byte in all
// three forms, as long as nothing is tracked. Whatever differs must fall
// under a rule that says why we know better.
func TestParityWithOVNTrace(t *testing.T) {
	needsTool(t, "ovn-trace")
	var total score
	total.rules = map[string]int{}
	want, used := parityCount(t), 0
	year, month := traceVersion(t)
	databases := slices.DeleteFunc(parityDatabases(t), func(db string) bool {
		// ovn-trace cannot read the actions of later versions, nor rightly those
		// of much older ones.
		v, said := openOurs(t, db).net.Release()
		return !said || !v.Before(network.Release{Year: year, Month: month + 1}) ||
			year > 23 && v.Before(network.Release{Year: year, Month: month})
	})
	// A sample of the packets needs only a sample of the databases.
	const perDatabase = 20
	if most := want / perDatabase; most > 0 && len(databases) > most {
		sample := databases[:0:0]
		for i := range most {
			sample = append(sample, databases[i*len(databases)/most])
		}
		databases = sample
	}
	usable := len(databases)
	for i, db := range databases {
		our := openOurs(t, db)
		t.Run(filepath.Base(filepath.Dir(db)), func(t *testing.T) {
			left := usable - used
			used++
			total.compare(t, startOVNTrace(t, db), our, newMicroflows(our.net, uint64(i)),
				(want-total.same+left-1)/left)
		})
	}
	t.Logf("stateless: %d identical, %d under a rule; stateful: %d identical but for what conntrack says, %d "+
		"under a rule",
		total.same, total.excused, total.tracked, total.excusedTracked)
	for _, r := range append(rules, deadlock) {
		t.Logf("%6d %s", total.rules[r.name], r.name)
	}
	if total.same < want {
		t.Errorf("only %d stateless traces are identical, not %d", total.same, want)
	}
}

// score counts traces.
type score struct {
	same, excused, tracked, excusedTracked int
	rules                                  map[string]int
}

// compare compares traces until share of them were stateless and identical.
func (s *score) compare(t *testing.T, theirs *ovnTrace, our *ours, gen *microflows, share int) {
	bad := 0
	for n, tries := 0, 0; n < share && tries < 20*share && bad < 5; tries++ {
		m := gen.next()
		a, ok := theirs.trace(t, m)
		if !ok {
			s.rules[deadlock.name]++
			continue
		}
		b, _ := our.trace(t, our.engine, m)
		stateless := !tracks(a) && !tracks(b)
		d := newDifference(a, b)
		if d.any() {
			if c, _ := our.trace(t, our.anywhere, m); c != b {
				if e := newDifference(a, c); !e.any() || e.at > d.at {
					e.elsewhere = true
					d = e
				}
			}
		}
		switch {
		case a == b && stateless:
			n++
			s.same++
		case !d.any() && !d.elsewhere && !stateless:
			s.tracked++
		default:
			r := d.rule()
			if r == nil {
				bad++
				t.Errorf("%s\n%s", m, d)
				continue
			}
			s.rules[r.name]++
			if stateless {
				s.excused++
			} else {
				s.excusedTracked++
			}
		}
	}
}
