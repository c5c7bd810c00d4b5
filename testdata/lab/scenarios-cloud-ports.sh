# Kinds of ports in the cloud topology: localport, trunks, virtual, provider VIFs,
# unknown addresses, flooding, load balancers on the distributed router, HA groups.

scenario cloud-localport cloud "localport: the same port on two chassis, each VM meets its own; it answers nobody beyond"
traffic_cloud_localport() { get vm1 10.1.0.2 80 -s 53001; get vm2 10.1.0.2 80 -s 53002; pings vm2 1 10.1.0.2; craft meta1 "Ether(src=mac,dst='fa:16:3e:0a:00:12')/IP(src='10.1.0.2',dst='10.1.0.12',id=1)/ICMP(id=1,seq=1)/b'not beyond'"; }

scenario cloud-trunk cloud "a container's port under its VM's, told apart by a VLAN tag, on another network"
setup_cloud_trunk() {
    nb -- lsp-add net-b sub2 vm2 30 -- lsp-set-addresses sub2 'fa:16:3e:0b:00:30 10.2.0.30' -- lsp-set-port-security sub2 'fa:16:3e:0b:00:30 10.2.0.30' \
       -- pg-set-ports default vm1 vm2 vm3 vm4 vm5 sub2 -- pg-set-ports web vm1 vm2 vm3 vm4 vm5 sub2 -- pg-set-ports drop vm1 vm2 vm3 vm4 vm5 sub2
    sleep 0.5
}
traffic_cloud_trunk() {
    local in='Ether(src="fa:16:3e:0b:00:30"' ip='IP(src="10.2.0.30"'
    craft vm2 "$in,dst=BROADCAST)/Dot1Q(vlan=30)/ARP(op=1,hwsrc='fa:16:3e:0b:00:30',psrc='10.2.0.30',pdst='10.2.0.1')" "$in,dst='fa:16:3e:0b:00:14')/Dot1Q(vlan=30)/$ip,dst='10.2.0.14',id=1)/ICMP(id=5,seq=1)/b'same network'" \
        "$in,dst='$R1_B_MAC')/Dot1Q(vlan=30)/$ip,dst='10.1.0.12',id=2)/ICMP(id=5,seq=2)/b'to its own parent'" "$in,dst='$R1_B_MAC')/Dot1Q(vlan=30)/$ip,dst='203.0.113.50',id=3)/UDP(sport=53010,dport=5353)/b'outside'" \
        "$in,dst='fa:16:3e:0b:00:14')/Dot1Q(vlan=31)/$ip,dst='10.2.0.14',id=4)/ICMP(id=5,seq=4)/b'no such tag'"
    pings vm4 1 10.2.0.30; pings vm1 1 10.2.0.30
}

scenario cloud-virtual cloud "a virtual port's address moves: its parent is whoever announced it last"
setup_cloud_virtual() {
    nb -- lsp-add net-a vip -- lsp-set-type vip virtual -- lsp-set-addresses vip 'fa:16:3e:0a:00:64 10.1.0.100' \
       -- set logical_switch_port vip options:virtual-ip=10.1.0.100 options:virtual-parents=vm1,vm2 \
       -- lsp-set-port-security vm1 'fa:16:3e:0a:00:11 10.1.0.11 fd01:a::11' 'fa:16:3e:0a:00:64 10.1.0.100' -- lsp-set-port-security vm2 'fa:16:3e:0a:00:12 10.1.0.12 fd01:a::12' 'fa:16:3e:0a:00:64 10.1.0.100'
}
announce() { craft "$1" 'Ether(src="fa:16:3e:0a:00:64",dst=BROADCAST)/ARP(op=2,hwsrc="fa:16:3e:0a:00:64",psrc="10.1.0.100",pdst="10.1.0.100",hwdst=BROADCAST)'; }
before_cloud_virtual() { announce vm1; sleep 1; nb --wait=hv sync; }
traffic_cloud_virtual() {
    craft vm4 "Ether(src=mac,dst='$R1_B_MAC')/IP(src='10.2.0.14',dst='10.1.0.100',id=1)/ICMP(id=6,seq=1)/b'first parent'"
    craft vm2 'who_has("10.1.0.100", "10.1.0.12")'
    announce vm1
    craft vm1 "Ether(src='fa:16:3e:0a:00:64',dst='fa:16:3e:0a:00:12')/IP(src='10.1.0.100',dst='10.1.0.12',id=2)/ICMP(id=6,seq=2)/b'from the address'"
}

# another VM directly on the provider network, on each of c1 and c2
provider_vms() {
    local n
    for n in 6 7; do
        nb -- lsp-add public vm$n -- lsp-set-addresses vm$n "fa:16:3e:99:00:0$n 203.0.113.6$n" -- lsp-set-port-security vm$n "fa:16:3e:99:00:0$n 203.0.113.6$n"
        host_up vm$n fa:16:3e:99:00:0$n 1442 c$((n - 5)) vm$n; addr vm$n 203.0.113.6$n/24; no_ip6 vm$n eth0; serve vm$n
        point vm$n.pcap vm$n eth0 vm$n "$(field "$CHASSIS" c$((n - 5)) 2)"
    done
    nb --wait=hv sync; sleep 0.5
    for n in 6 7; do ns vm$n ping -q -c1 -W1 203.0.113.50 > /dev/null || true; ns vm$n ping -q -c1 -W1 203.0.113.10 > /dev/null || true; done
}
provider_vms_gone() {
    local n
    for n in 6 7; do vsctl c$((n - 5)) del-port br-int v-vm$n; stop_pidfile "$RUN/serve-vm$n.pid"; ip netns del rp-vm$n; done
}

scenario cloud-provider-vm cloud "VMs on the provider VLAN itself: to the outside, to each other across chassis through the localnet, to the router and a floating IP"
setup_cloud_provider_vm() { provider_vms; }
traffic_cloud_provider_vm() { get vm6 203.0.113.50 80 -s 53021; get vm6 203.0.113.67 80 -s 53022; get ext2 203.0.113.67 80 -s 53023; pings vm7 1 203.0.113.10; get vm7 $FIP1 80 -s 53024; get vm2 203.0.113.66 80 -s 53025; }
cleanup_cloud_provider_vm() { provider_vms_gone; }

scenario cloud-unknown cloud "a port with unknown addresses: frames to unlisted MACs are flooded to it, and its MACs are learned (FDB)"
setup_cloud_unknown() { nb -- lsp-set-addresses vm2 'fa:16:3e:0a:00:12 10.1.0.12 fd01:a::12' unknown -- lsp-set-port-security vm2 -- pg-set-ports drop vm1 vm3 vm4 vm5; }
traffic_cloud_unknown() {
    craft vm1 "Ether(src=mac,dst='02:00:00:00:00:99')/IP(src='10.1.0.11',dst='10.1.0.99',id=1)/ICMP(id=7,seq=1)/b'to nobody known'"
    craft vm2 "Ether(src='02:00:00:00:00:99',dst='fa:16:3e:0a:00:11')/IP(src='10.1.0.99',dst='10.1.0.11',id=2)/UDP(sport=9,dport=5353)/b'from a new MAC'"
    sleep 1
    craft vm1 "Ether(src=mac,dst='02:00:00:00:00:99')/IP(src='10.1.0.11',dst='10.1.0.99',id=3)/ICMP(id=7,seq=2)/b'now learned'"
}

scenario cloud-flood cloud "broadcast and multicast: one copy for each member, local and over Geneve, none back to the sender"
setup_cloud_flood() { acl web to-lport 1002 'outport == @web && ip4.mcast' allow; acl web to-lport 1002 'outport == @web && ip4.dst == 255.255.255.255' allow; }
traffic_cloud_flood() {
    craft vm1 'Ether(src=mac,dst=BROADCAST)/IP(src="10.1.0.11",dst="255.255.255.255",id=1)/UDP(sport=9,dport=9)/b"broadcast"' 'Ether(src=mac,dst="01:00:5e:01:02:03")/IP(src="10.1.0.11",dst="239.1.2.3",ttl=3,id=2)/UDP(sport=9,dport=9)/b"group"' \
        'Ether(src=mac,dst=BROADCAST,type=0x88b5)/(b"odd type"*6)'
    craft ext2 'Ether(src=mac,dst=BROADCAST)/IP(src="203.0.113.50",dst="203.0.113.255",id=3)/UDP(sport=9,dport=9)/b"on the provider network"'
}

cloud_lb() { # NAME PROTOCOL VIPS [column:key=value...]: on the router and both networks
    local n=$1 p=$2 v=$3 u; shift 3
    u=$(nb create load_balancer name="$n" protocol="$p" "vips={$v}" "$@")
    nb -- add logical_router r1 load_balancer "$u" -- add logical_switch net-a load_balancer "$u" -- add logical_switch net-b load_balancer "$u"
}

scenario cloud-lb cloud "load balancer on the distributed router: from VMs on their own chassis, from outside on the gateway chassis; hairpin; UDP"
setup_cloud_lb() {
    cloud_lb web tcp '"10.1.0.200:80"="10.2.0.13:80,10.2.0.14:80","203.0.113.200:80"="10.1.0.12:80,10.2.0.14:80"' selection_fields=ip_dst,ip_src,tp_dst,tp_src
    cloud_lb dns udp '"10.1.0.201:53"="10.2.0.14:5353"'
    cloud_lb self tcp '"10.1.0.202:80"="10.1.0.12:80"'
}
traffic_cloud_lb() {
    local p
    for p in 53031 53032; do get vm1 10.1.0.200 80 -s $p; get ext2 203.0.113.200 80 -s $p; done
    udp vm2 10.1.0.201 53 -s 53033; get vm2 10.1.0.202 80 -s 53034; get vm4 10.1.0.202 80 -s 53035; get vm3 203.0.113.200 80 -s 53036 -w 1
}

scenario cloud-lb-reject cloud "load balancer without backends: reset and unreachable for VMs and for the outside"
setup_cloud_lb_reject() {
    cloud_lb none tcp '"10.1.0.203:80"="","203.0.113.203:80"="","[fd01:a::203]:80"=""' options:reject=true
    cloud_lb noneu udp '"10.1.0.203:53"="","203.0.113.203:53"=""' options:reject=true
}
traffic_cloud_lb_reject() { get vm1 10.1.0.203 80 -s 53041; get vm4 10.1.0.203 80 -s 53042; get ext2 203.0.113.203 80 -s 53043; udp vm2 10.1.0.203 53 -s 53044 -w 0.4; udp ext2 203.0.113.203 53 -s 53045 -w 0.4; get vm2 fd01:a::203 80 -s 53046; }

# gateway_at SYSTEM-ID: wait until r1's gateway is there and everyone has noticed
gateway_at() {
    local i u; u=$(sb --bare --columns=_uuid find chassis name="$1")
    for i in $(seq 1 100); do [ "$(sb --bare --columns=chassis find port_binding logical_port=cr-r1-public)" != "$u" ] || break; sleep 0.1; done
    nb --wait=hv sync; sleep 2; cloud_warm
}

scenario cloud-failover cloud "the gateway moved to the next chassis of its list: SNAT, floating IP and IPv6 through it"
setup_cloud_failover() { nb -- lrp-set-gateway-chassis r1-public $C1 30; gateway_at $C1; }
traffic_cloud_failover() { get vm2 203.0.113.50 80 -s 53051; get ext2 $FIP3 80 -s 53052; get vm1 2001:db8:113::50 80 -s 53053; get vm4 203.0.113.1 80 -s 53054; }
cleanup_cloud_failover() { nb lrp-set-gateway-chassis r1-public $C1 10; gateway_at $C3; }

scenario cloud-ha-group cloud "the gateway chosen by an HA chassis group instead of gateway chassis"
setup_cloud_ha_group() {
    nb -- lrp-del-gateway-chassis r1-public $C3 -- lrp-del-gateway-chassis r1-public $C1
    nb -- ha-chassis-group-add gw -- ha-chassis-group-add-chassis gw $C2 40 -- ha-chassis-group-add-chassis gw $C3 20
    nb set logical_router_port r1-public ha_chassis_group="$(nb --bare --columns=_uuid find ha_chassis_group name=gw)"
    gateway_at $C2
}
traffic_cloud_ha_group() { get vm4 203.0.113.50 80 -s 53061; get ext2 $FIP3 80 -s 53062; pings vm5 1 203.0.113.1; }
cleanup_cloud_ha_group() { nb -- clear logical_router_port r1-public ha_chassis_group -- lrp-set-gateway-chassis r1-public $C3 20; gateway_at $C3; }

scenario cloud-fip-stateless cloud "floating IPs of the stateless kind, distributed and centralised"
setup_cloud_fip_stateless() {
    nb lr-nat-del r1 dnat_and_snat $FIP1; nb -- --stateless lr-nat-add r1 dnat_and_snat $FIP1 10.1.0.11 vm1 $FIP1_MAC -- --stateless lr-nat-add r1 dnat_and_snat 203.0.113.104 10.2.0.14
}
traffic_cloud_fip_stateless() { get ext2 $FIP1 80 -s 53071; get ext2 203.0.113.104 80 -s 53072; pings vm1 1 203.0.113.50; get vm4 203.0.113.1 80 -s 53073; }

scenario cloud-migration cloud "a port with an additional chassis: what is sent to it arrives on both"
setup_cloud_migration() { nb lsp-set-options vm2 requested-chassis=compute-2,gateway-1; host_twin; }
host_twin() {
    netns_up vm2b; veth c3 v-vm2b vm2b eth0 1442 fa:16:3e:0a:00:12; host_sysctl vm2b; no_ip6 vm2b eth0
    vsctl c3 add-port br-int v-vm2b -- set interface v-vm2b external_ids:iface-id=vm2
    point vm2b.pcap vm2b eth0 vm2 $C3
    nb --wait=hv sync; sleep 1
}
traffic_cloud_migration() {
    craft vm1 "Ether(src=mac,dst='fa:16:3e:0a:00:12')/IP(src='10.1.0.11',dst='10.1.0.12',id=1)/UDP(sport=9,dport=5353)/b'to both'"
    craft vm4 "Ether(src=mac,dst='$R1_B_MAC')/IP(src='10.2.0.14',dst='10.1.0.12',id=2)/ICMP(id=8,seq=1)/b'routed to both'"
    pings vm2 1 10.1.0.11
}
cleanup_cloud_migration() { vsctl c3 del-port br-int v-vm2b; ip netns del rp-vm2b; nb lsp-set-options vm2; }
