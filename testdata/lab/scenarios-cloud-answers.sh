# What OVN itself answers in the cloud topology: DHCP, RA, DNS, ND, ICMP errors.

scenario cloud-dhcpv4 cloud "DHCPv4: discover, request, renewal, a refused address, inform, release, decline; broadcast and unicast"
setup_cloud_dhcpv4() {
    local u; u=$(nb create dhcp_options cidr=10.1.0.0/24 'options={server_id="10.1.0.1",server_mac="fa:16:3e:aa:0a:01",lease_time="43200",router="10.1.0.1",mtu="1442",dns_server="{10.1.0.3, 8.8.8.8}",domain_name="\"cloud.example\"",classless_static_route="{169.254.169.254/32,10.1.0.2, 0.0.0.0/0,10.1.0.1}"}')
    nb -- lsp-set-dhcpv4-options vm1 "$u" -- lsp-set-dhcpv4-options vm2 "$u"
}
traffic_cloud_dhcpv4() {
    craft vm2 'bootp(0x101, "discover", ("hostname", "vm2"))' 'bootp(0x102, "request", ("requested_addr", "10.1.0.12"), ("server_id", "10.1.0.1"))' \
        'bootp(0x103, "request", ("requested_addr", "10.1.0.99"))' 'bootp(0x104, "request", ciaddr="10.1.0.12", src="10.1.0.12", dst="10.1.0.1", to="fa:16:3e:aa:0a:01")' \
        'bootp(0x105, "inform", ciaddr="10.1.0.12", src="10.1.0.12")' 'bootp(0x106, "decline", ("requested_addr", "10.1.0.12"))' 'bootp(0x107, "release", ciaddr="10.1.0.12", src="10.1.0.12", dst="10.1.0.1")'
    craft vm1 'bootp(0x108, "discover", ("param_req_list", [1, 3, 6, 15, 26, 121]))'
    craft vm3 'bootp(0x109, "discover")'
}

scenario cloud-dhcpv6-ra cloud "DHCPv6 solicit, request, confirm, information request, release; router solicitations with several RA modes"
setup_cloud_dhcpv6_ra() {
    local u; u=$(nb create dhcp_options 'cidr="fd01:a::/64"' 'options={server_id="fa:16:3e:aa:0a:01",dns_server="{fd01:a::53, 2001:db8::53}",domain_search="\"cloud.example\""}')
    nb -- lsp-set-dhcpv6-options vm1 "$u" -- lsp-set-dhcpv6-options vm2 "$u" \
       -- set logical_router_port r1-net-a ipv6_ra_configs:address_mode=dhcpv6_stateful ipv6_ra_configs:mtu=1442 \
       -- set logical_router_port r1-net-b ipv6_ra_configs:address_mode=slaac 'ipv6_ra_configs:rdnss="fd01:b::53"' ipv6_ra_configs:dnssl=cloud.example
}
traffic_cloud_dhcpv6_ra() {
    local six='Ether(src=mac,dst="33:33:00:01:00:02")/IPv6(src="fe80::f816:3eff:fe0a:12",dst="ff02::1:2",hlim=1)/UDP(sport=546,dport=547)' id='DHCP6OptClientId(duid=DUID_LL(lladdr=mac))'
    craft vm2 "$six/DHCP6_Solicit(trid=0x201)/$id/DHCP6OptIA_NA(iaid=9)" "$six/DHCP6_Request(trid=0x202)/$id/DHCP6OptIA_NA(iaid=9)" "$six/DHCP6_Confirm(trid=0x203)/$id/DHCP6OptIA_NA(iaid=9)" \
        "$six/DHCP6_InfoRequest(trid=0x204)/$id" "$six/DHCP6_Release(trid=0x205)/$id/DHCP6OptIA_NA(iaid=9)" \
        'Ether(src=mac,dst="33:33:00:00:00:02")/IPv6(src="fe80::f816:3eff:fe0a:12",dst="ff02::2",hlim=255)/ICMPv6ND_RS()/ICMPv6NDOptSrcLLAddr(lladdr=mac)'
    craft vm4 'Ether(src=mac,dst="33:33:00:00:00:02")/IPv6(src="fe80::f816:3eff:fe0b:14",dst="ff02::2",hlim=255)/ICMPv6ND_RS()/ICMPv6NDOptSrcLLAddr(lladdr=mac)'
}

scenario cloud-dns cloud "DNS answered by OVN: A, AAAA, PTR, ANY; what it does not know goes on to the server"
setup_cloud_dns() {
    local u; u=$(nb create dns 'records={"vm1.cloud.example"="10.1.0.11 fd01:a::11","two.cloud.example"="10.1.0.12 10.2.0.13","four.cloud.example"="10.2.0.14","12.0.1.10.in-addr.arpa"="vm2.cloud.example"}')
    nb set logical_switch net-a dns_records="$u"
}
traffic_cloud_dns() {
    local to='src="10.1.0.12", to="fa:16:3e:aa:0a:01"' six='src="fd01:a::12", to="fa:16:3e:aa:0a:01"' q='ask("203.0.113.50"'
    craft vm2 "$q, 'vm1.cloud.example', 'A', 1, $to)" "$q, 'vm1.cloud.example', 'AAAA', 2, $to)" "$q, 'two.cloud.example', 'A', 3, $to)" "$q, '12.0.1.10.in-addr.arpa', 'PTR', 4, $to)" \
        "$q, 'vm1.cloud.example', 'ALL', 5, $to)" "$q, 'four.cloud.example', 'AAAA', 6, $to)" "$q, 'vm1.cloud.example', 'MX', 7, $to)" "$q, 'VM1.cloud.example', 'A', 8, $to)" \
        "$q, 'unknown.example', 'A', 9, $to)" "ask('2001:db8:113::50', 'vm1.cloud.example', 'AAAA', 10, $six)" \
        "ask('10.1.0.11', 'two.cloud.example', 'A', 11, src='10.1.0.12', to='fa:16:3e:0a:00:11')" \
        "$q, 'vm1.cloud.example', 'A', 12, $to)/DNSRROPT(rclass=4096)"
}

scenario cloud-arp-nd cloud "ARP and ND answered on the asking chassis: VMs, router, floating IPs, the gateway's address, unknown ones"
traffic_cloud_arp_nd() {
    craft vm1 'who_has("10.1.0.1", "10.1.0.11")' 'who_has("10.1.0.12", "10.1.0.11")' 'who_has("10.1.0.77", "10.1.0.11")' 'who_has("10.1.0.2", "10.1.0.11")' \
        'solicit("fd01:a::1", "fd01:a::11")' 'solicit("fd01:a::12", "fd01:a::11")' 'solicit("fd01:a::77", "fd01:a::11")'
    craft ext2 "who_has('203.0.113.10', '203.0.113.50')" "who_has('$FIP1', '203.0.113.50')" "who_has('$FIP3', '203.0.113.50')" "who_has('203.0.113.77', '203.0.113.50')" 'solicit("2001:db8:113::10", "2001:db8:113::50")' \
        'Ether(src=mac,dst=BROADCAST)/ARP(op=1,hwsrc=mac,psrc="203.0.113.50",pdst="203.0.113.50",hwdst="00:00:00:00:00:00")'
}

scenario cloud-cold cloud "unresolved next hop behind the gateway chassis: asked from the VM's chassis, the packet waits and goes"
setup_cloud_cold() { local n; sb --all destroy mac_binding; for n in $HOSTS; do ns $n ip neigh flush all; done; nb --wait=hv sync; sleep 0.5; }
traffic_cloud_cold() { get vm2 203.0.113.50 80 -s 52001 -i 0.5; udp vm4 203.0.113.1 5353 -s 52002; get vm1 203.0.113.50 80 -s 52003 -i 0.5; get vm2 2001:db8:113::50 80 -s 52004 -i 0.5; }

scenario cloud-ttl-exceeded cloud "time exceeded by the distributed router and through floating IPs, IPv4 and IPv6"
traffic_cloud_ttl_exceeded() {
    udp vm2 203.0.113.50 9999 -s 52011 -t 1 -w 0.4; udp vm1 10.2.0.13 5353 -s 52012 -t 1 -w 0.4; udp vm2 fd01:b::14 5353 -s 52013 -t 1 -w 0.4; udp ext2 $FIP1 5353 -s 52014 -t 1 -w 0.4
    udp ext2 $FIP3 5353 -s 52015 -t 1 -w 0.4; udp ext1 fd01:a::12 5353 -s 52016 -t 1 -w 0.4; pings vm4 1 -t 1 203.0.113.1
}

scenario cloud-port-unreachable cloud "port unreachable through SNAT on the gateway and through both kinds of floating IP, both directions"
traffic_cloud_port_unreachable() {
    udp vm2 203.0.113.50 7777 -s 52021 -w 0.5; udp vm1 203.0.113.50 7777 -s 52022 -w 0.5; udp vm3 203.0.113.50 7777 -s 52023 -w 0.5; udp vm2 10.2.0.14 7777 -s 52024 -w 0.5
}
setup_cloud_port_unreachable() { acl web to-lport 1002 'outport == @web && ip && udp.dst == 7777' allow-related; }

scenario cloud-frag-needed cloud "gateway_mtu: VM and outside told to send less, through SNAT and floating IPs, IPv4 and IPv6"
setup_cloud_frag_needed() { nb set logical_router_port r1-public options:gateway_mtu=1000; }
traffic_cloud_frag_needed() {
    udp vm2 203.0.113.50 9999 -s 52031 -z 1200 -p -w 0.4; udp vm1 203.0.113.50 9999 -s 52032 -z 1200 -p -w 0.4; udp vm2 2001:db8:113::50 9999 -s 52033 -z 1200 -w 0.5
    udp ext2 $FIP1 5353 -s 52034 -z 1200 -w 0.5; pings vm4 1 -M do -s 1300 203.0.113.1
}
cleanup_cloud_frag_needed() { local n; for n in vm1 vm2 vm4 ext2; do ns $n ip route flush cache; ns $n ip -6 route flush cache; done; }

scenario cloud-fragments cloud "fragmented UDP over Geneve, through SNAT and a floating IP, with security groups"
setup_cloud_fragments() { local n; for n in ext1 ext2; do ns $n ip link set eth0 mtu 1442; done; acl web to-lport 1002 'outport == @web && ip4 && udp' allow-related; }
traffic_cloud_fragments() { udp vm1 10.1.0.12 9999 -s 52041 -z 3000 -w 1; udp vm2 203.0.113.50 9999 -s 52042 -z 3000 -w 1; udp ext2 $FIP1 9999 -s 52043 -z 3000 -w 1; udp vm2 fd01:b::14 9999 -s 52044 -z 2500 -w 1; }
cleanup_cloud_fragments() { local n; for n in ext1 ext2; do ns $n ip link set eth0 mtu 1500; done; }

scenario cloud-snat-collision cloud "two VMs on two chassis leave from the same port to the same destination; floating IP and router SNAT; ICMP id"
traffic_cloud_snat_collision() { get vm2 203.0.113.50 80 -s 52051; get vm4 203.0.113.50 80 -s 52051; udp vm2 203.0.113.1 5353 -s 52052; udp vm5 203.0.113.1 5353 -s 52052; pings vm2 1 -e 5205 203.0.113.1; pings vm4 1 -e 5205 203.0.113.1; }
