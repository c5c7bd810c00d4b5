package filter

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"ovnreplay/nat/header"
)

// FuzzFilter: whatever the expression and the packet, there is an answer or an
// error with a place in the expression; and simplifying a program changes no
// answer about a packet that it does not look beyond the end of.
func FuzzFilter(f *testing.F) {
	packets := frames(linkEthernet, 6, 20, 20)
	for i, expr := range expressions {
		p := packets[i%len(packets)]
		f.Add(expr, uint16(links[i%len(links)]), p.data, p.length)
	}
	for _, c := range refused {
		f.Add(c.expr, uint16(linkEthernet), []byte{}, 0)
	}
	f.Fuzz(func(t *testing.T, expr string, link uint16, data []byte, length int) {
		e, err := Parse(expr)
		if err != nil {
			place(t, expr, err)
			return
		}
		p, err := e.Compile(Link{Type: link})
		if err != nil {
			place(t, expr, err)
			return
		}
		if n := len(p.code); n > 64+200*len(expr) {
			t.Errorf("a program of %d instructions for %d bytes", n, len(expr))
		}
		p.Match(data, length)
	})
}

func place(t *testing.T, expr string, err error) {
	e, ok := err.(*Error)
	if !ok || e == nil || e.Column < 1 || e.Column > len(expr)+1 {
		t.Errorf("%q: %v", expr, err)
	}
}

// TestHostile are expressions that could take a parser's or compiler's time,
// memory or stack.
func TestHostile(t *testing.T) {
	repeat := strings.Repeat
	for name, expr := range map[string]string{
		"brackets":        repeat("(", 30000),
		"bracketed":       repeat("(", 10000) + "ip" + repeat(")", 10000),
		"not":             repeat("not ", 10000) + "ip",
		"negative":        repeat("-", 20000) + "1 = 1",
		"xor":             "1" + repeat("^1", 20000) + " = 1",
		"index":           repeat("ip[", 10000) + "0" + repeat("]", 10000) + " = 1",
		"or":              "ip" + repeat(" or ip", 10000),
		"host":            "host 10.0.0.1" + repeat(" or 10.0.0.1", 5000),
		"different hosts": "ip6 host ::1" + repeat(" and not 2001:db8::3 or ::9", 2200),
		"ports":           "port 1" + repeat(" or 2 and 3", 5000),
		"sum":             "1" + repeat("+1", 20000) + " = 1",
		"vlan":            "vlan" + repeat(" or vlan", 8000),
		"geneve":          "geneve" + repeat(" or geneve", 5000),
		"colons":          repeat(":", 60000),
		"zeros":           repeat("0:", 30000),
		"groups":          "host " + repeat("1:", 30000),
		"long":            repeat("a", 65537),
		"name":            "port " + repeat("a", 65000),
		"most hosts":      "host 10.0.0.1" + repeat(" or 10.0.%.%", 335),
		"most ports":      "port 1" + repeat(" or port % and not port 1%", 110),
		"most values":     "len = 3" + repeat(" or ip[%] = %", 1900),
		"mpls":            "mpls" + repeat(" and mpls", 7000),
	} {
		expr = numbered(expr)
		begun := time.Now()
		e, err := Parse(expr)
		if err == nil {
			var p *Program
			if p, err = e.Compile(Link{Type: linkEthernet}); err == nil {
				p.Match(make([]byte, 1500), 1500)
				t.Logf("%s: %d instructions", name, len(p.code))
			}
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s: %v", name, took)
		} else {
			t.Logf("%s: %v, %.80v", name, took, err)
		}
	}
}

// numbered puts numbers for percent signs.
func numbered(expr string) string {
	n := 0
	return regexp.MustCompile("%").ReplaceAllStringFunc(expr, func(string) string {
		n++
		return strconv.Itoa(n % 251)
	})
}

// TestCircle: authentication headers that lead to each other do not keep the
// program forever.
func TestCircle(t *testing.T) {
	t.Parallel()
	p, err := compile("ip protochain 6", Link{Type: linkIPv4})
	if err != nil {
		t.Fatal(err)
	}
	packet := make([]byte, 64)
	packet[0], packet[9] = 0x45, header.ProtoAH
	packet[20], packet[21] = header.ProtoAH, 3
	if p.Match(packet, len(packet)) {
		t.Error("selected")
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	packets := frames(linkEthernet, 7, 50, 50)
	for _, expr := range expressions {
		p, err := compile(expr, Link{Type: linkEthernet})
		if err != nil {
			continue
		}
		if n := testing.AllocsPerRun(1, func() {
			for _, f := range packets {
				p.Match(f.data, f.length)
			}
		}); n != 0 {
			t.Errorf("%q: %v allocations", expr, n)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	packets := frames(linkEthernet, 8, 256, 0)
	for name, expr := range map[string]string{
		"proto": "tcp", "port": "tcp port 80", "hosts": "host 10.0.0.1 or 10.0.0.2 or 192.168.1.1",
		"manual": "tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)",
		"geneve": "geneve and tcp port 80",
	} {
		p, err := compile(expr, Link{Type: linkEthernet})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				f := &packets[i&255]
				p.Match(f.data, f.length)
			}
		})
	}
}
