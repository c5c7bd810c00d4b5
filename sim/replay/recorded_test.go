package replay_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/pcap"
	"ovnreplay/sim"
	"ovnreplay/sim/job"
	"ovnreplay/sim/network"
	"ovnreplay/sim/recording"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/southbound"
	"ovnreplay/sim/trace"
	"ovnreplay/store"
	"ovnreplay/store/output"
)

// recorded opens a recorded case, after change has had its way with what it
// consists of and with its network.
func recorded(t *testing.T, name string, change func(*recording.Spec, *network.Network)) *job.Job {
	t.Helper()
	s, err := recording.ReadCase(filepath.Join("..", "..", "testdata", "cases", name),
		recording.Files{Open: store.OpenFile})
	if err != nil {
		t.Fatal(err)
	}
	net, _, err := southbound.OpenAll(t.Context(), s.DBs, store.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(s, net)
	}
	j, err := (&job.Spec{Stderr: io.Discard, Quiet: true}).Load(t.Context(), s, net, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	return j
}

func verified(t *testing.T, j *job.Job, more ...replay.Handler) *replay.Report {
	t.Helper()
	v := replay.NewVerifier(replay.VerifyOptions{Window: 30 * conntrack.Second})
	if err := j.Run(t.Context(), j.Start(replay.Handlers(append([]replay.Handler{v}, more...)...),
		job.LookAhead)); err != nil {
		t.Fatal(err)
	}
	return v.Finish()
}

// What replaying has to find out, each with recordings in which it is to be found
// out: a packet that is placed, directed or matched wrongly does not verify.
func TestRecordings(t *testing.T) {
	t.Parallel()
	for what, cases := range map[string][]string{
		"directions where owners share a wire": {"cloud-provider-vm", "cloud-fip-distributed", "cloud-localport",
			"cloud-vlan-tenant"},
		"packets in the underlay": {"cloud-l3-geneve", "cloud-vxlan", "cloud-remote", "ic-warm"},
		"what ovn-controller sends of itself": {"cloud-lb-health", "cloud-igmp", "kube-garp", "cloud-bfd-26.03",
			"cloud-prefix-delegation", "cloud-dhcpv6-ra", "cloud-ctl-dhcp"},
		"choices made at random": {"kube-many-backends", "cloud-ecmp", "kube-snat-collision",
			"cloud-snat-collision"},
		"connections known from before": {"kube-known-connections", "cloud-known-connections", "kube-idle"},
		"segments and fragments": {"kube-jumbo", "kube-transfer", "cloud-fragments", "kube-fragments",
			"kube-truncated"},
		"what is held and comes late": {"kube-cold-ingress", "kube-cold-unanswered", "cloud-cold",
			"kube-syn-retransmit"},
		"neighbours that are asked again": {"cloud-ctl-neighbours", "kube-arp-nd", "cloud-arp-nd"},
		"several zones":                   {"ic-nodeport", "ic-egress-ip", "ic-pods"},
		"errors about what was translated": {"kube-port-unreachable-snat", "kube-frag-needed", "cloud-frag-needed",
			"cloud-ttl-exceeded"},
		"ports that move": {"cloud-migration", "cloud-failover", "cloud-virtual"},
		"networks and traffic that nobody chose": {"random-kube-3", "random-kube-4", "random-kube-5", "random-kube-13",
			"random-kube-33-26.03", "random-kube-39-26.03", "random-cloud-10", "random-cloud-19"},
		"checksums left to cards": {"kube-offloads", "kube-offloads-26.03"},
		"wires that chassis share": {"cloud-spine-26.03", "cloud-external", "cloud-own-address-26.03",
			"cloud-trunk"},
		"backends that no frame shows": {"kube-hash-fields", "kube-client-port-collision"},
		"odd packets":                  {"kube-odd-packets", "kube-tcp-odd", "kube-forged-mac"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			for _, name := range cases {
				if r := verified(t, recorded(t, name, nil)); !r.OK() || r.Matched == 0 ||
					r.Matched+r.Autonomous != r.Observed {
					t.Errorf("%s: %+v", name, r)
				}
			}
		})
	}
}

// words holds what a renderer writes against the record of the packet.
type words struct {
	t *testing.T
	r replay.Renderer
	n int
}

func (w *words) Entered(f *replay.Frame, p *replay.Point, out *sim.Outcome) {
	w.n++
	record := replay.NewRecord(w.r.Why, f, p, "a.pcap", out, true)
	var text strings.Builder
	if err := output.Encoder(&text).Encode(record); err != nil {
		w.t.Fatal(err)
	}
	if got := string(w.r.AppendJSON(nil, f, p, "a.pcap", out)) + "\n"; got != text.String() {
		w.t.Fatalf("packet %d: written %s\nthe record says %s", w.n, got, text.String())
	}
	if got := string(w.r.AppendLine(nil, f, p, "a.pcap", out)); got != record.Line() {
		w.t.Fatalf("packet %d: written %s\nthe record says %s", w.n, got, record.Line())
	}
}

func (w *words) Observed(*replay.Frame, *replay.Point)        {}
func (w *words) Skipped(*replay.Frame, *replay.Point, string) {}

// Lines and JSON, which are written from what packets share, say what the record of
// each packet says.
func TestWordsAreTheRecords(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"nodeport", "cloud-flood", "kube-hairpin", "cloud-sg-reject-in", "cloud-dhcpv4", "kube-port-security",
		"cloud-ecmp",
		"kube-cold-egress", "cloud-nat-v6", "kube-odd-packets", "cloud-igmp", "kube-acl-verdicts", "cloud-unknown",
		"kube-affinity",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := recorded(t, name, nil)
			w := &words{t: t, r: replay.Renderer{Why: j.Explainer(), Hex: true}}
			verified(t, j, w)
			if w.n == 0 {
				t.Error("no packets")
			}
		})
	}
}

// With a capture less, what it would have shown is inferred from the others: all
// that they show is explained.
func TestACaptureLess(t *testing.T) {
	t.Parallel()
	inferred := 0
	for _, name := range []string{"nodeport", "clusterip", "kube-hairpin", "cloud-snat", "cloud-l3-geneve",
		"udp-service", "kube-routed", "ic-warm", "cloud-ttl-exceeded"} {
		s, err := recording.ReadCase(filepath.Join("..", "..", "testdata", "cases", name),
			recording.Files{Open: store.OpenFile})
		if err != nil {
			t.Fatal(err)
		}
		for i := range s.Captures {
			j := recorded(t, name, func(s *recording.Spec, _ *network.Network) {
				s.Captures = append(s.Captures[:i:i], s.Captures[i+1:]...)
			})
			r := verified(t, j)
			if inferred += r.Inferred; !r.OK() && r.Unverified == "" {
				t.Errorf("%s without %s: %+v", name, filepath.Base(s.Captures[i].File), r)
			}
		}
	}
	if inferred == 0 {
		t.Error("nothing was inferred")
	}
}

// visited notes the logical flows that packets met.
type visited struct {
	e   *sim.Engine
	met map[string]bool
	led map[string]bool // those met by packets that came out as they were predicted to
}

func (v *visited) Entered(_ *replay.Frame, _ *replay.Point, out *sim.Outcome) {
	for _, ev := range out.Trace.Events() {
		if ev.Flow >= 0 {
			v.met[v.e.Net.Flows[ev.Flow].UUID] = true
			if v.led != nil && len(out.Outputs) == 1 && ev.Kind == trace.Match {
				v.led[v.e.Net.Flows[ev.Flow].UUID] = true
			}
		}
	}
}

func (v *visited) Observed(*replay.Frame, *replay.Point)        {}
func (v *visited) Skipped(*replay.Frame, *replay.Point, string) {}

// A network with one flow that drops is found out, and the report names the flow:
// as text, as JSON and to CI systems.
func TestOneWrongFlowIsNamed(t *testing.T) {
	t.Parallel()
	all := recorded(t, "nodeport", nil)
	v := &visited{e: all.Engine, met: map[string]bool{}, led: map[string]bool{}}
	verified(t, all, v)
	for _, uuid := range slices.Sorted(maps.Keys(v.led))[:12] {
		j := recorded(t, "nodeport", func(_ *recording.Spec, net *network.Network) { drop(net, uuid) })
		r := verified(t, j)
		if r.OK() || len(r.Missing) == 0 {
			t.Errorf("flow %s drops, and all is well: %+v", uuid, r)
			continue
		}
		var text, junit bytes.Buffer
		if err := r.Write(&text, false); err != nil {
			t.Fatal(err)
		}
		if err := r.WriteJUnit(&junit, j.Names); err != nil {
			t.Fatal(err)
		}
		asJSON, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		for what, b := range map[string][]byte{"text": text.Bytes(), "JUnit": junit.Bytes(), "JSON": asJSON} {
			if !bytes.Contains(b, []byte(uuid[:8])) {
				t.Errorf("flow %s drops; the %s does not name it:\n%s", uuid, what, b)
			}
		}
	}
}

// drop makes a flow drop.
func drop(net *network.Network, uuid string) {
	for _, f := range net.Flows {
		if f.UUID == uuid {
			f.Actions = "drop;"
		}
	}
}

// Two networks that are the same let every packet fare the same; where one drops
// what the other passes on, the flow is told at which they part.
func TestDiffer(t *testing.T) {
	t.Parallel()
	for _, wrong := range []bool{false, true} {
		j := recorded(t, "nodeport", nil)
		changed := map[string]bool{}
		other := recorded(t, "nodeport", func(_ *recording.Spec, net *network.Network) {
			for _, f := range net.Flows {
				if wrong && strings.Contains(f.Actions, "ct_lb_mark(backends") {
					f.Actions = "drop;"
					changed[f.UUID] = true
				}
			}
		})
		var told []string
		d := &replay.Differ{A: replay.NewFates(j.Engine, nil, j.Taps, nil),
			B: replay.NewFates(other.Engine, nil, other.Taps, nil)}
		d.Report = func(x *replay.FateDifference) error { told = append(told, x.String()); return nil }
		a, b := j.Start(d.A, 0), other.Start(d.B, 0)
		var failed error
		err := j.FeedTo(t.Context(), func(rec *pcap.Record) {
			a.Add(rec)
			b.Add(rec)
			if err := d.Settle(false); err != nil {
				failed = err
			}
		}, func() { a.Flush(); b.Flush() })
		if err != nil || failed != nil {
			t.Fatal(err, failed)
		}
		if err := d.Settle(true); err != nil {
			t.Fatal(err)
		}
		text := strings.Join(told, "")
		named := false
		for uuid := range changed {
			named = named || strings.Contains(text, uuid)
		}
		if d.Packets == 0 || (d.Different > 0) != wrong || named != wrong {
			t.Errorf("wrong %v: of %d packets %d fare differently:\n%s", wrong, d.Packets, d.Different, text)
		}
	}
}

// fed replays a case whose captures come as alter makes them.
func fed(t *testing.T, j *job.Job, alter func(n int, rec *pcap.Record, add func(*pcap.Record))) *replay.Report {
	t.Helper()
	v := replay.NewVerifier(replay.VerifyOptions{Window: 30 * conntrack.Second})
	s := j.Start(v, job.LookAhead)
	n := 0
	err := j.FeedTo(t.Context(), func(rec *pcap.Record) {
		n++
		alter(n, rec, s.Add)
	}, s.Flush)
	if err != nil || s.Err() != nil {
		t.Fatal(err, s.Err())
	}
	return v.Finish()
}

// asks reports whether a frame is an ARP request, a neighbor solicitation or an
// echo request.
func asks(d []byte) bool {
	switch {
	case len(d) >= 42 && d[12] == 8 && d[13] == 6:
		return d[21] == 1
	case len(d) >= 42 && d[12] == 8 && d[13] == 0 && d[14] == 0x45:
		return d[23] == header.ProtoICMP && d[34] == 8
	}
	return len(d) >= 62 && d[12] == 0x86 && d[20] == header.ProtoICMPv6 && (d[54] == 135 || d[54] == 128)
}

// What captures do to packets is not held against the network.
func TestArtefactsOfCapturing(t *testing.T) {
	t.Parallel()
	for what, a := range map[string]struct {
		cases []string
		alter func(n int, rec *pcap.Record, add func(*pcap.Record))
		seen  func(*replay.Report) int // how many the report counts, nil: none need be
	}{
		"cut frames": {
			[]string{"nodeport", "clusterip", "cloud-l3-geneve", "kube-hairpin", "cloud-snat"},
			func(_ int, rec *pcap.Record, add func(*pcap.Record)) {
				rec.Data = rec.Data[:min(len(rec.Data), 96)]
				add(rec)
			}, func(r *replay.Report) int { return r.Cut },
		},
		"frames cut within the TCP header": {
			[]string{"nodeport", "clusterip", "cloud-snat", "kube-nodeport-v6"},
			func(_ int, rec *pcap.Record, add func(*pcap.Record)) {
				if d := rec.Data; rec.Capture == 0 && len(d) > 54 {
					l4 := 34
					if d[12] == 0x86 {
						l4 = 54
					}
					rec.Data = d[:l4+14]
				}
				add(rec)
			}, func(r *replay.Report) int { return r.Cut },
		},
		"frames seen twice": {
			[]string{"nodeport", "clusterip", "cloud-snat", "udp-service"},
			func(_ int, rec *pcap.Record, add func(*pcap.Record)) {
				twice := *rec
				add(rec)
				twice.Time += 1000
				add(&twice)
			}, func(r *replay.Report) int { return r.Repeated },
		},
		"lost frames": {
			[]string{"nodeport", "clusterip", "cloud-snat", "kube-transfer"},
			func(n int, rec *pcap.Record, add func(*pcap.Record)) {
				if n%11 != 0 {
					add(rec)
				}
			}, func(r *replay.Report) int { return r.Lost + r.Inferred },
		},
		"questions that OVN answers lost": {
			[]string{"cloud-arp-nd", "kube-arp-nd", "kube-router-itself", "icmp"},
			func(_ int, rec *pcap.Record, add func(*pcap.Record)) {
				if !asks(rec.Data) {
					add(rec)
				}
			}, func(r *replay.Report) int { return r.Inferred },
		},
		"a late beginning": {
			[]string{"nodeport", "clusterip", "cloud-snat", "kube-nodeport-v6"},
			func(n int, rec *pcap.Record, add func(*pcap.Record)) {
				if n > 9 {
					add(rec)
				}
			}, nil,
		},
		"checksums left to the card": {
			[]string{"nodeport", "clusterip", "cloud-snat"},
			func(_ int, rec *pcap.Record, add func(*pcap.Record)) {
				// The card is given the sum of the pseudo header.
				if d := rec.Data; len(d) > 54 && d[12] == 8 && d[13] == 0 && d[14] == 0x45 && d[23] == header.ProtoTCP {
					sum := header.Pseudo(d[26:34], header.ProtoTCP, int(d[16])<<8+int(d[17])-20)
					binary.BigEndian.PutUint16(d[50:], ^header.Checksum(sum, nil))
				}
				add(rec)
			}, func(r *replay.Report) int { return r.Offloaded },
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			counted := 0
			for _, name := range a.cases {
				r := fed(t, recorded(t, name, nil), a.alter)
				if len(r.Mismatched)+len(r.Missing)+len(r.Unexpected) > 0 || r.Matched == 0 {
					var text strings.Builder
					r.Write(&text, false)
					t.Errorf("%s: %s", name, text.String())
				}
				if a.seen != nil {
					counted += a.seen(r)
				}
			}
			if a.seen != nil && counted == 0 {
				t.Error("the reports count none")
			}
		})
	}
}

// Where a capture was taken is found out from its packets.
func TestPlacesAreFound(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"nodeport", "clusterip", "kube-hairpin", "cloud-snat", "cloud-l3-geneve",
		"kube-routed", "cloud-policies", "kube-nodeport-v6"} {
		j := recorded(t, name, func(s *recording.Spec, _ *network.Network) {
			for i := range s.Captures {
				s.Captures[i].Port = ""
			}
		})
		r := verified(t, j)
		if !r.OK() || r.Matched == 0 {
			t.Errorf("%s: %+v", name, r)
		}
		for _, tap := range j.Taps {
			if tap.Explain() == "" {
				t.Errorf("%s: nothing is said of where %s was taken", name, tap.Name)
			}
		}
	}
}

// A network that rewrites a field it should not is found out: the field is named,
// and the flow that wrote it.
func TestAWrittenFieldIsNamed(t *testing.T) {
	t.Parallel()
	met := &visited{met: map[string]bool{}}
	all := recorded(t, "nodeport", nil)
	met.e = all.Engine
	verified(t, all, met)
	for field, action := range map[string]string{"ip.dscp": "ip.dscp = 9; next;", "ip.ttl": "ip.ttl = 3; next;",
		"eth.src": "eth.src = 0a:00:00:00:00:99; next;"} {
		changed := 0
		j := recorded(t, "nodeport", func(_ *recording.Spec, net *network.Network) {
			for _, f := range net.Flows {
				if met.met[f.UUID] && strings.HasPrefix(f.Stage, "lr_out_") && f.Actions == "next;" {
					f.Actions = action
					changed++
				}
			}
		})
		if changed == 0 {
			t.Fatal("no flow to change")
		}
		r := verified(t, j)
		var text strings.Builder
		r.List = true
		if err := r.Write(&text, false); err != nil {
			t.Fatal(err)
		}
		if len(r.Mismatched) == 0 || !strings.Contains(text.String(), field) {
			t.Errorf("%s is written: %s", field, text.String())
			continue
		}
		observed, wire := r.Mismatched[0].Bytes()
		if predicted, _ := r.Mismatched[0].Predicted(); len(predicted) != wire || bytes.Equal(observed, predicted) {
			t.Errorf("%s: %x was observed, %x predicted", field, observed, predicted)
		}
		for _, d := range r.Mismatched[0].Fields {
			if d.Field == field && d.Flow == "" {
				t.Errorf("%s: no flow is named", field)
			}
		}
	}
}

// The database is read again and again while packets pass: nothing in it has
// changed, and nothing changes for them.
func TestTheSameNetworkAgain(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"nodeport", "cloud-l3-geneve", "cloud-provider-vm", "kube-affinity"} {
		j := recorded(t, name, nil)
		spec, err := recording.ReadCase(filepath.Join("..", "..", "testdata", "cases", name),
			recording.Files{Open: store.OpenFile})
		if err != nil {
			t.Fatal(err)
		}
		calls := 0
		v := replay.NewVerifier(replay.VerifyOptions{})
		s := j.Recording.Start(v, job.LookAhead, func(now conntrack.Time) (*network.Network, conntrack.Time, error) {
			if calls++; calls%7 != 0 {
				return nil, 0, nil
			}
			net, _, err := southbound.OpenAll(t.Context(), spec.DBs, store.Options{}, nil)
			return net, now, err
		})
		if err := j.Run(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if r := v.Finish(); !r.OK() || r.Matched == 0 || calls < 7 {
			t.Errorf("%s, after %d looks: %+v", name, calls, r)
		}
	}
}

// A filter selects packets, as they entered or as conntrack knows them.
func TestFilter(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]int{"": 21, "tcp.dst == 30007": 12, "ip4.src == 10.244.1.3": 8, "udp": 0,
		"ct.rpl": 8} {
		j := recorded(t, "nodeport", nil)
		filter, err := replay.NewFilter(j.Engine, expr)
		if err != nil {
			t.Fatal(err)
		}
		c := &chosen{filter: filter}
		verified(t, j, c)
		if c.n != want {
			t.Errorf("%q selects %d packets, want %d", expr, c.n, want)
		}
	}
	if _, err := replay.NewFilter(recorded(t, "nodeport", nil).Engine, "no.such == 1"); err == nil {
		t.Error("an unknown field is taken")
	}
}

type chosen struct {
	filter *replay.Filter
	n      int
}

func (c *chosen) Entered(f *replay.Frame, p *replay.Point, out *sim.Outcome) {
	if c.filter.Packet(f, p, out) {
		c.n++
	}
}

func (c *chosen) Observed(*replay.Frame, *replay.Point)        {}
func (c *chosen) Skipped(*replay.Frame, *replay.Point, string) {}

// merging puts a TCP segment together with the one after it of the same capture,
// as the receive offload of the host that captures does.
type merging struct {
	held   map[int]*pcap.Record // by capture
	merged int
}

// segment returns the TCP payload of a frame that only carries data.
func segment(d []byte) (at int, ok bool) {
	if len(d) < 54 || d[12] != 8 || d[13] != 0 || d[14] != 0x45 || d[23] != header.ProtoTCP || d[47]&0xf7 != 0x10&0xf7 {
		return 0, false
	}
	at = 34 + int(d[46]>>4)*4
	return at, at < 14+int(binary.BigEndian.Uint16(d[16:])) && len(d) == 14+int(binary.BigEndian.Uint16(d[16:]))
}

func (m *merging) add(rec *pcap.Record, add func(*pcap.Record)) {
	at, data := segment(rec.Data)
	if first := m.held[rec.Capture]; first != nil {
		delete(m.held, rec.Capture)
		d := first.Data
		begin, _ := segment(d)
		next := binary.BigEndian.Uint32(d[38:]) + uint32(len(d)-begin)
		if data && at == begin && string(rec.Data[26:38]) == string(d[26:38]) &&
			string(rec.Data[42:47]) == string(d[42:47]) &&
			string(rec.Data[54:at]) == string(d[54:at]) && binary.BigEndian.Uint32(rec.Data[38:]) == next {
			whole := append(bytes.Clone(d), rec.Data[at:]...)
			whole[47] |= rec.Data[47]
			binary.BigEndian.PutUint16(whole[16:], uint16(len(whole)-14))
			fill(whole[24:26], header.Checksum(0, append(append([]byte{}, whole[14:24]...), whole[26:34]...)))
			sum := header.Pseudo(whole[26:34], header.ProtoTCP, len(whole)-34)
			fill(whole[50:52], 0)
			fill(whole[50:52], header.Checksum(sum, whole[34:]))
			first.Data, first.OrigLen = whole, len(whole)
			m.merged++
			add(first)
			return
		}
		add(first)
	}
	if data {
		held := &pcap.Record{}
		held.CopyFrom(rec)
		m.held[rec.Capture] = held
		return
	}
	add(rec)
}

func fill(b []byte, v uint16) { binary.BigEndian.PutUint16(b, v) }

// Segments that one capture shows put together are the ones that another shows.
func TestSegmentsPutTogether(t *testing.T) {
	t.Parallel()
	merged := 0
	for _, name := range []string{"kube-transfer", "kube-jumbo", "nodeport"} {
		for only := range 3 { // the captures of which segments are put together
			m := &merging{held: map[int]*pcap.Record{}}
			j := recorded(t, name, nil)
			r := fed(t, j, func(_ int, rec *pcap.Record, add func(*pcap.Record)) {
				if rec.Capture != only {
					add(rec)
					return
				}
				m.add(rec, add)
			})
			if merged += m.merged; len(r.Mismatched)+len(r.Missing)+len(r.Unexpected) > 0 || r.Matched == 0 {
				var text strings.Builder
				r.Write(&text, false)
				t.Errorf("%s, capture %d, %d put together: %s", name, only, m.merged, text.String())
			}
		}
	}
	if merged == 0 {
		t.Error("none were put together")
	}
}

// What had no partner yet when the captures were no longer read says nothing.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for at := 1; at < 42; at += 5 {
		j := recorded(t, "nodeport", nil)
		v := replay.NewVerifier(replay.VerifyOptions{Window: 30 * conntrack.Second})
		s := j.Start(v, job.LookAhead)
		n := 0
		if err := j.FeedTo(t.Context(), func(rec *pcap.Record) {
			if n++; n <= at {
				s.Add(rec)
			}
		}, s.Flush); err != nil {
			t.Fatal(err)
		}
		v.Interrupt()
		if r := v.Finish(); !r.Interrupted || len(r.Mismatched)+len(r.Missing)+len(r.Unexpected) > 0 {
			t.Errorf("after %d frames: %+v", at, r)
		}
	}
}

// A run that goes on from what another remembered tells what one run tells: of
// packets too that ovn-controller held meanwhile.
func TestGoingOn(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"kube-cold-ingress", "cloud-cold", "kube-affinity", "kube-fragments", "kube-jumbo"} {
		all := verified(t, recorded(t, name, nil)).Packets
		for _, part := range []int{3, 2} {
			at := all * (part - 1) / part
			one, two := recorded(t, name, nil), recorded(t, name, nil)
			a := one.Start(replay.NewVerifier(replay.VerifyOptions{Window: 30 * conntrack.Second}), 0)
			b := two.Start(replay.NewVerifier(replay.VerifyOptions{Window: 30 * conntrack.Second}), 0)
			n := 0
			if err := one.FeedTo(t.Context(), func(rec *pcap.Record) {
				if n++; n <= at {
					a.Add(rec)
				}
			}, a.Pause); err != nil {
				t.Fatal(err)
			}
			if err := b.Remember(a.Memory(), nil); err != nil {
				t.Fatalf("%s after %d frames: %v", name, at, err)
			}
			if !bytes.Equal(b.Memory(), a.Memory()) {
				t.Errorf("%s after %d frames: what was remembered is told as something else", name, at)
			}
		}
	}
}

// A router asks again for the neighbours whose bindings age: such a question is
// nobody's packet, on any port of its switch, and one about others is.
func TestAgingBindingsAreAskedFor(t *testing.T) {
	t.Parallel()
	for threshold, want := range map[string]bool{"": false, "0": false, "60": true} {
		j := recorded(t, "nodeport", func(_ *recording.Spec, net *network.Network) {
			for _, d := range net.Datapaths {
				if d != nil && d.Router && threshold != "" {
					d.ExternalIDs["mac_binding_age_threshold"] = threshold
				}
			}
		})
		var b *network.MACBinding
		for i := range j.Engine.Net.MACBindings {
			if x := &j.Engine.Net.MACBindings[i]; x.IP.Is4() && x.Port != nil && x.Port.Peer != nil &&
				x.Port.Peer.Datapath == j.Engine.Net.Port("breth0_ovn-worker").Datapath {
				b = x
			}
		}
		if b == nil {
			t.Fatal("no binding")
		}
		var own [4]byte
		for _, a := range b.Port.Addresses {
			for _, ip := range a.IPs {
				if ip.Masked().Contains(b.IP) {
					own = ip.Addr().As4()
				}
			}
		}
		mac, ip := b.Port.Addresses[0].MAC, b.IP.As4()
		ask := append(append(append([]byte{}, b.MAC[:]...), mac[:]...), 8, 6, 0, 1, 8, 0, 6, 4, 0, 1)
		ask = append(append(append(append(ask, mac[:]...), own[:]...), 0, 0, 0, 0, 0, 0), ip[:]...)
		r := fed(t, j, func(_ int, rec *pcap.Record, add func(*pcap.Record)) {
			add(rec)
			if strings.Contains(rec.File, "client") && rec.Frame == 5 {
				more := *rec
				more.Frame, more.Data, more.OrigLen = 1000, ask, len(ask)
				add(&more)
			}
		})
		if got := len(r.Missing) == 0; got != want {
			t.Errorf("threshold %q: nobody's packet %v, want %v: %+v", threshold, got, want, r)
		}
	}
}

// reasons counts why packets were dropped.
type reasons map[trace.Reason]int

func (h reasons) Entered(_ *replay.Frame, _ *replay.Point, out *sim.Outcome) {
	for _, ev := range out.Trace.Events() {
		if ev.Kind == trace.Drop {
			h[ev.Reason]++
		}
	}
}
func (reasons) Observed(*replay.Frame, *replay.Point)        {}
func (reasons) Skipped(*replay.Frame, *replay.Point, string) {}

// A chassis that has no is-interconn=true has no tunnel to those of other zones:
// what it sends there is lost, and the reason is said.
func TestNoTunnelWithoutInterconnection(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"true", "false", ""} {
		why := reasons{}
		j := recorded(t, "ic-warm", func(_ *recording.Spec, net *network.Network) {
			for _, c := range net.Chassis {
				if c.Options["is-interconn"] = value; value == "" {
					delete(c.Options, "is-interconn")
				}
			}
		})
		r := verified(t, j, why)
		if lost := why[trace.DropNoTunnel] > 0; lost != (value != "true") || r.OK() != (value == "true") {
			t.Errorf("is-interconn=%s: %d packets have no tunnel, all is well: %v", value, why[trace.DropNoTunnel],
				r.OK())
		}
	}
}

// Nothing compared is no success: the report says why there was nothing.
func TestNothingToVerify(t *testing.T) {
	t.Parallel()
	stranger := func(rec *pcap.Record) *pcap.Record {
		d := bytes.Clone(rec.Data)
		copy(d, []byte{2, 9, 9, 9, 9, 1, 2, 9, 9, 9, 9, 2}) // addresses of no network here
		copy(d[26:34], []byte{203, 0, 113, 1, 203, 0, 113, 2})
		rec.Data = d
		return rec
	}
	for says, alter := range map[string]func(n int, rec *pcap.Record, add func(*pcap.Record)){
		"the captures hold no packets": func(int, *pcap.Record, func(*pcap.Record)) {},
		"no packet was observed leaving OVN; 1 entered; give the capture of a port where they leave, too": func(n int,
			rec *pcap.Record, add func(*pcap.Record)) {
			if n == 1 {
				add(rec)
			}
		},
		"no address of the captures": func(n int, rec *pcap.Record, add func(*pcap.Record)) {
			if n == 1 {
				add(stranger(rec))
			}
		},
	} {
		j := recorded(t, "nodeport", func(s *recording.Spec, _ *network.Network) {
			s.Captures = s.Captures[:1] // at the wire: what leaves at the pod is in none
		})
		r := fed(t, j, alter)
		if r.OK() || !strings.Contains(r.Unverified, says) {
			t.Errorf("%q is not %q", r.Unverified, says)
		}
	}
}

// A moment survives JSON, and a frame's reference being taken apart.
func TestMomentsAndReferences(t *testing.T) {
	t.Parallel()
	for _, m := range []replay.Moment{0, 1, 1795341635_000000001, 1795341635_500000000} {
		text, err := json.Marshal(m)
		var back replay.Moment
		if err = errors.Join(err, json.Unmarshal(text, &back)); err != nil || back != m {
			t.Errorf("%d became %d by %s: %v", m, back, text, err)
		}
	}
	for _, bad := range []string{`"yesterday"`, `17`, `""`} {
		var m replay.Moment
		if json.Unmarshal([]byte(bad), &m) == nil {
			t.Errorf("%s is a moment: %d", bad, m)
		}
	}
	for _, capture := range []int{0, 1, 300} {
		for _, rest := range []uint64{0, 7, 1<<40 - 1} {
			if c, r := replay.SplitRef(replay.JoinRef(capture, rest)); c != capture || r != rest {
				t.Errorf("%d, %d became %d, %d", capture, rest, c, r)
			}
		}
	}
}
