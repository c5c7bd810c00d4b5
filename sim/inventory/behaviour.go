package inventory

import (
	"io"

	"ovnreplay/conntrack"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/printable"
)

// Behaviour is which changes apply to a network, and why.
type Behaviour struct {
	OVN      []network.Behaviour `json:"ovn"`
	Switches []Switch            `json:"open_vswitch"` // releases that chassis are taken to run
}

// Switch is one release of Open vSwitch and what its userspace datapath does.
type Switch struct {
	Release    string                `json:"release"`
	Why        string                `json:"why"`
	Chassis    []string              `json:"chassis"`
	Behaviours []conntrack.Explained `json:"userspace_datapath"`
}

// Behave tells which changes of OVN and of Open vSwitch's userspace datapath
// apply to a network, and why.
func Behave(net *network.Network) *Behaviour {
	b := &Behaviour{OVN: net.Behaviours(), Switches: []Switch{}}
	at := map[conntrack.Release]int{}
	for _, c := range net.Chassis {
		if c.Remote() { // its own zone's database tells
			continue
		}
		r, why := sim.OVSRelease(net, c)
		i, ok := at[r]
		if !ok {
			i = len(b.Switches)
			at[r] = i
			o := conntrack.Options{Profile: conntrack.OVSUserspace, OVS: r}
			b.Switches = append(b.Switches, Switch{Release: r.String(), Why: why, Behaviours: o.Behaviours()})
		}
		b.Switches[i].Chassis = append(b.Switches[i].Chassis, c.Name)
	}
	return b
}

func (i *Inventory) writeBehaviour(w io.Writer) {
	line := func(applies bool, name, what, why, authority string) {
		verdict := "no "
		if applies {
			verdict = "yes"
		}
		printable.Fprintf(w, "  %s  %s: %s\n       %s (%s)\n", verdict, name, what, why, authority)
	}
	printable.Fprintf(w, "\nchanges of OVN that %s has:\n", i.version())
	for _, b := range i.Behaviour.OVN {
		line(b.Applies, b.Name, b.What, b.Why, b.Authority)
	}
	for _, s := range i.Behaviour.Switches {
		printable.Fprintf(w, "\nwith --ct-profile ovs-userspace: Open vSwitch %s on %d chassis (%s): %s\n", s.Release,
			len(s.Chassis), s.Chassis[0], s.Why)
		for _, b := range s.Behaviours {
			line(b.Applies, b.Name, b.What, b.Why, b.Authority)
		}
	}
}
