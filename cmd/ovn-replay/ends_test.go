package main

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ovnreplay/nat/header"
)

// Ends of packets that no recording has, each from a run through the command line: what
// is said of it, with the flow or port that it is about. Recordings have the others, see
// testdata/questions/answers.md and the tests of zones.
func TestEndsThatRecordingsLack(t *testing.T) {
	t.Parallel()
	nodeport, kube := filepath.Join(cases, "nodeport"), filepath.Join(cases, "random-kube-4")
	profile := func(t *testing.T, text string) string {
		file := filepath.Join(t.TempDir(), "profile")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	const pod, gateway, client = "0a58 0a80 010c", "0a58 0a80 0101", "10.128.1.12"
	for _, x := range []struct {
		name string
		args func(t *testing.T) []string
		want []string
	}{
		{"table full", func(t *testing.T) []string {
			return []string{"why", "2", "--case", nodeport, "--ct-profile", profile(t, "profile linux\nmax 3\n")}
		}, []string{"dropped at lr_in_defrag: conntrack table is full, at load balancer"}},
		{"table full, userspace", func(t *testing.T) []string {
			return []string{"why", "1", "--case", nodeport, "--ct-profile",
				profile(t, "profile ovs-userspace\nmax 1\n")}
		}, []string{"the connection could not be committed, for conntrack's table is full: the packet passes as new"}},
		{"zone full", func(t *testing.T) []string {
			return []string{"why", "2", "--case", nodeport, "--ct-profile",
				profile(t, "profile linux\nzone_limit 4 1\n")}
		}, []string{"dropped at lr_in_dnat: conntrack zone limit is reached, at load balancer"}},
		{"zone full, userspace", func(t *testing.T) []string {
			return []string{"why", "2", "--case", nodeport, "--ct-profile",
				profile(t, "profile ovs-userspace\nzone_limit 4 1\n")}
		}, []string{"dropped at lr_in_arp_resolve: drop, the connection could not be committed, for its zone's " +
			"limit is reached", "the address is the router's own"}},
		{"a fragment that fits none", func(t *testing.T) []string {
			ip := datagram(client, "172.30.0.1", header.ProtoUDP, make([]byte, 13))
			binary.BigEndian.PutUint16(ip[6:], 0x2000) // more follow, and 13 is no multiple of 8
			sumIPv4(ip)
			return []string{"run", "--db", kube + "/sb.db.gz", "--ct-profile", "linux", "-r",
				captured(t, ethernet(gateway, pod, ip)) + "@default_pod2"}
		}, []string{"udp first fragment 10.128.1.12 > 172.30.0.1 | dropped at ls_in_pre_stateful: fragment that " +
			"conntrack cannot put together with others, "}},
		{"a redirect about a translated connection", func(t *testing.T) []string {
			asked := datagram(client, "172.30.0.1", header.ProtoUDP, unhex("0fa0 0035 000c 0000 01020304"))
			sent := datagram("172.30.0.4", "172.30.0.1", header.ProtoUDP, unhex("0fa0 0035 000c 0000 01020304"))
			told := append(unhex("0501 0000 ac1e 0009"), sent...)
			binary.BigEndian.PutUint16(told[2:], header.Checksum(0, told))
			return []string{"run", "--db", kube + "/sb.db.gz", "--ct-profile", "linux", "-r",
				captured(t, ethernet(gateway, pod, asked)) + "@default_pod2", "-r",
				captured(t, ethernet("0242 ac1e 0004", "0242 ac1e 0001",
					datagram("172.30.0.1", "172.30.0.4", header.ProtoICMP, told))) + "@breth0_worker"}
		}, []string{"icmp 172.30.0.1 > 172.30.0.4 redirect to 172.30.0.9 | dropped at lr_in_unsnat: conntrack: ICMP " +
			"redirect about a translated connection, at "}},
		{"no match", func(t *testing.T) []string {
			c := openCase(t, nodeport)
			dir := c.mutated(t, c.visited(mutations[1])[0].UUID, "next(pipeline=ingress,table=30);")
			return []string{"why", "1", "--case", dir}
		}, []string{"no match (implicit drop), no flow of table 30 of GR_ovn-worker matches"}},
		{"round and round", func(t *testing.T) []string {
			c := openCase(t, nodeport)
			dir := c.mutated(t, c.visited(mutations[1])[0].UUID, "next(pipeline=ingress,table=0);")
			return []string{"why", "1", "--case", dir, "--ct-profile", "linux"}
		}, []string{"more crossings than Open vSwitch allows"}},
		{"no member", func(t *testing.T) []string {
			db := northed(t, kube+"/sb.db.gz", kube+"/nb.db.gz", "--", "lsp-add", "worker", "nobody", "--",
				"lsp-set-addresses", "nobody", "unknown")
			ip := datagram(client, "10.128.1.77", header.ProtoUDP, unhex("0009 0009 000c 0000 01020304"))
			return []string{"run", "--db", db, "-r",
				captured(t, ethernet("0200 0000 0077", pod, ip)) + "@default_pod2"}
		}, []string{"dropped at ls_in_l2_unknown: multicast group has no member here, at flow "}},
		{"not in the other zone", func(t *testing.T) []string {
			const of = "../../testdata/cases/ic-changes/"
			db := northed(t, of+"sb-node2.db.gz", of+"nb-node2.db.gz", "lsp-del", "tstor-node2")
			return []string{"run", "--db-time", "last", "--db", of + "sb-node1.db.gz", "--db", db, "-r",
				of + "pod1.pcap"}
		}, []string{"the other availability zone's database has no datapath or port of the tunnel's keys"}},
		{"a clash", func(t *testing.T) []string {
			const of = "../../testdata/cases/cloud-commit-all-26.03/sb.db.gz"
			provider := func(to, segment string) []byte { // in VLAN 100
				return append(unhex("fa16 3eaa 9910 5254 00e0 0050 8100 0064 0800"),
					datagram("203.0.113.50", to, header.ProtoUDP, unhex(segment))...)
			}
			return []string{"run", "--db", of, "--ct-profile", "linux", "-r", captured(t,
				provider("203.0.113.103", "9c40 0035 000c 0000 01020304"),
				provider("10.2.0.13", "9c40 0035 000c 0000 01020304")) + "@provnet@gateway-1"}
		}, []string{"udp 203.0.113.50:40000 > 10.2.0.13:53 | dropped at lr_in_dnat: conntrack: the new " +
			"connection's tuple belongs to another, what answers it would answer udp 203.0.113.50:40000 > " +
			"203.0.113.103:53, whose DNAT zone r1_dnat keeps; at flow "}},
		{"source ports taken", func(t *testing.T) []string { return ported(t, "linux") }, []string{
			"dropped at lr_out_snat: SNAT: every source port, or ICMP id, of the range is taken, at flow ",
			"(its connection had timed out)"}},
		{"source ports taken, userspace", func(t *testing.T) []string { return ported(t, "ovs-userspace") }, []string{
			"the connection could not be committed, for every source port, or ICMP id, of SNAT is taken: the packet " +
				"passes as new"}},
		{"no tunnel", func(t *testing.T) []string {
			const of = "../../testdata/cases/ic-warm/"
			file := filepath.Join(t.TempDir(), "sb.db")
			if err := os.WriteFile(file, gunzip(t, read(t, of+"sb-node1.db.gz")), 0o600); err != nil {
				t.Fatal(err)
			}
			needsTool(t, "ovsdb-tool")
			command(t, "ovsdb-tool", "transact", file, `["OVN_Southbound", {"op": "mutate", "table": "Chassis",
				"where": [], "mutations": [["other_config", "delete", ["set", ["is-interconn"]]]]}]`)
			return []string{"run", "--db-time", "last", "--db", file, "--db", of + "sb-node2.db.gz", "-r", of +
				"pod1.pcap"}
		}, []string{"no tunnel: the port is on a remote chassis, and this one has no is-interconn=true, " +
			"remote port "}},
	} {
		t.Run(x.name, func(t *testing.T) {
			_, out, errs := replayed(t, x.args(t)...)
			for _, want := range x.want {
				if !strings.Contains(out, want) {
					t.Errorf("%q is not said in\n%.1500s%s", want, out, errs)
				}
			}
		})
	}
}

// ported asks about more connections than a SNAT has source ports, and about the first of
// them again, minutes after.
func ported(t *testing.T, profile string) []string {
	var frames [][]byte
	for port := range 12 {
		segment := unhex("9c40 0035 000c 0000 01020304")
		segment[1] += byte(port)
		frames = append(frames, ethernet("0a58 0a80 0101", "0a58 0a80 010c",
			datagram("10.128.1.12", "172.30.0.1", header.ProtoUDP, segment)))
	}
	file := captured(t, append(frames, frames[0])...)
	b := read(t, file)
	last := b[len(b)-len(frames[0])-16:]
	binary.LittleEndian.PutUint32(last, binary.LittleEndian.Uint32(last)+400)
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"run", "--db", "../../testdata/cases/kube-snat-portrange/sb.db.gz", "--ct-profile", profile, "-r",
		file + "@default_pod2"}
}

// datagram is an IPv4 packet.
func datagram(src, dst string, proto byte, payload []byte) []byte {
	ip := append([]byte{0x45, 0, 0, 0, 0, 7, 0, 0, 64, proto, 0, 0}, netip.MustParseAddr(src).AsSlice()...)
	ip = append(append(ip, netip.MustParseAddr(dst).AsSlice()...), payload...)
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	sumIPv4(ip)
	return ip
}

func sumIPv4(ip []byte) {
	ip[10], ip[11] = 0, 0
	binary.BigEndian.PutUint16(ip[10:], header.Checksum(0, ip[:20]))
}

// ethernet is a frame; addresses are in hexadecimal.
func ethernet(dst, src string, ip []byte) []byte {
	frame := append(unhex(dst), unhex(src)...)
	return append(append(frame, 8, 0), ip...)
}

// captured is a pcap file with frames a millisecond apart.
func captured(t *testing.T, frames ...[]byte) string {
	t.Helper()
	b := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	b = append(b, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, 1<<18), 1)
	for i, f := range frames {
		for _, v := range []uint32{1_700_000_000, uint32(i) * 1000, uint32(len(f)), uint32(len(f))} {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
		b = append(b, f...)
	}
	file := filepath.Join(t.TempDir(), "x.pcap")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func unhex(text string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}
