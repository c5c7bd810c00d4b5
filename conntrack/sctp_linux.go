package conntrack

func (t *Table) linuxNewSCTP(k *linuxCtx, c *conn) bool { return true }

func (t *Table) linuxSCTP(k *linuxCtx) linuxVerdict {
	t.refresh(k.idx, SCTPEstablished)
	return linuxAccept
}

var sctpNames = [...]string{"NONE", "CLOSED", "COOKIE_WAIT", "COOKIE_ECHOED", "ESTABLISHED", "SHUTDOWN_SENT", "SHUTDOWN_RECD",
	"SHUTDOWN_ACK_SENT", "HEARTBEAT_SENT"}

var sctpTimeouts = [...]Timeout{SCTPClosed, SCTPClosed, SCTPCookieWait, SCTPCookieEchoed, SCTPEstablished,
	SCTPShutdownSent, SCTPShutdownRecd, SCTPShutdownAckSent, SCTPHeartbeatSent}
