# Rarer things of the cloud topology: other gateways to the physical world, other
# encapsulations, snooping across chassis, health checks, static neighbours.

# beside NAME MAC CHASSIS: a machine on that chassis's second physical network, physnet2
beside() {
    vsctl "$3" --may-exist add-br br-two -- set bridge br-two datapath_type=netdev fail-mode=standalone
    no_ip6 "$3" br-two
    vsctl "$3" set open_vswitch . external_ids:ovn-bridge-mappings=physnet1:br-ex,physnet2:br-two
    netns_up "$1"; veth "$3" "two-$1" "$1" eth0 1442 "$2"; host_sysctl "$1"; vsctl "$3" add-port br-two "two-$1"
}
beside_gone() { # NAME CHASSIS
    vsctl "$2" set open_vswitch . external_ids:ovn-bridge-mappings=physnet1:br-ex -- del-br br-two
    stop_pidfile "$RUN/serve-$1.pid"; ip netns del "rp-$1"
}

scenario cloud-l2gateway cloud "l2gateway: a bare machine bridged into a network through one chassis"
setup_cloud_l2gateway() {
    beside bare 52:54:00:2a:00:66 c1; addr bare 10.1.0.66/24; no_ip6 bare eth0; ns bare ip route add default via 10.1.0.1; serve bare
    nb -- lsp-add net-a l2gw -- lsp-set-type l2gw l2gateway -- lsp-set-addresses l2gw unknown -- lsp-set-options l2gw network_name=physnet2 l2gateway-chassis=$C1
    acl web to-lport 1002 'outport == @web && ip4.src == 10.1.0.66' allow-related
    point bare.pcap bare eth0 l2gw $C1
    nb --wait=hv sync; sleep 1
}
traffic_cloud_l2gateway() { get bare 10.1.0.11 80 -s 54001; get vm2 10.1.0.66 80 -s 54002; get bare 10.2.0.14 80 -s 54003; pings vm5 1 10.1.0.66; }
cleanup_cloud_l2gateway() { beside_gone bare c1; }

scenario cloud-external cloud "external port: a machine on the provider network gets DHCP and ARP answers from the chassis of its HA group"
setup_cloud_external() {
    outside_up sriov 52:54:00:5a:00:70 100
    local u; u=$(nb create dhcp_options cidr=203.0.113.0/24 'options={server_id="203.0.113.10",server_mac="fa:16:3e:aa:99:10",lease_time="3600",router="203.0.113.1"}')
    nb -- ha-chassis-group-add dhcp -- ha-chassis-group-add-chassis dhcp $C2 30 \
       -- lsp-add public sriov -- lsp-set-type sriov external -- lsp-set-addresses sriov '52:54:00:5a:00:70 203.0.113.70' -- lsp-set-dhcpv4-options sriov "$u"
    nb set logical_switch_port sriov ha_chassis_group="$(nb --bare --columns=_uuid find ha_chassis_group name=dhcp)"
    nb --wait=hv sync; sleep 2
}
traffic_cloud_external() {
    craft sriov 'bootp(0x301, "discover")' 'bootp(0x302, "request", ("requested_addr", "203.0.113.70"), ("server_id", "203.0.113.10"))' 'who_has("203.0.113.10", "203.0.113.70")'
    addr sriov 203.0.113.70/24; no_ip6 sriov eth0
    get sriov $FIP3 80 -s 54011; get vm2 203.0.113.70 7 -s 54012 -w 1
}
cleanup_cloud_external() { vsctl phys del-port provider pv-sriov; ip netns del rp-sriov; }

scenario cloud-vlan-tenant cloud "a tenant network on a VLAN of its own: VMs meet through the localnet, routed centrally (reside-on-redirect-chassis)"
setup_cloud_vlan_tenant() {
    nb -- lsp-add net-b provnet-b -- lsp-set-type provnet-b localnet -- lsp-set-addresses provnet-b unknown -- lsp-set-options provnet-b network_name=physnet1 -- set logical_switch_port provnet-b tag_request=200 \
       -- set logical_router_port r1-net-b options:reside-on-redirect-chassis=true
    nb --wait=hv sync; sleep 3; cloud_warm
    # one wire, two networks: each localnet port gets the frames of its VLAN
    POINTS=$(grep -v '|provnet|' <<< "$POINTS")$'\n'
    local c id
    while IFS='|' read -r c id; do
        point "public-$c.pcap" "$c" prov0 provnet "$id" 'vlan 100'
        point "net-b-$c.pcap" "$c" prov0 provnet-b "$id" 'vlan 200'
    done <<< "$CHASSIS"
}
# routing on c1 shows the router's MAC to the bridges beside OVN: they must forget what the warm-up taught them, and that connection comes last
before_cloud_vlan_tenant() { local c; for c in c1 c2 c3; do vswitch $c fdb/flush br-ex; done; vswitch phys fdb/flush provider; }
traffic_cloud_vlan_tenant() { get vm3 10.2.0.14 80 -s 54021; get vm4 203.0.113.50 80 -s 54022; pings vm5 1 10.2.0.13; get ext2 $FIP3 80 -s 54024; sleep 3; get vm1 10.2.0.13 80 -s 54023; }

scenario cloud-vlan-passthru cloud "a network that carries the VMs' own VLAN tags, single and double, across chassis"
setup_cloud_vlan_passthru() { nb -- set logical_switch net-a other_config:vlan-passthru=true; }
traffic_cloud_vlan_passthru() {
    local to='Ether(src=mac,dst="fa:16:3e:0a:00:12")' ip='IP(src="10.1.0.11",dst="10.1.0.12"'
    craft vm1 "$to/Dot1Q(vlan=7)/$ip,id=1)/ICMP(id=9,seq=1)/b'one tag'" "$to/Dot1Q(vlan=7,prio=5)/Dot1Q(vlan=8)/$ip,id=2)/ICMP(id=9,seq=2)/b'two tags'" "$to/Dot1AD(vlan=9)/Dot1Q(vlan=8)/$ip,id=3)/ICMP(id=9,seq=3)/b'service tag'" \
        "Ether(src=mac,dst=BROADCAST)/Dot1Q(vlan=7)/ARP(op=1,hwsrc=mac,psrc='10.1.0.11',pdst='10.1.0.12')" "Ether(src=mac,dst='$R1_A_MAC')/Dot1Q(vlan=7)/IP(src='10.1.0.11',dst='10.2.0.13',id=4)/ICMP(id=9,seq=4)/b'to the router'"
}

scenario cloud-vxlan cloud "VXLAN instead of Geneve: shorter keys, no ingress port across"
setup_cloud_vxlan() { local c; for c in c1 c2 c3; do vsctl $c set open_vswitch . external_ids:ovn-encap-type=vxlan; done; sleep 2; nb --wait=hv sync; cloud_warm; }
traffic_cloud_vxlan() { get vm1 10.1.0.12 80 -s 54031; get vm1 10.2.0.13 80 -s 54032; get vm2 203.0.113.50 80 -s 54033; pings vm4 1 fd01:a::12; }
cleanup_cloud_vxlan() { local c; for c in c1 c2 c3; do vsctl $c set open_vswitch . external_ids:ovn-encap-type=geneve; done; sleep 2; nb --wait=hv sync; cloud_warm; }

scenario cloud-igmp cloud "IGMP snooping and relay: members on two chassis and two networks, one copy each"
setup_cloud_igmp() {
    nb -- set logical_switch net-a other_config:mcast_snoop=true other_config:mcast_querier=false -- set logical_switch net-b other_config:mcast_snoop=true other_config:mcast_querier=false -- set logical_router r1 options:mcast_relay=true
    acl web to-lport 1002 'outport == @web && ip4.mcast' allow
}
joins() { craft "$1" "Ether(src=mac,dst='01:00:5e:01:02:03')/IP(src='$2',dst='239.1.2.3',ttl=1,proto=2,options=[IPOption(b'\x94\x04\x00\x00')])/igmp.IGMP(type=0x16,gaddr='239.1.2.3')"; }
before_cloud_igmp() { joins vm2 10.1.0.12; joins vm3 10.2.0.13; joins vm5 10.2.0.15; sleep 2; nb --wait=hv sync; }
traffic_cloud_igmp() {
    craft vm1 'Ether(src=mac,dst="01:00:5e:01:02:03")/IP(src="10.1.0.11",dst="239.1.2.3",ttl=4,id=2)/UDP(sport=9,dport=9)/b"joined"' 'Ether(src=mac,dst="01:00:5e:01:02:04")/IP(src="10.1.0.11",dst="239.1.2.4",ttl=4,id=3)/UDP(sport=9,dport=9)/b"nobody"'
    craft vm4 'Ether(src=mac,dst="01:00:5e:01:02:03")/IP(src="10.2.0.14",dst="239.1.2.3",ttl=1,id=4)/UDP(sport=9,dport=9)/b"not beyond"'
}

scenario cloud-lb-health cloud "a load balancer whose backends are checked: the one that is down gets nothing"
setup_cloud_lb_health() {
    cloud_lb checked tcp '"10.1.0.210:80"="10.2.0.13:80,10.2.0.14:81"' 'ip_port_mappings={"10.2.0.13"="vm3:10.2.0.5","10.2.0.14"="vm4:10.2.0.5"}'
    nb -- --id=@check create load_balancer_health_check 'vip="10.1.0.210:80"' options:interval=2 options:timeout=1 options:success_count=1 options:failure_count=1 \
       -- add load_balancer checked health_check @check > /dev/null
    acl web to-lport 1002 'outport == @web && ip4.src == 10.2.0.5' allow-related
    nb --wait=hv sync; sleep 6; nb --wait=hv sync
}
traffic_cloud_lb_health() { local p; for p in 54041 54042 54043; do get vm1 10.1.0.210 80 -s $p; done; sleep 2; }

scenario cloud-lb-affinity cloud "affinity on the distributed router and its networks"
setup_cloud_lb_affinity() { cloud_lb sticky tcp '"10.1.0.211:80"="10.2.0.13:80,10.2.0.14:80","203.0.113.211:80"="10.1.0.12:80,10.2.0.14:80"' options:affinity_timeout=60; }
traffic_cloud_lb_affinity() { local p; for p in 54051 54052 54053; do get vm1 10.1.0.211 80 -s $p -w 1.5; get ext2 203.0.113.211 80 -s $p -w 1.5; done; }

scenario cloud-static-mac cloud "static MAC bindings: one that overrides what was learned, one that does not"
setup_cloud_static_mac() {
    nb -- --may-exist static-mac-binding-add r1-public 203.0.113.50 $O_EXT1_MAC -- static-mac-binding-add r1-public 203.0.113.88 $O_EXT2_MAC
    nb set static_mac_binding "$(nb --bare --columns=_uuid find static_mac_binding ip=203.0.113.50)" override_dynamic_mac=true
}
traffic_cloud_static_mac() { udp vm2 203.0.113.50 5353 -s 54061 -w 0.4; udp vm2 203.0.113.88 5353 -s 54062 -w 0.4; udp vm1 203.0.113.50 5353 -s 54063 -w 0.4; }

scenario cloud-ecmp cloud "equal-cost routes on the distributed router, with and without symmetric reply"
setup_cloud_ecmp() {
    local n; for n in ext1 ext2; do ns $n ip addr add 192.0.2.1/32 dev lo; ns $n ip addr add 192.0.2.129/32 dev lo; done
    nb -- --ecmp lr-route-add r1 192.0.2.0/25 203.0.113.1 -- --ecmp lr-route-add r1 192.0.2.0/25 203.0.113.50 \
       -- --ecmp-symmetric-reply lr-route-add r1 192.0.2.128/25 203.0.113.1 -- --ecmp-symmetric-reply lr-route-add r1 192.0.2.128/25 203.0.113.50
}
traffic_cloud_ecmp() { local p; for p in 54071 54072 54073; do get vm2 192.0.2.1 80 -s $p; get vm4 192.0.2.129 80 -s $p; done; get ext2 $FIP3 80 -b 192.0.2.129 -s 54074; get ext1 $FIP3 80 -b 192.0.2.129 -s 54075; }
cleanup_cloud_ecmp() { local n; for n in ext1 ext2; do ns $n ip addr del 192.0.2.1/32 dev lo; ns $n ip addr del 192.0.2.129/32 dev lo; done; }

# OVN lets nobody ask for next hops of unequal weight, its logical flows and the switch's groups have them: northd is
# held, and the action that it wrote is changed.
scenario cloud-ecmp-weights cloud "equal-cost routes of unequal weight, three to one, as select() and the switch's groups have them"
setup_cloud_ecmp_weights() { setup_cloud_ecmp; }
before_cloud_ecmp_weights() {
    local f actions
    ovn-appctl -t ovn-northd pause
    for f in $(sb --bare --columns=_uuid,match list logical_flow | awk 'NF == 1 { u = $1 } /192\.0\.2\.0\/25/ { print u }'); do
        actions=$(sb get logical_flow "$f" actions)
        case $actions in *"select("*) sb set logical_flow "$f" "actions=${actions/select(1, 2)/select(1=30, 2=10)}" ;; esac
    done
    sleep 2
}
traffic_cloud_ecmp_weights() { local p; for p in $(seq 54201 54216); do get vm2 192.0.2.1 80 -s $p; done; for p in $(seq 54217 54224); do get vm4 192.0.2.1 80 -s $p; done; }
cleanup_cloud_ecmp_weights() { ovn-appctl -t ovn-northd resume; cleanup_cloud_ecmp; nb --wait=hv sync; }

scenario cloud-known-connections cloud "connections older than the recording, across chassis, through SNAT and floating IPs"
before_cloud_known_connections() { linger vm1 10.2.0.13 80 54081; linger vm2 203.0.113.50 80 54082; linger ext2 $FIP1 80 54083; linger ext2 $FIP3 80 54084; sleep 5; }
traffic_cloud_known_connections() { sleep 8; }

scenario cloud-mirror cloud "a mirrored port: its traffic is what it was"
setup_cloud_mirror() { nb -- mirror-add copy gre 7 to-lport 10.90.0.13 -- lsp-attach-mirror vm2 copy; sleep 1; }
traffic_cloud_mirror() { get vm1 10.1.0.12 80 -s 54091; }

scenario cloud-proxy-arp cloud "proxy ARP and ND of a router port for addresses beyond it"
setup_cloud_proxy_arp() { nb lsp-set-options net-a-r1 router-port=r1-net-a 'arp_proxy=169.254.239.254 169.254.238.0/24'; }
traffic_cloud_proxy_arp() { craft vm2 'who_has("169.254.239.254", "10.1.0.12")' 'who_has("169.254.238.9", "10.1.0.12")' 'who_has("169.254.237.9", "10.1.0.12")'; }
