# Other routers beside the distributed one: a gateway router on one chassis with a
# network without ACLs, policies, IPv6 NAT, load balancers in front of floating IPs.

scenario cloud-gateway-router cloud "a gateway router on c1 for a network without security groups: from c2 to the outside, back, to the other router's floating IP, load balanced"
setup_cloud_gateway_router() {
    nb -- lr-add r2 -- set logical_router r2 options:chassis=$C1 options:lb_force_snat_ip=router_ip -- ls-add net-c
    nb -- lrp-add r2 r2-net-c fa:16:3e:aa:0c:01 10.3.0.1/24 fd01:c::1/64 -- lsp-add net-c net-c-r2 -- lsp-set-type net-c-r2 router -- lsp-set-addresses net-c-r2 router -- lsp-set-options net-c-r2 router-port=r2-net-c \
       -- lrp-add r2 r2-public fa:16:3e:aa:99:20 203.0.113.20/24 -- lsp-add public public-r2 -- lsp-set-type public-r2 router -- lsp-set-addresses public-r2 router -- lsp-set-options public-r2 router-port=r2-public \
       -- lr-route-add r2 0.0.0.0/0 203.0.113.1 -- lr-nat-add r2 snat 203.0.113.20 10.3.0.0/24 -- lr-nat-add r2 dnat_and_snat 203.0.113.120 10.3.0.8 \
       -- lsp-add net-c vm8 -- lsp-set-addresses vm8 'fa:16:3e:0c:00:08 10.3.0.8 fd01:c::8' -- lsp-add net-c vm9 -- lsp-set-addresses vm9 'fa:16:3e:0c:00:09 10.3.0.9'
    nb -- --id=@lb create load_balancer name=r2 protocol=tcp 'vips={"203.0.113.121:80"="10.3.0.8:80","10.3.0.100:80"="10.3.0.9:80"}' -- add logical_router r2 load_balancer @lb > /dev/null
    local n
    for n in 8 9; do
        host_up vm$n fa:16:3e:0c:00:0$n 1442 c$((n - 6 < 3 ? 2 : 1)) vm$n; addr vm$n 10.3.0.$n/24; ns vm$n ip route add default via 10.3.0.1; serve vm$n
    done
    point vm8.pcap vm8 eth0 vm8 $C2; point vm9.pcap vm9 eth0 vm9 $C1
    nb --wait=hv sync; sleep 1
    for n in 8 9; do ns vm$n ping -q -c2 -i0.3 -W1 203.0.113.1 > /dev/null || true; ns vm$n ping -q -c2 -i0.3 -W1 203.0.113.50 > /dev/null || true; ns vm$n ping -q -c1 -W1 $FIP1 > /dev/null || true; done
}
traffic_cloud_gateway_router() {
    get vm9 203.0.113.50 80 -s 56001; get vm8 203.0.113.1 80 -s 56002; get ext2 203.0.113.120 80 -s 56003; get vm8 $FIP1 80 -s 56004; get ext2 203.0.113.121 80 -s 56005; get vm8 10.3.0.9 80 -s 56006; udp vm9 10.3.0.1 9999 -s 56007 -t 1 -w 0.3
}
cleanup_cloud_gateway_router() {
    vsctl c2 del-port br-int v-vm8; vsctl c1 del-port br-int v-vm9
    local n; for n in 8 9; do stop_pidfile "$RUN/serve-vm$n.pid"; ip netns del rp-vm$n; done
}

scenario cloud-lb-fip cloud "a load balancer on the gateway whose backend has a distributed floating IP, and one whose backend has a centralised one"
setup_cloud_lb_fip() { cloud_lb fronted tcp '"203.0.113.205:80"="10.1.0.11:80","203.0.113.206:80"="10.2.0.13:80"'; }
traffic_cloud_lb_fip() { get ext2 203.0.113.205 80 -s 56011 -w 1; get ext2 203.0.113.206 80 -s 56012 -w 1; get vm4 203.0.113.206 80 -s 56013 -w 1; }

scenario cloud-nat-v6 cloud "IPv6 NAT on the distributed router: SNAT and floating IPs of both kinds"
setup_cloud_nat_v6() {
    nb -- lr-nat-add r1 snat 2001:db8:113::10 fd01:a::/64 -- lr-nat-add r1 dnat_and_snat 2001:db8:113::101 fd01:a::11 vm1 fa:16:3e:f1:01:06 -- lr-nat-add r1 dnat_and_snat 2001:db8:113::103 fd01:b::13
    nb --wait=hv sync; sleep 1; ns ext2 ping -q -c1 -W1 2001:db8:113::101 > /dev/null || true; ns ext2 ping -q -c1 -W1 2001:db8:113::103 > /dev/null || true
}
traffic_cloud_nat_v6() {
    get vm2 2001:db8:113::50 80 -s 56021; get ext2 2001:db8:113::101 80 -s 56022; get ext2 2001:db8:113::103 80 -s 56023; get vm1 2001:db8:113::50 80 -s 56024; pings vm3 1 2001:db8:113::50
    udp vm2 2001:db8:113::50 7777 -s 56025 -w 0.4
}

scenario cloud-policies cloud "routes that discard, routes by source, policies that reroute through a VM, drop and mark"
setup_cloud_policies() {
    nb -- lr-route-add r1 192.0.2.0/24 discard -- --policy=src-ip lr-route-add r1 10.2.0.15/32 203.0.113.50 \
       -- lr-policy-add r1 100 'ip4.src == 10.1.0.12 && ip4.dst == 198.51.100.0/24' reroute 10.2.0.14 -- lr-policy-add r1 90 'ip4.src == 10.1.0.11 && udp.dst == 5353' drop \
       -- lr-policy-add r1 80 'ip4.src == 10.1.0.11 && ip4.dst == 10.2.0.14' allow pkt_mark=77
}
traffic_cloud_policies() { udp vm2 192.0.2.7 9999 -s 56031 -w 0.3; udp vm5 203.0.113.1 5353 -s 56032 -w 0.4; udp vm2 198.51.100.9 9999 -s 56033 -w 0.3; udp vm1 10.2.0.14 5353 -s 56034 -w 0.3; get vm1 10.2.0.14 80 -s 56035; }   # on one chassis: OVS routes a marked tunnel packet by its mark
