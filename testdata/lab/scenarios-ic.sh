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

scenario ic-az ic "availability zones that ovn-ic itself joins: its transit switch, ports and chassis, IPv4 and IPv6"
# ovn-ic takes transit switches that it does not know away: what the zones had by hand is gone until they are built anew
setup_ic_az() {
    local i o
    ovsdb "$RUN" icnb /usr/share/ovn/ovn-ic-nb.ovsschema; ovsdb "$RUN" icsb /usr/share/ovn/ovn-ic-sb.ovsschema
    ovn-ic-nbctl --db="unix:$RUN/icnb.sock" ts-add ts1
    each_zone ic_az_up
    for i in $IC_NODES; do in_zone node$i ic_az_until 'ls-list' ts1; in_zone node$i ic_az_router $i; done
    for i in $IC_NODES; do
        for o in $IC_NODES; do [ $o = $i ] || in_zone node$i ic_az_until 'lsp-list ts1' ts1-node$o; done
    done
    for i in $IC_NODES; do in_zone node$i ic_az_routes $i; done
    each_zone nb --wait=hv sync; sleep 2
    for i in 2 3; do ns pod1 ping -q -c2 -W1 10.244.$i.5 || true; ns pod1 ping -q -c2 -W1 fd00:10:244:$i::5 || true; done > /dev/null
}
ic_az_up() {
    (cd "$CENTRAL" && daemon "$CENTRAL" ovn-ic ovn-ic --ovnnb-db="$OVN_NB_DB" --ovnsb-db="$OVN_SB_DB" \
        --ic-nb-db="unix:$RUN/icnb.sock" --ic-sb-db="unix:$RUN/icsb.sock" --unixctl="$CENTRAL/ovn-ic.ctl")
}
ic_az_until() { # COMMAND WORD: until it says WORD
    local k
    for k in $(seq 1 100); do ! nb $1 | grep -qw -- "$2" || return 0; sleep 0.1; done
    die "ovn-ic has not made $2"
}
ic_az_router() { # N
    nb -- lrp-add ovn_cluster_router ts1-r$1 "$(ic_mac 64:64:64 $1)" 169.254.100.$1/24 fd99::$1/64 \
       -- lrp-set-gateway-chassis ts1-r$1 "$(ic_id $1)" 1 \
       -- lsp-add ts1 ts1-node$1 -- lsp-set-type ts1-node$1 router -- lsp-set-addresses ts1-node$1 router \
       -- lsp-set-options ts1-node$1 router-port=ts1-r$1
}
ic_az_routes() { # N
    local o
    for o in $IC_NODES; do
        [ $o != $1 ] || continue
        nb -- --if-exists lr-route-del ovn_cluster_router 10.244.$o.0/24 -- --if-exists lr-route-del ovn_cluster_router fd00:10:244:$o::/64
        nb -- lr-route-add ovn_cluster_router 10.244.$o.0/24 169.254.100.$o -- lr-route-add ovn_cluster_router fd00:10:244:$o::/64 fd99::$o
    done
}
traffic_ic_az() {
    get pod1 10.244.3.5 8080 -s 45301; get pod2 fd00:10:244:1::5 8080 -s 45302; udp pod3 10.244.1.5 9999 -s 45303
    get pod1 10.96.0.10 80 -s 45304; pings pod1 2 10.244.2.5; pings pod3 1 fd00:10:244:2::5; get ext 172.18.0.3 30080 -s 45305
}
cleanup_ic_az() {
    local z f
    for z in $ZONES; do stop_pidfile "$RUN/zone-$z/ovn-ic.pid"; done
    for f in icnb icsb; do stop_pidfile "$RUN/ovsdb-$f.pid"; done
    rm -f "$RUN/topology"
}

scenario ic-lacking ic "what one zone lacks of another: node1 the port of node2 on the transit switch, node2 a route to node3, node3 the chassis of node1"
setup_ic_lacking() {
    in_zone node1 nb lsp-del tstor-node2
    in_zone node2 nb -- lr-route-del ovn_cluster_router 10.244.3.0/24 -- lr-route-del ovn_cluster_router fd00:10:244:3::/64
    in_zone node3 sb chassis-del "$(ic_id 1)"
    each_zone nb --wait=hv sync; sleep 2
}
traffic_ic_lacking() {
    udp pod1 10.244.2.5 9999 -s 45401 -w 1; udp pod2 10.244.3.5 9999 -s 45402 -w 1; udp pod3 10.244.1.5 9999 -s 45403 -w 1
    udp pod1 10.244.3.5 9999 -s 45404 -w 1; udp pod3 10.244.2.5 9999 -s 45405 -w 1
}
cleanup_ic_lacking() { rm -f "$RUN/topology"; }

scenario ic-changes ic "zones that change while they are recorded: node1 loses and gets back its route to node2, node3 drops a port by an ACL"
setup_ic_changes() { KEEP=history; }
traffic_ic_changes() {
    udp pod1 10.244.2.5 9999 -s 45501 -w 0.5; udp pod1 10.244.3.5 9999 -s 45502 -w 0.5
    in_zone node1 nb --wait=hv lr-route-del ovn_cluster_router 10.244.2.0/24
    in_zone node3 nb --wait=hv acl-add node3 to-lport 1001 'outport == "pod3" && udp.dst == 9999' drop
    sleep 1
    udp pod1 10.244.2.5 9999 -s 45503 -w 0.5; udp pod1 10.244.3.5 9999 -s 45504 -w 0.5
    in_zone node1 nb --wait=hv lr-route-add ovn_cluster_router 10.244.2.0/24 100.88.0.3
    sleep 1
    udp pod1 10.244.2.5 9999 -s 45505 -w 0.5
}

scenario ic-egress-moves ic "an egress IP that moves from node2 to node3 while it is used, dual stack; nodePorts that stay on their node beside it (externalTrafficPolicy local)"
setup_ic_egress_moves() { setup_ic_egress_ip; KEEP=history; }
ic_egress_at() { # NODE NUMBER NODE: where pod1 has its addresses outside from now on, and had them
    in_zone $3 nb -- lr-nat-del GR_$3 snat 10.244.1.5 -- lr-nat-del GR_$3 snat fd00:10:244:1::5 \
        -- --policy=src-ip lr-route-del ovn_cluster_router 10.244.1.5/32 -- --policy=src-ip lr-route-del ovn_cluster_router fd00:10:244:1::5/128
    in_zone $1 nb -- --policy=src-ip lr-route-add ovn_cluster_router 10.244.1.5/32 100.64.0.$2 \
        -- --policy=src-ip lr-route-add ovn_cluster_router fd00:10:244:1::5/128 fd98::$2 \
        -- lr-nat-add GR_$1 snat 172.18.0.50 10.244.1.5 -- lr-nat-add GR_$1 snat fd18::50 fd00:10:244:1::5
    in_zone node1 nb lr-policy-del ovn_cluster_router 100
    in_zone node1 nb -- lr-policy-add ovn_cluster_router 100 'ip4.src == 10.244.1.5' reroute 100.88.0.$2 \
        -- lr-policy-add ovn_cluster_router 100 'ip6.src == fd00:10:244:1::5' reroute fd97::$2
    each_zone nb --wait=hv sync; sleep 1
}
traffic_ic_egress_moves() {
    get pod1 172.18.0.1 80 -s 45601; udp pod1 172.18.0.1 5353 -s 45602; get pod1 fd18::1 80 -s 45603
    get ext 172.18.0.5 30081 -s 45604; get ext fd18::4 30081 -s 45605
    ic_egress_at node3 4 node2
    udp pod1 172.18.0.1 5353 -s 45602; get pod1 172.18.0.1 80 -s 45606; get pod1 fd18::1 80 -s 45607; pings pod1 1 172.18.0.1
    get ext 172.18.0.5 30081 -s 45608; get ext fd18::4 30081 -s 45609; get pod2 172.18.0.5 30081 -s 45610
}
cleanup_ic_egress_moves() { rm -f "$RUN/topology"; }
