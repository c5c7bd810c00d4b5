package conntrack

import "ovnreplay/nat"

// Reply returns the tuple that replies of the packet's connection have in its
// zone; nil if the packet belongs to no connection of the table. It is valid until the table changes.
func (t *Table) Reply(m *Meta) *nat.Tuple {
	c := t.get(m.conn)
	if c == nil {
		return nil
	}
	return &c.tuple[1]
}
