package replay

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"ovnreplay/pcap"
	"ovnreplay/sim/network"
)

// strangers are the first addresses of frames that are none of the network's.
type strangers []netip.Addr

// maxStrangers is how many are told.
const maxStrangers = 4

// add notes the sender of a frame.
func (s *strangers) add(frame []byte) {
	if len(*s) == maxStrangers {
		return
	}
	m, err := pcap.EthernetMeta(frame)
	if err != nil {
		return
	}
	a, _ := metaIPs(&m)
	if a.IsValid() && !a.IsUnspecified() && !slices.Contains(*s, a) {
		*s = append(*s, a)
	}
}

// told says that they are of another network, and which this one is.
func (s strangers) told(net *network.Network) string {
	b := "no address of the captures"
	if len(s) > 0 {
		b += " (" + listed(s) + ")"
	}
	b += " is in this database: is it another cluster's? It"
	if len(net.Chassis) > 0 {
		b += fmt.Sprintf(" is of chassis %s", chassisTold(net))
	}
	var networks []netip.Prefix
	for _, p := range net.Ports[1:] {
		for _, a := range p.Addresses {
			for _, ip := range a.IPs {
				n := ip.Masked()
				if p.Datapath.Router && !n.IsSingleIP() && !n.Addr().IsLinkLocalUnicast() &&
					!slices.Contains(networks, n) {
					networks = append(networks, n)
				}
			}
		}
	}
	if len(networks) == 0 {
		return b
	}
	if len(net.Chassis) > 0 {
		b += " and"
	}
	return b + " has the networks " + listed(networks)
}

// chassisTold lists chassis by what people know them by, a few of them.
func chassisTold(net *network.Network) string {
	var names []string
	for _, c := range net.Chassis {
		name := c.Hostname
		if name == "" {
			name = c.Name
		}
		names = append(names, name)
	}
	return listed(names)
}

// listed lists a few things.
func listed[T any](all []T) string {
	var b strings.Builder
	for i, x := range all {
		switch {
		case i == maxStrangers:
			b.WriteString(", …")
			return b.String()
		case i > 0:
			b.WriteString(", ")
		}
		fmt.Fprint(&b, x)
	}
	return b.String()
}

// strange says so if no address of frames is one of the network's.
func (o *Owners) strange(frames [][]byte) string {
	var all strangers
	for _, data := range frames {
		if len(data) >= 14 {
			f := Frame{Data: data, Wire: len(data)}
			e := endpoints(f.Headers())
			if o.related(&f) || o.chassisAt(addrOf(f.Headers(), e[0])) != nil ||
				o.chassisAt(addrOf(f.Headers(), e[1])) != nil {
				return ""
			}
			all.add(data)
		}
	}
	if len(frames) == 0 {
		return ""
	}
	return all.told(o.net)
}
