package conntrack

import "ovnreplay/nat"

// linuxNAT translates the packet as nat() asks or as its connection has it,
// in the order of nf_ct_nat. A packet that is still new is only translated by
// an action that names a translation: nat without arguments leaves it alone.
func (t *Table) linuxNAT(k *linuxCtx) Drop {
	c := k.c
	var side nat.Sides
	switch {
	case k.info != infoNew && c.status&(srcNAT|dstNAT) != 0 && (k.info != infoRelated || k.reply || k.r.Commit):
		side = nat.Source
		if c.status&srcNAT == 0 {
			side = nat.Destination
		}
		if k.reply {
			side = side.Reverse()
		}
	case k.r.NAT.Kind == nat.Src:
		side = nat.Source
	case k.r.NAT.Kind == nat.Dst:
		side = nat.Destination
	default:
		return NoDrop
	}
	if d := t.linuxManip(k, side, &k.r.NAT); d != NoDrop {
		return d
	}
	if c.status&dstNAT == 0 {
		return NoDrop
	}
	if c.status&srcNAT != 0 {
		return t.linuxManip(k, side.Reverse(), &k.r.NAT)
	}
	if !k.reply {
		return t.linuxManip(k, nat.Source, &nullBinding) // the source port gives way if the reply tuple is taken
	}
	return NoDrop
}

// nullBinding keeps the address and moves the source port only on collision.
var nullBinding = nat.Binding{Kind: nat.Src}

// linuxManip translates one side, fixing how at a connection's first packet.
func (t *Table) linuxManip(k *linuxCtx, side nat.Sides, b *nat.Binding) Drop {
	c := k.c
	if k.info == infoRelated && t.pkt.IsError {
		if t.redirect(k) && c.status&(srcNAT|dstNAT) != 0 {
			return DropRedirect
		}
	} else if k.info != infoEstablished {
		t.linuxSetup(k, side, b)
	}
	bit := srcNAT
	if (side == nat.Destination) != k.reply {
		bit = dstNAT
	}
	if c.status&bit != 0 {
		t.pkt.QuotedSCTP = nat.MakeCRC
		t.rewrite(k.ip, c, k.dir(), side, k.o)
	}
	if side == nat.Source {
		k.m.State |= SNAT
	} else {
		k.m.State |= DNAT
	}
	return NoDrop
}

func (t *Table) redirect(k *linuxCtx) bool {
	p := &t.pkt.Tuple
	return !p.V6 && p.Type == 5
}

// linuxSetup chooses the translation of one side, once in a connection's life.
func (t *Table) linuxSetup(k *linuxCtx, side nat.Sides, b *nat.Binding) {
	c := k.c
	done, bit := srcNATDone, srcNAT
	if side == nat.Destination {
		done, bit = dstNATDone, dstNAT
	}
	if c.status&done != 0 {
		return
	}
	c.status |= done
	if c.linked != 0 {
		return // confirmed without: too late to change its reply tuple
	}
	if k.exp != nil {
		k.exp.bindLinux(c, side, bit)
		return
	}
	bind := &t.bind
	*bind = *b
	if side == nat.Source {
		bind.Kind = nat.Src
	} else {
		bind.Kind = nat.Dst
	}
	before := c.tuple[1]
	if pin, ok := t.pinned(k.r, &c.tuple[0]); ok && pinsSide(&before, &pin, side) {
		c.tuple[1] = pin
	} else {
		choice := bind.ChooseKernel(&before, c.zone, t)
		c.tuple[1] = choice.Reply
		k.o.Guess = k.o.Guess || choice.Guess
	}
	if c.tuple[1] != before {
		c.status |= bit
	}
}

// pinsSide is whether a pinned tuple can come about by translating that side only.
func pinsSide(before, pin *nat.Tuple, side nat.Sides) bool {
	if side == nat.Source {
		return pin.Src == before.Src && pin.SrcPort == before.SrcPort
	}
	return pin.Dst == before.Dst && pin.DstPort == before.DstPort
}
