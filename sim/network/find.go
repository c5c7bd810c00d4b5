package network

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Port returns the port of that logical port name, else of that second name
// (external_ids:name) if just one port has it; nil when there is none. Of joined
// databases that have the name it is the first in whose zone the port is.
func (n *Network) Port(name string) *Port {
	var other *Port
	for _, z := range n.AZs {
		p := z.portByName[name]
		if p != nil && p.Twin == nil {
			return p
		}
		if other == nil {
			other = p
		}
	}
	if other != nil {
		return other
	}
	return n.portByName2[name]
}

// PortByUUID returns the port whose Port_Binding row has that UUID, or nil.
func (n *Network) PortByUUID(uuid string) *Port { return n.portByUUID[uuid] }

// ChassisByName returns the chassis of that name, else the one of that hostname,
// as ovn-sbctl show prints it; nil if there is none.
func (n *Network) ChassisByName(name string) *Chassis {
	if c := n.chassis[name]; c != nil || name == "" {
		return c
	}
	for _, c := range n.Chassis {
		if c.Hostname == name {
			return c
		}
	}
	return nil
}

// PortByKey returns the datapath's port of that tunnel key, or nil.
func (d *Datapath) PortByKey(key uint32) *Port {
	// Ports are in order of their keys.
	i, found := slices.BinarySearchFunc(d.Ports, key, func(p *Port, key uint32) int {
		return int(p.TunnelKey) - int(key)
	})
	if !found {
		return nil
	}
	return d.Ports[i]
}

// GroupByKey returns the datapath's multicast group of that key, or nil.
func (d *Datapath) GroupByKey(key uint32) *Group {
	i, found := slices.BinarySearchFunc(d.Groups, key, func(g *Group, key uint32) int {
		return int(g.TunnelKey) - int(key)
	})
	if !found {
		return nil
	}
	return d.Groups[i]
}

// minPrefix is the shortest beginning of a UUID taken for one.
const minPrefix = 4

// FindPort finds the port a person means: by logical port name, a name that
// people gave it, UUID, or beginning of one UUID only.
func (n *Network) FindPort(text string) (*Port, error) {
	if p := n.Port(text); p != nil {
		return p, nil
	}
	if _, ambiguous := n.portByName2[text]; ambiguous {
		return nil, fmt.Errorf("several ports are named %s (%s): give the logical port's own name or its UUID", text,
			n.namesakes(text))
	}
	var found []*Port
	var close []string
	for _, p := range n.Ports[1:] {
		if matchesUUID(p.UUID, text) {
			found = append(found, p)
		}
		for _, name := range append(p.otherNames(), p.Name) {
			if Resembles(name, text) && !slices.Contains(close, name) {
				close = append(close, name)
			}
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, fmt.Errorf("no logical port is named %s%s", text, didYouMean(close))
	}
	return nil, fmt.Errorf("the UUIDs of %d ports begin with %s: give more of it", len(found), text)
}

// namesakes lists the ports' own names that have another name in common.
func (n *Network) namesakes(name string) string {
	var names []string
	for _, p := range n.Ports[1:] {
		if p.Twin == nil && slices.Contains(p.otherNames(), name) {
			names = append(names, p.Name)
		}
	}
	if more := len(names) - 4; more > 0 {
		return strings.Join(names[:4], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, ", ")
}

// FindDatapath finds the datapath a person means: by name, second name, UUID
// of the Southbound or Northbound row, or beginning of one UUID only.
func (n *Network) FindDatapath(text string) (*Datapath, error) {
	var named, found []*Datapath
	var close []string
	for _, d := range n.Datapaths {
		if d.Name == text || d.Name2 == text && text != "" || d.Name == neutron+text {
			named = append(named, d)
		}
		if matchesUUID(d.UUID, text) || matchesUUID(d.NBUUID, text) {
			found = append(found, d)
		}
		if Resembles(d.Called(), text) {
			close = append(close, d.Called())
		}
	}
	switch {
	case len(named) == 1:
		return named[0], nil
	case len(named) > 1:
		return nil, fmt.Errorf("%d datapaths are named %s: give the UUID, such as %s", len(named), text, named[0].UUID)
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return nil, fmt.Errorf("the UUIDs of %d datapaths begin with %s: give more of it", len(found), text)
	}
	return nil, fmt.Errorf("no datapath is named %s%s", text, didYouMean(close))
}

// matchesUUID reports whether text is a UUID or begins it.
func matchesUUID(uuid, text string) bool {
	return len(text) >= minPrefix && len(text) <= len(uuid) && strings.EqualFold(uuid[:len(text)], text)
}

// Resembles reports whether a name may be meant by a text that is none: it holds
// the text, or is a letter or two in eight away from it. Two letters that changed places count as one.
func Resembles(name, text string) bool {
	if text == "" || strings.Contains(name, text) {
		return text != ""
	}
	most := max(1, len(text)/4)
	if len(text) > 256 || len(name)-len(text) > most || len(text)-len(name) > most {
		return false
	}
	// The distance of Damerau and Levenshtein, row by row.
	before, last, row := make([]int, len(text)+1), make([]int, len(text)+1), make([]int, len(text)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(name) {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range len(text) {
			changed := last[j]
			if name[i] != text[j] {
				changed++
			}
			row[j+1] = min(changed, row[j]+1, last[j+1]+1)
			if i > 0 && j > 0 && name[i] == text[j-1] && name[i-1] == text[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(text)] <= most
}

// didYouMean names some of what there is.
func didYouMean(names []string) string {
	const most = 3
	switch {
	case len(names) == 0:
		return ""
	case len(names) > most:
		return fmt.Sprintf("; there are %s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return "; there is " + strings.Join(names, ", ")
}

// NoChassis says that no chassis has a name, and which may be meant.
func (n *Network) NoChassis(text string) error {
	var close, all []string
	for _, c := range n.Chassis {
		for _, name := range [...]string{c.Hostname, c.Name} {
			if name != "" && Resembles(name, text) {
				close = append(close, name)
			}
		}
		all = append(all, cmp.Or(c.Hostname, c.Name))
	}
	if len(close) == 0 {
		close = all
	}
	return fmt.Errorf("no chassis %q in the database%s", text, didYouMean(close))
}

// BindingsAge reports whether a router's MAC bindings age, and are renewed as they
// are used (ovn-nb(5), mac_binding_age_threshold).
func (d *Datapath) BindingsAge() bool {
	return d.ages("mac_binding_age_threshold")
}

// Younger counts the MAC bindings and FDB entries that came after a moment, in
// milliseconds since 1970.
func (n *Network) Younger(than int64) int {
	count := 0
	for i := range n.MACBindings {
		if n.MACBindings[i].Timestamp > than {
			count++
		}
	}
	for i := range n.FDB {
		if n.FDB[i].Timestamp > than {
			count++
		}
	}
	return count
}

// FDBAges reports whether a switch's FDB entries age, and are renewed as they are used
// (ovn-nb(5), fdb_age_threshold).
func (d *Datapath) FDBAges() bool { return d.ages("fdb_age_threshold") }

func (d *Datapath) ages(threshold string) bool {
	t := d.ExternalIDs[threshold]
	return t != "" && t != "0"
}
