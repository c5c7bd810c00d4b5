package replay

import (
	"math/bits"
	"net/netip"
	"slices"

	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
)

// readFlows notes what logical flows say of addresses: which Ethernet sources
// they give to packets, and which addresses stand for one other. It asks parsed
// flows; that they use a word only tells which are worth parsing.
func (o *Owners) readFlows() {
	bases := make([]*lflow.Env, len(o.net.AZs))
	several, answered := map[netip.Addr]bool{}, map[*lflow.Set]bool{}
	for _, f := range o.net.Flows {
		sends := lflow.Uses(f.Actions, "eth.src")
		stands := f.Egress && (lflow.Uses(f.Actions, "ct_snat") || lflow.Uses(f.Actions, "ct_snat_in_czone"))
		copies := lflow.Uses(f.Actions, "mirror") || lflow.Uses(f.Actions, "fwd_group")
		if !sends && !stands && !copies || len(f.Datapaths) == 0 {
			continue
		}
		z := f.Datapaths[0].AZ
		if bases[z.Index] == nil {
			bases[z.Index] = sim.NewEnv(o.net, &network.Flow{Datapaths: f.Datapaths[:1]})
		}
		env := sim.EnvAt(*bases[z.Index], f).WholeSets()
		actions, _, err := lflow.ParseActions(f.Actions, env)
		if err != nil {
			continue // no packet meets it
		}
		match, err := lflow.ParseMatch(f.Match, env)
		if err != nil {
			continue
		}
		if copies {
			o.readCopies(z, actions, match)
		}
		if addr, ok := ethSource(actions); ok {
			o.readSender(z, macOf(addr), match)
			if inside := sourceOf(match); inside.IsSingleIP() {
				o.outside[inside.Addr()] = macOf(addr)
			}
		}
		if f.Datapaths[0].Router && answers(actions) {
			o.readAnswered(match, answered)
		}
		if outside, ok := translatedTo(actions); ok && stands {
			o.readTranslation(outside, match, several)
		}
	}
}

// answers reports whether actions make an answer of ARP or neighbor discovery.
func answers(actions []lflow.Action) bool {
	return slices.ContainsFunc(actions, func(a lflow.Action) bool {
		switch a := a.(type) {
		case lflow.Load:
			return a.Dst.Slice().Field == field.ARPOp && a.Value.Value.Lo == 2
		case lflow.Nested:
			return a.Op == lflow.NDNA || a.Op == lflow.NDNARouter
		}
		return false
	})
}

// readAnswered notes the addresses that a router is asked about and answers for: those of
// load balancers and of stateless translation are in nothing else of the database. Large
// sets are read once.
func (o *Owners) readAnswered(e *lflow.Expr, known map[*lflow.Set]bool) {
	switch e.Kind {
	case lflow.And, lflow.Or:
		for _, x := range e.Args {
			o.readAnswered(x, known)
		}
	case lflow.In:
		if at := e.Symbol.Field; (at == field.ARPTPA || at == field.NDTarget) && e.Op == lflow.EQ && !known[e.Set] {
			known[e.Set] = true
			for x := range e.Members() {
				o.readAnswered(x, known)
			}
		}
	case lflow.Cmp:
		switch {
		case e.Op != lflow.EQ:
		case e.Symbol.Field == field.ARPTPA && uint32(e.Mask.Lo) == ^uint32(0):
			o.virtual[header.IPv4(e.Value.Lo)] = true
		case e.Symbol.Field == field.NDTarget && e.Mask == prefixMask(128):
			o.virtual[netip.AddrFrom16(e.Value.Bytes())] = true
		}
	}
}

// ethSource returns the constant that actions write to eth.src, in a block as
// well; false if the first thing they write there is none.
func ethSource(actions []lflow.Action) (addr [6]byte, ok bool) {
	for _, a := range actions {
		switch a := a.(type) {
		case lflow.Load:
			if a.Dst.Slice().Field == field.EthSrc {
				return header.MACBytes(a.Value.Value.Lo), !a.Value.Masked
			}
		case lflow.Move:
			if a.Dst.Slice().Field == field.EthSrc {
				return addr, false
			}
		case lflow.Nested:
			if addr, ok = ethSource(a.Inner); ok {
				return addr, true
			}
		}
	}
	return addr, false
}

// translatedTo returns the one address to which actions translate the source.
func translatedTo(actions []lflow.Action) (a netip.Addr, ok bool) {
	for _, x := range actions {
		if n, is := x.(lflow.CTNAT); is && n.SNAT {
			return n.Addr, n.Addr.IsValid() && n.PortLo == 0
		}
	}
	return a, false
}

// readSender notes an Ethernet source address that a flow sets. Of a port's
// address it says something only if it names another chassis to send from it
// (the answers that the chassis of an external port gives).
func (o *Owners) readSender(z *network.AZ, m mac, match *lflow.Expr) {
	at := z.PortNamed(residentOf(match))
	resident := at != nil && at.ActiveChassis() != nil
	s := o.send[m]
	switch {
	case s != nil && o.ports[m] != nil && (s.named == nil || !resident):
		return
	case s == nil:
		s = &senders{}
		o.send[m] = s
	}
	if resident {
		s.named = append(s.named, at.ActiveChassis())
		return
	}
	s.any = append(s.any, z)
}

// residentOf returns the port that a match wants to be resident where it is
// asked, "" if it wants none.
func residentOf(e *lflow.Expr) string {
	switch e.Kind {
	case lflow.Condition:
		if !e.Not {
			return e.String
		}
	case lflow.And, lflow.Or:
		for _, a := range e.Args {
			if name := residentOf(a); name != "" {
				return name
			}
		}
	}
	return ""
}

// snatRule is a router's: packets from inside leave with another address.
type snatRule struct {
	inside  netip.Prefix
	outside netip.Addr
}

// readTranslation notes an address that stands for others on their way out: a
// flow translates their source to it. One that stands for just one other is a
// floating address; several collects those that stand for more.
func (o *Owners) readTranslation(outside netip.Addr, match *lflow.Expr, several map[netip.Addr]bool) {
	inside := sourceOf(match)
	if inside.IsValid() {
		o.translations = append(o.translations, snatRule{inside, outside})
	}
	if several[outside] {
		return
	}
	if known, ok := o.floating[outside]; !inside.IsSingleIP() || ok && known != inside.Addr() {
		several[outside] = true
		delete(o.floating, outside)
		return
	}
	o.floating[outside] = inside.Addr()
}

// translates reports whether a router gives packets of an address another one:
// of the networks that are translated, the smallest that holds it says so.
func (o *Owners) translates(inside, outside netip.Addr) (found bool) {
	most := -1
	for _, t := range o.translations {
		if n := t.inside.Bits(); t.inside.Contains(inside) && n >= most {
			found = t.outside == outside || found && n == most
			most = n
		}
	}
	return found
}

// sourceOf returns the network that a match wants sources to be of; invalid if
// it asks for none.
func sourceOf(e *lflow.Expr) (p netip.Prefix) {
	switch e.Kind {
	case lflow.And:
		for _, x := range e.Args {
			if s := sourceOf(x); s.IsValid() {
				p = s
			}
		}
	case lflow.Cmp:
		switch {
		case e.Op != lflow.EQ:
		case e.Symbol.Field == field.IP4Src:
			mask := uint32(e.Mask.Lo)
			if n := bits.OnesCount32(mask); mask == ^uint32(0)<<(32-n) {
				return netip.PrefixFrom(header.IPv4(e.Value.Lo), n)
			}
		case e.Symbol.Field == field.IP6Src:
			n := bits.OnesCount64(e.Mask.Hi) + bits.OnesCount64(e.Mask.Lo)
			if e.Mask == prefixMask(n) {
				return netip.PrefixFrom(netip.AddrFrom16(e.Value.Bytes()), n)
			}
		}
	}
	return p
}

// prefixMask is the mask of an IPv6 network.
func prefixMask(n int) (m field.Uint128) {
	if n > 64 {
		return field.Uint128{Hi: ^uint64(0), Lo: ^uint64(0) << (128 - n)}
	}
	return field.Uint128{Hi: ^uint64(0) << (64 - n)}
}
