# Neighbours in the kube topology: ARP and ND answered, learned, announced, forged.

scenario kube-arp-nd kube "ARP and ND answered by OVN for routers, pods and VIPs; asked and unknown; broadcast and unicast"
traffic_kube_arp_nd() {
    craft pod2 'who_has("10.128.1.1", "10.128.1.12")' 'who_has("10.128.1.11", "10.128.1.12")' 'who_has("10.128.1.99", "10.128.1.12")' 'who_has("10.128.1.11", "10.128.1.12", to="0a:58:0a:80:01:0b")' \
        'who_has("10.128.1.12", "10.128.1.12")' 'solicit("fd00:128:1::1", "fd00:128:1::12")' 'solicit("fd00:128:1::11", "fd00:128:1::12")' 'solicit("fd00:128:1::99", "fd00:128:1::12")' \
        'solicit("fd00:128:1::1", "fd00:128:1::12", to="0a:58:0a:80:01:01")' 'solicit("fd00:128:1::12", "::", lladdr=False)'
    craft ext1 'who_has("172.30.0.4", "172.30.0.1")' 'who_has("172.30.0.77", "172.30.0.1")' 'solicit("fd30::4", "fd30::1")' 'who_has("172.30.0.4", "172.30.0.1", to="02:42:ac:1e:00:04")'
}

scenario kube-garp kube "gratuitous ARP and unsolicited ND teach the gateway router a new MAC; traffic follows it"
traffic_kube_garp() {
    get pod2 172.30.0.9 80 -s 46001
    craft ext2 'Ether(src=mac,dst=BROADCAST)/ARP(op=1,hwsrc=mac,psrc="172.30.0.1",pdst="172.30.0.1",hwdst="00:00:00:00:00:00")'
    sleep 1
    udp pod2 172.30.0.1 7777 -s 46002 -w 0.4
    craft ext1 'Ether(src=mac,dst=BROADCAST)/ARP(op=2,hwsrc=mac,psrc="172.30.0.1",pdst="172.30.0.1",hwdst=BROADCAST)'
    sleep 1
    udp pod2 172.30.0.1 7777 -s 46003 -w 0.4
    craft pod3 'Ether(src=mac,dst=BROADCAST)/ARP(op=1,hwsrc=mac,psrc="10.128.1.13",pdst="10.128.1.13",hwdst="00:00:00:00:00:00")' \
        'Ether(src=mac,dst="33:33:00:00:00:01")/IPv6(src="fd00:128:1::13",dst="ff02::1",hlim=255)/ICMPv6ND_NA(tgt="fd00:128:1::13",R=0,S=0,O=1)/ICMPv6NDOptDstLLAddr(lladdr=mac)'
}

forget_neighbours() { local n; sb --all destroy mac_binding; for n in $HOSTS; do ns $n ip neigh flush all; done; nb --wait=hv sync; sleep 0.5; }

scenario kube-cold-egress kube "unresolved next hop: the packet waits while the router asks, then goes; TCP, UDP, IPv6"
setup_kube_cold_egress() { forget_neighbours; }
traffic_kube_cold_egress() { get pod2 172.30.0.1 80 -s 46011 -i 0.5; udp pod3 172.30.0.9 5353 -s 46012 -w 1; udp pod3 172.30.0.9 5353 -s 46013 -w 1; get pod2 fd30::1 80 -s 46014 -i 0.5; }

scenario kube-cold-ingress kube "outside -> nodePort while the routers know no neighbour yet"
setup_kube_cold_ingress() { forget_neighbours; }
traffic_kube_cold_ingress() { get ext1 172.30.0.4 30080 -s 46021 -w 5; get ext2 fd30::4 30080 -s 46022 -w 5; }

scenario kube-cold-unanswered kube "next hop that nobody answers for: asked, never delivered"
traffic_kube_cold_unanswered() { udp pod2 172.30.0.77 9999 -s 46031 -w 0.5; udp pod2 fd30::77 9999 -s 46032 -w 0.5; udp ext1 10.128.1.99 9999 -s 46033 -w 0.5; udp pod2 10.128.2.5 9999 -s 46034 -w 0.5; }

scenario kube-port-security kube "port security: forged MAC, IPv4, IPv6, ARP and ND contents dropped; DHCP, DAD and the real addresses pass"
traffic_kube_port_security() {
    local to='dst="0a:58:0a:80:01:0b"'
    craft pod2 "Ether(src=mac,$to)/IP(src='10.128.1.12',dst='10.128.1.11',id=1)/ICMP(id=1,seq=1)/b'mine'" \
        "Ether(src='0a:58:00:00:00:99',$to)/IP(src='10.128.1.12',dst='10.128.1.11',id=2)/ICMP(id=1,seq=2)/b'other mac'" \
        "Ether(src=mac,$to)/IP(src='10.128.1.13',dst='10.128.1.11',id=3)/ICMP(id=1,seq=3)/b'other ip'" \
        "Ether(src=mac,$to)/IPv6(src='fd00:128:1::13',dst='fd00:128:1::11')/ICMPv6EchoRequest(id=1,seq=4,data='other ip6')" \
        "Ether(src=mac,$to)/IPv6(src='fe80::858:aff:fe80:10c',dst='fe80::858:aff:fe80:10b')/ICMPv6EchoRequest(id=1,seq=5,data='link local')" \
        'who_has("10.128.1.11", "10.128.1.13")' 'who_has("10.128.1.11", "10.128.1.12", hwsrc="0a:58:0a:80:01:0d")' 'who_has("10.128.1.1", "10.128.1.12", ether="0a:58:00:00:00:99")' \
        'Ether(src=mac,dst=BROADCAST)/ARP(op=1,hwsrc=mac,psrc="0.0.0.0",pdst="10.128.1.12")' \
        'Ether(src=mac,dst="33:33:00:00:00:01")/IPv6(src="fd00:128:1::12",dst="ff02::1",hlim=255)/ICMPv6ND_NA(tgt="fd00:128:1::13",R=0,S=0,O=1)/ICMPv6NDOptDstLLAddr(lladdr=mac)' \
        'Ether(src=mac,dst="33:33:00:00:00:01")/IPv6(src="fd00:128:1::12",dst="ff02::1",hlim=255)/ICMPv6ND_NA(tgt="fd00:128:1::12",R=0,S=0,O=1)/ICMPv6NDOptDstLLAddr(lladdr="0a:58:0a:80:01:0d")' \
        'bootp(7, "discover")' "Ether(src=mac,$to)/IP(src='0.0.0.0',dst='10.128.1.11',id=8)/UDP(sport=9,dport=9)/b'no source'" "Ether(src=mac,$to,type=0x88b5)/(b'experimental'*5)"
    craft ext1 "Ether(src=mac,dst='$K_GR_MAC')/IP(src='172.30.0.1',dst='10.128.1.11',id=11)/ICMP(id=2,seq=1)/b'routed'"
}

scenario kube-forged-mac kube "a pod that uses another pod's MAC: the frame is its own, not one that OVN delivered"
traffic_kube_forged_mac() {
    craft pod2 "Ether(src='0a:58:0a:80:01:0d',dst='0a:58:0a:80:01:0b')/IP(src='10.128.1.12',dst='10.128.1.11',id=2)/ICMP(id=1,seq=2)/b'other mac'" \
        'who_has("10.128.1.1", "10.128.1.12", ether="0a:58:0a:80:01:0d")'
    pings pod2 1 10.128.1.11
}

scenario kube-odd-packets kube "IPv4 options, IPv6 extension headers, ESP, GRE, unknown protocols, VLAN tags, odd ethertypes, runts"
traffic_kube_odd_packets() {
    local to='src=mac,dst="0a:58:0a:80:01:0b"' gw="src=mac,dst='$K_MAC'" p4='src="10.128.1.12",dst="10.128.1.11"' p6='src="fd00:128:1::12",dst="fd00:128:1::11"'
    craft pod2 "Ether($to)/IP($p4,id=1,options=[IPOption(b'\x94\x04\x00\x00')])/ICMP(id=3,seq=1)/b'router alert'" \
        "Ether($gw)/IP(src='10.128.1.12',dst='172.30.0.1',id=2,options=[IPOption(b'\x44\x08\x05\x00\x00\x00\x00\x00')])/UDP(sport=5,dport=7777)/b'timestamp'" \
        "Ether($to)/IPv6($p6)/IPv6ExtHdrHopByHop(options=[PadN(optdata=b'1234')])/ICMPv6EchoRequest(id=3,seq=2)" \
        "Ether($to)/IPv6($p6)/IPv6ExtHdrDestOpt(options=[PadN(optdata=b'1234')])/UDP(sport=5,dport=5353)/b'destination options'" \
        "Ether($gw)/IP(src='10.128.1.12',dst='172.30.0.1',id=3,proto=50)/(b'esp'*10)" "Ether($gw)/IP(src='10.128.1.12',dst='172.30.0.1',id=4)/GRE()/IP(src='1.1.1.1',dst='2.2.2.2')/b'gre'" \
        "Ether($to)/IP($p4,id=5,proto=253)/b'experiment'" "Ether($to)/IPv6($p6,nh=59)" "Ether($to)/Dot1Q(vlan=7)/IP($p4,id=6)/ICMP(id=3,seq=3)" \
        "Ether($to,type=0x88b5)/(b'local'*9)" "Dot3($to)/LLC(dsap=0x42,ssap=0x42,ctrl=3)/(b'bpdu'*9)" "Ether($to)/IP($p4,id=7)/UDP(sport=9,dport=5353,chksum=0)/b'no checksum'" \
        "Ether($gw)/IP(src='10.128.1.12',dst='172.30.0.1',id=8)/UDP(sport=10,dport=7777,chksum=0)/b'no checksum, SNAT'" "Ether($to)/IP($p4,id=9,tos=184)/UDP(sport=11,dport=5353)/b'tos'"
}
