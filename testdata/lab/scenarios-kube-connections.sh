# How connections live and die in the kube topology: refused, reset, half open,
# retransmitted, known from before, SCTP, ACL verdicts on them.

scenario kube-tcp-reset kube "connections closed by a reset, through SNAT, nodePort and cluster IP; a late packet of a closed one"
traffic_kube_tcp_reset() {
    get pod2 172.30.0.1 80 -s 47001 -r; get ext1 172.30.0.4 30080 -s 47002 -r; get pod2 10.96.0.10 80 -s 47003 -r
    craft pod2 "Ether(src=mac,dst='$K_MAC')/IP(src='10.128.1.12',dst='172.30.0.1',id=77)/TCP(sport=47001,dport=80,flags='A',seq=99,ack=99)"
}

scenario kube-syn-retransmit kube "a SYN nobody answers is sent again: nodePort, cluster IP, egress"
setup_kube_syn_retransmit() {
    service silent tcp 10.96.0.70:80=10.128.1.14:80 172.30.0.4:30120=10.128.1.14:80
    ns pod4 ip route add blackhole 100.64.0.3; ns pod4 ip route add blackhole 10.128.1.12; ns pod4 ip route add blackhole 172.30.0.1
    ns ext2 ip route add blackhole 172.30.0.4
}
traffic_kube_syn_retransmit() { get ext1 172.30.0.4 30120 -s 47011 -w 3.5; get pod2 10.96.0.70 80 -s 47012 -w 1.5; get pod2 172.30.0.9 80 -s 47013 -w 1.5; }
cleanup_kube_syn_retransmit() {
    ns pod4 ip route del blackhole 100.64.0.3; ns pod4 ip route del blackhole 10.128.1.12; ns pod4 ip route del blackhole 172.30.0.1
    ns ext2 ip route del blackhole 172.30.0.4
}

scenario kube-tcp-odd kube "TCP out of order: an ACK without a SYN, a lone SYN-ACK, a lone RST, a half-open connection, SYN data"
# a port used again after a reset is missing: it ends OVS 3.1 on an assertion
traffic_kube_tcp_odd() {
    local gw="Ether(src=mac,dst='$K_MAC')/IP(src='10.128.1.12',dst='172.30.0.1'" to="Ether(src=mac,dst='0a:58:0a:80:01:0d')/IP(src='10.128.1.12',dst='10.128.1.13'"
    craft pod2 "$gw,id=1)/TCP(sport=47021,dport=80,flags='A',seq=1,ack=1)/b'hello'" "$gw,id=2)/TCP(sport=47022,dport=80,flags='SA',seq=1,ack=1)" "$gw,id=3)/TCP(sport=47023,dport=80,flags='R',seq=1)" \
        "$gw,id=4)/TCP(sport=47024,dport=80,flags='S',seq=1000)" "$gw,id=5)/TCP(sport=47025,dport=80,flags='FPU',seq=1)" "$to,id=6)/TCP(sport=47026,dport=80,flags='S',seq=5)/b'data in SYN'" \
        "$to,id=7)/TCP(sport=47027,dport=80,flags='A',seq=1,ack=1)"
    craft pod2 "Ether(src=mac,dst='$K_MAC')/IP(src='10.128.1.12',dst='10.96.0.10',id=8)/TCP(sport=47029,dport=80,flags='A',seq=1,ack=1)"
}

scenario kube-idle kube "a connection that pauses for three seconds between requests, and UDP that comes back to the same tuple"
traffic_kube_idle() { get ext1 172.30.0.4 30080 -s 47031 -n 2 -i 3; udp pod2 172.30.0.1 5353 -s 47032; sleep 2; udp pod2 172.30.0.1 5353 -s 47032; }

# talk in the background: connected before the recording, speaking during it
linger() { # HOST DST PORT SPORT: requests 0, 4 and 8 seconds after it started
    ( ns "$1" timeout 30 $PY "$HERE/talk.py" get "$2" "$3" -s "$4" -n 3 -i 4 -w 3 > /dev/null 2>&1 & )
}

scenario kube-known-connections kube "connections older than the recording: their entries are in conntrack-before"
before_kube_known_connections() { linger ext1 172.30.0.4 30080 47041; linger pod2 10.96.0.10 80 47042; linger pod3 172.30.0.1 80 47043; linger pod2 fd96::10 80 47044; sleep 5; }
traffic_kube_known_connections() { sleep 8; }

scenario kube-acl-cut kube "an ACL that comes to deny an established connection: it is marked blocked and dropped, its neighbour lives"
before_kube_acl_cut() {
    linger pod2 10.128.1.13 80 47051; linger pod2 10.128.1.14 80 47052; sleep 5
    nb --wait=hv -- acl-add worker to-lport 1100 'outport == "default_pod3" && tcp' drop -- acl-add worker to-lport 1050 'outport == "default_pod4" && ip4' allow-related
}
traffic_kube_acl_cut() { sleep 8; get pod4 10.128.1.13 80 -s 47053 -w 0.5; }
setup_kube_acl_cut() { nb acl-add worker to-lport 1001 'outport == "default_pod3" && ip4' allow-related; }

scenario kube-acl-verdicts kube "allow, allow-related with a label, allow-stateless, drop and reject on a switch with load balancers"
setup_kube_acl_verdicts() {
    nb -- --label=1234 acl-add worker from-lport 1100 'inport == "default_pod2" && ip4.dst == 10.128.1.13' allow-related \
       -- acl-add worker from-lport 1200 'inport == "default_pod2" && udp.dst == 5353' allow-stateless \
       -- acl-add worker to-lport 1200 'outport == "default_pod2" && udp.src == 5353' allow-stateless \
       -- acl-add worker to-lport 1200 'outport == "default_pod4" && udp.dst == 5353' allow-stateless \
       -- acl-add worker from-lport 1200 'inport == "default_pod4" && udp.src == 5353' allow-stateless \
       -- acl-add worker to-lport 1300 'outport == "default_pod4" && tcp.dst == 8080' reject \
       -- --name=no-smtp --log --severity=info acl-add worker from-lport 1300 'inport == "default_pod2" && tcp.dst == 25' drop \
       -- acl-add worker from-lport 1300 'inport == "default_pod2" && ip6.dst == fd00:128:1::14 && icmp6' drop \
       -- --apply-after-lb acl-add worker from-lport 1400 'inport == "default_pod3" && ip4.dst == 10.128.1.11' reject
}
traffic_kube_acl_verdicts() {
    get pod2 10.128.1.13 80 -s 47061; udp pod2 10.128.1.14 5353 -s 47062; get pod2 10.128.1.14 8080 -s 47063; get pod2 172.30.0.1 25 -s 47064 -w 0.4
    pings pod2 1 fd00:128:1::14; get pod3 10.96.0.10 80 -s 47065 -w 1; get ext1 10.128.1.14 8080 -s 47066 -w 1; udp pod2 10.96.0.53 53 -s 47067 -w 0.5
}

scenario kube-sctp kube "SCTP: a service's four-way start between pods, from outside, without backends"
setup_kube_sctp() {
    service assoc sctp 10.96.0.80:3868=10.128.1.14:3868 172.30.0.4:30130=10.128.1.14:3868
    service noassoc sctp 10.96.0.81:3868= -- options:reject=true
}
traffic_kube_sctp() {
    local gw="Ether(src=mac,dst='$K_MAC')/IP(src='10.128.1.12'" init="SCTPChunkInit(init_tag=0x1111,a_rwnd=65535,n_out_streams=1,n_in_streams=1,init_tsn=7)"
    craft pod2 "$gw,dst='10.96.0.80',id=1)/SCTP(sport=47071,dport=3868,tag=0)/$init"
    craft pod4 "Ether(src=mac,dst='0a:58:0a:80:01:0c')/IP(src='10.128.1.14',dst='10.128.1.12',id=2)/SCTP(sport=3868,dport=47071,tag=0x1111)/SCTPChunkInitAck(init_tag=0x2222,a_rwnd=65535,n_out_streams=1,n_in_streams=1,init_tsn=9)"
    craft pod2 "$gw,dst='10.96.0.80',id=3)/SCTP(sport=47071,dport=3868,tag=0x2222)/SCTPChunkCookieEcho(cookie=b'cookie')"
    craft pod2 "$gw,dst='10.96.0.81',id=4)/SCTP(sport=47072,dport=3868,tag=0)/$init" "$gw,dst='172.30.0.1',id=5)/SCTP(sport=47073,dport=3868,tag=0)/$init"
    craft ext1 "Ether(src=mac,dst='$K_GR_MAC')/IP(src='172.30.0.1',dst='172.30.0.4',id=6)/SCTP(sport=47074,dport=30130,tag=0)/$init"
}

scenario kube-template kube "a template load balancer: its VIP and backends come from the chassis's variables"
setup_kube_template() {
    nb -- create chassis_template_var chassis=$K_NODE 'variables={vip="172.30.0.70",backs="10.128.1.13:80,10.128.1.14:80"}' > /dev/null
    local u; u=$(nb create load_balancer name=templated protocol=tcp 'vips={"^vip:80"="^backs"}' options:template=true options:address-family=ipv4)
    nb -- add logical_switch worker load_balancer "$u" -- add logical_router GR_worker load_balancer "$u"
}
traffic_kube_template() { local p; for p in 47081 47082; do get pod2 172.30.0.70 80 -s $p; get ext1 172.30.0.70 80 -s $p -w 1; done; }

scenario kube-multicast kube "IGMP and MLD snooping: datagrams to groups a pod joined before, to others, to reserved ones; another report"
setup_kube_multicast() {
    nb set logical_switch worker other_config:mcast_snoop=true other_config:mcast_querier=false other_config:mcast_flood_unregistered=false
}
before_kube_multicast() {
    craft pod3 'Ether(src=mac,dst="01:00:5e:01:02:03")/IP(src="10.128.1.13",dst="239.1.2.3",ttl=1,proto=2,id=1,options=[IPOption(b"\x94\x04\x00\x00")])/igmp.IGMP(type=0x16,gaddr="239.1.2.3")'
    craft pod4 'Ether(src=mac,dst="33:33:00:00:00:16")/IPv6(src="fe80::858:aff:fe80:10e",dst="ff02::16",hlim=1)/IPv6ExtHdrHopByHop(options=[RouterAlert()])/ICMPv6MLReport2(records=[ICMPv6MLDMultAddrRec(rtype=4,dst="ff0e::1:2:3")])'
    sleep 2; nb --wait=hv sync
}
traffic_kube_multicast() {
    craft pod2 'Ether(src=mac,dst="01:00:5e:01:02:03")/IP(src="10.128.1.12",dst="239.1.2.3",ttl=2,id=2)/UDP(sport=9,dport=9)/b"joined"' \
        'Ether(src=mac,dst="01:00:5e:01:02:04")/IP(src="10.128.1.12",dst="239.1.2.4",ttl=2,id=3)/UDP(sport=9,dport=9)/b"nobody"' \
        'Ether(src=mac,dst="33:33:00:01:00:02")/IPv6(src="fd00:128:1::12",dst="ff0e::1:2:3",hlim=2)/UDP(sport=9,dport=9)/b"joined"' \
        'Ether(src=mac,dst="01:00:5e:00:00:05")/IP(src="10.128.1.12",dst="224.0.0.5",ttl=1,id=4)/UDP(sport=9,dport=9)/b"link local"' \
        'Ether(src=mac,dst=BROADCAST)/IP(src="10.128.1.12",dst="10.128.1.255",id=5)/UDP(sport=9,dport=9)/b"broadcast"'
    craft pod3 'Ether(src=mac,dst="01:00:5e:01:02:03")/IP(src="10.128.1.13",dst="239.1.2.3",ttl=1,proto=2,id=6,options=[IPOption(b"\x94\x04\x00\x00")])/igmp.IGMP(type=0x16,gaddr="239.1.2.3")'
}

scenario kube-qos kube "DSCP marking by QoS rules; a rate nobody exceeds"
setup_kube_qos() { nb -- qos-add worker from-lport 100 'inport == "default_pod2" && ip4' dscp=46 -- qos-add worker to-lport 100 'outport == "default_pod3" && ip4' dscp=10 -- qos-add worker from-lport 90 'inport == "default_pod4"' rate=100000; }
traffic_kube_qos() { udp pod2 10.128.1.13 5353 -s 47091; udp pod2 172.30.0.1 5353 -s 47092; udp pod4 10.128.1.11 5353 -s 47093; }

scenario kube-truncated kube "captures that kept only the first 90 bytes of each frame"
before_kube_truncated() { SNAPLEN=90; }
traffic_kube_truncated() { get pod2 10.96.0.10 80 -s 48001; udp pod2 172.30.0.1 5353 -s 48002 -z 300; pings ext1 1 -s 200 10.128.1.14; SNAPLEN=; }

scenario kube-jumbo kube "jumbo frames between pods and through a service"
setup_kube_jumbo() { local n; for n in pod2 pod3; do ns node ip link set v-$n mtu 9000; ns $n ip link set eth0 mtu 9000; done; sleep 0.5; }
traffic_kube_jumbo() { udp pod2 10.128.1.13 5353 -s 48011 -z 8000; udp pod2 10.96.0.53 53 -s 48012 -z 7000; pings pod3 1 -s 6000 fd00:128:1::12; }
cleanup_kube_jumbo() { local n; for n in pod2 pod3; do ns $n ip link set eth0 mtu 1400; ns node ip link set v-$n mtu 1400; done; }

scenario kube-force-snat-ip kube "explicit force-SNAT addresses for DNAT and for load balancers"
setup_kube_force_snat_ip() {
    nb -- set logical_router GR_worker 'options:lb_force_snat_ip="172.30.0.60 fd30::60"' 'options:dnat_force_snat_ip="172.30.0.61 fd30::61"' -- lr-nat-add GR_worker dnat 172.30.0.62 10.128.1.14
}
traffic_kube_force_snat_ip() { get ext1 172.30.0.4 30080 -s 48021 -w 1; get ext1 172.30.0.62 80 -s 48022 -w 1; get ext1 fd30::4 30080 -s 48023 -w 1; get pod2 172.30.0.62 80 -s 48024 -w 1; }

scenario kube-affinity-udp kube "session affinity for UDP and IPv6"
setup_kube_affinity_udp() { service stickier udp 10.96.0.43:53=10.128.1.13:5353,10.128.1.14:5353 172.30.0.4:30143=10.128.1.13:5353,10.128.1.14:5353 '[fd96::43]:53=[fd00:128:1::13]:5353,[fd00:128:1::14]:5353' -- options:affinity_timeout=5; }
traffic_kube_affinity_udp() { local p; for p in 48031 48032 48033; do udp ext1 172.30.0.4 30143 -s $p -w 0.4; udp pod2 10.96.0.43 53 -s $p -w 0.4; udp pod2 fd96::43 53 -s $p -w 0.4; done; sleep 6; udp ext1 172.30.0.4 30143 -s 48034 -w 0.4; }

scenario kube-transfer kube "thirty thousand bytes through a nodePort and through egress SNAT"
traffic_kube_transfer() { get ext1 172.30.0.4 30080 -s 48041 -z 30000; get pod2 172.30.0.1 80 -s 48042 -z 30000; }
