# What releases after 23.03 brought.  The last word of a scenario's line is the
# first release that has it: an older lab leaves the scenario out, and says so.

# collectors ID: every chassis samples for collector set ID (nobody listens)
collectors() {
    local c
    for c in c1 c2 c3; do
        vsctl $c -- --id=@b get bridge br-int -- --id=@i create ipfix 'targets="127.0.0.1:4739"' -- create flow_sample_collector_set id="$1" bridge=@b ipfix=@i > /dev/null
    done
}
collectors_gone() { local c; for c in c1 c2 c3; do vsctl $c --all destroy flow_sample_collector_set; done; }

scenario cloud-sample cloud "ACLs that sample new and established connections, sampled drops: nothing else changes" 24.09
setup_cloud_sample() {
    collectors 7
    nb -- --id=@c create sample_collector id=3 name=all probability=65535 set_id=7 -- --id=@n create sample collectors=@c metadata=4301 -- --id=@e create sample collectors=@c metadata=4302 \
       -- --id=@d create sample collectors=@c metadata=4303 -- create sampling_app type=acl-new id=40 -- create sampling_app type=acl-est id=41 -- create sampling_app type=drop id=42 \
       -- --id=@a create acl direction=to-lport priority=1003 'match="outport == @web && ip4 && tcp.dst == 80"' action=allow-related sample_new=@n sample_est=@e \
       -- --id=@b create acl direction=to-lport priority=1004 'match="outport == @web && ip4 && tcp.dst == 8080"' action=drop sample_new=@d \
       -- add port_group web acls @a @b > /dev/null
    nb -- set nb_global . options:debug_drop_domain_id=9 options:debug_drop_collector_set=7
}
traffic_cloud_sample() { get vm1 10.1.0.12 80 -s 58001; get vm4 10.1.0.12 8080 -s 58002 -w 0.5; get ext2 $FIP1 80 -s 58003; udp vm2 10.2.0.13 7 -s 58004 -w 0.3; }
cleanup_cloud_sample() { collectors_gone; }

scenario cloud-mirror-lport cloud "mirrors to other ports of the network, on the same chassis and across: both directions, by rules" 25.09
setup_cloud_mirror_lport() {
    host_more vm8 c1 net-a fa:16:3e:0a:00:18 10.1.0.18; host_more vm9 c2 net-b fa:16:3e:0b:00:19 10.2.0.19
    nb -- mirror-add in lport from-lport vm8 -- mirror-add out lport to-lport vm8 -- mirror-add far lport both vm9
    nb -- mirror-rule-add far 100 'tcp.dst == 80 || tcp.src == 80' mirror -- mirror-rule-add far 50 '1' skip
    nb -- lsp-attach-mirror vm1 in -- lsp-attach-mirror vm2 out -- lsp-attach-mirror vm4 far
    nb --wait=hv sync; sleep 1
}
traffic_cloud_mirror_lport() {
    get vm1 10.1.0.12 80 -s 58011; udp vm1 10.2.0.13 5353 -s 58012; udp vm4 10.1.0.12 5353 -s 58013; get vm4 203.0.113.50 80 -s 58014; get vm3 10.2.0.14 80 -s 58015; get ext2 $FIP1 80 -s 58016
    craft vm1 'who_has("10.1.0.1", "10.1.0.11")'
}
cleanup_cloud_mirror_lport() { host_less vm8 c1; host_less vm9 c2; }

scenario cloud-dhcp-relay cloud "DHCP relayed by a router to a server on another network: discover, offer, request, ack, nak, broadcast, and what the checks refuse" 24.09
setup_cloud_dhcp_relay() {
    nb -- --id=@r create dhcp_relay name=relay servers=10.2.0.13 -- set logical_router_port r1-net-a dhcp_relay=@r -- set logical_switch net-a other_config:dhcp_relay_port=net-a-r1 > /dev/null
    acl web to-lport 1002 'outport == @web && ip4 && udp.dst == {67, 68}' allow
}
# from_server XID KIND YOUR-ADDRESS [bootp's further arguments [options]]: the server's answer to vm2
from_server() {
    local hw='bytes.fromhex("fa163e0a0012")'
    craft vm3 "Ether(src=mac,dst='$R1_B_MAC')/IP(src='10.2.0.13',dst='10.1.0.1',id=$1)/UDP(sport=67,dport=67)/BOOTP(op=2,xid=$1,yiaddr='$3',giaddr='10.1.0.1',chaddr=$hw${4:-})/DHCP(options=[('message-type','$2'),${5-('server_id','10.2.0.13'),}('subnet_mask','255.255.255.0'),('router','10.1.0.1'),('lease_time',3600),'end'])"
}
traffic_cloud_dhcp_relay() {
    craft vm2 'bootp(0x401, "discover", ("hostname", "vm2"))'
    from_server 0x401 offer 10.1.0.12
    craft vm2 'bootp(0x402, "request", ("requested_addr", "10.1.0.12"), ("server_id", "10.2.0.13"))'
    from_server 0x402 ack 10.1.0.12
    from_server 0x403 offer 10.1.0.12 ',flags=0x8000'
    from_server 0x404 nak 0.0.0.0 ',flags=0x8000'
    from_server 0x405 offer 10.9.0.12
    from_server 0x406 offer 10.1.0.12 '' "('server_id','10.2.0.99'),"
    from_server 0x407 ack 10.1.0.12 '' ''
    craft vm2 'Ether(src=mac,dst=BROADCAST)/IP(src="0.0.0.0",dst="255.255.255.255",id=8)/UDP(sport=68,dport=67)/BOOTP(chaddr=bytes.fromhex(mac.replace(":","")),xid=0x408,giaddr="10.7.0.1")/DHCP(options=[("message-type","discover"),"end"])' \
        'bootp(0x409, "request", ciaddr="10.1.0.12", src="10.1.0.12", dst="10.2.0.13", to="fa:16:3e:aa:0a:01")' 'bootp(0x40a, "inform", ciaddr="10.1.0.12", src="10.1.0.12")' \
        'Ether(src=mac,dst=BROADCAST)/IP(src="0.0.0.0",dst="255.255.255.255",id=11)/UDP(sport=68,dport=67,chksum=0)/BOOTP(chaddr=bytes.fromhex(mac.replace(":","")),xid=0x40b,hops=3,flags=0x8000)/DHCP(options=[("message-type","discover"),"end"])'
}

scenario cloud-lb-distributed cloud "a distributed load balancer: each chassis sends to its own backends only" 26.03
setup_cloud_lb_distributed() {
    cloud_lb local tcp '"10.1.0.220:80"="10.1.0.11:80,10.1.0.12:80"' 'ip_port_mappings={"10.1.0.11"="vm1","10.1.0.12"="vm2"}' options:distributed=true
    cloud_lb locals udp '"10.1.0.221:53"="10.2.0.13:5353,10.2.0.14:5353,10.2.0.15:5353"' 'ip_port_mappings={"10.2.0.13"="vm3","10.2.0.14"="vm4","10.2.0.15"="vm5"}' options:distributed=true
}
traffic_cloud_lb_distributed() { get vm4 10.1.0.220 80 -s 58021 -w 1; get vm3 10.1.0.220 80 -s 58022 -w 1; get vm5 10.1.0.220 80 -s 58023 -w 1; udp vm1 10.1.0.221 53 -s 58024 -w 0.5; udp vm2 10.1.0.221 53 -s 58025 -w 0.5; udp vm5 10.1.0.221 53 -s 58026 -w 0.5; }

scenario cloud-transit-router cloud "a transit router: ARP and ND answers to its port here go to the other zone too; what the other zone floods" 25.03
setup_cloud_transit_router() {
    far_up 10.90.0.99
    local c; for c in c1 c2 c3; do vsctl $c set open_vswitch . external_ids:ovn-is-interconn=true; done
    sb -- chassis-add far geneve 10.90.0.99 -- set chassis far hostname=far other_config:is-remote=true other_config:is-interconn=true \
        other_config:ct-no-masked-label=true other_config:ovn-ct-lb-related=true other_config:mac-binding-timestamp=true other_config:port-up-notif=true \
        other_config:fdb-timestamp=true other_config:ls-dpg-column=true other_config:ct-commit-nat-v2=true other_config:ct-commit-to-zone=true other_config:ct-next-zone=true
    nb -- lr-add tr1 -- set logical_router tr1 options:requested-tnl-key=16711682
    own_port tr1 net-a fa:16:3e:aa:0a:07 10.1.0.253/24 fd01:a::253/64
    nb -- lrp-add tr1 tr1-far fa:16:3e:aa:77:05 10.7.0.1/24 -- set logical_router_port tr1-far options:requested-chassis=far options:requested-tnl-key=9 -- lr-route-add tr1 10.8.0.0/24 10.7.0.2
    local n; for n in vm1 vm2; do ns $n ip route add 10.7.0.0/24 via 10.1.0.253; done
    nb --wait=sb sync
    sb set port_binding tr1-far chassis="$(sb --bare --columns=_uuid find chassis name=far)" up=true
    nb --wait=hv sync; sleep 2
    local n; for n in 1 2 3; do ns vm1 ping -q -c1 -W1 10.7.0.9 > /dev/null || true; ns vm2 ping -q -c1 -W1 10.7.0.9 > /dev/null || true; done      # the tunnels' own ARP
    ns vm2 ping -q -c1 -W1 10.1.0.253 > /dev/null || true
    sb --all destroy mac_binding; nb --wait=hv sync
}
# flooded OUTER-MAC OUTER-ADDRESS INNER: what the other zone's flood_remote sends: no outport
flooded() {
    craft far "Ether(src=mac,dst='$1')/IP(src='10.90.0.99',dst='$2',id=0,flags='DF')/UDP(sport=50002,dport=6081)/geneve($(datapath_key tr1),$(port_key tr1-far),0,$3)"
}
traffic_cloud_transit_router() {
    craft vm1 "Ether(src=mac,dst='fa:16:3e:aa:0a:07')/ARP(op=2,hwsrc=mac,psrc='10.1.0.11',pdst='10.1.0.253',hwdst='fa:16:3e:aa:0a:07')" \
        "Ether(src=mac,dst='fa:16:3e:aa:0a:07')/IPv6(src='fd01:a::11',dst='fd01:a::253',hlim=255)/ICMPv6ND_NA(tgt='fd01:a::11',R=0,S=1,O=1)/ICMPv6NDOptDstLLAddr(lladdr=mac)" \
        'who_has("10.1.0.253", "10.1.0.11")'
    udp vm2 10.7.0.2 9999 -s 58031 -w 0.4
    flooded 52:54:00:20:00:12 10.90.0.12 "Ether(src='fa:16:3e:aa:77:06',dst='fa:16:3e:aa:77:05')/ARP(op=2,hwsrc='fa:16:3e:aa:77:06',psrc='10.7.0.2',pdst='10.7.0.1',hwdst='fa:16:3e:aa:77:05')"
    flooded 52:54:00:20:00:12 10.90.0.12 "Ether(src='fa:16:3e:aa:77:06',dst='fa:16:3e:aa:77:05')/IP(src='10.7.0.2',dst='10.1.0.12',id=1)/ICMP(id=12,seq=1)/b'not an answer'"
    sleep 0.5; udp vm2 10.7.0.2 9999 -s 58032 -w 0.4
}
cleanup_cloud_transit_router() { ns vm1 ip route del 10.7.0.0/24; ns vm2 ip route del 10.7.0.0/24; local c; for c in c1 c2 c3; do vsctl $c remove open_vswitch . external_ids ovn-is-interconn; done; far_gone far; }

scenario cloud-evpn cloud "a network of an EVPN domain: MACs nobody here has are looked for among the remote ones" 25.09
setup_cloud_evpn() { nb -- set logical_switch net-a other_config:dynamic-routing-vni=77 -- lsp-set-addresses vm2 'fa:16:3e:0a:00:12 10.1.0.12 fd01:a::12' unknown -- lsp-set-port-security vm2 -- pg-set-ports drop vm1 vm3 vm4 vm5; }
traffic_cloud_evpn() {
    craft vm1 "Ether(src=mac,dst='02:00:00:00:00:99')/IP(src='10.1.0.11',dst='10.1.0.99',id=1)/ICMP(id=7,seq=1)/b'to nobody known'" 'who_has("10.1.0.77", "10.1.0.11")' 'solicit("fd01:a::77", "fd01:a::11")'
    craft vm2 "Ether(src='02:00:00:00:00:99',dst='fa:16:3e:0a:00:11')/IP(src='10.1.0.99',dst='10.1.0.11',id=2)/UDP(sport=9,dport=5353)/b'from a new MAC'"
    sleep 1
    craft vm1 "Ether(src=mac,dst='02:00:00:00:00:99')/IP(src='10.1.0.11',dst='10.1.0.99',id=3)/ICMP(id=7,seq=2)/b'now learned'"
    get vm4 10.1.0.12 80 -s 58041
}

scenario cloud-stateless-error cloud "ICMP errors about packets that a stateless floating IP translated: what they quote is translated back" 26.09
setup_cloud_stateless_error() { nb lr-nat-del r1 dnat_and_snat $FIP1; nb -- --stateless lr-nat-add r1 dnat_and_snat $FIP1 10.1.0.11 vm1 $FIP1_MAC -- --stateless lr-nat-add r1 dnat_and_snat 203.0.113.104 10.2.0.14; }
traffic_cloud_stateless_error() {
    udp vm1 203.0.113.50 7777 -s 58051 -w 0.5; udp vm4 203.0.113.50 7777 -s 58052 -w 0.5; get vm1 203.0.113.50 80 -s 58053
    local quoted="IP(src='$FIP1',dst='198.51.100.9',id=5)/UDP(sport=58054,dport=9)/b'quoted'" to="Ether(src=mac,dst='$FIP1_MAC')/IP(src='203.0.113.50',dst='$FIP1',id=6)"
    craft ext2 "$to/ICMP(type=11,code=0)/$quoted" "$to/ICMP(type=3,code=4,nexthopmtu=1200)/$quoted" "$to/ICMP(type=12,code=0)/$quoted" "$to/ICMP(type=5,code=1)/$quoted" "$to/ICMP(type=4,code=0)/$quoted"
}

scenario cloud-acl-tiers cloud "ACLs in tiers that pass packets on, stateless ones, established connections that persist" 25.03
setup_cloud_acl_tiers() {
    acl web to-lport 2000 'outport == @web && ip4 && udp.dst == {7007, 7008, 9999}' pass
    nb -- --type=port-group --tier=1 acl-add web to-lport 1000 'outport == @web && udp.dst == {7007, 9999}' allow-related \
       -- --type=port-group --tier=1 acl-add web to-lport 1000 'outport == @web && udp.dst == 7008' reject \
       -- --type=port-group --tier=2 acl-add web to-lport 900 'outport == @web && tcp.dst == 8080' allow-related \
       -- --type=port-group acl-add web from-lport 3000 'inport == "vm4" && udp.dst == 53' allow-stateless -- --type=port-group acl-add web to-lport 3000 'outport == "vm4" && udp.src == 53' allow-stateless
    acl web to-lport 2000 'outport == @web && ip && tcp.dst == 8080' pass; acl web to-lport 1000 'outport == "vm2" && udp.src == 53 && udp.dst == 0' drop
    nb -- --id=@a create acl direction=to-lport priority=1500 'match="outport == @web && tcp.dst == 80"' action=allow-related options:persist-established=true -- add port_group web acls @a > /dev/null
}
traffic_cloud_acl_tiers() {
    udp vm1 10.2.0.13 7007 -s 58061 -w 0.3; udp vm1 10.2.0.14 7008 -s 58062 -w 0.3; get vm3 10.1.0.12 8080 -s 58063; get vm2 10.2.0.14 80 -s 58064 -n 3 -i 0.3; udp vm4 203.0.113.50 53 -s 58065 -w 0.5; udp vm5 10.1.0.12 9999 -s 58066 -w 0.4
}

scenario cloud-policy-chains cloud "policies in chains that jump, policies with several next hops and with an output port, routes of a table of their own" 26.03
setup_cloud_policy_chains() {
    local n; for n in ext1 ext2; do ns $n ip addr add 192.0.2.1/32 dev lo; done
    nb -- --id=@a create logical_router_policy priority=200 'match="ip4.src == 10.1.0.0/24 && ip4.dst == 192.0.2.0/24"' action=jump jump_chain=inner \
       -- --id=@b create logical_router_policy chain=inner priority=20 match=udp action=reroute 'nexthops="203.0.113.1","203.0.113.50"' \
       -- --id=@c create logical_router_policy chain=inner priority=10 match=tcp action=reroute nexthops=203.0.113.50 output_port="$(nb --bare --columns=_uuid find logical_router_port name=r1-public)" \
       -- --id=@d create logical_router_policy chain=inner priority=5 match=icmp action=drop \
       -- --id=@e create logical_router_policy priority=150 'match="ip4.src == 10.2.0.15 && ip4.dst == 192.0.2.0/24"' action=reroute nexthops=203.0.113.50 options:pkt_mark=5 \
       -- add logical_router r1 policies @a @b @c @d @e > /dev/null
    nb -- set logical_router_port r1-net-b options:route_table=green -- --route-table=green lr-route-add r1 192.0.2.0/25 203.0.113.1
}
traffic_cloud_policy_chains() { local p; for p in 58071 58072 58073 58074; do udp vm2 192.0.2.1 9999 -s $p -w 0.4; done; get vm2 192.0.2.1 80 -s 58075; pings vm2 1 192.0.2.1; udp vm4 192.0.2.1 9999 -s 58076 -w 0.4; udp vm5 192.0.2.1 9999 -s 58077 -w 0.4; }
cleanup_cloud_policy_chains() { local n; for n in ext1 ext2; do ns $n ip addr del 192.0.2.1/32 dev lo; done; }

scenario cloud-nat-match cloud "NAT with conditions and priorities, and for some destinations only" 24.09
setup_cloud_nat_match() {
    nb -- --id=@a create nat type=snat external_ip=203.0.113.11 logical_ip=10.1.0.12 'match="ip4.dst == 203.0.113.1"' priority=10 -- --id=@b create nat type=snat external_ip=203.0.113.12 logical_ip=10.1.0.12 'match="tcp"' priority=20 \
       -- add logical_router r1 nat @a @b > /dev/null
    nb -- --id=@s create address_set name=partners addresses=203.0.113.50 -- --id=@n create nat type=dnat_and_snat external_ip=203.0.113.106 logical_ip=10.2.0.15 allowed_ext_ips=@s -- add logical_router r1 nat @n > /dev/null
}
traffic_cloud_nat_match() { udp vm2 203.0.113.1 9999 -s 58081 -w 0.4; udp vm2 203.0.113.50 9999 -s 58082 -w 0.4; get vm2 203.0.113.1 80 -s 58083; get ext2 203.0.113.106 80 -s 58084; get ext1 203.0.113.106 80 -s 58085 -w 1; udp vm5 203.0.113.1 5353 -s 58086 -w 0.4; get vm5 203.0.113.50 80 -s 58087; }

scenario cloud-commit-all cloud "a router that commits all it routes to its zones (ct-commit-all): routed, SNAT, floating IPs, load balanced" 25.03
setup_cloud_commit_all() { nb set logical_router r1 options:ct-commit-all=true; cloud_lb web tcp '"10.1.0.200:80"="10.2.0.13:80"'; }
traffic_cloud_commit_all() { get vm1 10.2.0.13 80 -s 58091; get vm2 203.0.113.50 80 -s 58092; get ext2 $FIP1 80 -s 58093; get ext2 $FIP3 80 -s 58094; get vm1 10.1.0.200 80 -s 58095; get vm2 2001:db8:113::50 80 -s 58096; udp ext1 10.1.0.12 9999 -s 58097 -w 0.4; }

scenario cloud-spine cloud "switches that are connected directly: unicast, broadcast, learned MACs across, within a chassis and over Geneve" 25.03
setup_cloud_spine() {
    nb -- ls-add leaf -- lsp-add net-a a-leaf -- lsp-set-type a-leaf switch -- lsp-set-options a-leaf peer=leaf-a -- lsp-set-addresses a-leaf unknown \
       -- lsp-add leaf leaf-a -- lsp-set-type leaf-a switch -- lsp-set-options leaf-a peer=a-leaf -- lsp-set-addresses leaf-a unknown
    host_more vm8 c1 leaf fa:16:3e:0a:00:18 10.1.0.18; host_more vm9 c2 leaf fa:16:3e:0a:00:19 10.1.0.19; serve vm8; serve vm9
    acl web to-lport 1002 'outport == @web && ip4' allow-related
    nb --wait=hv sync; sleep 1
    local n; for n in vm8 vm9; do ns $n ping -q -c2 -i0.3 -W1 203.0.113.50 > /dev/null || true; ns $n ping -q -c1 -W1 10.2.0.14 > /dev/null || true; done
}
traffic_cloud_spine() { get vm1 10.1.0.18 80 -s 58101; get vm1 10.1.0.19 80 -s 58102; get vm9 10.1.0.12 80 -s 58103; get vm8 203.0.113.50 80 -s 58104; pings vm4 1 10.1.0.19; craft vm8 'Ether(src=mac,dst=BROADCAST,type=0x88b5)/(b"odd type"*6)'; }
cleanup_cloud_spine() { host_less vm8 c1; host_less vm9 c2; }

scenario cloud-network-function cloud "traffic of ACLs goes through a network function, there and back, on one chassis and across" 26.03
setup_cloud_network_function() {
    nb -- lsp-add net-a nfin -- lsp-set-options nfin is-nf=true nf-linked-port=nfout receive_multicast=false lsp_learn_fdb=false \
       -- lsp-add net-a nfout -- lsp-set-options nfout is-nf=true nf-linked-port=nfin receive_multicast=false lsp_learn_fdb=false
    netns_up nf
    local i
    for i in in out; do
        veth c2 "v-nf$i" nf "eth-$i" 1442; no_ip6 nf "eth-$i"
        vsctl c2 add-port br-int "v-nf$i" -- set interface "v-nf$i" external_ids:iface-id="nf$i"
        point "nf$i.pcap" nf "eth-$i" "nf$i" $C2
    done
    ip -n rp-nf link add name bridge type bridge; no_ip6 nf bridge
    for i in in out; do ip -n rp-nf link set "eth-$i" master bridge up; done; ip -n rp-nf link set bridge up
    nb -- nf-add fw 1 nfin nfout -- nfg-add fws 1 inline fw
    nb -- acl-add net-a from-lport 1500 'inport == "vm1" && ip4 && udp' allow-related fws -- acl-add net-a to-lport 1500 'outport == "vm1" && ip4 && tcp.dst == 80' allow-related fws
    nb --wait=hv sync; sleep 2
}
traffic_cloud_network_function() { udp vm1 10.1.0.12 5353 -s 58111 -w 0.5; udp vm1 10.2.0.13 5353 -s 58112 -w 0.5; get vm2 10.1.0.11 80 -s 58113 -w 1; get vm4 10.1.0.11 80 -s 58114 -w 1; udp vm1 203.0.113.50 9999 -s 58115 -w 0.5; }
cleanup_cloud_network_function() { vsctl c2 del-port br-int v-nfin -- del-port br-int v-nfout; ip netns del rp-nf; }

scenario cloud-acl-translation cloud "ACLs that match the connection's ports instead of the packet's: fragments get through security groups" 26.03
setup_cloud_acl_translation() { nb set nb_global . options:acl_ct_translation=true; acl web to-lport 1002 'outport == @web && ip4 && udp.dst == 9999' allow-related; acl web to-lport 1010 'outport == @web && tcp.dst == 8080' reject; local n; for n in ext1 ext2; do ns $n ip link set eth0 mtu 1442; done; }
traffic_cloud_acl_translation() { udp vm1 10.1.0.12 9999 -s 58121 -z 3000 -w 1; udp vm4 10.1.0.12 9999 -s 58122 -z 3000 -w 1; get vm4 10.1.0.12 8080 -s 58123; udp ext2 $FIP1 9999 -s 58124 -z 2000 -w 1; get vm3 10.2.0.14 80 -s 58125; udp vm2 10.2.0.13 7 -s 58126 -w 0.3; }
cleanup_cloud_acl_translation() { local n; for n in ext1 ext2; do ns $n ip link set eth0 mtu 1500; done; }

scenario cloud-always-tunnel cloud "VMs of a provider network meet through tunnels instead of the wire (always_tunnel)" 24.09
setup_cloud_always_tunnel() { provider_vms; nb set nb_global . options:always_tunnel=true; nb --wait=hv sync; sleep 1; }
traffic_cloud_always_tunnel() { get vm6 203.0.113.67 80 -s 58131; get vm7 203.0.113.50 80 -s 58132; get vm2 203.0.113.66 80 -s 58133; pings vm6 1 203.0.113.10; craft vm6 'who_has("203.0.113.99", "203.0.113.66")'; }
cleanup_cloud_always_tunnel() { provider_vms_gone; }

scenario cloud-vrrp cloud "port security of a VRRPv3 router: its virtual and its physical addresses, ARP and ND" 26.03
setup_cloud_vrrp() { nb -- lsp-set-port-security vm2 'VRRPv3 fa:16:3e:0a:00:12 00:00:5e:00:01:0a 10.1.0.50' 'fa:16:3e:0a:00:12 10.1.0.12' -- lsp-set-addresses vm2 'fa:16:3e:0a:00:12 10.1.0.12 fd01:a::12' unknown; }
traffic_cloud_vrrp() {
    craft vm2 'Ether(src="00:00:5e:00:01:0a",dst=BROADCAST)/ARP(op=2,hwsrc="00:00:5e:00:01:0a",psrc="10.1.0.50",pdst="10.1.0.50",hwdst=BROADCAST)' 'who_has("10.1.0.11", "10.1.0.50", hwsrc="00:00:5e:00:01:0a")' 'who_has("10.1.0.11", "10.1.0.50", hwsrc="00:00:5e:00:01:0b")' \
        'Ether(src="00:00:5e:00:01:0a",dst="01:00:5e:00:00:12")/IP(src="10.1.0.12",dst="224.0.0.18",ttl=255,proto=112,id=1)/b"VRRP advertisement."' 'Ether(src="00:00:5e:00:01:0a",dst="fa:16:3e:0a:00:11")/IP(src="10.1.0.50",dst="10.1.0.11",id=2)/ICMP(id=8,seq=1)/b"virtual"' \
        'Ether(src="00:00:5e:00:01:0a",dst="fa:16:3e:0a:00:11")/IP(src="10.1.0.51",dst="10.1.0.11",id=3)/ICMP(id=8,seq=2)/b"not its address"' 'Ether(src=mac,dst="fa:16:3e:0a:00:11")/IP(src="10.1.0.50",dst="10.1.0.11",id=4)/ICMP(id=8,seq=3)/b"not from the physical one"' 'who_has("10.1.0.11", "10.1.0.12")'
    craft vm1 'Ether(src=mac,dst="00:00:5e:00:01:0a")/IP(src="10.1.0.11",dst="10.1.0.50",id=5)/ICMP(id=8,seq=4)/b"to the virtual one"' 'Ether(src=mac,dst="00:00:5e:00:01:0b")/IP(src="10.1.0.11",dst="10.1.0.50",id=6)/ICMP(id=8,seq=5)/b"to another"'
    pings vm1 1 10.1.0.12
}

scenario cloud-next-hop-v6 cloud "IPv4 routed over IPv6 next hops, ECMP by chosen fields, a tagged route table" 25.03
setup_cloud_next_hop_v6() {
    local n; for n in ext1 ext2; do ns $n ip addr add 192.0.2.1/32 dev lo; done
    nb -- set logical_router r1 options:dynamic_neigh_routers=false options:always_learn_from_arp_request=true -- lr-route-add r1 192.0.2.128/25 2001:db8:113::1 r1-public \
       -- --ecmp lr-route-add r1 192.0.2.0/25 203.0.113.1 -- --ecmp lr-route-add r1 192.0.2.0/25 203.0.113.50
    local u; for u in $(nb --bare --columns=_uuid find logical_router_static_route ip_prefix=192.0.2.0/25); do nb set logical_router_static_route $u selection_fields=ip_src,ip_dst; done
    nb --wait=hv sync; sleep 1; ns vm2 ping -q -c2 -i0.3 -W1 2001:db8:113::1 > /dev/null || true
}
traffic_cloud_next_hop_v6() { udp vm2 192.0.2.200 9999 -s 58141 -w 0.4; local p; for p in 58142 58143 58144; do get vm2 192.0.2.1 80 -s $p -w 1; get vm4 192.0.2.1 80 -s $p -w 1; done; }
cleanup_cloud_next_hop_v6() { local n; for n in ext1 ext2; do ns $n ip addr del 192.0.2.1/32 dev lo; done; }

scenario cloud-encap-ips cloud "chassis with two tunnel addresses each, an interface that names its own" 24.03
encap_ips() { # on|off
    local i
    for i in 1 2 3; do
        if [ "$1" = on ]; then ns c$i ip addr add 10.90.1.1$i/24 dev br-phy; vsctl c$i set open_vswitch . external_ids:ovn-encap-ip=10.90.0.1$i,10.90.1.1$i
        else vsctl c$i set open_vswitch . external_ids:ovn-encap-ip=10.90.0.1$i; ns c$i ip addr del 10.90.1.1$i/24 dev br-phy; fi
    done
}
setup_cloud_encap_ips() { encap_ips on; vsctl c1 set interface v-vm1 external_ids:encap-ip=10.90.1.11; vsctl c2 set interface v-vm3 external_ids:encap-ip=10.90.1.12; sleep 3; nb --wait=hv sync; cloud_warm; cloud_warm; }
traffic_cloud_encap_ips() { get vm1 10.1.0.12 80 -s 58151; get vm3 10.2.0.14 80 -s 58152; get vm1 10.2.0.13 80 -s 58153; get vm1 10.2.0.15 80 -s 58154; get vm2 203.0.113.50 80 -s 58155; craft vm1 'Ether(src=mac,dst=BROADCAST,type=0x88b5)/(b"odd type"*6)'; }
cleanup_cloud_encap_ips() { encap_ips off; vsctl c1 remove interface v-vm1 external_ids encap-ip; vsctl c2 remove interface v-vm3 external_ids encap-ip; sleep 3; nb --wait=hv sync; cloud_warm; }

scenario cloud-routing-protocol cloud "BGP and BFD to a router's address go to the port of a routing daemon, whose own traffic leaves as the router's" 25.03
setup_cloud_routing_protocol() {
    host_more vm8 c3 public fa:16:3e:aa:99:10 203.0.113.10
    nb -- lsp-set-addresses vm8 unknown -- set logical_router_port r1-public options:routing-protocol-redirect=vm8 options:routing-protocols=BGP,BFD
    serve vm8; nb --wait=hv sync; sleep 1
}
traffic_cloud_routing_protocol() { get ext2 203.0.113.10 179 -s 58161 -w 0.5; get vm8 203.0.113.50 179 -s 58162 -w 0.5; pings ext2 1 203.0.113.10; get vm2 203.0.113.50 80 -s 58163; craft vm8 'who_has("203.0.113.50", "203.0.113.10")'; craft ext2 "Ether(src=mac,dst='$R1_GW_MAC')/ARP(op=2,hwsrc=mac,psrc='203.0.113.50',pdst='203.0.113.10',hwdst='$R1_GW_MAC')"; }
cleanup_cloud_routing_protocol() { host_less vm8 c3; }

scenario cloud-activation cloud "a port that migrates: blocked on its new chassis until its machine announces itself there by RARP, gratuitous ARP or an advertisement" 25.09
setup_cloud_activation() { nb lsp-set-options vm2 requested-chassis=compute-2,gateway-1 activation-strategy=rarp,garp,na; host_twin; }
traffic_cloud_activation() {
    craft vm2b "Ether(src=mac,dst='fa:16:3e:0a:00:11')/IP(src='10.1.0.12',dst='10.1.0.11',id=1)/ICMP(id=8,seq=1)/b'too early'" 'who_has("10.1.0.11", "10.1.0.12")'
    craft vm1 "Ether(src=mac,dst='fa:16:3e:0a:00:12')/IP(src='10.1.0.11',dst='10.1.0.12',id=2)/UDP(sport=9,dport=5353)/b'to the old one only'"
    craft vm2b 'Ether(src=mac,dst=BROADCAST)/ARP(op=1,hwsrc=mac,psrc="10.1.0.12",pdst="10.1.0.12")'
    sleep 0.5
    craft vm1 "Ether(src=mac,dst='fa:16:3e:0a:00:12')/IP(src='10.1.0.11',dst='10.1.0.12',id=3)/UDP(sport=10,dport=5353)/b'to both'"
    craft vm2b "Ether(src=mac,dst='fa:16:3e:0a:00:11')/IP(src='10.1.0.12',dst='10.1.0.11',id=4)/ICMP(id=8,seq=2)/b'now it may'"
}
cleanup_cloud_activation() { cleanup_cloud_migration; }
