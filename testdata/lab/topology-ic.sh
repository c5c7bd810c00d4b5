# topology-ic.sh: three nodes as OVN-Kubernetes lays them out with interconnection: a zone
# a node, each with its databases, northd and chassis; dual stack.
#
#   podN -- nodeN -- ovn_cluster_router -- join -- GR_nodeN -- ext_nodeN -- localnet
#                         |
#                   transit_switch, the others' ports on it remote
#
# A zone knows of the others only their chassis, their ports on the transit switch and the
# routes that lead there.

IC_NODES="1 2 3"
ic_id()  { echo "7c1f5a1c-9a0e-4f5b-8a43-10c1a000000$1"; }
ic_mac() { printf '0a:58:%s:%02x' "$1" "$2"; }

ic_points() {
    ZONES="" CHASSIS="" HOSTS="ext"
    local i
    for i in $IC_NODES; do
        ZONES+="${ZONES:+ }node$i"; HOSTS+=" pod$i"
        CHASSIS+="${CHASSIS:+$'\n'}node$i|$(ic_id $i)"
    done
    for i in $IC_NODES; do
        point "pod$i.pcap" "pod$i" eth0 "pod$i" "$(ic_id $i)"
        point "wire$i.pcap" "node$i" prov0 "br-ex_node$i" "$(ic_id $i)"
        underlay "underlay$i.pcap" "node$i" ul0 "$(ic_id $i)"
    done
}

ic_build() {
    each_zone central_up
    phys_up
    local i
    for i in $IC_NODES; do in_zone node$i ic_node_up $i; done
    for i in $IC_NODES; do in_zone node$i ic_network $i; done
    outside_up ext 02:42:7a:79:82:ca; addr ext 172.18.0.1/16 fd18::1/64
    for i in $IC_NODES; do ic_host $i; done
    each_zone nb --wait=hv sync
    for i in $IC_NODES; do in_zone node$i ic_bind_remote $i; done
    serve ext
}

ic_node_up() { # N
    chassis_up node$1 "$(ic_id $1)" node$1 10.90.0.1$1 physnet br-ex
    vsctl node$1 set open_vswitch . external_ids:ovn-is-interconn=true
}

# lrp ROUTER PORT SWITCH MAC ADDRESS...: a port of ROUTER on SWITCH, the switch's end called after it
ic_router_port() {
    local router=$1 port=$2 switch=$3 mac=$4; shift 4
    nb -- lrp-add "$router" "$port" "$mac" "$@" -- lsp-add "$switch" "to-$port" -- lsp-set-type "to-$port" router \
       -- lsp-set-addresses "to-$port" router -- lsp-set-options "to-$port" router-port="$port"
}

ic_network() { # N
    local i=$1 o
    nb -- set nb_global . name=node$i options:name=node$i options:mac_prefix=0a:58:0$i \
       -- lr-add ovn_cluster_router -- ls-add node$i -- ls-add join -- ls-add transit_switch \
       -- set logical_switch transit_switch other_config:interconn-ts=transit_switch other_config:requested-tnl-key=16711683
    ic_router_port ovn_cluster_router rtos-node$i node$i "$(ic_mac 0a:f4:0$i 1)" 10.244.$i.1/24 fd00:10:244:$i::1/64
    ic_router_port ovn_cluster_router rtoj-ovn_cluster_router join "$(ic_mac 64:40:00 1)" 100.64.0.1/16 fd98::1/64
    nb -- lrp-add ovn_cluster_router rtots-node$i "$(ic_mac 64:58:00 $((i+1)))" 100.88.0.$((i+1))/16 fd97::$((i+1))/64 \
       -- lsp-add transit_switch tstor-node$i -- lsp-set-type tstor-node$i router -- lsp-set-addresses tstor-node$i router \
       -- lsp-set-options tstor-node$i router-port=rtots-node$i requested-tnl-key=$((i+1))
    ic_gateway $i
    for o in $IC_NODES; do [ $o = $i ] || ic_remote $o; done
    nb -- lsp-add node$i pod$i -- lsp-set-addresses pod$i "$(ic_mac 0a:f4:0$i 5) 10.244.$i.5 fd00:10:244:$i::5"
    ic_services $i
}

ic_gateway() { # N
    local i=$1 gr=GR_node$1
    nb -- lr-add $gr -- ls-add ext_node$i \
       -- set logical_router $gr options:chassis="$(ic_id $i)" options:lb_force_snat_ip=router_ip options:snat-ct-zone=0 \
          options:always_learn_from_arp_request=false options:dynamic_neigh_routers=true
    ic_router_port $gr rtoj-$gr join "$(ic_mac 64:40:00 $((i+1)))" 100.64.0.$((i+1))/16 fd98::$((i+1))/64
    ic_router_port $gr rtoe-$gr ext_node$i 02:42:ac:12:00:0$((i+2)) 172.18.0.$((i+2))/16 fd18::$((i+2))/64
    nb -- lsp-add ext_node$i br-ex_node$i -- lsp-set-type br-ex_node$i localnet -- lsp-set-addresses br-ex_node$i unknown \
       -- lsp-set-options br-ex_node$i network_name=physnet \
       -- lr-route-add $gr 10.244.0.0/16 100.64.0.1 -- lr-route-add $gr fd00:10:244::/48 fd98::1 \
       -- lr-route-add $gr 0.0.0.0/0 172.18.0.1 rtoe-$gr -- lr-route-add $gr ::/0 fd18::1 rtoe-$gr \
       -- --policy=src-ip lr-route-add ovn_cluster_router 10.244.$i.0/24 100.64.0.$((i+1)) \
       -- --policy=src-ip lr-route-add ovn_cluster_router fd00:10:244:$i::/64 fd98::$((i+1)) \
       -- lr-route-add ovn_cluster_router 100.64.0.$((i+1))/32 100.64.0.$((i+1)) \
       -- lr-route-add ovn_cluster_router fd98::$((i+1))/128 fd98::$((i+1)) \
       -- lr-nat-add $gr snat 172.18.0.$((i+2)) 10.244.$i.0/24 -- lr-nat-add $gr snat fd18::$((i+2)) fd00:10:244:$i::/64
}

ic_remote() { # N: what the zone knows of node N
    local o=$1
    sb chassis-add "$(ic_id $o)" geneve 10.90.0.1$o -- set chassis "$(ic_id $o)" hostname=node$o other_config:is-remote=true
    nb -- lsp-add transit_switch tstor-node$o -- lsp-set-type tstor-node$o remote \
       -- lsp-set-addresses tstor-node$o "$(ic_mac 64:58:00 $((o+1))) 100.88.0.$((o+1))/16 fd97::$((o+1))/64" \
       -- lsp-set-options tstor-node$o requested-tnl-key=$((o+1)) requested-chassis="$(ic_id $o)" \
       -- lr-route-add ovn_cluster_router 10.244.$o.0/24 100.88.0.$((o+1)) \
       -- lr-route-add ovn_cluster_router fd00:10:244:$o::/64 fd97::$((o+1)) \
       -- lr-route-add ovn_cluster_router 100.64.0.$((o+1))/32 100.88.0.$((o+1)) \
       -- lr-route-add ovn_cluster_router fd98::$((o+1))/128 fd97::$((o+1))
}
ic_bind_remote() { # N: as OVN-Kubernetes leaves them: bound to the chassis that has them
    local o
    for o in $IC_NODES; do [ $o = $1 ] || sb --may-exist lsp-bind tstor-node$o "$(ic_id $o)"; done
    nb --wait=hv sync
}

# service NAME PROTOCOL VIP=BACKENDS... [-- column:key=value...]: of the zone of node N, on its switch and
# gateway router (both), or on one of them
ic_service() { # N switch|gateway|both NAME PROTOCOL VIP=BACKENDS...
    local i=$1 where=$2 name=$3 proto=$4 vips= u
    shift 4
    while [ $# -gt 0 ] && [ "$1" != -- ]; do vips+="${vips:+,}\"${1%%=*}\"=\"${1#*=}\""; shift; done
    [ $# -eq 0 ] || shift
    u=$(nb create load_balancer "name=$name" "protocol=$proto" "vips={$vips}" "$@")
    [ $where = gateway ] || nb add logical_switch node$i load_balancer "$u"
    [ $where = switch ] || nb add logical_router GR_node$i load_balancer "$u"
}

# the cluster's service: its address everywhere, its nodePort to all backends (cluster) and one that
# keeps to the node's own backends and the client's address (local), empty where there are none
ic_services() { # N
    local i=$1 r="options:reject=true"
    ic_service $i both web tcp 10.96.0.10:80=10.244.3.5:8080 '[fd96::10]:80=[fd00:10:244:3::5]:8080' -- $r
    ic_service $i switch pair tcp 10.96.0.11:80=10.244.2.5:8080,10.244.3.5:8080 -- $r
    ic_service $i both dns udp 10.96.0.53:53=10.244.2.5:5353 '[fd96::53]:53=[fd00:10:244:2::5]:5353' -- $r
    ic_service $i gateway web-node tcp 172.18.0.$((i+2)):30080=10.244.3.5:8080 \
        "[fd18::$((i+2))]:30080=[fd00:10:244:3::5]:8080" -- $r
    local here4= here6=
    [ $i != 3 ] || { here4=10.244.3.5:8080 here6='[fd00:10:244:3::5]:8080'; }
    ic_service $i gateway web-local tcp 172.18.0.$((i+2)):30081=$here4 "[fd18::$((i+2))]:30081=$here6" -- $r options:skip_snat=true
}

ic_host() { # N
    local i=$1
    host_up pod$i "$(ic_mac 0a:f4:0$i 5)" 1400 node$i pod$i
    addr pod$i 10.244.$i.5/24 fd00:10:244:$i::5/64
    ns pod$i ip route add default via 10.244.$i.1; ns pod$i ip -6 route add default via fd00:10:244:$i::1
    serve pod$i
}

ic_warm() {
    local n x i ok=
    for n in $(seq 1 60); do
        if ns pod1 ping -q -c1 -W1 172.18.0.1 && ns pod1 ping -q -c1 -W1 10.244.3.5; then ok=yes; break; fi
    done > /dev/null 2>&1
    [ -n "$ok" ] || die "ic: no way from a pod to the outside or to another node (see $RUN/*/*.log)"
    for n in pod1 pod2 pod3; do
        for x in 172.18.0.1 fd18::1 10.244.1.5 10.244.2.5 10.244.3.5 fd00:10:244:1::5 fd00:10:244:2::5 fd00:10:244:3::5 \
                 172.18.0.3 172.18.0.4 172.18.0.5 fd18::3 fd18::4 fd18::5; do
            ns $n ping -q -c1 -W1 $x > /dev/null 2>&1 || true
        done &
    done
    for i in $IC_NODES; do
        ns ext ping -q -c1 -W1 172.18.0.$((i+2)) || true; ns ext ping -q -c1 -W1 fd18::$((i+2)) || true
        ns ext $PY "$HERE/talk.py" get 172.18.0.$((i+2)) 30080; ns ext $PY "$HERE/talk.py" get fd18::$((i+2)) 30080
    done > /dev/null 2>&1
    wait
    each_zone nb --wait=hv sync
}
