package conntrack

func (t *Table) linuxNewSCTP(k *linuxCtx, c *conn) bool { return true }

func (t *Table) linuxSCTP(k *linuxCtx) linuxVerdict {
	t.refresh(k.idx, SCTPEstablished)
	return linuxAccept
}
