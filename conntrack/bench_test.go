package conntrack

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"

	"ovnreplay/nat"
)

// flows are n UDP packets of as many connections, and the answer of each.
func flows(n int) (ask, tell [][]byte) {
	for i := range n {
		src := fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255)
		ask = append(ask, udpPacket(src, 1000, "192.168.0.1", 53, "question"))
		tell = append(tell, udpPacket("192.168.0.1", 53, src, 1000, "answer.."))
	}
	return ask, tell
}

// BenchmarkEstablished is the look-up of an established connection among 10,000.
func BenchmarkEstablished(b *testing.B) {
	for _, p := range []Profile{Linux, OVSUserspace} {
		for _, kind := range []string{"lookup", "nat"} {
			b.Run(p.String()+"/"+kind, func(b *testing.B) {
				ct := NewTable(Options{Profile: p})
				ask, tell := flows(10000)
				open, r := commit, look
				if kind == "nat" {
					open.NAT, r = bind(nat.Dst, "192.168.0.1", 53), unnat
				}
				var m Meta
				for i := range ask {
					m.Clear()
					ct.Execute(Second, ask[i], &m, &open)
					m.Clear()
					ct.Execute(Second, tell[i], &m, &look)
				}
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					m.Clear()
					ct.Execute(2*Second, ask[i%10000], &m, &r)
				}
			})
		}
	}
}

// BenchmarkNew opens connections until a million live, and then makes room for more.
func BenchmarkNew(b *testing.B) {
	for _, p := range []Profile{Linux, OVSUserspace} {
		b.Run(p.String(), func(b *testing.B) {
			ct := NewTable(Options{Profile: p, MaxConns: 1 << 20})
			ip := udpPacket("10.0.0.1", 1000, "192.168.0.1", 53, "question")
			next := counter(ip)
			var m Meta
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				next(i)
				m.Clear()
				ct.Execute(Time(i)*10000, ip, &m, &commit)
			}
		})
	}
}

// counter returns a function that gives a UDP packet its i-th source address.
func counter(ip []byte) func(i int) {
	ip[26], ip[27] = 0, 0 // no checksum to keep
	return func(i int) {
		binary.BigEndian.PutUint32(ip[12:], 0x0a000000|uint32(i))
		headerSum(ip)
	}
}

// BenchmarkMillion fills a table with a million connections and says what each costs.
func BenchmarkMillion(b *testing.B) {
	const n = 1 << 20
	for b.Loop() {
		size := millionBytes(n)
		b.ReportMetric(float64(size)/n, "bytes/connection")
	}
}

func millionBytes(n int) uint64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	ct := fill(n)
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(ct)
	return after.HeapAlloc - before.HeapAlloc
}

func fill(n int) *Table {
	ct := NewTable(Options{Profile: OVSUserspace, MaxConns: n})
	ip := udpPacket("10.0.0.1", 1000, "192.168.0.1", 53, "question")
	next := counter(ip)
	var m Meta
	for i := range n {
		next(i)
		m.Clear()
		ct.Execute(Time(i), ip, &m, &commit)
	}
	return ct
}

// A connection costs at most 256 bytes, index and expiry included.
func TestBytesPerConnection(t *testing.T) {
	const n = 1 << 18
	if per := float64(millionBytes(n)) / n; per > 256 || per < 100 {
		t.Errorf("%.0f bytes a connection", per)
	}
}

// BenchmarkExpire is the removal of one expired connection among very many.
func BenchmarkExpire(b *testing.B) {
	const n = 1 << 20
	left := 0
	var ct *Table
	for b.Loop() {
		if left == 0 {
			b.StopTimer()
			ct, left = fill(n), n
			b.StartTimer()
		}
		ct.sweepDue(1<<60, 1)
		left--
	}
}

// BenchmarkOneConnection is what "ovstest test-conntrack benchmark" measures:
// packets of one connection, committed again and again.
func BenchmarkOneConnection(b *testing.B) {
	ct := NewTable(Options{Profile: OVSUserspace})
	ask, _ := flows(1)
	var m Meta
	b.ReportAllocs()
	for b.Loop() {
		m.Clear()
		ct.Execute(Second, ask[0], &m, &commit)
	}
}
