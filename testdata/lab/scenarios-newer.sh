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

scenario cloud-dhcp-relay cloud "DHCP relayed by a router to a server on another network: discover, offer, request, ack, nak, broadcast, and what the checks refuse" 24.03
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
