// Command bench measures ovn-replay on inputs that it makes itself, against
// ovn-trace on the same network in the same run, and prints one table:
//
//	go run ./testdata/bench -program ./ovn-replay [-short] [-runs 3] [-append docs/BENCH.md]
//
// Times are CPU time of user and system, of one run or the least of several:
// machines are shared. What starting up and reading the network costs is taken
// off the times of packets. Memory is the most that was resident. With -short
// loads are a tenth, and the command fails where a ratio to the anchor is below
// what it must be at least; no absolute time ever fails it.
//
// The anchors need Debian's ovn-central and openvswitch-switch; without them
// their rows say so.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// bench is a run of the benchmark.
type bench struct {
	program, caseDir, dir string
	big                   string // a big cluster's database, "" for none
	runs                  int
	stdout                string // of what is measured
	rows                  []row
	failed                bool
}

// row is a line of the table.
type row struct{ what, goal, measured, ratio string }

// usage is what a command took.
type usage struct {
	cpu time.Duration
	rss int64 // kB
}

const (
	nodePort  = "172.18.0.4"
	wirePort  = "breth0_ovn-worker"
	podPort   = "default_nginx-deployment-9456bbbf9-x6pc6"
	microflow = `inport == "breth0_ovn-worker" && eth.src == 02:42:ac:12:00:01 && eth.dst == 02:42:ac:12:00:04 && ` +
		`ip4.src == 172.18.0.1 && ip4.dst == 172.18.0.4 && ip.ttl == 64 && tcp && tcp.src == 53642 && tcp.dst == 30007`
	leastRatio = 15 // of ovn-trace's time for a packet to ours, that -short asks for
	// On the big cluster, by the engine alone.
	leastBigRatio = 500
)

func main() {
	b := bench{stdout: os.DevNull}
	short := flag.Bool("short", false, "small loads; fail on ratios")
	table := flag.String("append", "", "add the table to `FILE`")
	flag.IntVar(&b.runs, "runs", 3, "the least of so many runs counts")
	flag.StringVar(&b.program, "program", "./ovn-replay", "the ovn-replay to measure")
	flag.StringVar(&b.caseDir, "case", "testdata/cases/nodeport", "the recorded session that loads are grown from")
	flag.StringVar(&b.big, "big", "", "a big cluster's Southbound database, as testdata/bigdb makes it")
	flag.Parse()
	err := b.all(*short)
	if err == nil && *table != "" {
		err = b.write(*table)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	fmt.Print(b.String())
	if *short && b.failed {
		os.Exit(1)
	}
}

func (b *bench) all(short bool) (err error) {
	if b.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	connections, rounds, opens := 1000, 100, 60_000
	if short {
		connections, opens, b.runs = 100, 6000, 1
	}
	anchor, err := b.daemon(filepath.Join(b.caseDir, "sb.db"), "ext_ovn-worker", microflow, 200)
	if err != nil {
		return err
	}
	if err := b.packets(connections, rounds, opens, anchor, short); err != nil {
		return err
	}
	return b.databases(short)
}

// packets measures the commands that replay.
func (b *bench) packets(connections, rounds, opens int, anchor time.Duration, short bool) error {
	one, err := makeLoad(b.caseDir, b.dir, "one", 1, 1)
	if err != nil {
		return err
	}
	many, err := makeLoad(b.caseDir, b.dir, "many", connections, rounds)
	if err != nil {
		return err
	}
	fresh, err := makeLoad(b.caseDir, b.dir, "fresh", opens, 1)
	if err != nil {
		return err
	}
	var most int64
	for i, x := range []struct {
		what, goal string
		args       []string
		toFile     bool
		least      int // see leastRatio
	}{
		{"established nodePort load, --format none", "1 us a packet", []string{"run", "--format", "none"}, false,
			leastRatio},
		{"verify of it, both sides", "2 us", []string{"verify", "-q"}, false, leastRatio},
		{"one line a packet to a file", "2.5 us", []string{"run"}, true, leastRatio},
		{"-w annotated pcapng", "3 us", []string{"run", "--format", "none", "-w", filepath.Join(b.dir, "out.pcapng")},
			false, leastRatio / 2},
		{"--json, its 15 kB a packet thrown away", "5 us", []string{"run", "--json"}, false, leastRatio / 3},
		{"a session being written", "4 us", []string{"run", "--format", "none", "-q", "--session",
			filepath.Join(b.dir, "session.db")}, false, leastRatio / 2},
	} {
		b.stdout = os.DevNull
		if x.toFile {
			b.stdout = filepath.Join(b.dir, "stdout")
		}
		took, rss, err := b.perPacket(x.args, one, many)
		if err != nil {
			return err
		}
		r := row{x.what, x.goal, fmt.Sprintf("%.2f us", us(took)), against(anchor, took)}
		if i == 0 {
			most = rss
		}
		b.least(x.what, anchor, took, x.least)
		b.rows = append(b.rows, r)
	}
	took, _, err := b.perPacket([]string{"run", "--format", "none"}, one, fresh)
	if err != nil {
		return err
	}
	b.least("new connections", anchor, took, leastRatio)
	b.rows = append(b.rows,
		row{fmt.Sprintf("%d new connections of 10 packets each", opens), "200,000 connections/s",
			fmt.Sprintf("%.0f connections/s", 1e6/(10*us(took))), against(anchor, took)},
		row{"memory of the established load", "64 MB", fmt.Sprintf("%.0f MB", megabytes(most)), ""})
	if anchor > 0 {
		b.rows = append(b.rows, row{"anchor: this packet, ovn-trace's daemon", "",
			fmt.Sprintf("%.0f us", us(anchor)), "1"})
	}
	return nil
}

// least fails the run if ovn-trace's time is not so many times ours.
func (b *bench) least(what string, anchor, took time.Duration, ratio int) {
	if anchor > 0 && anchor < time.Duration(ratio)*took {
		fmt.Fprintf(os.Stderr, "bench: %s: %.1f us is not %d times less than ovn-trace's %.0f us\n", what,
			us(took), ratio, us(anchor))
		b.failed = true
	}
}

// perPacket is the time of a packet of a load, without what the command takes
// for one connection; and the most memory.
func (b *bench) perPacket(args []string, one, many load) (time.Duration, int64, error) {
	base, err := b.replay(args, one)
	if err != nil {
		return 0, 0, err
	}
	all, err := b.replay(args, many)
	if err != nil {
		return 0, 0, err
	}
	return (all.cpu - base.cpu) / time.Duration(many.packets-one.packets), all.rss, nil
}

func (b *bench) replay(args []string, l load) (usage, error) {
	args = append(args[:len(args):len(args)],
		"--db", filepath.Join(b.caseDir, "sb.db"), "--ct-zones", filepath.Join(b.caseDir, "ct-zone-list.txt"),
		"--ct-profile", "ovs-userspace", "-r", l.client+"@"+wirePort, "-r", l.pod+"@"+podPort)
	return b.run(b.program, args...)
}

// run returns the least that a command took in several runs.
func (b *bench) run(program string, args ...string) (least usage, err error) {
	for i := range b.runs {
		os.Remove(filepath.Join(b.dir, "session.db"))
		out, err := os.OpenFile(b.stdout, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return least, err
		}
		cmd := exec.Command(program, args...)
		var talk strings.Builder
		cmd.Stdout, cmd.Stderr = out, &talk
		err = cmd.Run()
		out.Close()
		if err != nil {
			return least, fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, talk.String())
		}
		u := usage{cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
		if ru, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			u.rss = ru.Maxrss
		}
		if i == 0 || u.cpu < least.cpu {
			least = u
		}
	}
	return least, nil
}

func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func against(anchor, took time.Duration) string {
	if anchor == 0 || took <= 0 {
		return "no ovn-trace"
	}
	return fmt.Sprintf("%.0f x", float64(anchor)/float64(took))
}

// String is the table.
func (b *bench) String() string {
	var s strings.Builder
	s.WriteString("| what | goal | measured | ratio to ovn-trace |\n| --- | --- | --- | --- |\n")
	for _, r := range b.rows {
		fmt.Fprintf(&s, "| %s | %s | %s | %s |\n", r.what, r.goal, r.measured, r.ratio)
	}
	return s.String()
}

// write appends the table to a file, with when, of what and where it was taken.
func (b *bench) write(path string) error {
	commit, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		commit = []byte("unknown")
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "\n## %s, %s, %s\n\n%s", time.Now().UTC().Format(time.DateOnly),
		strings.TrimSpace(string(commit)), machine(), b)
	if err2 := f.Close(); err == nil {
		err = err2
	}
	return err
}

// machine names the processor.
func machine() string {
	name := runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
				name = strings.TrimSpace(v)
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d cores, %s", name, runtime.NumCPU(), runtime.Version())
}
