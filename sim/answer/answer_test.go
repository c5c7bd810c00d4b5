package answer

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"testing"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/packet"
)

// recorded is one answer of testdata/recorded.txt.
type recorded struct {
	name, make string
	before     []string
	flow       []string
	in, want   []byte
}

func readRecorded(t *testing.T) (all []recorded) {
	t.Helper()
	file, err := os.Open("testdata/recorded.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		if word == "answer" {
			all = append(all, recorded{name: rest})
			continue
		}
		if len(all) == 0 {
			continue
		}
		r := &all[len(all)-1]
		switch word {
		case "make":
			r.make = rest
		case "before":
			r.before = strings.Fields(rest)
		case "flow":
			r.flow = strings.Fields(rest)
		case "in":
			r.in = unhex(rest)
		case "want":
			r.want = unhex(rest)
		}
	}
	return all
}

func fieldNamed(t *testing.T, name string) field.ID {
	t.Helper()
	for _, id := range packet.Fields() {
		if id.String() == name {
			return id
		}
	}
	t.Fatalf("no field %s", name)
	return 0
}

// The options of the network that the DHCP answers were recorded on, in the
// order in which they are sent.
var (
	dhcp4Options = []Option{
		{67, []byte("boot.ipxe")}, {254, []byte("alt.0")}, {253, []byte{10, 1, 0, 8}},
		{58, mustHex("00000e10")}, {59, mustHex("00001c20")},
		{121, mustHex("20a9fea9fe0a010002000a010001")},
		{6, mustHex("0a01000308080808")}, {15, []byte("openstack.local")},
		{119, mustHex("0161036f766e036f726700c0020162c000")},
		{51, mustHex("0000a8c0")}, {26, mustHex("05a2")},
		{1, mustHex("ffffff00")}, {1, mustHex("ffffff00")},
		{3, mustHex("0a010001")}, {54, mustHex("0a010001")}, {66, mustHex("0a010009")},
	}
	dhcp6Options = []Option{
		{5, mustHex("fd01000a000000000000000000000011")}, {23, mustHex("fd01000a000000000000000000000053")},
		{24, []byte("openstack.local")}, {2, mustHex("fa163eaa0a01")},
	}
)

func mustHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// compose makes the answer that a recorded one is to be compared with.
func compose(t *testing.T, r *recorded, in *packet.Packet) (Frame, bool) {
	what, rest, _ := strings.Cut(r.make, " ")
	switch what {
	case "reject":
		return Reject(in, Style{}, true)
	case "icmp-error":
		frame, ok := ICMP(in, Style{}, false)
		if mtu, is := strings.CutPrefix(rest, "mtu="); is {
			n, err := strconv.Atoi(mtu)
			if err != nil {
				t.Fatal(err)
			}
			var p packet.Packet
			p.Set(frame.Data, frame.Wire)
			if !SetFragMTU(&p, uint32(n)) {
				t.Error("no place for an MTU")
			}
			frame.Data = p.Data
		}
		return frame, ok
	case "nd-na", "nd-na-router":
		return NeighborAdvertisement(in, what == "nd-na-router")
	case "dns":
		style := DNSStyle{Additional: AdditionalIgnored}
		q, ok := ParseDNS(in, style)
		if !ok {
			return Frame{}, false
		}
		return DNS(in, style, q, rest, false)
	case "dhcp4":
		return DHCPv4(in, DHCPv4Style{Inform: true}, [4]byte{10, 1, 0, 11}, dhcp4Options)
	case "ra":
		a := NewAdvert(0)
		a.SetFlags(RAManaged)
		a = a.SourceLink([6]byte(mustHex("fa163eaa0a01"))).MTU(1400)
		a.SetFlags(RAHigh)
		a = a.RDNSS([16]byte(mustHex("fd01000a000000000000000000000053"))).DNSSL("ovn.org,a.b")
		a = a.Routes("HIGH-fd02::/48,LOW-fd03::1/96").Prefix([16]byte(mustHex("fd01000a000000000000000000000000")), 64)
		return RouterAdvertisement(in, a, false)
	case "dhcp6":
		return DHCPv6(in, DHCPv6Style{}, dhcp6Options)
	}
	t.Fatalf("cannot make %s", r.make)
	return Frame{}, false
}

// TestRecorded holds the answers against those of a running OVN.
func TestRecorded(t *testing.T) {
	t.Parallel()
	for _, r := range readRecorded(t) {
		t.Run(r.name, func(t *testing.T) {
			var in, got, want packet.Packet
			in.Set(r.in, len(r.in))
			for _, set := range r.before {
				name, value, _ := strings.Cut(set, "=")
				n, err := strconv.ParseUint(value, 0, 64)
				if err != nil {
					t.Fatal(err)
				}
				in.Key.Set(fieldNamed(t, name), n)
			}
			in.Flush()
			sent := bytes.Clone(in.Data)
			frame, ok := compose(t, &r, &in)
			if !ok {
				t.Fatal("no answer")
			}
			if !bytes.Equal(in.Data, sent) {
				t.Error("the packet itself was changed")
			}
			got.Set(frame.Data, frame.Wire)
			want.Set(r.want, len(r.want))
			for _, name := range r.flow {
				id := fieldNamed(t, name)
				got.Key.Set128(id, want.Key.Get128(id))
			}
			got.Flush()
			if !bytes.Equal(got.Data, r.want) {
				t.Errorf("got  %x\nwant %x", got.Data, r.want)
			}
			if frame.Wire != len(r.want) {
				t.Errorf("%d bytes on the wire, want %d", frame.Wire, len(r.want))
			}
		})
	}
}

// TestSilent: what ovn-controller leaves unanswered.
func TestSilent(t *testing.T) {
	t.Parallel()
	inputs := map[string][]byte{}
	for _, r := range readRecorded(t) {
		inputs[r.name] = r.in
	}
	edited := func(name string, at int, b ...byte) *packet.Packet {
		frame := bytes.Clone(inputs[name])
		copy(frame[at:], b)
		p := new(packet.Packet)
		p.Set(frame, len(frame))
		return p
	}
	const l4v4 = 14 + 20
	const dhcpMessage = l4v4 + 8
	offer := [4]byte{10, 1, 0, 11}
	for name, answered := range map[string]func() bool{
		"a reset is not rejected": func() bool {
			_, ok := Reject(edited("reject tcp", l4v4+13, 4), Style{}, true)
			return ok
		},
		"an unreachable is not rejected": func() bool {
			_, ok := Reject(edited("reject echo request", l4v4, 3), Style{}, true)
			return ok
		},
		"an abort is not rejected": func() bool {
			_, ok := Reject(edited("reject sctp init", l4v4+12, 6), Style{}, true)
			return ok
		},
		"a DHCP reply": func() bool {
			_, ok := DHCPv4(edited("dhcp discover", dhcpMessage, 2), DHCPv4Style{}, offer, nil)
			return ok
		},
		"DHCP without the cookie": func() bool {
			_, ok := DHCPv4(edited("dhcp discover", dhcpMessage+236, 0), DHCPv4Style{}, offer, nil)
			return ok
		},
		"DHCPINFORM before OVN 20.09": func() bool {
			_, ok := DHCPv4(edited("dhcp inform", 0), DHCPv4Style{}, offer, nil)
			return ok
		},
		"a DNS response": func() bool {
			_, ok := ParseDNS(edited("dns A", dhcpMessage+2, 0x80), DNSStyle{})
			return ok
		},
		"a question for MX": func() bool {
			in := edited("dns A", 0)
			in.Data[len(in.Data)-3] = 15
			_, ok := ParseDNS(in, DNSStyle{})
			return ok
		},
		"additional records where they are ignored": func() bool {
			_, ok := ParseDNS(edited("dns A", dhcpMessage+10, 0, 1), DNSStyle{Additional: AdditionalIgnored})
			return ok
		},
		"a neighbour solicitation that is none": func() bool {
			_, ok := NeighborAdvertisement(edited("reject echo request 6", 0), false)
			return ok
		},
	} {
		if answered() {
			t.Errorf("%s: answered", name)
		}
	}
}

// TestCut: an error that quotes more than was captured says how long it is.
func TestCut(t *testing.T) {
	t.Parallel()
	for _, r := range readRecorded(t) {
		if r.name != "reject udp, long" {
			continue
		}
		var in packet.Packet
		in.Set(r.in[:100], len(r.in))
		frame, ok := ICMP(&in, Style{Swap: true}, true)
		if !ok || frame.Wire != len(r.want) || len(frame.Data) >= frame.Wire {
			t.Errorf("%v, %d of %d bytes; want %d on the wire", ok, len(frame.Data), frame.Wire, len(r.want))
		}
	}
}

// FuzzAnswers: nothing that a guest sends breaks an answer.
func FuzzAnswers(f *testing.F) {
	file, err := os.ReadFile("testdata/recorded.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(file)) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "in "); ok {
			f.Add(mustHex(text))
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		var in packet.Packet
		in.Set(frame, len(frame)+10)
		if in.Layout.L3 == 0 {
			return
		}
		ARP(&in)
		NeighborSolicitation(&in, Destination(&in))
		NeighborAdvertisement(&in, true)
		Reject(&in, Style{}, true)
		Reset(&in, Style{KeepTOS: true})
		Abort(&in, Style{})
		DHCPv4(&in, DHCPv4Style{Inform: true}, [4]byte{1, 2, 3, 4}, dhcp4Options)
		DHCPv6(&in, DHCPv6Style{Release: true}, dhcp6Options)
		RelayRequest(&in, [4]byte{1, 2, 3, 4})
		RelayResponse(&in, [4]byte{1, 2, 3, 4}, [4]byte{5, 6, 7, 8})
		RouterAdvertisement(&in, NewAdvert(0), true)
		ProbeReset(&in, true)
		Multicast(&in)
		for _, a := range []Additional{AdditionalDropped, AdditionalRepeated} {
			style := DNSStyle{Additional: a, Refuse: true}
			if q, ok := ParseDNS(&in, style); ok {
				DNS(&in, style, q, "10.0.0.1 fd00::1", true)
			}
		}
		SetFragMTU(&in, 1400)
		SetInnerSource(&in, 0x01020304)
	})
}

// TestRelay: hops and relay address go into the request, the client's
// addresses into the response, and checksums stay right.
func TestRelay(t *testing.T) {
	t.Parallel()
	var in packet.Packet
	for _, r := range readRecorded(t) {
		if r.name == "dhcp discover" {
			in.Set(r.in, len(r.in))
		}
	}
	const ip, udp, msg = 14, 34, 42
	valid := func(b []byte) bool {
		n := len(b) - udp
		return header.Checksum(0, b[ip:udp]) == 0 && header.Checksum(pseudo(b[ip:], header.ProtoUDP, n), b[udp:]) == 0
	}
	if !valid(in.Data) {
		t.Fatal("the recorded request's checksums are wrong")
	}
	relay, server := [4]byte{10, 1, 0, 1}, [4]byte{172, 16, 0, 9}
	request, ok := RelayRequest(&in, relay)
	if !ok || request.Data[msg+3] != 1 || !bytes.Equal(request.Data[msg+24:][:4], relay[:]) || !valid(request.Data) {
		t.Errorf("request %v: %x", ok, request.Data)
	}
	var again packet.Packet
	again.Set(request.Data, request.Wire)
	if _, ok := RelayRequest(&again, relay); ok {
		t.Error("relayed twice")
	}

	// The server's offer, by the DHCP server we have.
	offer, ok := DHCPv4(&again, DHCPv4Style{}, [4]byte{10, 1, 0, 77},
		[]Option{{1, []byte{255, 255, 255, 0}}, {54, server[:]}})
	if !ok {
		t.Fatal("no offer")
	}
	var back packet.Packet
	back.Set(offer.Data, offer.Wire)
	back.Key.Set(field.IP4Dst, 0x0a010001)
	back.Flush()
	response, ok := RelayResponse(&back, relay, server)
	if !ok || !bytes.Equal(response.Data[:6], in.Data[6:12]) ||
		!bytes.Equal(response.Data[ip+16:][:4], []byte{10, 1, 0, 77}) ||
		header.Checksum(0, response.Data[ip:udp]) != 0 {
		t.Errorf("response %v: %x", ok, response.Data)
	}
	if _, ok := RelayResponse(&back, relay, [4]byte{1, 1, 1, 1}); ok {
		t.Error("another server's response is passed on")
	}
	if _, ok := RelayResponse(&back, [4]byte{10, 1, 9, 1}, server); ok {
		t.Error("another relay's response is passed on")
	}
}
