package conntrack

import "ovnreplay/nat"

// Reply returns the tuple that replies of the packet's connection have in its
// zone; false if the packet belongs to no connection of the table.
func (t *Table) Reply(m *Meta) (nat.Tuple, bool) {
	c := t.get(m.conn)
	if c == nil {
		return nat.Tuple{}, false
	}
	return c.tuple[1], true
}
