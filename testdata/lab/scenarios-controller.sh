# What ovn-controller answers and sends by itself.
scenario cloud-ctl-ttl cloud "time exceeded and unreachable that OVN makes: through floating IPs, SNAT and routers, IPv4 and IPv6"
traffic_cloud_ctl_ttl() {
    udp vm1 203.0.113.50 9999 -s 50001 -t 1 -w 0.4 -z 900; udp vm2 10.2.0.13 9999 -s 50002 -t 1 -w 0.4; udp ext2 $FIP1 9999 -s 50003 -t 1 -w 0.4
    udp ext2 $FIP3 9999 -s 50004 -t 2 -w 0.4; udp vm1 fd01:b::13 9999 -s 50005 -t 1 -w 0.4; udp vm1 2001:db8:113::50 9999 -s 50006 -t 1 -w 0.4 -z 1300
    pings vm2 1 -t 1 203.0.113.1; pings vm4 1 10.2.0.1; pings vm4 1 fd01:b::1; udp vm1 10.1.0.1 9999 -s 50010 -w 0.3; get vm1 10.1.0.1 80 -s 50011 -w 0.5
    udp vm1 fd01:a::1 9999 -s 50012 -w 0.3
}
scenario cloud-ctl-mtu cloud "packets larger than gateway_mtu: fragmentation needed and packet too big, through floating IPs"
setup_cloud_ctl_mtu() { nb set logical_router_port r1-public options:gateway_mtu=1000; nb set logical_router_port r1-net-b options:gateway_mtu=900; }
traffic_cloud_ctl_mtu() {
    udp vm1 203.0.113.50 9999 -s 50101 -w 0.4 -z 1200; pings vm2 1 -M do -s 1200 203.0.113.50; udp vm1 2001:db8:113::50 9999 -s 50102 -w 0.4 -z 1300
    udp ext2 $FIP1 9999 -s 50103 -w 0.4 -z 1200; udp vm1 10.2.0.13 9999 -s 50104 -w 0.4 -z 1200;  udp vm1 fd01:b::13 9999 -s 50105 -w 0.4 -z 1200
}
scenario cloud-ctl-dhcp cloud "DHCPv4 and DHCPv6 answers, router advertisements asked for and periodic"
setup_cloud_ctl_dhcp() {
    local d4 d6
    d4=$(nb create dhcp_options cidr=10.1.0.0/24 'options="server_id"="10.1.0.1" "server_mac"="fa:16:3e:aa:0a:01" "lease_time"="43200" "router"="10.1.0.1" "dns_server"="{10.1.0.3,8.8.8.8}" "mtu"="1442" "domain_name"="\"openstack.local\"" "classless_static_route"="{169.254.169.254/32,10.1.0.2, 0.0.0.0/0,10.1.0.1}" "domain_search_list"="\"a.ovn.org,ovn.org,b.a.ovn.org\"" "tftp_server"="10.1.0.9" "bootfile_name"="\"boot.ipxe\"" "bootfile_name_alt"="\"alt.0\"" "next_server"="10.1.0.8" "T1"="3600" "T2"="7200" "netmask"="255.255.255.0"')
    d6=$(nb create dhcp_options cidr='fd01\:a\:\:/64' 'options="server_id"="fa:16:3e:aa:0a:01" "dns_server"="fd01:a::53" "domain_search"="\"openstack.local\""')
    for p in vm1 vm2; do nb set logical_switch_port $p dhcpv4_options=$d4 dhcpv6_options=$d6; done
    nb set logical_router_port r1-net-a ipv6_ra_configs:address_mode=dhcpv6_stateful ipv6_ra_configs:mtu=1400 ipv6_ra_configs:send_periodic=true ipv6_ra_configs:max_interval=4 ipv6_ra_configs:min_interval=3 ipv6_ra_configs:rdnss='"fd01:a::53"' ipv6_ra_configs:dnssl=ovn.org,a.b ipv6_ra_configs:router_preference=HIGH ipv6_ra_configs:route_info='"HIGH-fd02::/48,LOW-fd03::1/96"'
    nb set logical_router_port r1-net-b ipv6_ra_configs:address_mode=slaac ipv6_ra_configs:send_periodic=true ipv6_ra_configs:max_interval=4 ipv6_ra_configs:min_interval=3
}
traffic_cloud_ctl_dhcp() {
    craft vm1 'bootp(0x11,"discover")' 'bootp(0x12,"request",("requested_addr","10.1.0.11"),("server_id","10.1.0.1"))' 'bootp(0x13,"request",("requested_addr","10.1.0.99"))' 'bootp(0x14,"inform",ciaddr="10.1.0.11",src="10.1.0.11")' 'bootp(0x15,"release",ciaddr="10.1.0.11",src="10.1.0.11",dst="10.1.0.1")' 'bootp(0x16,"decline",("requested_addr","10.1.0.11"))' 'bootp(0x17,"discover",("175" and "param_req_list",[1,3]),(175,b"\x01"))'
    craft vm2 'Ether(src=mac,dst=BROADCAST)/IP(src="0.0.0.0",dst="255.255.255.255",ttl=128,id=9)/UDP(sport=68,dport=67)/BOOTP(chaddr=bytes.fromhex(mac.replace(":","")),xid=0x21,flags=0x8000)/DHCP(options=[("message-type","discover"),"end"])' 'bootp(0x22,"request",ciaddr="10.1.0.12",src="10.1.0.12",dst="10.1.0.1",to="fa:16:3e:aa:0a:01")'
    local l='Ether(src=mac,dst="33:33:00:01:00:02")/IPv6(src="fe80::f816:3eff:fe0a:11",dst="ff02::1:2",hlim=1)/UDP(sport=546,dport=547)'
    craft vm1 "$l/DHCP6_Solicit(trid=0x101)/DHCP6OptClientId(duid=DUID_LL(lladdr=mac))/DHCP6OptIA_NA(iaid=7)" "$l/DHCP6_Request(trid=0x102)/DHCP6OptClientId(duid=DUID_LL(lladdr=mac))/DHCP6OptIA_NA(iaid=7)" "$l/DHCP6_InfoRequest(trid=0x103)/DHCP6OptClientId(duid=DUID_LL(lladdr=mac))" "$l/DHCP6_Release(trid=0x104)/DHCP6OptClientId(duid=DUID_LL(lladdr=mac))/DHCP6OptIA_NA(iaid=7)" "$l/DHCP6_Solicit(trid=0x105)/DHCP6OptIA_NA(iaid=7)"
    craft vm1 'Ether(src=mac,dst="33:33:00:00:00:02")/IPv6(src="fe80::f816:3eff:fe0a:11",dst="ff02::2",hlim=255)/ICMPv6ND_RS()/ICMPv6NDOptSrcLLAddr(lladdr=mac)' 'Ether(src=mac,dst="33:33:00:00:00:02")/IPv6(src="::",dst="ff02::2",hlim=255)/ICMPv6ND_RS()'
    craft vm3 'Ether(src=mac,dst="33:33:00:00:00:02")/IPv6(src="fe80::f816:3eff:fe0b:13",dst="ff02::2",hlim=255)/ICMPv6ND_RS()/ICMPv6NDOptSrcLLAddr(lladdr=mac)'
    sleep 5
}
scenario cloud-ctl-dns cloud "DNS answers: A, AAAA, ANY, PTR, and what is forwarded instead"
setup_cloud_ctl_dns() {
    local d
    d=$(nb create dns 'records:vm1.ovn.test="10.1.0.11 fd01:a::11"' 'records:multi.ovn.test="10.1.0.31, 10.1.0.32 10.1.0.33"' 'records:four.ovn.test="10.1.0.44"' 'records:11.0.1.10.in-addr.arpa="vm1.ovn.test"' 'records:MiXed.ovn.test="10.1.0.55"')
    nb set logical_switch net-a dns_records=$d
}
traffic_cloud_ctl_dns() {
    local t='to="fa:16:3e:aa:0a:01",src="10.1.0.11"' v='to="fa:16:3e:aa:0a:01",src="fd01:a::11"'
    craft vm1 "ask('10.2.0.13','vm1.ovn.test','A',1,$t)" "ask('10.2.0.13','vm1.ovn.test','AAAA',2,$t)" "ask('10.2.0.13','vm1.ovn.test','ALL',3,$t)" "ask('10.2.0.13','multi.ovn.test','A',4,$t)" "ask('10.2.0.13','four.ovn.test','AAAA',5,$t)" "ask('10.2.0.13','11.0.1.10.in-addr.arpa','PTR',6,$t)" "ask('10.2.0.13','vm1.ovn.test','MX',7,$t)" "ask('10.2.0.13','VM1.ovn.test','A',8,$t)" "ask('10.2.0.13','mixed.ovn.test','A',9,$t)" "ask('10.2.0.13','nope.ovn.test','A',10,$t)" "ask('fd01:b::13','vm1.ovn.test','A',11,$v)" "ask('fd01:b::13','vm1.ovn.test','AAAA',12,$v)" \
      "Ether(src=mac,dst='fa:16:3e:aa:0a:01')/IP(src='10.1.0.11',dst='10.2.0.13')/UDP(sport=40060,dport=53)/DNS(id=20,rd=1,qd=DNSQR(qname='vm1.ovn.test'),ar=DNSRROPT(rclass=4096))" "Ether(src=mac,dst='fa:16:3e:aa:0a:01')/IP(src='10.1.0.11',dst='10.1.0.12')/UDP(sport=40061,dport=53)/DNS(id=21,rd=1,qd=[DNSQR(qname='vm1.ovn.test')])"
}
scenario cloud-ctl-cold cloud "next hops not known yet: packets held by ovn-controller and released, across chassis"
setup_cloud_ctl_cold() { WARM=no; sb --all destroy mac_binding; sleep 0.5; }
traffic_cloud_ctl_cold() {
    WARM=no
    for n in ext1 ext2; do ns $n ip neigh flush all; done
    do_ vm2 bash -c 'for i in 1 2 3 4 5 6; do python3 -c "
import socket;s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.bind((\"\",50200+$i));s.sendto(b\"held $i\",(\"203.0.113.50\",9999))" & done; wait; sleep 1'
    get vm1 203.0.113.1 80 -s 50301; get vm4 198.51.100.7 80 -s 50302; udp vm2 2001:db8:113::50 9999 -s 50303; pings vm3 1 203.0.113.77;  pings vm4 1 2001:db8:113::77; sleep 0.5
}
scenario cloud-ctl-neighbours cloud "ARP and neighbor discovery answered for VMs, routers and floating IPs"
traffic_cloud_ctl_neighbours() {
    craft vm1 'solicit("fd01:a::1","fd01:a::11")' 'solicit("fd01:a::12","fd01:a::11")' 'solicit("fe80::f816:3eff:feaa:a01","fe80::f816:3eff:fe0a:11")' 'solicit("fd01:a::12","::",lladdr=False)' 'who_has("10.1.0.1","10.1.0.11")' 'who_has("10.1.0.12","10.1.0.11")'
    craft ext2 'solicit("2001:db8:113::10","2001:db8:113::50")' 'who_has("203.0.113.10","203.0.113.50")' 'who_has("203.0.113.101","203.0.113.50")' 'who_has("203.0.113.103","203.0.113.50")'
}
scenario kube-ctl-lb-reject kube "load balancers without backends that reject: TCP, UDP, SCTP, IPv4 and IPv6"
setup_kube_ctl_lb_reject() {
    service none tcp 10.96.0.99:80= '[fd96::99]:80=' -- options:reject=true
    service noneu udp 10.96.0.99:53= '[fd96::99]:53=' -- options:reject=true
    service nones sctp 10.96.0.99:70= '[fd96::99]:70=' -- options:reject=true
}
traffic_kube_ctl_lb_reject() {
    get pod1 10.96.0.99 80 -s 51001; udp pod1 10.96.0.99 53 -s 51002 -w 0.4; get pod1 fd96::99 80 -s 51003; udp pod1 fd96::99 53 -s 51004 -w 0.4 -z 1300
    get ext1 10.96.0.99 80 -s 51005; udp ext1 10.96.0.99 53 -s 51006 -w 0.4
    craft pod1 'Ether(src=mac,dst="0a:58:0a:80:01:01")/IP(src="10.128.1.11",dst="10.96.0.99")/SCTP(sport=51007,dport=70)/SCTPChunkInit(init_tag=0x11223344)' 'Ether(src=mac,dst="0a:58:0a:80:01:01")/IPv6(src="fd00:128:1::11",dst="fd96::99")/SCTP(sport=51008,dport=70,tag=0x55)/SCTPChunkData(data=b"x")' 'Ether(src=mac,dst="0a:58:0a:80:01:01")/IP(src="10.128.1.11",dst="10.96.0.99",tos=0x48)/TCP(sport=51009,dport=80,flags="S",seq=7)/b"data"' 'Ether(src=mac,dst="0a:58:0a:80:01:01")/IP(src="10.128.1.11",dst="10.96.0.99")/TCP(sport=51010,dport=80,flags="R",seq=7)'
}
scenario kube-ctl-health-check kube "health checks of a service's backends, online and offline"
setup_kube_ctl_health_check() {
    service hc tcp 10.96.0.77:80=10.128.1.11:80,10.128.1.12:81 -- options:reject=true
    service hcu udp 10.96.0.77:53=10.128.1.13:5353,10.128.1.14:5399 -- options:reject=true
    local u v
    u=$(nb --bare --columns=_uuid find load_balancer name=hc); v=$(nb --bare --columns=_uuid find load_balancer name=hcu)
    nb set load_balancer $u ip_port_mappings:10.128.1.11=default_pod1:10.128.1.254 ip_port_mappings:10.128.1.12=default_pod2:10.128.1.254
    nb set load_balancer $v ip_port_mappings:10.128.1.13=default_pod3:10.128.1.254 ip_port_mappings:10.128.1.14=default_pod4:10.128.1.254
    nb -- --id=@h create load_balancer_health_check vip='"10.96.0.77:80"' options:interval=2 options:timeout=1 -- add load_balancer $u health_check @h
    nb -- --id=@h create load_balancer_health_check vip='"10.96.0.77:53"' options:interval=2 options:timeout=1 -- add load_balancer $v health_check @h
    sleep 1
}
traffic_kube_ctl_health_check() { sleep 5; }
scenario kube-ctl-snooping kube "IGMP and MLD reports and queries with snooping"
setup_kube_ctl_snooping() { nb set logical_switch worker other_config:mcast_snoop=true other_config:mcast_querier=true other_config:mcast_query_interval=2 other_config:mcast_eth_src=0a:58:0a:80:01:fe other_config:mcast_ip4_src=10.128.1.250 other_config:mcast_ip6_src=fe80::250 other_config:mcast_flood_unregistered=false; nb lsp-set-options default_pod4 mcast_flood_reports=true; }
traffic_kube_ctl_snooping() {
    craft pod1 'Ether(src=mac,dst="01:00:5e:01:02:03")/IP(src="10.128.1.11",dst="239.1.2.3",ttl=1,options=IPOption_Router_Alert())/igmp.IGMP(type=0x16,gaddr="239.1.2.3")' 'Ether(src=mac,dst="01:00:5e:00:00:02")/IP(src="10.128.1.11",dst="224.0.0.2",ttl=1,options=IPOption_Router_Alert())/igmp.IGMP(type=0x17,gaddr="239.1.2.3")' 'Ether(src=mac,dst="01:00:5e:00:00:01")/IP(src="10.128.1.11",dst="224.0.0.1",ttl=1)/igmp.IGMP(type=0x11,gaddr="0.0.0.0",mrcode=10)'
    sleep 4
}
scenario kube-ctl-acl-reject kube "ACLs that reject, both ways: resets and unreachables"
setup_kube_ctl_acl_reject() { nb acl-add worker from-lport 1500 'inport == "default_pod2" && ip' reject; nb acl-add worker to-lport 1500 'outport == "default_pod3" && ip' reject; }
traffic_kube_ctl_acl_reject() {
   get pod2 10.128.1.11 80 -s 52001 -w 0.5; udp pod2 10.128.1.11 9999 -s 52002 -w 0.3 -z 1200; pings pod2 1 10.128.1.11; udp pod2 fd00:128:1::11 9999 -s 52003 -w 0.3; get pod2 fd00:128:1::11 80 -s 52004 -w 0.5; pings pod2 1 fd00:128:1::11
   get pod1 10.128.1.13 80 -s 52005 -w 0.5; udp pod1 10.128.1.13 9999 -s 52006 -w 0.3; pings pod1 1 10.128.1.13; get ext1 10.128.1.13 80 -s 52007 -w 0.5; udp ext1 10.128.1.13 9999 -s 52008 -w 0.3; get pod1 fd00:128:1::13 80 -s 52009 -w 0.5
   craft pod2 'Ether(src=mac,dst="0a:58:0a:80:01:0b")/IP(src="10.128.1.12",dst="10.128.1.11",ttl=9,id=3)/GRE()/b"abc"' 'Ether(src=mac,dst="0a:58:0a:80:01:0b")/IP(src="10.128.1.12",dst="10.128.1.11",frag=10,proto=6,id=3)/(b"\x01"*40)'  'Ether(src=mac,dst="0a:58:0a:80:01:0b")/IP(src="10.128.1.12",dst="10.128.1.11",id=4)/ICMP(type=3,code=1)/(b"\x45"+b"\x00"*27)' 'Ether(src=mac,dst="0a:58:0a:80:01:0b")/IPv6(src="fd00:128:1::12",dst="fd00:128:1::11")/IPv6ExtHdrHopByHop()/UDP(sport=1,dport=2)/b"hello"'
}
