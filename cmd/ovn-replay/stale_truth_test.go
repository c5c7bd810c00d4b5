package main

import (
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/sim/ledger"
	"ovnreplay/sim/northbound"
	"ovnreplay/sim/trace"
	"ovnreplay/store"
)

// asksFor is what the Northbound database of a recording asks for at its end: what each
// address, by its protocol, is balanced to, and what NAT rows translate.
type asksFor struct {
	vips    map[string]string
	nats    []natRow
	unusual bool // routers translate sources for load balancers, too
}

type natRow struct{ kind, external, logical string }

func readAsksFor(t *testing.T, dir string) *asksFor {
	t.Helper()
	a := &asksFor{vips: map[string]string{}}
	files, _ := filepath.Glob(filepath.Join(dir, "nb*.db*"))
	for _, file := range files {
		db, err := store.Open(context.Background(), file, store.Options{Database: northbound.Name})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range db.Table("Load_Balancer").Rows() {
			proto := r.Text("protocol")
			if proto == "" {
				proto = "tcp"
			}
			for vip, backends := range r.Pairs("vips") {
				a.vips[proto+" "+vip] += "," + backends + ","
			}
		}
		for _, r := range db.Table("NAT").Rows() {
			a.nats = append(a.nats, natRow{r.Text("type"), r.Text("external_ip"), r.Text("logical_ip")})
		}
		for _, r := range db.Table("Logical_Router").Rows() {
			a.unusual = a.unusual || r.Map("options")["lb_force_snat_ip"] != ""
		}
	}
	return a
}

// destination reports whether a connection of a real table is translated as is asked for.
func (a *asksFor) destination(e *conntrack.Entry) bool {
	from := netip.AddrPortFrom(e.Orig.DstAddr(), e.Orig.DstPort)
	to := netip.AddrPortFrom(e.Reply.SrcAddr(), e.Reply.SrcPort)
	proto := map[uint8]string{header.ProtoTCP: "tcp", header.ProtoUDP: "udp", header.ProtoSCTP: "sctp"}[e.Orig.Proto]
	if from == to || proto == "" {
		return true
	}
	if b, ok := a.vips[proto+" "+from.String()]; ok {
		return strings.Contains(b, ","+to.String()+",")
	}
	return slices.ContainsFunc(a.nats, func(n natRow) bool {
		return n.kind != "snat" && n.external == from.Addr().String() && n.logical == to.Addr().String()
	})
}

// source is destination for the source; who asked itself is hairpinned.
func (a *asksFor) source(e *conntrack.Entry) bool {
	from, to := e.Orig.SrcAddr(), e.Reply.DstAddr()
	if from == to || a.unusual || e.Orig.Proto == header.ProtoICMP || e.Orig.Proto == header.ProtoICMPv6 ||
		from == e.Reply.SrcAddr() {
		return true
	}
	return slices.ContainsFunc(a.nats, func(n natRow) bool {
		inside, err := netip.ParsePrefix(n.logical)
		return n.kind != "dnat" && n.external == to.String() &&
			(n.logical == from.String() || err == nil && inside.Contains(from))
	})
}

// outlived are the connections of the real tables at the end of a recording, as its rows have
// them, that are translated as nothing any longer asks for.
func outlived(t *testing.T, dir string, a *asksFor) (tuples []string) {
	t.Helper()
	dumps, _ := filepath.Glob(filepath.Join(dir, "conntrack-after*.txt"))
	for _, name := range dumps {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		list, err := conntrack.ReadDump(f, name)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			if e := &list[i]; !a.destination(e) || !a.source(e) {
				tuples = append(tuples, trace.TupleString(&e.Orig)+" "+trace.TupleString(&e.Reply))
			}
		}
	}
	return tuples
}

// connections --stale lists the connections that the real tables keep as the Northbound database
// no longer has them, if packets came after it had become so, and no others.
func TestStaleAgainstRealTables(t *testing.T) {
	t.Parallel()
	dirs, _ := filepath.Glob(cases + "/*")
	recordings, kept, found := 0, 0, 0
	for _, dir := range dirs {
		if nb, _ := filepath.Glob(filepath.Join(dir, "nb*.db*")); len(nb) == 0 {
			continue
		}
		gone := outlived(t, dir, readAsksFor(t, dir))
		changes := strings.Contains(dir, "-changing-") || strings.Contains(dir, "cloud-stale")
		if recordings++; len(gone) == 0 && !changes && recordings%4 != 0 { // most have no change at all
			continue
		}
		rows := rowsOf(t, "--case", dir)
		for i := range rows {
			r := &rows[i]
			real := slices.ContainsFunc(r.Zones, func(z ledger.RowZone) bool {
				return slices.Contains(gone, z.Original+" "+z.Reply)
			})
			translated := strings.HasPrefix(r.Stale, "DNAT") || strings.HasPrefix(r.Stale, "SNAT")
			switch {
			case translated && !real:
				t.Errorf("%s: no real table has conn %d as the network does not: %s", dir, r.ID, r.Stale)
			case real && !translated && lastChange(t, dir).Before(moment(t, r.Last)):
				t.Errorf("%s: conn %d is kept as nothing asks for, and it is not said: %+v", dir, r.ID, r.Zones)
			case real:
				kept++
			}
			if translated {
				found++
			}
		}
	}
	if recordings < 20 || kept < 8 || found < 7 {
		t.Errorf("%d recordings, in which %d connections outlive what they use, %d said: the test tests less than it "+
			"should", recordings, kept, found)
	}
}

// lastChange is when something last went from a recording's network.
func lastChange(t *testing.T, dir string) time.Time {
	t.Helper()
	last := time.Time{}
	files, _ := filepath.Glob(filepath.Join(dir, "sb*.db*"))
	for _, file := range files {
		for line := range strings.Lines(replayedWell(t, "db", "history", "--json", file)) {
			var x struct {
				Time    time.Time `json:"time"`
				Changes []struct {
					Table string `json:"table"`
					What  string `json:"what"`
				} `json:"changes"`
			}
			if err := json.Unmarshal([]byte(line), &x); err != nil {
				t.Fatal(err)
			}
			for _, c := range x.Changes {
				if c.Table == "Logical_Flow" && c.What == "delete" {
					last = x.Time
				}
			}
		}
	}
	return last
}

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	m, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
