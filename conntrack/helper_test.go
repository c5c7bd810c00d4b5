package conntrack

import (
	"testing"

	"ovnreplay/nat"
)

// control opens an FTP control connection and lets one end say something.
func control(t *testing.T, ct *Table, fromServer bool, say string) Outcome {
	t.Helper()
	r := Request{Zone: 1, Commit: true, Helper: FTP, Mark: 9, MarkMask: 15}
	look := Request{Zone: 1, Helper: FTP}
	if ct.Profile() == Linux {
		look.Helper = NoHelper // it stays with the connection
	}
	do(t, ct, 1, tcpPacket("10.0.0.1", 4000, "10.0.0.2", 21, tcpSeg{flags: "S", seq: 1}), r)
	do(t, ct, 1, tcpPacket("10.0.0.2", 21, "10.0.0.1", 4000, tcpSeg{flags: "SA", seq: 9, ack: 2}), look)
	do(t, ct, 1, tcpPacket("10.0.0.1", 4000, "10.0.0.2", 21, tcpSeg{flags: "A", seq: 2, ack: 10}), look)
	ip := tcpPacket("10.0.0.1", 4000, "10.0.0.2", 21, tcpSeg{flags: "PA", seq: 2, ack: 10, payload: say})
	if fromServer {
		ip = tcpPacket("10.0.0.2", 21, "10.0.0.1", 4000, tcpSeg{flags: "PA", seq: 10, ack: 2, payload: say})
	}
	_, o := do(t, ct, 1, ip, look)
	return o
}

func TestFTP(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		fromServer bool
		say        string
		from, to   string // of the data connection
		port       uint16
	}{
		{"active", false, "PORT 10,0,0,1,19,137\r\n", "10.0.0.2", "10.0.0.1", 5001},
		{"active, extended", false, "EPRT |1|10.0.0.1|5002|\r\n", "10.0.0.2", "10.0.0.1", 5002},
		{"passive", true, "227 Entering Passive Mode (10,0,0,2,19,139).\r\n", "10.0.0.1", "10.0.0.2", 5003},
		{"passive, extended", true, "229 Entering Extended Passive Mode (|||5004|)\r\n", "10.0.0.1", "10.0.0.2", 5004},
		{"somebody else's address", false, "PORT 10,9,9,9,19,137\r\n", "", "", 0},
		{"not from here", true, "PORT 10,0,0,1,19,137\r\n", "", "", 0},
		{"no numbers", false, "PORT 10,0,0,1,x,137\r\n", "", "", 0},
	} {
		profiles(t, func(t *testing.T, p Profile) {
			ct := NewTable(Options{Profile: p})
			control(t, ct, tt.fromServer, tt.say)
			if tt.from == "" {
				if n := len(ct.helpers.expects); n != 0 {
					t.Errorf("%s: %d expectations", tt.name, n)
				}
				return
			}
			syn := func(sport uint16) []byte {
				return tcpPacket(tt.from, sport, tt.to, tt.port, tcpSeg{flags: "S", seq: 5})
			}
			m, _ := do(t, ct, 2, syn(20), look)
			want(t, tt.name+", looked up", m, "new|rel")
			if m.Mark != 9 || m.Orig.DstPort != 21 {
				t.Errorf("%s: mark %d, original tuple %v", tt.name, m.Mark, &m.Orig)
			}
			m, o := do(t, ct, 2, syn(20), commit)
			want(t, tt.name+", committed", m, "new|rel")
			if !o.Created || m.Mark != 9 {
				t.Errorf("%s: %+v, mark %d", tt.name, o, m.Mark)
			}
			m, _ = do(t, ct, 2, tcpPacket(tt.to, tt.port, tt.from, 20, tcpSeg{flags: "SA", seq: 7, ack: 6}), look)
			want(t, tt.name+", answered", m, "est|rel|rpl")
			es := ct.Entries(0)
			if len(es) != 2 || es[1].Parent.DstPort != 21 || es[0].Helper != "ftp" || es[1].Helper != "" {
				t.Errorf("%s: %+v", tt.name, es)
			}
			ct.FlushTuple(2*Second, 1, &es[0].Orig)
			if len(ct.helpers.expects) != 0 {
				t.Error("expectations outlive their master")
			}
		})
	}
}

func TestTFTP(t *testing.T) {
	t.Parallel()
	profiles(t, func(t *testing.T, p Profile) {
		ct := NewTable(Options{Profile: p})
		r := commit
		r.Helper = TFTP
		do(t, ct, 1, udpPacket("10.0.0.1", 4000, "10.0.0.2", 69, "\x00\x01file\x00octet\x00"), r)
		m, _ := do(t, ct, 1, udpPacket("10.0.0.2", 7777, "10.0.0.1", 4000, "\x00\x03\x00\x01data"), look)
		want(t, "data", m, "new|rel")
		m, _ = do(t, ct, 1, udpPacket("10.0.0.2", 7777, "10.0.0.1", 4001, "\x00\x03\x00\x01data"), look)
		want(t, "data to another port", m, "new")
	})
}

func TestHelperOfTranslatedConnection(t *testing.T) {
	t.Parallel()
	profiles(t, func(t *testing.T, p Profile) {
		ct := NewTable(Options{Profile: p})
		r := Request{Zone: 1, Commit: true, Helper: FTP, NAT: bind(nat.Src, "1.1.1.1", 0)}
		look := Request{Zone: 1, Helper: FTP, NAT: nat.Binding{Kind: nat.Apply}}
		do(t, ct, 1, tcpPacket("10.0.0.1", 4000, "10.0.0.2", 21, tcpSeg{flags: "S", seq: 1}), r)
		do(t, ct, 1, tcpPacket("10.0.0.2", 21, "1.1.1.1", 4000, tcpSeg{flags: "SA", seq: 9, ack: 2}), look)
		_, o := do(t, ct, 1, tcpPacket("10.0.0.1", 4000, "10.0.0.2", 21,
			tcpSeg{flags: "PA", seq: 2, ack: 10, payload: "PORT 10,0,0,1,19,137\r\n"}), look)
		if !o.Rewrites {
			t.Error("nothing said of the payload")
		}
		// The server's connection to the public address finds the client.
		ip := tcpPacket("10.0.0.2", 20, "1.1.1.1", 5001, tcpSeg{flags: "S", seq: 5})
		m, _ := do(t, ct, 2, ip, Request{Zone: 1, Commit: true, NAT: nat.Binding{Kind: nat.Apply}})
		if p == OVSUserspace {
			want(t, "data", m, "new|rel|dnat")
			if got := tuple(t, ip); got.DstAddr().String() != "10.0.0.1" {
				t.Error(&got)
			}
		}
	})
}
