package conntrack

import "testing"

// What each profile says when it refuses a segment, with the numbers compared.
func TestExplain(t *testing.T) {
	t.Parallel()
	const a, b = "10.0.0.1", "10.0.0.2"
	out := func(s tcpSeg) []byte { return tcpPacket(a, 40000, b, 80, s) }
	back := func(s tcpSeg) []byte { return tcpPacket(b, 80, a, 40000, s) }
	open := [][]byte{
		out(tcpSeg{flags: "S", seq: 1000, win: 1000}),
		back(tcpSeg{flags: "SA", seq: 5000, ack: 1001, win: 1000}),
		out(tcpSeg{flags: "A", seq: 1001, ack: 5001, win: 1000}),
	}
	for _, c := range []struct {
		name      string
		open      bool
		packet    []byte
		linux, ow string
	}{
		{"before the window", true, back(tcpSeg{flags: "PA", seq: 4294872297, ack: 1001, payload: "boom!"}), "",
			"seq 4294872297 outside window 5001..6001"},
		{"behind the window", true, back(tcpSeg{flags: "PA", seq: 99999, ack: 1001, payload: "x"}),
			"seq 99999 outside window 5001..6001", "seq 99999 outside window 5001..6001"},
		{"acknowledges what was not sent", true, back(tcpSeg{flags: "A", seq: 5001, ack: 900000}),
			"ack 900000 outside 4294902297..1001", "ack 900000 outside 4294901261..68035"},
		{"reset elsewhere", true, back(tcpSeg{flags: "R", seq: 5500}), "", "RST with seq 5500, expected 5001"},
		{"SYN and FIN", false, out(tcpSeg{flags: "SF", seq: 1}), "impossible TCP flags FIN|SYN",
			"impossible TCP flags FIN|SYN"},
		{"answer to nothing", false, back(tcpSeg{flags: "SA", seq: 1, ack: 2}),
			"no connection, and SYN|ACK opens none", "no connection, and SYN|ACK opens none"},
		{"port 0", false, tcpPacket(a, 0, b, 80, tcpSeg{flags: "S"}), "",
			"port 0, which Open vSwitch's tracker takes for malformed"},
	} {
		for profile, want := range map[Profile]string{Linux: c.linux, OVSUserspace: c.ow} {
			// else established connections are taken liberally
			table := NewTable(Options{Profile: profile, Netfilter: true})
			var packets [][]byte
			if c.open {
				packets = open
			}
			for i, p := range append(packets[:len(packets):len(packets)], c.packet) {
				var m Meta
				o := table.Execute(Time(i)*Second, append([]byte(nil), p...), &m,
					&Request{Commit: m.State&Invalid == 0})
				got := ""
				if o.Refusal != NotRefused {
					got = o.Refusal.Explain(&o.Check)
				}
				if last := i == len(packets); last && got != want {
					t.Errorf("%s, profile %d: %q, want %q", c.name, profile, got, want)
				}
			}
		}
	}
}

// What a refusal carries costs a packet no allocation.
func TestCheckAllocatesNothing(t *testing.T) {
	for _, profile := range []Profile{Linux, OVSUserspace} {
		table := NewTable(Options{Profile: profile, Netfilter: true})
		open := [][]byte{
			tcpPacket("10.0.0.1", 40000, "10.0.0.2", 80, tcpSeg{flags: "S", seq: 1000, win: 1000}),
			tcpPacket("10.0.0.2", 80, "10.0.0.1", 40000, tcpSeg{flags: "SA", seq: 5000, ack: 1001, win: 1000}),
			tcpPacket("10.0.0.1", 40000, "10.0.0.2", 80, tcpSeg{flags: "A", seq: 1001, ack: 5001, win: 1000}),
		}
		for _, p := range open {
			var m Meta
			table.Execute(Second, p, &m, &Request{Commit: true})
		}
		far := tcpPacket("10.0.0.2", 80, "10.0.0.1", 40000, tcpSeg{flags: "PA", seq: 99999, ack: 1001, payload: "x"})
		refused := 0
		n := testing.AllocsPerRun(100, func() {
			var m Meta
			if o := table.Execute(Second, far, &m, &Request{}); o.Check.Of == SeqCheck {
				refused++
			}
		})
		if n != 0 || refused != 101 {
			t.Errorf("profile %d: %v allocations, %d of 101 refused", profile, n, refused)
		}
	}
}
