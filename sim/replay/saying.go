package replay

import (
	"net/netip"
	"strings"

	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
)

// readFlows notes what logical flows say of addresses: which Ethernet sources
// they give to packets, and which addresses stand for one other. It asks parsed
// flows; that a word stands in the text only tells which are worth parsing.
func (o *Owners) readFlows() {
	bases := make([]*lflow.Env, len(o.net.AZs))
	several := map[netip.Addr]bool{}
	for _, f := range o.net.Flows {
		sends, stands := strings.Contains(f.Actions, "eth.src"), f.Egress && strings.Contains(f.Actions, "ct_snat")
		if !sends && !stands || len(f.Datapaths) == 0 {
			continue
		}
		z := f.Datapaths[0].AZ
		if bases[z.Index] == nil {
			bases[z.Index] = sim.NewEnv(o.net, &network.Flow{Datapaths: f.Datapaths[:1]})
		}
		env := sim.EnvAt(*bases[z.Index], f)
		actions, _, err := lflow.ParseActions(f.Actions, env)
		if err != nil {
			continue // no packet meets it
		}
		match, err := lflow.ParseMatch(f.Match, env)
		if err != nil {
			continue
		}
		if addr, ok := ethSource(actions); ok {
			o.readSender(z, macOf(addr), match)
			if inside := sourceOf(match); inside.IsValid() {
				o.outside[inside] = macOf(addr)
			}
		}
		if outside, ok := translatedTo(actions); ok && stands {
			o.readFloating(outside, match, several)
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

// readFloating notes an address that stands for one other on its way out: a
// flow translates the source of just that one to it. several collects addresses
// that stand for more than one, which tell nothing.
func (o *Owners) readFloating(outside netip.Addr, match *lflow.Expr, several map[netip.Addr]bool) {
	if several[outside] {
		return
	}
	inside := sourceOf(match)
	if known, ok := o.floating[outside]; !inside.IsValid() || ok && known != inside {
		several[outside] = true
		delete(o.floating, outside)
		return
	}
	o.floating[outside] = inside
}

// sourceOf returns the one source address that a match asks for; invalid if it
// asks for none or for a whole network.
func sourceOf(e *lflow.Expr) (a netip.Addr) {
	switch e.Kind {
	case lflow.And:
		for _, x := range e.Args {
			if s := sourceOf(x); s.IsValid() {
				a = s
			}
		}
	case lflow.Cmp:
		switch {
		case e.Op != lflow.EQ:
		case e.Symbol.Field == field.IP4Src && e.Mask == field.U64(0xffffffff):
			return header.IPv4(e.Value.Lo)
		case e.Symbol.Field == field.IP6Src && e.Mask == field.Ones(128):
			return netip.AddrFrom16(e.Value.Bytes())
		}
	}
	return a
}
