package sim

import (
	"net/netip"

	"ovnreplay/conntrack"
	"ovnreplay/conntrack/coding"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
)

type networkFlow = network.Flow

// codeLearned codes what was learned beyond what the network's rows say.
// Nothing is ever forgotten of it, so that more entries are all there is.
func (s *saver) codeLearned() {
	l := &s.e.learned
	macs, fdb := l.macs, l.fdb
	if !s.Reading() {
		var base learned
		base.init(s.e.Net)
		macs, fdb = added(l.macs, base.macs), added(l.fdb, base.fdb)
	}
	codeEntries(s, macs, func(s *saver, k *macKey, v *macEntry) {
		s.hop(k)
		coding.Uint(s.Coder, &v.mac)
		coding.Uint(s.Coder, &v.old)
		s.Bools(&v.known)
		coding.Int(s.Coder, &v.from)
		coding.Int(s.Coder, &v.since)
	})
	codeEntries(s, fdb, func(s *saver, k *fdbKey, v *fdbEntry) {
		dp := int(k.dp)
		s.datapath(&dp)
		k.dp = uint32(dp)
		coding.Uint(s.Coder, &k.mac)
		s.port(&v.port)
		s.port(&v.old)
		coding.Int(s.Coder, &v.from)
	})
	codeEntries(s, l.affinity, func(s *saver, k *affinityKey, v *affinityEntry) {
		s.datapath(&k.dp)
		s.Raw(k.client[:])
		s.Raw(k.vip[:])
		coding.Uint(s.Coder, &k.port)
		coding.Uint(s.Coder, &k.proto)
		s.Raw(v.backend[:])
		coding.Uint(s.Coder, &v.port)
		coding.Int(s.Coder, &v.timeout)
		coding.Int(s.Coder, &v.used)
		s.Bools(&v.guess)
	})
	codeEntries(s, l.ecmp, func(s *saver, k *ecmpKey, v *ecmpEntry) {
		s.datapath(&k.dp)
		s.Tuple(&k.tuple)
		coding.Uint(s.Coder, &v.mac)
		coding.Int(s.Coder, &v.used)
		coding.Int(s.Coder, &v.since)
	})
	codeEntries(s, l.probes, func(s *saver, k *probeKey, v *probe) {
		port := uint32(k.port)
		s.port(&port)
		k.port = int(port)
		s.addrPort(&k.service)
		coding.Uint(s.Coder, &v.port)
		coding.Uint(s.Coder, &v.seq)
	})
	codeEntries(s, l.active, func(s *saver, k *activeKey, v *conntrack.Time) {
		port := uint32(k.port)
		s.port(&port)
		k.port = int(port)
		s.index(&k.chassis, len(s.e.Net.Chassis))
		coding.Int(s.Coder, v)
	})
	codeEntries(s, l.hairpins, func(s *saver, k *replyKey, v *bool) {
		s.index(&k.chassis, len(s.e.Net.Chassis))
		s.datapath(&k.dp)
		s.Raw(k.src[:])
		s.Raw(k.dst[:])
		coding.Uint(s.Coder, &k.port)
		coding.Uint(s.Coder, &k.proto)
		s.Bools(v)
	})
	s.codeRouters()
}

// added returns the entries that base does not have.
func added[K, V comparable](m, base map[K]V) map[K]V {
	out := map[K]V{}
	for k, v := range m {
		if old, ok := base[k]; !ok || old != v {
			out[k] = v
		}
	}
	return out
}

// codeRouters codes the multicast routers, which are in the order in which
// they were learned.
func (s *saver) codeRouters() {
	list := s.e.learned.mrouters
	s.e.learned.mrouters = nil
	n := s.Len(len(list), 2)
	for i := range n {
		var r mrouter
		var port uint32
		if !s.Reading() {
			r = list[i]
			port = uint32(r.port.Index)
		}
		s.gone = false
		s.port(&port)
		coding.Int(s.Coder, &r.from)
		if s.Reading() {
			r.port = s.e.port(port)
		}
		switch {
		case s.Err() != nil:
			return
		case s.gone || r.port == nil:
			s.loss.Learned++
		default:
			s.e.learned.mrouters = append(s.e.learned.mrouters, r)
		}
	}
}

func (s *saver) codeSelections() {
	if s.Reading() && s.e.selections == nil {
		s.e.selections = map[selection]int{}
	}
	codeEntries(s, s.e.selections, func(s *saver, k *selection, v *int) {
		s.flow(&k.flow)
		s.Tuple(&k.tuple)
		coding.Int(s.Coder, v)
	})
}

func (s *saver) hop(k *macKey) {
	s.port(&k.port)
	s.number(&k.ip)
	s.Bools(&k.v6)
}

func (s *saver) number(v *field.Uint128) {
	coding.Uint(s.Coder, &v.Hi)
	coding.Uint(s.Coder, &v.Lo)
}

func (s *saver) addrPort(p *netip.AddrPort) {
	addr, port, v4 := p.Addr().As16(), p.Port(), p.Addr().Is4()
	s.Raw(addr[:])
	coding.Uint(s.Coder, &port)
	s.Bools(&v4)
	if s.Reading() {
		a := netip.AddrFrom16(addr)
		if v4 {
			a = a.Unmap()
		}
		*p = netip.AddrPortFrom(a, port)
	}
}
