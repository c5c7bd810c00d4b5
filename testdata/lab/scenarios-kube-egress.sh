# What leaves the kube topology: egress SNAT, collisions, fragments, NAT's other
# kinds, ECMP, rerouting policies.

scenario kube-egress-v6 kube "pod -> outside over IPv6 (TCP, UDP, ICMP): SNAT to the gateway router's address"
traffic_kube_egress_v6() { get pod2 fd30::1 80 -s 44001; udp pod3 fd30::9 5353 -s 44002 -n 2; pings pod4 2 fd30::1; }

scenario kube-routed kube "outside -> pod by its own address, without NAT: TCP, UDP, ICMP, IPv4 and IPv6"
traffic_kube_routed() { get ext2 10.128.1.12 80 -s 44011; udp ext1 fd00:128:1::13 5353 -s 44012; pings ext1 1 10.128.1.14; pings ext2 1 fd00:128:1::14; }

scenario kube-snat-collision kube "two pods, one source port, one destination: SNAT moves the second to another port; TCP, UDP, IPv6"
traffic_kube_snat_collision() {
    get pod2 172.30.0.1 80 -s 44021; get pod3 172.30.0.1 80 -s 44021; get pod4 172.30.0.1 80 -s 44021
    udp pod2 172.30.0.9 5353 -s 44022; udp pod3 172.30.0.9 5353 -s 44022; get pod2 fd30::1 80 -s 44023; get pod3 fd30::1 80 -s 44023
}

scenario kube-icmp-id-collision kube "two pods ping one destination with the same id"
traffic_kube_icmp_id_collision() { pings pod2 2 -e 4711 172.30.0.1; pings pod3 2 -e 4711 172.30.0.1; pings pod3 1 -e 4712 fd30::1; pings pod4 1 -e 4712 fd30::1; }

scenario kube-client-port-collision kube "two clients reach one nodePort from the same source port: the forced SNAT moves the second"
traffic_kube_client_port_collision() { get ext1 172.30.0.4 30080 -s 44031; get ext2 172.30.0.4 30080 -s 44031; udp ext1 172.30.0.4 30053 -s 44032; udp ext2 172.30.0.4 30053 -s 44032; }

scenario kube-fragments kube "fragmented UDP: egress SNAT, cluster IP, nodePort, pod to pod, IPv4 and IPv6"
# an MTU of 1400 everywhere: what a pod's port is too narrow for is lost below OVN
setup_kube_fragments() { ns ext1 ip link set eth0 mtu 1400; }
cleanup_kube_fragments() { ns ext1 ip link set eth0 mtu 1500; }
traffic_kube_fragments() {
    udp pod2 172.30.0.1 9999 -s 44041 -z 3000 -w 1; udp pod2 10.96.0.53 53 -s 44042 -z 3000 -w 1; udp ext1 172.30.0.4 30053 -s 44043 -z 3000 -w 1
    udp pod2 10.128.1.14 9999 -s 44044 -z 2000 -w 1; udp pod2 fd30::1 9999 -s 44045 -z 3000 -w 1; udp pod3 fd00:128:1::14 9999 -s 44046 -z 2000 -w 1
    pings pod4 1 -s 2000 172.30.0.1
}

scenario kube-dnat kube "plain dnat and dnat_and_snat on the gateway router, with and without --stateless"
setup_kube_dnat() {
    nb -- lr-nat-add GR_worker dnat 172.30.0.40 10.128.1.11 -- lr-nat-add GR_worker dnat_and_snat 172.30.0.41 10.128.1.12 \
       -- --stateless lr-nat-add GR_worker dnat_and_snat 172.30.0.42 10.128.1.13
}
traffic_kube_dnat() {
    get ext1 172.30.0.40 80 -s 44051; get ext1 172.30.0.41 80 -s 44052; get ext1 172.30.0.42 80 -s 44053
    get pod2 172.30.0.9 80 -s 44054; get pod3 172.30.0.9 80 -s 44055; pings ext2 1 172.30.0.41; pings ext2 1 172.30.0.42
}

scenario kube-snat-portrange kube "SNAT into a range of ports, and SNAT only for some destinations (exempted_ext_ips)"
setup_kube_snat_portrange() {
    nb create address_set name=near 'addresses="172.30.0.9"' > /dev/null
    nb -- --portrange lr-nat-add GR_worker snat 172.30.0.4 10.128.1.12 50000-50009 -- lr-nat-add GR_worker snat 172.30.0.50 10.128.1.13
    nb --is-exempted lr-nat-update-ext-ip GR_worker snat 10.128.1.13 near
}
traffic_kube_snat_portrange() {
    get pod2 172.30.0.1 80 -s 44061; get pod2 172.30.0.1 80 -s 44062; udp pod2 172.30.0.1 5353 -s 44063
    get pod3 172.30.0.1 80 -s 44064; get pod3 172.30.0.9 80 -s 44065; pings pod2 1 172.30.0.1
}

scenario kube-ecmp kube "two next hops with symmetric reply: the way out is chosen, an answer goes back the way the request came"
setup_kube_ecmp() {
    local n
    for n in ext1 ext2; do ns $n ip addr add 198.51.100.1/32 dev lo; done
    nb -- --ecmp-symmetric-reply lr-route-add GR_worker 198.51.100.0/24 172.30.0.1 rtoe-GR_worker \
       -- --ecmp-symmetric-reply lr-route-add GR_worker 198.51.100.0/24 172.30.0.9 rtoe-GR_worker
}
traffic_kube_ecmp() {
    local p
    for p in 44071 44072 44073 44074; do get pod2 198.51.100.1 80 -s $p; done
    get ext2 10.128.1.13 80 -b 198.51.100.1 -s 44075; get ext1 10.128.1.14 80 -b 198.51.100.1 -s 44076
    get ext2 172.30.0.4 30080 -b 198.51.100.1 -s 44077; pings ext2 2 -I 198.51.100.1 10.128.1.14
}
cleanup_kube_ecmp() { local n; for n in ext1 ext2; do ns $n ip addr del 198.51.100.1/32 dev lo; done; }

scenario kube-policy-reroute kube "router policies: rerouted to the node itself, to one of two next hops, dropped"
setup_kube_policy_reroute() {
    ns mgmt ip addr add 172.30.0.4/32 dev lo
    ns pod4 ip addr add 192.0.2.80/32 dev lo; ns pod3 ip addr add 192.0.2.80/32 dev lo
    nb -- lr-policy-add cluster_router 500 'ip4.dst == 192.0.2.80' reroute 10.128.1.13,10.128.1.14 \
       -- lr-policy-add cluster_router 501 'ip4.dst == 192.0.2.81' drop
    local p
    for p in pod3 pod4; do nb lsp-set-port-security default_$p; done
}
traffic_kube_policy_reroute() {
    local p
    get pod2 172.30.0.4 80 -s 44081
    for p in 44082 44083 44084; do get pod2 192.0.2.80 80 -s $p; done
    get pod2 192.0.2.81 80 -s 44085 -w 0.5
}
cleanup_kube_policy_reroute() { ns mgmt ip addr del 172.30.0.4/32 dev lo; ns pod4 ip addr del 192.0.2.80/32 dev lo; ns pod3 ip addr del 192.0.2.80/32 dev lo; }
