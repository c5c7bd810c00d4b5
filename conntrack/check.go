package conntrack

import (
	"fmt"

	"ovnreplay/nat/header"
)

// Check is the comparison by which the tracker refused a packet, with its
// numbers: plain values, so that carrying one costs a packet nothing.
type Check struct {
	Of      CheckOf
	State   uint8 // StateCheck: of the connection, by Profile
	Flags   uint8 // of the TCP segment
	Profile Profile

	// Got is what the packet has, Low and High are the bounds, both allowed.
	Got, Low, High uint32
	// Slack is how far below Low the tracker would still have let it pass.
	Slack uint32
}

// CheckOf says what a Check compared.
type CheckOf uint8

const (
	NoCheck    CheckOf = iota
	SeqCheck           // sequence number against what the receiver takes
	EndCheck           // the segment's end against what the receiver takes
	AckCheck           // acknowledgement against what the other end has sent
	ResetCheck         // a RST's number against the one expected
	TagCheck           // SCTP verification tag
	StateCheck         // a kind of packet against the connection's state
	FlagsCheck         // TCP flags that no stack sends together
	PortCheck          // port 0
	OpenCheck          // a packet of no connection that cannot open one
)

// Explain is the refusal in words, with the numbers that the check compared.
func (r Refusal) Explain(c *Check) string {
	switch c.Of {
	case SeqCheck:
		return fmt.Sprintf("seq %d outside window %d..%d", c.Got, c.Low, c.High)
	case EndCheck:
		return fmt.Sprintf("segment ends at %d, outside window %d..%d", c.Got, c.Low, c.High)
	case AckCheck:
		return fmt.Sprintf("ack %d outside %d..%d", c.Got, c.Low, c.High)
	case ResetCheck:
		return fmt.Sprintf("RST with seq %d, expected %d", c.Got, c.Low)
	case TagCheck:
		return fmt.Sprintf("verification tag %#x, expected %#x", c.Got, c.Low)
	case StateCheck:
		return fmt.Sprintf("%s is not allowed in state %s", flagNames(c.Flags), c.stateName())
	case FlagsCheck:
		return "impossible TCP flags " + flagNames(c.Flags)
	case PortCheck:
		return "port 0, which Open vSwitch's tracker takes for malformed"
	case OpenCheck:
		return fmt.Sprintf("no connection, and %s opens none", flagNames(c.Flags))
	}
	return r.String()
}

func (c *Check) stateName() string {
	if c.Profile == Linux && int(c.State) < len(tcpNames) {
		return tcpNames[c.State]
	}
	return fmt.Sprint(c.State)
}

// flagNames writes TCP flags as people say them: SYN|ACK, a plain ACK.
func flagNames(f uint8) string {
	text := ""
	for i, name := range [...]string{"FIN", "SYN", "RST", "PSH", "ACK", "URG"} {
		if f>>i&1 == 0 {
			continue
		}
		if text != "" {
			text += "|"
		}
		text += name
	}
	if text == "" {
		return "no TCP flag"
	}
	return text
}

// windowCheck is the comparison that tcpWindow failed a segment by.
func (c *conn) windowCheck(dir int, s *segment) Check {
	sender, receiver := &c.peer[dir], &c.peer[1-dir]
	k := Check{Flags: s.flags, Profile: Linux}
	if before(s.seq, sender.maxEnd+1) {
		k.Of, k.Got, k.High = AckCheck, s.ack, receiver.end
		k.Low = receiver.end - max(sender.maxWin, minAckWindow)
		return k
	}
	k.Of, k.Got, k.Low, k.High, k.Slack = SeqCheck, s.seq, sender.end, sender.maxEnd, receiver.maxWin
	return k
}

// check is the comparison by which a segment was found outside.
func (w *userWindow) check(s *segment) Check {
	k := Check{
		Of: SeqCheck, Flags: s.flags, Profile: OVSUserspace, Got: s.seq, Low: w.src.end, High: w.src.maxEnd,
		Slack: w.dst.maxWin << w.dscale,
	}
	switch {
	case before(w.seq, w.src.end-k.Slack):
	case before(w.src.maxEnd, w.seq):
	case before(w.src.maxEnd, w.end):
		k.Of, k.Got = EndCheck, s.end()
	case s.flags&header.FlagRST != 0 && s.seq-w.src.end+1 > 2:
		k.Of = ResetCheck
	default:
		k.Of, k.Got = AckCheck, s.ack
		k.Low, k.High = w.dst.end-uint32(ackSlack)<<w.sscale, w.dst.end+ackSlack
	}
	return k
}
