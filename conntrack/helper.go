package conntrack

import "ovnreplay/nat"

// expectation is a connection a helper has announced: it will be related to its master.
type expectation struct {
	key nat.Tuple
}

type helperState struct{}

func (t *Table) forgetHelper(idx uint32)                                    {}
func (t *Table) watched(idx uint32, c *conn) bool                           { return false }
func (t *Table) expectation(key *nat.Tuple) *expectation                    { return nil }
func (t *Table) watchControl(ip []byte, idx uint32, reply, translated bool) {}
func (t *Table) userExpectedMeta(k *userCtx)                                {}
func (t *Table) linuxExpectedMeta(k *linuxCtx)                              {}
func (t *Table) userUpdateALG(k *userCtx, idx uint32) bool                  { return t.userUpdate(k, idx) }
func (t *Table) userHelper(k *userCtx) Helper                               { return k.r.Helper }
func (t *Table) userInherit(idx uint32, exp *expectation)                   {}
func (t *Table) linuxInherit(idx uint32, exp *expectation)                  {}
func (t *Table) linkMaster(idx uint32, exp *expectation)                    {}
func (t *Table) ackOffset(c *conn, dir int, ack uint32) uint32              { return 0 }
func (t *Table) origOf(idx uint32, c *conn) nat.Tuple                       { return c.tuple[0] }
func (e *expectation) bindUserspace(c *conn)                                {}
func (e *expectation) bindLinux(c *conn, side nat.Sides, bit status)        {}

func (t *Table) adopt(idx uint32, parent nat.Tuple) {}
