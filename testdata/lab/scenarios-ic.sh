# Zones that are connected: each has its databases, and questions cross them.

scenario ic-pods ic "three zones: pod to pod over the transit switch, cluster IPs with backends on other nodes, out of each node; IPv4 and IPv6"
traffic_ic_pods() {
    get pod1 10.244.3.5 8080 -s 45001; get pod2 fd00:10:244:1::5 8080 -s 45002; udp pod3 10.244.1.5 9999 -s 45003
    get pod1 10.96.0.10 80 -s 45004; get pod2 fd96::10 80 -s 45005; udp pod1 10.96.0.53 53 -s 45006; udp pod3 fd96::53 53 -s 45007
    get pod1 10.96.0.11 80 -s 45008; get pod1 10.96.0.11 80 -s 45009; get pod2 10.96.0.11 80 -s 45010
    pings pod1 2 10.244.2.5; pings pod3 1 fd00:10:244:2::5; get pod2 172.18.0.1 80 -s 45011; get pod3 fd18::1 80 -s 45012; pings pod1 1 172.18.0.1
    get pod1 10.244.2.5 81 -s 45013
}

scenario ic-nodeport ic "nodePort on one node to a pod on another and its reply (externalTrafficPolicy cluster), and where it stays on the node (local), answered or rejected"
traffic_ic_nodeport() {
    local i
    for i in 3 4 5; do
        get ext 172.18.0.$i 30080 -s 4510$i; get ext fd18::$i 30080 -s 4511$i
        get ext 172.18.0.$i 30081 -s 4512$i; get ext fd18::$i 30081 -s 4513$i
    done
    get pod1 172.18.0.4 30080 -s 45141; get pod2 172.18.0.5 30081 -s 45142; get pod1 fd18::5 30080 -s 45143
}

scenario ic-egress-ip ic "egress IP: a pod's way out is another node, where it gets an address of its own; IPv4 and IPv6"
# node2 is the egress node of pod1: node1 sends it over the transit switch, node2 to its gateway router
setup_ic_egress_ip() {
    local out4='ip4.src == 10.244.1.5' out6='ip6.src == fd00:10:244:1::5' in4='ip4.dst == {10.244.0.0/16, 100.64.0.0/16}'
    in_zone node1 nb -- lr-policy-add ovn_cluster_router 102 "ip4.src == 10.244.0.0/16 && $in4" allow \
        -- lr-policy-add ovn_cluster_router 102 'ip6.src == fd00:10:244::/48 && ip6.dst == {fd00:10:244::/48, fd98::/64}' allow \
        -- lr-policy-add ovn_cluster_router 100 "$out4" reroute 100.88.0.3 \
        -- lr-policy-add ovn_cluster_router 100 "$out6" reroute fd97::3
    in_zone node2 nb -- --policy=src-ip lr-route-add ovn_cluster_router 10.244.1.5/32 100.64.0.3 \
        -- --policy=src-ip lr-route-add ovn_cluster_router fd00:10:244:1::5/128 fd98::3 \
        -- lr-nat-add GR_node2 snat 172.18.0.50 10.244.1.5 -- lr-nat-add GR_node2 snat fd18::50 fd00:10:244:1::5
    each_zone nb --wait=hv sync
    ns pod1 ping -q -c1 -W1 172.18.0.1 > /dev/null || true; ns pod1 ping -q -c1 -W1 fd18::1 > /dev/null || true
}
traffic_ic_egress_ip() {
    get pod1 172.18.0.1 80 -s 45201; udp pod1 172.18.0.1 5353 -s 45202 -n 2; pings pod1 2 172.18.0.1
    get pod1 fd18::1 80 -s 45203; pings pod1 1 fd18::1; get pod1 10.244.3.5 8080 -s 45204; get pod2 172.18.0.1 80 -s 45205
    get pod1 172.18.0.5 30080 -s 45206
}
