package sim

import (
	"fmt"
	"net/netip"
	"strings"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/table"
)

// Port security (ovn-nb(5), Logical_Switch_Port "port_security") is checked by
// flows that ovn-controller makes from Port_Binding.port_security. We make the
// same rules in the logical flow language and run them like any other stage.
type portSecurity struct {
	in, nd, out *table.Stage
}

// Actions of the rules: where a packet goes from a rule.
const (
	secFail  = "drop;"
	secCheck = "next(1);" // on to the ARP and neighbor discovery rules
	secPass  = "next(2);"

	secCheckTable = 1
	secPassTable  = 2
)

// portSecurityIn reports whether the inport's port security lets p in.
func (e *Engine) portSecurityIn(p *pkt) bool {
	s := e.portSecurity(p, field.Inport)
	if s == nil {
		return true
	}
	f := e.lookup(p, s.in, nil)
	if f != nil && leadsTo(f, secCheckTable) {
		f = e.lookup(p, s.nd, nil)
	}
	return passes(f)
}

// portSecurityOut reports whether the outport's port security lets p out.
func (e *Engine) portSecurityOut(p *pkt) bool {
	s := e.portSecurity(p, field.Outport)
	return s == nil || passes(e.lookup(p, s.out, nil))
}

// passes reports whether a rule lets a packet pass, as no rule does.
func passes(f *table.Flow) bool { return f == nil || leadsTo(f, secPassTable) }

func leadsTo(f *table.Flow, tbl uint8) bool {
	return f.Ops[0].Code == lflow.OpNext && f.Ops[0].Table == tbl
}

// portSecurity returns the compiled rules of the port in a field of p, nil if
// it has none.
func (e *Engine) portSecurity(p *pkt, id field.ID) *portSecurity {
	port := e.portOf(p, id)
	if port == nil || len(port.PortSecurity) == 0 {
		return nil
	}
	if s, ok := e.security[port.Index]; ok {
		return s
	}
	s := e.compileSecurity(port)
	e.security[port.Index] = s
	return s
}

// portOf returns the port that a port field of p names, nil for none.
func (e *Engine) portOf(p *pkt, id field.ID) *network.Port {
	n := p.Key.Get(id)
	if n&groupBit != 0 || n >= uint64(len(e.Net.Ports)) {
		return nil
	}
	return e.Net.Ports[n]
}

func (e *Engine) compileSecurity(port *network.Port) *portSecurity {
	r := securityRules{
		hopLimit: 255,
		strict:   e.has(port.Datapath.AZ, network.StrictNeighbors),
	}
	if !e.has(port.Datapath.AZ, network.AdvertHopLimit) {
		r.hopLimit = 225
	}
	for _, text := range port.PortSecurity {
		if entry, ok := parseSecurity(text); ok {
			r.entry(entry)
		}
	}
	if r.in == nil {
		return nil
	}
	r.defaults()
	compile := func(rules []rule) *table.Stage {
		var flows []*table.Flow
		for i, x := range rules {
			flows = append(flows, table.Compile(&network.Flow{
				UUID: fmt.Sprintf("port-security-%s-%d", port.Name, i), Priority: x.priority, Match: x.match,
				Actions: x.action,
			}, &lflow.Env{Pipeline: lflow.Ingress, Tables: 3}, e))
		}
		return table.NewStage(flows)
	}
	return &portSecurity{in: compile(r.in), nd: compile(r.nd), out: compile(r.out)}
}

// securityEntry is one entry of port_security.
type securityEntry struct {
	phys         string   // the entry's Ethernet address
	macs4, macs6 []string // addresses frames may have: phys, or the virtual routers'
	sha, nd      []string // addresses ARP and neighbor discovery may speak of
	ip4, ip6     []securityIP
}

type securityIP struct {
	match string // address or prefix
	bcast string // the subnet's broadcast address, "" for none
}

// Virtual router addresses (RFC 9568), when an entry names none.
const (
	anyVRRP4 = "00:00:5e:00:01:00/ff:ff:ff:ff:ff:00"
	anyVRRP6 = "00:00:5e:00:02:00/ff:ff:ff:ff:ff:00"
)

// parseSecurity parses "[VRRPv3 ]MAC[ VMAC[/LEN]…][ IP[/LEN]…]".
func parseSecurity(text string) (s securityEntry, ok bool) {
	words := strings.Fields(text)
	vrrp := len(words) > 0 && words[0] == "VRRPv3"
	if vrrp {
		words = words[1:]
	}
	if len(words) == 0 {
		return s, false
	}
	if _, ok = header.ParseMAC(words[0]); !ok {
		return s, false
	}
	s.phys = words[0]
	var v4, v6 []string
	for _, w := range words[1:] {
		if mac, ok := virtualMAC(w); ok && vrrp {
			if strings.HasPrefix(mac, "00:00:5e:00:01:") {
				v4 = append(v4, mac)
			} else {
				v6 = append(v6, mac)
			}
		} else if !s.addIP(w) {
			return s, false
		}
	}
	switch {
	case !vrrp:
		s.macs4, s.macs6, s.sha, s.nd = []string{s.phys}, []string{s.phys}, []string{s.phys}, []string{s.phys}
		return s, true
	case v4 == nil && v6 == nil:
		v4, v6 = []string{anyVRRP4}, []string{anyVRRP6}
	}
	s.macs4, s.macs6, s.sha, s.nd = v4, v6, v4, v6
	return s, true
}

// virtualMAC parses a virtual router's address with an optional prefix length
// of 40 or more and returns it as a constant with a mask.
func virtualMAC(w string) (string, bool) {
	text, length, masked := strings.Cut(w, "/")
	mac, ok := header.ParseMAC(text)
	if !ok || mac[0] != 0 || mac[1] != 0 || mac[2] != 0x5e || mac[3] != 0 || mac[4] != 1 && mac[4] != 2 {
		return "", false
	}
	n := 48
	if masked {
		if _, err := fmt.Sscanf(length, "%d", &n); err != nil || n < 40 || n > 48 {
			return "", false
		}
	}
	if n == 48 {
		return text, mac[5] != 0
	}
	return fmt.Sprintf("%s/ff:ff:ff:ff:ff:%02x", text, byte(0xff<<(48-n))), true
}

// addIP adds an allowed address. With a prefix length and a host part only
// that address is allowed, and its subnet's broadcast address may reach it;
// with a zero host part the whole prefix is.
func (s *securityEntry) addIP(w string) bool {
	prefix, err := netip.ParsePrefix(w)
	if err != nil {
		a, err := netip.ParseAddr(w)
		if err != nil {
			return false
		}
		prefix = netip.PrefixFrom(a, a.BitLen())
	}
	ip := securityIP{match: prefix.Masked().String()}
	if a := prefix.Addr(); prefix.Masked().Addr() != a {
		ip.match = a.String()
		if a.Is4() {
			b := a.As4()
			for i := prefix.Bits(); i < 32; i++ {
				b[i/8] |= 0x80 >> (i % 8)
			}
			ip.bcast = netip.AddrFrom4(b).String()
		}
	}
	if prefix.Addr().Is4() {
		s.ip4 = append(s.ip4, ip)
	} else {
		s.ip6 = append(s.ip6, ip)
	}
	return true
}

type rule struct {
	priority      uint16
	match, action string
}

// securityRules collects the rules of a port's entries.
type securityRules struct {
	in, nd, out []rule

	// Releases differ in neighbor discovery. The first ones test for a wrong
	// hop limit, 225, so that most of their rules match nothing; until strict,
	// solicitations that no rule allows pass, and only advertisements of
	// configured addresses are held to the entry's Ethernet address.
	hopLimit int
	strict   bool
}

func (r *securityRules) addIn(match, action string) { r.in = append(r.in, rule{90, match, action}) }
func (r *securityRules) addND(match string)         { r.nd = append(r.nd, rule{90, match, secPass}) }
func (r *securityRules) addOut(priority uint16, match, action string) {
	r.out = append(r.out, rule{priority, match, action})
}

// defaults refuse what no entry allows.
func (r *securityRules) defaults() {
	r.in = append(r.in, rule{80, "1", secFail}, rule{95, "arp", secCheck})
	solicit := secPass
	if r.strict {
		solicit = secFail
	}
	r.nd = append(r.nd, rule{80, "arp", secFail},
		rule{80, "icmp6.type == 136 && ip.ttl == 255", secFail},
		rule{80, "icmp6.type == 135 && ip.ttl == 255", solicit})
	r.out = append(r.out, rule{80, "1", secFail})
}

func (r *securityRules) entry(s securityEntry) {
	if s.ip4 == nil && s.ip6 == nil {
		for _, mac := range union(s.macs4, s.macs6) {
			r.addIn("eth.src == "+mac, secCheck)
		}
	}
	if s.ip4 != nil {
		r.ip4(&s)
	}
	if s.ip4 != nil || s.ip6 == nil {
		r.arp(&s)
	}
	if s.ip6 != nil {
		r.ip6(&s)
	}
	r.neighbor(&s)
	r.outgoing(&s)
}

func union(a, b []string) []string {
	if len(a) == 1 && len(b) == 1 && a[0] == b[0] {
		return a
	}
	return append(append([]string{}, a...), b...)
}

func (r *securityRules) ip4(s *securityEntry) {
	for _, mac := range s.macs4 {
		for _, ip := range s.ip4 {
			r.addIn(fmt.Sprintf("eth.src == %s && ip4.src == %s", mac, ip.match), secPass)
		}
		r.addIn(fmt.Sprintf("eth.src == %s && ip4.src == 0.0.0.0 && ip4.dst == 255.255.255.255 && udp.src == 68 && "+
			"udp.dst "+
			"== 67", mac), secPass)
	}
}

func (r *securityRules) arp(s *securityEntry) {
	for _, sha := range s.sha {
		if s.ip4 == nil {
			r.addND(fmt.Sprintf("eth.src == %s && arp && arp.sha == %s", s.phys, sha))
		}
		for _, ip := range s.ip4 {
			r.addND(fmt.Sprintf("eth.src == %s && arp && arp.sha == %s && arp.spa == %s", s.phys, sha, ip.match))
		}
	}
}

func (r *securityRules) ip6(s *securityEntry) {
	for _, mac := range s.macs6 {
		for _, ip := range append([]securityIP{{match: linkLocal(mac)}}, s.ip6...) {
			r.addIn(fmt.Sprintf("eth.src == %s && ip6.src == %s", mac, ip.match), secCheck)
		}
		unspecified := fmt.Sprintf("eth.src == %s && ip6.src == :: && ip6.dst == ff02::/16 && icmp6.code == 0 && "+
			"icmp6.type == ", mac)
		r.addIn(unspecified+"{131, 143}", secPass)
		r.addIn(unspecified+"135", secCheck)
	}
}

func (r *securityRules) neighbor(s *securityEntry) {
	source := ""
	if r.strict {
		source = fmt.Sprintf("eth.src == %s && ", s.phys)
	}
	kind := func(typ int) string {
		return fmt.Sprintf("%sicmp6.type == %d && icmp6.code == 0 && ip.ttl == %d && ", source, typ, r.hopLimit)
	}
	for _, mac := range append([]string{"00:00:00:00:00:00"}, s.nd...) {
		r.addND(kind(135) + linkAddress(135, r.hopLimit, mac))
		na := kind(136) + linkAddress(136, r.hopLimit, mac)
		if s.ip6 == nil {
			r.addND(na)
			continue
		}
		r.addND(na + " && nd.target == " + linkLocal(s.phys))
		for _, ip := range s.ip6 {
			r.addND(fmt.Sprintf("eth.src == %s && icmp6.type == 136 && icmp6.code == 0 && nd.tll == %s && "+
				"nd.target == %s",
				s.phys, mac, ip.match))
		}
	}
}

// linkAddress matches the link-layer address of a solicitation or
// advertisement. In the language that needs a hop limit of 255: with another
// one nothing can match.
func linkAddress(typ, hopLimit int, mac string) string {
	switch {
	case hopLimit != 255:
		return "0"
	case typ == 135:
		return "nd.sll == " + mac
	}
	return "nd.tll == " + mac
}

func (r *securityRules) outgoing(s *securityEntry) {
	for _, mac := range union(s.macs4, s.macs6) {
		r.addOut(85, "eth.dst == "+mac, secPass)
	}
	if s.ip4 == nil && s.ip6 == nil {
		return
	}
	for _, mac := range s.macs4 {
		to := fmt.Sprintf("eth.dst == %s && ip4", mac)
		r.addOut(90, to, secFail)
		if s.ip4 == nil {
			continue
		}
		for _, ip := range s.ip4 {
			r.addOut(95, to+" && ip4.dst == "+ip.match, secPass)
			if ip.bcast != "" {
				r.addOut(95, to+" && ip4.dst == "+ip.bcast, secPass)
			}
		}
		r.addOut(95, to+" && ip4.dst == {255.255.255.255, 224.0.0.0/4}", secPass)
	}
	for _, mac := range s.macs6 {
		to := fmt.Sprintf("eth.dst == %s && ip6", mac)
		r.addOut(90, to, secFail)
		if s.ip6 == nil {
			continue
		}
		for _, ip := range append([]securityIP{{match: linkLocal(mac)}, {match: "ff00::/8"}}, s.ip6...) {
			r.addOut(95, to+" && ip6.dst == "+ip.match, secPass)
		}
	}
}

// linkLocal returns the link-local address made from an Ethernet address
// (RFC 4291, appendix A), as a prefix if the address has a mask.
func linkLocal(constant string) string {
	text, mask, masked := strings.Cut(constant, "/")
	mac, _ := header.ParseMAC(text)
	ip := [16]byte{0: 0xfe, 1: 0x80, 8: mac[0] ^ 2, 9: mac[1], 10: mac[2], 11: 0xff, 12: 0xfe, 13: mac[3], 14: mac[4],
		15: mac[5]}
	bits := 128
	if masked {
		m, _ := header.ParseMAC(mask)
		for b := m[5]; b&1 == 0 && bits > 120; b >>= 1 {
			bits--
		}
	}
	return netip.PrefixFrom(netip.AddrFrom16(ip), bits).String()
}
