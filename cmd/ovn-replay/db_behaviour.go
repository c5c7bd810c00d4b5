package main

import (
	"ovnreplay/conntrack"
	"ovnreplay/sim"
	"ovnreplay/sim/network"

	"ovnreplay/sim/printable"
)

// behaviourJSON is what "db info --behaviour --json" prints besides.
type behaviourJSON struct {
	OVN      []network.Behaviour `json:"ovn"`
	Switches []switchJSON        `json:"open_vswitch"` // releases that chassis are taken to run
}

// switchJSON is one release of Open vSwitch and what its userspace datapath does.
type switchJSON struct {
	Release    string                `json:"release"`
	Why        string                `json:"why"`
	Chassis    []string              `json:"chassis"`
	Behaviours []conntrack.Explained `json:"userspace_datapath"`
}

// behaviour tells which changes of OVN and of Open vSwitch's userspace datapath
// apply to a network, and why.
func behaviour(net *network.Network) *behaviourJSON {
	b := &behaviourJSON{OVN: net.Behaviours(), Switches: []switchJSON{}}
	at := map[conntrack.Release]int{}
	for _, c := range net.Chassis {
		r, why := sim.OVSRelease(net, c)
		i, ok := at[r]
		if !ok {
			i = len(b.Switches)
			at[r] = i
			o := conntrack.Options{Profile: conntrack.OVSUserspace, OVS: r}
			b.Switches = append(b.Switches, switchJSON{Release: r.String(), Why: why, Behaviours: o.Behaviours()})
		}
		b.Switches[i].Chassis = append(b.Switches[i].Chassis, c.Name)
	}
	return b
}

func (o *dbOptions) printBehaviour(i *infoJSON) {
	w := o.stdout
	line := func(applies bool, name, what, why, authority string) {
		verdict := "no "
		if applies {
			verdict = "yes"
		}
		printable.Fprintf(w, "  %s  %s: %s\n       %s (%s)\n", verdict, name, what, why, authority)
	}
	version := i.Version
	if version == "" {
		version = "unknown version"
	}
	printable.Fprintf(w, "\nchanges of OVN that %s has:\n", version)
	for _, b := range i.Behaviour.OVN {
		line(b.Applies, b.Name, b.What, b.Why, b.Authority)
	}
	for _, s := range i.Behaviour.Switches {
		printable.Fprintf(w, "\nwith --ct-profile ovs-userspace: Open vSwitch %s on %d chassis (%s): %s\n", s.Release, len(s.Chassis), s.Chassis[0], s.Why)
		for _, b := range s.Behaviours {
			line(b.Applies, b.Name, b.What, b.Why, b.Authority)
		}
	}
}
