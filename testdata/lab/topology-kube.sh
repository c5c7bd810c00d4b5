# topology-kube.sh: one node as ovn-kubernetes lays it out, dual stack.
#
#   pods -- node switch "worker" -- cluster_router -- "join" -- GR_worker -- "ext_worker" -- localnet
#
# The gateway router force-SNATs load-balanced traffic (lb_force_snat_ip=router_ip),
# keeps its SNAT in the host's zone 0 (snat-ct-zone=0) and SNATs the pods' egress.

K_NODE=6b1f9b4e-5f1c-4f0e-8a53-0d5a1f7c2a01
# name | mac | address digit(s)
K_PODS="pod1|0a:58:0a:80:01:0b|11
pod2|0a:58:0a:80:01:0c|12
pod3|0a:58:0a:80:01:0d|13
pod4|0a:58:0a:80:01:0e|14"
K_MGMT_MAC=0a:58:0a:80:01:02
K_MAC=0a:58:0a:80:01:01          # the node switch's router
K_GR_MAC=02:42:ac:1e:00:04       # the gateway router, outside
K_EXT1_MAC=02:42:ac:1e:00:01 K_EXT2_MAC=02:42:ac:1e:00:09

kube_points() {
    CHASSIS="node|$K_NODE"
    HOSTS="ext1 ext2 pod1 pod2 pod3 pod4 mgmt"
    point wire.pcap node prov0 breth0_worker $K_NODE
    local p
    for p in pod1 pod2 pod3 pod4; do point "$p.pcap" "$p" eth0 "default_$p" $K_NODE; done
    point mgmt.pcap mgmt eth0 k8s-worker $K_NODE
}

kube_build() {
    central_up
    kube_network
    phys_up
    chassis_up node $K_NODE worker 10.90.0.14 physnet breth0
    kube_hosts
    kube_services
}

kube_network() {
    nb -- set nb_global . options:mac_prefix=0a:58:00
    nb -- lr-add cluster_router -- set logical_router cluster_router options:mcast_relay=false \
       -- ls-add join -- ls-add worker -- set logical_switch worker other_config:subnet=10.128.1.0/24 \
       -- lrp-add cluster_router rtoj-cluster_router 0a:58:64:40:00:01 100.64.0.1/16 fd98::1/64 \
       -- lsp-add join jtor-cluster_router -- lsp-set-type jtor-cluster_router router -- lsp-set-addresses jtor-cluster_router router \
       -- lsp-set-options jtor-cluster_router router-port=rtoj-cluster_router \
       -- lrp-add cluster_router rtos-worker $K_MAC 10.128.1.1/24 fd00:128:1::1/64 \
       -- lrp-set-gateway-chassis rtos-worker $K_NODE 1 \
       -- lsp-add worker stor-worker -- lsp-set-type stor-worker router -- lsp-set-addresses stor-worker router \
       -- lsp-set-options stor-worker router-port=rtos-worker
    nb -- lsp-add worker k8s-worker -- lsp-set-addresses k8s-worker "$K_MGMT_MAC 10.128.1.2 fd00:128:1::2" \
       -- acl-add worker to-lport 1001 'ip4.src==10.128.1.2' allow-related \
       -- acl-add worker to-lport 1001 'ip6.src==fd00:128:1::2' allow-related
    kube_gateway
    local name mac n
    while IFS='|' read -r name mac n; do
        nb -- lsp-add worker "default_$name" -- lsp-set-addresses "default_$name" "$mac 10.128.1.$n fd00:128:1::$n" \
           -- lsp-set-port-security "default_$name" "$mac 10.128.1.$n fd00:128:1::$n" \
           -- set logical_switch_port "default_$name" external_ids:namespace=default external_ids:pod=true
    done <<< "$K_PODS"
}

kube_gateway() {
    nb -- lr-add GR_worker -- set logical_router GR_worker options:chassis=$K_NODE options:lb_force_snat_ip=router_ip \
            options:snat-ct-zone=0 options:always_learn_from_arp_request=false options:dynamic_neigh_routers=true \
       -- lrp-add GR_worker rtoj-GR_worker 0a:58:64:40:00:03 100.64.0.3/16 fd98::3/64 \
       -- lsp-add join jtor-GR_worker -- lsp-set-type jtor-GR_worker router -- lsp-set-addresses jtor-GR_worker router \
       -- lsp-set-options jtor-GR_worker router-port=rtoj-GR_worker \
       -- ls-add ext_worker -- lsp-add ext_worker breth0_worker -- lsp-set-type breth0_worker localnet \
       -- lsp-set-addresses breth0_worker unknown -- lsp-set-options breth0_worker network_name=physnet \
       -- lrp-add GR_worker rtoe-GR_worker $K_GR_MAC 172.30.0.4/16 fd30::4/64 \
       -- lsp-add ext_worker etor-GR_worker -- lsp-set-type etor-GR_worker router -- lsp-set-addresses etor-GR_worker $K_GR_MAC \
       -- lsp-set-options etor-GR_worker router-port=rtoe-GR_worker
    nb -- lr-route-add GR_worker 10.128.0.0/16 100.64.0.1 -- lr-route-add GR_worker fd00:128::/32 fd98::1 \
       -- lr-route-add GR_worker 0.0.0.0/0 172.30.0.1 rtoe-GR_worker -- lr-route-add GR_worker ::/0 fd30::1 rtoe-GR_worker \
       -- lr-route-add cluster_router 100.64.0.3 100.64.0.3 -- lr-route-add cluster_router fd98::3 fd98::3 \
       -- --policy=src-ip lr-route-add cluster_router 10.128.1.0/24 100.64.0.3 \
       -- --policy=src-ip lr-route-add cluster_router fd00:128:1::/64 fd98::3 \
       -- lr-nat-add GR_worker snat 172.30.0.4 10.128.0.0/16 -- lr-nat-add GR_worker snat fd30::4 fd00:128::/32 \
       -- lr-policy-add cluster_router 1004 'inport == "rtos-worker" && ip4.dst == 172.30.0.4 /* worker */' reroute 10.128.1.2 \
       -- lr-policy-add cluster_router 101 'ip4.src == 10.128.0.0/16 && ip4.dst == 10.128.0.0/16' allow \
       -- lr-policy-add cluster_router 101 'ip6.src == fd00:128::/32 && ip6.dst == fd00:128::/32' allow \
       -- lr-policy-add cluster_router 101 'ip4.src == 10.128.0.0/16 && ip4.dst == 100.64.0.0/16' allow
}

kube_hosts() {
    local name mac n
    outside_up ext1 $K_EXT1_MAC; addr ext1 172.30.0.1/16 fd30::1/64
    outside_up ext2 $K_EXT2_MAC; addr ext2 172.30.0.9/16 fd30::9/64
    for name in ext1 ext2; do
        ns $name ip route add 10.128.0.0/16 via 172.30.0.4; ns $name ip route add 10.96.0.0/16 via 172.30.0.4
        ns $name ip -6 route add fd00:128::/32 via fd30::4; ns $name ip -6 route add fd96::/64 via fd30::4
    done
    while IFS='|' read -r name mac n; do
        host_up "$name" "$mac" 1400 node "default_$name"
        addr "$name" "10.128.1.$n/24" "fd00:128:1::$n/64"
    done <<< "$K_PODS"
    host_up mgmt $K_MGMT_MAC 1400 node k8s-worker; addr mgmt 10.128.1.2/24 fd00:128:1::2/64
    for name in pod1 pod2 pod3 pod4 mgmt; do
        ns $name ip route add default via 10.128.1.1; ns $name ip -6 route add default via fd00:128:1::1
    done
    for name in ext1 ext2 pod1 pod2 pod3 pod4 mgmt; do serve $name; done
}

# service NAME PROTOCOL VIP=BACKENDS... [-- column:key=value...]: on the node's switch and gateway router
service() {
    local name=$1 proto=$2 vips= u
    shift 2
    while [ $# -gt 0 ] && [ "$1" != -- ]; do vips+="${vips:+,}\"${1%%=*}\"=\"${1#*=}\""; shift; done
    [ $# -eq 0 ] || shift
    u=$(nb create load_balancer "name=$name" "protocol=$proto" "vips={$vips}" "$@")
    nb -- add logical_switch worker load_balancer "$u" -- add logical_router GR_worker load_balancer "$u"
}

kube_services() {
    service web tcp 10.96.0.10:80=10.128.1.11:80 172.30.0.4:30080=10.128.1.11:80 \
        '[fd96::10]:80=[fd00:128:1::11]:80' '[fd30::4]:30080=[fd00:128:1::11]:80' -- options:reject=true
    service dns udp 10.96.0.53:53=10.128.1.13:5353 172.30.0.4:30053=10.128.1.13:5353 \
        '[fd96::53]:53=[fd00:128:1::13]:5353' '[fd30::4]:30053=[fd00:128:1::13]:5353' -- options:reject=true
}

kube_warm() {
    local n x ok=
    for n in $(seq 1 60); do
        if ns pod1 ping -q -c1 -W1 172.30.0.1 && ns pod1 ping -q -c1 -W1 fd30::1; then ok=yes; break; fi
    done > /dev/null 2>&1
    [ -n "$ok" ] || die "kube: no way from a pod to the outside (see $RUN/*/*.log)"
    for n in pod1 pod2 pod3 pod4 mgmt; do
        for x in 172.30.0.1 172.30.0.9 fd30::1 fd30::9; do ns $n ping -q -c1 -W1 $x > /dev/null 2>&1 || true; done &
    done
    for n in ext1 ext2; do
        for x in 172.30.0.4 10.128.1.11 10.128.1.12 10.128.1.13 10.128.1.14 fd30::4 fd00:128:1::11 fd00:128:1::13; do
            ns $n ping -q -c1 -W1 $x > /dev/null 2>&1 || true
        done &
    done
    wait
    nb --wait=hv sync
}
