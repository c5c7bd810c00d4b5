package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// daemon is what ovn-trace's daemon takes for a packet, of so many, on a
// database; 0 if Debian's packages are not installed.
func (b *bench) daemon(db, datapath, microflow string, packets int) (time.Duration, error) {
	return b.start(db, func(socket, pidfile string) (time.Duration, error) {
		before, err := cpuOf(pidfile)
		if err != nil {
			return 0, err
		}
		for range packets {
			out, err := exec.Command("ovs-appctl", "-t", socket, "trace", datapath, microflow).CombinedOutput()
			if err != nil {
				return 0, fmt.Errorf("ovn-trace: %w: %s", err, out)
			}
		}
		after, err := cpuOf(pidfile)
		return (after - before) / time.Duration(packets), err
	})
}

// cpuTime is what this process has taken.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// start starts ovn-trace as a daemon on a copy of a database. It returns what
// that took, or what ask says; 0 if it is not installed.
func (b *bench) start(db string, ask func(socket, pidfile string) (time.Duration, error)) (time.Duration, error) {
	for _, tool := range []string{"ovsdb-server", "ovn-trace", "ovs-appctl"} {
		if _, err := exec.LookPath(tool); err != nil {
			return 0, nil
		}
	}
	dir, err := os.MkdirTemp(b.dir, "ovn")
	if err != nil {
		return 0, err
	}
	copied := filepath.Join(dir, "sb.db")
	text, err := os.ReadFile(db)
	if err == nil {
		err = os.WriteFile(copied, text, 0o600)
	}
	if err != nil {
		return 0, err
	}
	server, tracer := filepath.Join(dir, "server.pid"), filepath.Join(dir, "trace.pid")
	defer kill(server)
	defer kill(tracer)
	for _, args := range [][]string{
		{"ovsdb-server", "--remote=punix:" + dir + "/sb.sock", "--pidfile=" + server, "--unixctl=" + dir +
			"/server.ctl", "--detach", "--no-chdir", "-vconsole:off", copied},
		{"ovn-trace", "--db=unix:" + dir + "/sb.sock", "--pidfile=" + tracer, "--unixctl=" + dir + "/trace.ctl",
			"--detach", "--no-chdir", "-vconsole:off"},
	} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = append(os.Environ(), "OVS_RUNDIR="+dir, "OVN_RUNDIR="+dir)
		if err := cmd.Run(); err != nil {
			return 0, fmt.Errorf("%s: %w", strings.Join(args, " "), err)
		}
	}
	if ask == nil {
		return cpuOf(tracer)
	}
	return ask(dir+"/trace.ctl", tracer)
}

func pidOf(pidfile string) (int, error) {
	text, err := os.ReadFile(pidfile)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// kill ends the daemon that wrote a file with its process ID.
func kill(pidfile string) {
	if pid, err := pidOf(pidfile); err == nil {
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

// cpuOf is the CPU time that a daemon has taken (proc(5), stat), in ticks of 10 ms.
func cpuOf(pidfile string) (time.Duration, error) {
	pid, err := pidOf(pidfile)
	if err != nil {
		return 0, err
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	const utime, stime, tick = 11, 12, 10 * time.Millisecond
	if len(fields) <= stime {
		return 0, fmt.Errorf("process %d: no times", pid)
	}
	user, err := strconv.Atoi(fields[utime])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[stime])
	return time.Duration(user+system) * tick, err
}
