package main

import (
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// cost is what a process took.
type cost struct {
	cpu    time.Duration
	memory int64 // largest resident set, KiB
}

func (c cost) String() string {
	return fmt.Sprintf("%.2f s CPU, %d MiB", c.cpu.Seconds(), c.memory>>10)
}

// costOf runs a program and measures it.
func costOf(name string, args ...string) (cost, error) {
	cmd := exec.Command(name, args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return cost{}, fmt.Errorf("%s: %w: %.500s", name, err, out)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return cost{}, fmt.Errorf("%s: this system tells no resource usage", name)
	}
	return cost{cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), usage.Maxrss}, nil
}

// leastOf runs a program three times: other processes only ever add to its cost.
func leastOf(name string, args ...string) (cost, error) {
	least, err := costOf(name, args...)
	for range 2 {
		var again cost
		if err == nil {
			again, err = costOf(name, args...)
			least = cost{min(least.cpu, again.cpu), min(least.memory, again.memory)}
		}
	}
	return least, err
}

// measure compares, on the database just made, what ovn-trace takes to start
// and trace a packet with what the measured program takes to load it all.
func (c *cluster) measure(file string) error {
	trace, err := leastOf("ovn-trace", "--no-leader-only", "--db="+c.remote("sb"), "--minimal", "node1",
		`inport == "default_pod0" && eth.src == `+mac(5, 1, 3))
	if err != nil {
		return err
	}
	best, err := leastOf(c.measured, "db", "info", file)
	if err != nil {
		return err
	}
	fmt.Printf("ovn-trace:            %v\novn-replay db info:   %v\n", trace, best)
	fmt.Printf("a part of:            1/%.0f CPU, 1/%.0f memory\n", trace.cpu.Seconds()/best.cpu.Seconds(),
		float64(trace.memory)/float64(best.memory))
	if 10*best.cpu >= trace.cpu || 10*best.memory >= trace.memory {
		return fmt.Errorf("loading takes a tenth of what ovn-trace takes, or more")
	}
	return nil
}
