package replay

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"ovnreplay/pcap"
	"ovnreplay/sim/network"

	"ovnreplay/sim/printable"
)

// Locate finds where a capture was taken, or each of its interfaces, from its
// first records: by the name or comment of a pcapng interface, else by the
// packets' addresses. chassis may be nil.
func (o *Owners) Locate(t *Tap, recs []pcap.Record, chassis *network.Chassis) error {
	t.Chassis = chassis
	var nameless []*pcap.Record
	for i := range recs {
		if t.siteByName(o.net, recs[i].Interface, chassis) == nil {
			nameless = append(nameless, &recs[i])
		}
	}
	if len(nameless) == 0 && len(recs) > 0 {
		return nil
	}
	byInterface := map[int][]*pcap.Record{}
	var order []int
	for _, r := range nameless {
		i := r.Interface.Index
		if byInterface[i] == nil {
			order = append(order, i)
		}
		byInterface[i] = append(byInterface[i], r)
	}
	if len(order) == 1 && t.Interfaces == nil {
		s, err := o.siteByPackets(byInterface[order[0]], among{chassis: chassis})
		t.Site = s
		return err
	}
	if chassis == nil {
		chassis = o.hostOf(t, recs, byInterface, order)
	}
	failed := o.locateEach(t, byInterface, order, chassis)
	if chassis == nil {
		failed = cmp.Or(t.leaveDoubtful(byInterface, order), failed)
	}
	if t.Interfaces == nil {
		t.Lost = nil
		return failed
	}
	return nil
}

// among is where a capture may have been taken: on a chassis, nil if any, and at none of
// the ports of its host that other interfaces are.
type among struct {
	chassis *network.Chassis
	taken   []*network.Port
}

// allows reports whether a port may be where the capture was taken.
func (a among) allows(p *network.Port) bool {
	return !slices.Contains(a.taken, p) && (a.chassis == nil || p.ResidentOn(a.chassis) || len(p.Been) > 1)
}

// locateEach finds the places of a file's interfaces, first of those that tell theirs alone:
// of a host, each port has one. It returns why the last one that has no place has none.
func (o *Owners) locateEach(t *Tap, recs map[int][]*pcap.Record, order []int, chassis *network.Chassis) (failed error) {
	for open := order; ; {
		in := among{chassis: chassis}
		if chassis != nil {
			in.taken = t.ports()
		}
		var left []int
		var why []error
		for _, i := range open {
			s, err := o.siteByPackets(recs[i], in)
			if err == nil && chassis != nil {
				err = t.fits(s)
			}
			if err != nil {
				left, why = append(left, i), append(why, err)
				continue
			}
			t.set(i, s)
		}
		if chassis != nil && len(left) > 0 && len(left) < len(open) {
			open = left
			continue
		}
		for n, i := range left {
			failed = why[n]
			t.Lost = append(t.Lost, fmt.Sprintf("%s: %v; its frames are left out", interfaceOf(recs[i][0]), failed))
		}
		return failed
	}
}

// ports are those that interfaces of the capture are.
func (t *Tap) ports() (list []*network.Port) {
	for _, s := range t.Sites() {
		if s.Port != nil && !leadsOut(s.Port) {
			list = append(list, s.Port)
		}
	}
	return list
}

// fits says why an interface of a host is not one of its ports, though its packets are.
func (t *Tap) fits(s *Site) error {
	p := s.Port
	if p == nil || p.Type != network.VIF {
		return nil
	}
	if !p.ResidentOn(s.Chassis) && len(p.Been) < 2 {
		return fmt.Errorf("its packets are of %s, which is not at %s as the file's other interfaces are", p.Called(),
			s.Chassis.Host())
	}
	return t.rivalled(s)
}

// rivalled says why a doubtful place is not that of an interface: another is there.
func (t *Tap) rivalled(s *Site) error {
	for _, other := range t.Interfaces {
		if s.Doubt != "" && other != s && other.Port == s.Port {
			return fmt.Errorf("%s sent all that it holds to all of its switch, and another interface is of that port",
				s.Port.Called())
		}
	}
	return nil
}

// leaveDoubtful leaves out those interfaces of several hosts' whose place is doubtful, and
// another's. It returns why the last one is.
func (t *Tap) leaveDoubtful(recs map[int][]*pcap.Record, order []int) (failed error) {
	for _, i := range order {
		s := t.Interfaces[i]
		if s == nil || s.Port == nil || s.Port.Type != network.VIF {
			continue
		}
		if why := t.rivalled(s); why != nil {
			failed = why
			delete(t.Interfaces, i)
			t.Lost = append(t.Lost, fmt.Sprintf("%s: %v; its frames are left out", interfaceOf(recs[i][0]), why))
		}
	}
	return failed
}

// interfaceOf is what a record's interface is called in its file.
func interfaceOf(r *pcap.Record) string {
	if r.Interface.Name != "" {
		return "interface " + r.Interface.Name
	}
	return fmt.Sprintf("interface %d", r.Interface.Index)
}

// hostOf is the host that all interfaces of one file are of, as those tell that are one
// chassis' alone: nil if they are of several, as where files of several hosts were put
// together, or if none tells.
func (o *Owners) hostOf(t *Tap, recs []pcap.Record, nameless map[int][]*pcap.Record, order []int) *network.Chassis {
	var hosts []*network.Chassis
	add := func(s *Site) {
		ofPort := s.Port != nil && !leadsOut(s.Port) && len(s.Port.Additional) == 0 && s.Doubt == ""
		if (ofPort || s.tunnels) && !slices.Contains(hosts, s.Chassis) {
			hosts = append(hosts, s.Chassis)
		}
	}
	for _, s := range t.Sites() {
		add(s)
	}
	for _, i := range order {
		if s, err := o.siteByPackets(nameless[i], among{}); err == nil {
			add(s)
		}
	}
	if len(hosts) != 1 || namedTwice(recs) {
		return nil
	}
	return hosts[0]
}

// namedTwice reports whether two interfaces of a file have one name: they are of two hosts.
func namedTwice(recs []pcap.Record) bool {
	names := map[string]int{}
	for i := range recs {
		name, index := recs[i].Interface.Name, recs[i].Interface.Index
		if known, ok := names[name]; ok && name != "" && known != index {
			return true
		}
		names[name] = index
	}
	return false
}

func (t *Tap) set(i int, s *Site) {
	if t.Interfaces == nil {
		t.Interfaces = map[int]*Site{}
	}
	t.Interfaces[i] = s
}

// siteByName finds the logical port that an interface's name, description or
// comment names, as it is or as iface-id=….
func (t *Tap) siteByName(net *network.Network, i *pcap.Interface, chassis *network.Chassis) *Site {
	if s, ok := t.Interfaces[i.Index]; ok {
		return s
	}
	if chassis == nil {
		chassis = chassisNamed(net, i)
	}
	for _, text := range append([]string{i.Name, i.Description}, i.Comments...) {
		p := portNamed(net, text)
		if p == nil {
			continue
		}
		s := &Site{Kind: AtPort, Port: p, Chassis: chassis, Found: "interface name"}
		if s.Chassis == nil {
			c, err := ChassisOf(net, p)
			if err != nil {
				return nil
			}
			s.Chassis = c
		}
		t.set(i.Index, s)
		return s
	}
	return nil
}

// portNamed returns the port that a text is or names with iface-id.
func portNamed(net *network.Network, text string) *network.Port {
	if text == "" {
		return nil
	}
	if p := net.Port(text); p != nil {
		return p
	}
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" ,;\t\n", r) }) {
		if id, ok := strings.CutPrefix(word, "iface-id="); ok {
			if p := net.Port(strings.Trim(id, `"`)); p != nil {
				return p
			}
		}
	}
	return nil
}

// chassisNamed returns the chassis that an interface's description names, as
// annotated captures do.
func chassisNamed(net *network.Network, i *pcap.Interface) *network.Chassis {
	_, name, ok := strings.Cut(i.Description, "on chassis ")
	if !ok {
		return nil
	}
	return net.ChassisByName(strings.TrimSpace(name))
}

// siteByPackets finds where an interface's records were captured.
func (o *Owners) siteByPackets(recs []*pcap.Record, in among) (*Site, error) {
	chassis := in.chassis
	votes, floods := map[*network.Port]int{}, map[*network.Port]int{}
	var cooked []pcap.LinkMeta
	tunnels := 0
	var frames [][]byte
	endpoints := map[*network.Chassis]int{}
	for _, r := range recs {
		eth, m, err := pcap.Frame(r)
		if err != nil {
			continue
		}
		if t, fault := m.Decap(); fault == pcap.TunnelOK {
			if a, b := o.chassisAt(t.Src), o.chassisAt(t.Dst); a != nil && b != nil {
				endpoints[a]++
				endpoints[b]++
				tunnels++
				continue
			}
		}
		if eth != nil {
			frames = append(frames, eth)
			continue
		}
		cooked = append(cooked, m)
		if flooded(&m) {
			o.vote(floods, &m)
		} else {
			o.vote(votes, &m)
		}
	}
	addFloods(votes, floods, len(cooked))
	switch {
	case tunnels > 0 && tunnels >= len(frames)+len(cooked):
		c, alone := mostSeen(endpoints, chassis)
		return &Site{Kind: AtUnderlay, Chassis: c, Found: "tunnel endpoints", tunnels: alone}, nil
	case len(cooked) > 0:
		return o.cookedSite(votes, cooked, chassis)
	}
	if err := o.ofTunnels(frames); err != nil {
		return nil, err
	}
	port, err := o.Find(frames)
	if err != nil {
		return nil, err
	}
	port, doubt, err := o.rivals(port, frames, in)
	if err != nil {
		return nil, err
	}
	if chassis == nil && port.Type == network.Localnet {
		return o.wireSite(port, metas(frames))
	}
	s := &Site{Kind: AtPort, Port: port, Chassis: chassis, Found: "packets' addresses", Doubt: doubt}
	if s.Chassis == nil {
		s.Chassis, err = o.chassisOf(port, frames)
		s.Doubt = cmp.Or(s.Doubt, AtSeveral(port, s.Chassis))
	}
	return s, err
}

// chassisOf is the chassis at which frames of a port were captured: of one that is at
// several, as while it moves, what others send to it is at each.
func (o *Owners) chassisOf(port *network.Port, frames [][]byte) (*network.Chassis, error) {
	if port.Type == network.VIF && len(port.Additional) > 0 &&
		!slices.ContainsFunc(frames, func(f []byte) bool { return len(f) >= 14 && hasMAC(port, macAt(f[6:])) }) {
		wires := []wireAt{{port, port.Chassis}}
		for _, c := range port.Additional {
			wires = append(wires, wireAt{port, c})
		}
		return nil, fmt.Errorf("its packets would be at %s on several chassis alike: say on which it was taken with "+
			"-r FILE@%s", port.Called(), places(wires))
	}
	return ChassisOf(o.net, port)
}

// AtSeveral says that a port, taken to be at a chassis, is at others as well.
func AtSeveral(port *network.Port, c *network.Chassis) string {
	if port.Type != network.VIF || len(port.Additional) == 0 || c == nil {
		return ""
	}
	var others []string
	for _, other := range port.Additional {
		others = append(others, other.Host())
	}
	return fmt.Sprintf("%s is at %s and at %s: it is taken to be of the first (say it with -r FILE@%s@CHASSIS)",
		port.Called(), c.Host(), strings.Join(others, ", "), port.Name)
}

// mostSeen returns the given chassis, else the one that takes part in most
// packets, the first by name among equals; alone: there are none.
func mostSeen(n map[*network.Chassis]int, given *network.Chassis) (best *network.Chassis, alone bool) {
	if given != nil {
		return given, true
	}
	for c := range n {
		switch {
		case best == nil || n[c] > n[best]:
			best, alone = c, true
		case n[c] == n[best]:
			alone = false
			if c.Name < best.Name {
				best = c
			}
		}
	}
	return best, alone
}

// vote counts the interfaces whose addresses a frame without Ethernet header has.
func (o *Owners) vote(votes map[*network.Port]int, m *pcap.LinkMeta) {
	src, dst := metaIPs(m)
	if m.HasSrc {
		for _, p := range o.ports[macOf(m.Src)] {
			if p.Type == network.VIF {
				votes[p]++
			}
		}
	} else {
		for _, p := range o.byIP[src] {
			votes[p]++
		}
	}
	for _, p := range o.byIP[dst] {
		if p.Type == network.VIF && (!m.HasSrc || o.near(p.Datapath, macOf(m.Src))) {
			votes[p]++
		} else if !m.HasSrc {
			votes[p]++
		}
	}
}

// cookedSite decides where a cooked or raw capture was taken: at the one
// interface whose packets it holds, or on a host where it holds those of several.
func (o *Owners) cookedSite(votes map[*network.Port]int, cooked []pcap.LinkMeta,
	chassis *network.Chassis) (*Site, error) {
	best := o.mostVoted(votes, func(p *network.Port) bool { return p.Type == network.VIF })
	wire := o.wireOf(votes)
	switch {
	case best == nil && wire == nil:
		return nil, fmt.Errorf("no logical port has the addresses of its packets; name the port with -r FILE@PORT")
	case best == nil && chassis == nil:
		return o.wireSite(wire, cooked)
	case best == nil:
		return &Site{Kind: AtPort, Port: wire, Chassis: chassis, Found: "packets' addresses"}, nil
	}
	if chassis == nil {
		var err error
		if chassis, err = ChassisOf(o.net, best); err != nil {
			return nil, err
		}
	}
	if interfaces(cooked) > 1 {
		return &Site{Kind: AtHost, Chassis: chassis, Found: "packets of several interfaces"}, nil
	}
	if o.ofOthers(best, chassis, cooked) {
		return &Site{Kind: AtHost, Chassis: chassis, Found: "packets of several ports"}, nil
	}
	return &Site{Kind: AtPort, Port: best, Chassis: chassis, Found: "packets' addresses"}, nil
}

// interfaces is how many interfaces of the host cooked frames are from, 0 if
// they do not say.
func interfaces(frames []pcap.LinkMeta) int {
	seen := map[int]bool{}
	for i := range frames {
		if n := frames[i].IfIndex; n != 0 {
			seen[n] = true
		}
	}
	return len(seen)
}

// ofOthers reports whether many frames are of other ports of the chassis than p.
func (o *Owners) ofOthers(p *network.Port, c *network.Chassis, frames []pcap.LinkMeta) bool {
	others := 0
	for i := range frames {
		m := &frames[i]
		src, dst := metaIPs(m)
		if m.HasSrc && hasMAC(p, macOf(m.Src)) || hasIP(p, dst) || !m.HasSrc && hasIP(p, src) {
			continue
		}
		if q, _ := o.hostPlace(c, m, nil); q != nil && q != p {
			others++
		}
	}
	return others > 1 && 10*others > len(frames)
}

// Explain tells how a capture was placed, for people.
func (t *Tap) Explain() string {
	var b strings.Builder
	for _, s := range t.Sites() {
		printable.Fprintf(&b, "%s: %s (%s)\n", t.Name, s, s.Found)
	}
	if len(t.Sites()) == 0 {
		printable.Fprintf(&b, "%s: not placed\n", t.Name)
	}
	placed := map[string]int{}
	for at, n := range t.placed {
		placed[at.dir.String()+" at "+at.point.Called()] += *n
	}
	for _, n := range counted(placed) {
		printable.Fprintf(&b, "    %d %s\n", n.count, n.what)
	}
	for _, n := range counted(t.Unplaced) {
		printable.Fprintf(&b, "    %d not placed: %s\n", n.count, n.what)
	}
	return b.String()
}

type countOf struct {
	what  string
	count int
}

func counted(m map[string]int) []countOf {
	var out []countOf
	for what, n := range m {
		out = append(out, countOf{what, n})
	}
	slices.SortFunc(out, func(a, b countOf) int {
		if a.count != b.count {
			return b.count - a.count
		}
		return strings.Compare(a.what, b.what)
	})
	return out
}

// String tells what the site is.
func (s *Site) String() string {
	switch s.Kind {
	case AtPort:
		return fmt.Sprintf("logical port %s of %s on chassis %s", s.Port.Called(),
			s.Port.Datapath.Called(), s.Chassis.Name)
	case AtHost:
		return fmt.Sprintf("every interface of chassis %s", s.Chassis.Name)
	case InTunnel:
		return fmt.Sprintf("inside of the tunnels of chassis %s", s.Chassis.Name)
	}
	return fmt.Sprintf("underlay of chassis %s", s.Chassis.Name)
}
