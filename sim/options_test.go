package sim

import (
	"bytes"
	"encoding/hex"
	"testing"

	"ovnreplay/sim/answer"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
)

func putOpts(t *testing.T, text string) []lflow.Option {
	t.Helper()
	actions, _, err := lflow.ParseActions(text, &lflow.Env{Pipeline: lflow.Ingress, Tables: tables})
	if err != nil {
		t.Fatal(err)
	}
	return actions[0].(lflow.PutOpts).Options
}

func encoded(options []answer.Option, width int) (b []byte) {
	for _, o := range options {
		for _, n := range []int{int(o.Code), len(o.Data)} {
			if width == 2 {
				b = append(b, byte(n>>8))
			}
			b = append(b, byte(n))
		}
		b = append(b, o.Data...)
	}
	return b
}

// The wanted bytes are those of a DHCP offer that OVN 23.03.1 sent.
func TestDHCPv4Options(t *testing.T) {
	t.Parallel()
	offer, options := dhcpv4Options(putOpts(t, `reg0[3] = put_dhcp_opts(offerip = 10.1.0.11, T1 = 3600, T2 = 7200,
		bootfile_name = "boot.ipxe", classless_static_route = {169.254.169.254/32,10.1.0.2, 0.0.0.0/0,10.1.0.1},
		dns_server = {10.1.0.3,8.8.8.8}, domain_name = "openstack.local",
		domain_search_list = "a.ovn.org,ovn.org,b.a.ovn.org", lease_time = 43200, mtu = 1442, netmask = 255.255.255.0,
		netmask = 255.255.255.0, next_server = 10.1.0.8, router = 10.1.0.1, server_id = 10.1.0.1,
		tftp_server = 10.1.0.9); next;`))
	if offer != [4]byte{10, 1, 0, 11} {
		t.Errorf("offers %v", offer)
	}
	want := "4309626f6f742e69707865" +
		"fd040a0100083a0400000e103b0400001c20790e20a9fea9fe0a010002000a01000106080a01000308080808" +
		"0f0f6f70656e737461636b2e6c6f63616c77110161036f766e036f726700c0020162c00033040000a8c01a0205a2" +
		"0104ffffff000104ffffff00" +
		"03040a01000136040a01000142040a010009"
	if got := hex.EncodeToString(encoded(options, 1)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestOptionEncodings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ option, want string }{
		{`ip_forward_enable = 1`, "130101"},
		{`default_ttl = 65`, "170141"},
		{`tftp_server = "host"`, "4204686f7374"},
		{`hostname = ""`, "0c00"},
		{`classless_static_route = {10.0.0.0/9,10.0.0.1, 1.2.3.4}`, "7907" + "090a000a000001"},
		{`domain_search_list = "x.y,,x.y"`, "7707" + "0178017900" + "c000"},
		// the last letter is not compared
		{`domain_search_list = "one.org,one.orb"`, "770b" + "036f6e65036f726700" + "c000"},
	} {
		_, options := dhcpv4Options(putOpts(t, `reg0[3] = put_dhcp_opts(offerip = 1.2.3.4, `+c.option+`); next;`))
		if got := hex.EncodeToString(encoded(options, 1)); got != c.want {
			t.Errorf("%s: %s, want %s", c.option, got, c.want)
		}
	}
}

func TestDHCPv6Options(t *testing.T) {
	t.Parallel()
	options := dhcpv6Options(putOpts(t, `reg0[3] = put_dhcpv6_opts(ia_addr = fd01:a::12, dns_server = {fd01:a::53, ::1},
		domain_search = "ovn.org", fqdn = "vm.ovn.org", server_id = fa:16:3e:aa:0a:01); next;`))
	want := "00050010fd01000a000000000000000000000012" +
		"00170020fd01000a00000000000000000000005300000000000000000000000000000001" +
		"001800076f766e2e6f7267" + "0027000c02766d036f766e036f726700" + "00020006fa163eaa0a01"
	if got := hex.EncodeToString(encoded(options, 2)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The wanted bytes are those of an advertisement that OVN 23.03.1 sent, with
// the checksum as 0.
func TestAdvert(t *testing.T) {
	t.Parallel()
	// A frame, with its IPv6 header and checksum.
	options := putOpts(t, `reg0[5] = put_nd_ra_opts(addr_mode = "dhcpv6_stateful", slla = fa:16:3e:aa:0a:01,
		mtu = 1400, router_preference = "HIGH", rdnss = fd01:a::53, dnssl = "ovn.org,a.b",
		route_info = "HIGH-fd02::/48,LOW-fd03::1/96", prefix = fd01:a::/64); next;`)
	got := answer.PeriodicAdvert([6]byte{}, [16]byte{}, advert(options)).Data[14+40:]
	got[2], got[3] = 0, 0
	want, err := hex.DecodeString("86000000ff88ffff0000000000000000" + "0101fa163eaa0a01" + "0501000000000578" +
		"19030000fffffffffd01000a000000000000000000000053" + "1f030000ffffffff" + "036f766e036f72670001610162000000" +
		"18023008fffffffffd02000000000000" + "18036018fffffffffd030000000000000000000000000000" +
		"03044080ffffffffffffffff00000000fd01000a000000000000000000000000")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}

func TestAdditionalRecordsByRelease(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]answer.Additional{
		"20.03.0": answer.AdditionalRepeated, "22.03.2": answer.AdditionalUncounted,
		"22.03.3": answer.AdditionalIgnored,
		"22.03.6": answer.AdditionalDropped, "22.06.0": answer.AdditionalUncounted,
		"23.03.0": answer.AdditionalUncounted,
		"23.03.1": answer.AdditionalIgnored, "22.12.5": answer.AdditionalIgnored, "23.03.3": answer.AdditionalDropped,
		"23.09.1": answer.AdditionalIgnored,
		"24.03.0": answer.AdditionalDropped, "26.03.2": answer.AdditionalDropped, "": answer.AdditionalDropped,
	} {
		e := &Engine{changes: []network.Changes{(&network.AZ{Version: version}).Changes()}}
		if got := e.additional(&network.AZ{}); got != want {
			t.Errorf("%q: %v, want %v", version, got, want)
		}
	}
}
