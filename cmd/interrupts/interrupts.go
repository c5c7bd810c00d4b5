// Package interrupts catches the signals that end a program from the moment at which Go
// can: its path is the first of this module, so that it is there before the others are, of which
// some take milliseconds. What a signal in between would end has said nothing. Before Go's runtime
// and the libraries are there, it is the kernel that ends the program, silently.
package interrupts

import (
	"os"
	"os/signal"
	"syscall"
)

// Signals are those that end the program.
var Signals = endings()

// Came has the first of them that came.
var Came = caught()

func endings() []os.Signal {
	list := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		list = append(list, syscall.SIGHUP)
	}
	return list
}

func caught() <-chan os.Signal {
	came := make(chan os.Signal, 1)
	signal.Notify(came, Signals...)
	return came
}
