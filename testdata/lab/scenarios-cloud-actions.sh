# Actions that the other scenarios do not reach, in the cloud topology.

# own_port ROUTER SWITCH MAC ADDRESS...: that router's port on that switch
own_port() {
    local r=$1 s=$2 mac=$3; shift 3
    nb -- lrp-add "$r" "$r-$s" "$mac" "$@" -- lsp-add "$s" "$s-$r" -- lsp-set-type "$s-$r" router \
       -- lsp-set-addresses "$s-$r" router -- lsp-set-options "$s-$r" router-port="$r-$s"
}

scenario cloud-own-address cloud "a distributed router without a gateway port refuses what is for itself: TCP reset, SCTP abort, port and protocol unreachable"
setup_cloud_own_address() {
    nb -- lr-add r4 -- ls-add net-d
    own_port r4 net-a fa:16:3e:aa:0a:04 10.1.0.254/24 fd01:a::254/64
    own_port r4 net-d fa:16:3e:aa:0d:04 10.4.0.1/24 fd01:d::1/64
    ns vm2 ip route add 10.4.0.0/24 via 10.1.0.254; ns vm2 ip -6 route add fd01:d::/64 via fd01:a::254
    nb --wait=hv sync; sleep 1
    ns vm1 ping -q -c1 -W1 10.1.0.254; ns vm2 ping -q -c1 -W1 10.1.0.254; ns vm2 ping -q -c1 -W1 fd01:a::254; ns vm1 ping -q -c1 -W1 fd01:a::254
}
traffic_cloud_own_address() {
    local to='Ether(src=mac,dst="fa:16:3e:aa:0a:04")' ip='IP(src="10.1.0.11",dst="10.1.0.254"' six='IPv6(src="fd01:a::11",dst="fd01:a::254")'
    get vm1 10.1.0.254 80 -s 57001; get vm2 fd01:a::254 80 -s 57002; get vm2 10.4.0.1 80 -s 57003; get vm2 fd01:d::1 80 -s 57004
    udp vm1 10.1.0.254 9999 -s 57005 -w 0.3; udp vm2 fd01:d::1 9999 -s 57006 -w 0.3; udp vm2 10.4.0.1 9999 -s 57007 -z 900 -w 0.3; pings vm1 1 10.1.0.254
    craft vm1 "$to/$ip,id=1)/SCTP(sport=57011,dport=80,tag=0)/SCTPChunkInit(init_tag=0x11223344,a_rwnd=1500,n_out_streams=1,n_in_streams=1,init_tsn=1)" \
        "$to/$ip,id=2,tos=8)/SCTP(sport=57012,dport=80,tag=0x55667788)/SCTPChunkCookieEcho(cookie=b'abcd')" \
        "$to/$six/SCTP(sport=57013,dport=80,tag=0)/SCTPChunkInit(init_tag=0x21223344,a_rwnd=1500,n_out_streams=1,n_in_streams=1,init_tsn=1)" \
        "$to/$ip,id=3,proto=47)/b'no such protocol here'" "$to/$six/GRE()/b'no such protocol here'" \
        "$to/$ip,id=4,tos=184,ttl=9)/TCP(sport=57014,dport=81,flags='PA',seq=1000,ack=77)/b'data'" \
        "$to/$ip,id=5,flags='MF')/UDP(sport=57015,dport=9,len=40)/b'the first fragment, 24 b'" "$to/$ip,id=5,frag=4,proto=17)/b'a last one'"
}
cleanup_cloud_own_address() { ns vm2 ip route del 10.4.0.0/24; ns vm2 ip -6 route del fd01:d::/64; }

scenario cloud-fwd-group cloud "a forwarding group: its address answers ARP, its MAC is one of three ports by a hash"
setup_cloud_fwd_group() {
    nb -- fwd-group-add group net-b 10.2.0.120 fa:16:3e:0b:00:78 vm3 vm4 vm5
    local n; for n in 3 4 5; do nb lsp-set-port-security vm$n; done
    nb pg-set-ports drop vm1 vm2
    host_more vm7 c1 net-b fa:16:3e:0b:00:17 10.2.0.17
}
# host_more NAME CHASSIS SWITCH MAC ADDRESS: one more VM, without security groups
host_more() {
    nb -- lsp-add "$3" "$1" -- lsp-set-addresses "$1" "$4 $5"
    host_up "$1" "$4" 1442 "$2" "$1"; addr "$1" "$5/24"; no_ip6 "$1" eth0; ns "$1" ip route add default via "${5%.*}.1"
    point "$1.pcap" "$1" eth0 "$1" "$(field "$CHASSIS" "$2" 2)"
    nb --wait=hv sync; sleep 1
}
host_less() { vsctl "$2" del-port br-int "v-$1"; stop_pidfile "$RUN/serve-$1.pid"; ip netns del "rp-$1"; }    # NAME CHASSIS
traffic_cloud_fwd_group() {
    local p
    craft vm7 'who_has("10.2.0.120", "10.2.0.17")'
    for p in 1 2 3 4 5 6; do
        craft vm7 "Ether(src=mac,dst='fa:16:3e:0b:00:78')/IP(src='10.2.0.17',dst='198.51.100.$p',id=$p)/UDP(sport=5702$p,dport=5353)/b'to one of the group'"
    done
    craft vm1 "Ether(src=mac,dst='$R1_A_MAC')/IP(src='10.1.0.11',dst='10.2.0.120',id=9)/ICMP(id=5,seq=1)/b'routed to the group'"
}
cleanup_cloud_fwd_group() { host_less vm7 c1; }

scenario cloud-queue cloud "rate limits of ports: packets get a queue on the way in and on the way to the wire, and stay what they are"
setup_cloud_queue() {
    provider_vms
    nb -- lsp-set-options vm6 qos_max_rate=100000000 qos_burst=1000000 -- lsp-set-options vm1 qos_min_rate=1000000 qos_max_rate=200000000 \
       -- lsp-set-options provnet network_name=physnet1 qos_max_rate=900000000
    nb --wait=hv sync; sleep 1
}
traffic_cloud_queue() { get vm6 203.0.113.50 80 -s 57031; get vm1 10.1.0.12 80 -s 57032; get vm1 203.0.113.50 80 -s 57033; get ext2 203.0.113.66 80 -s 57034; pings vm2 1 203.0.113.50; }
cleanup_cloud_queue() { provider_vms_gone; }

scenario cloud-fwd-group-keys cloud "a forwarding group of ports with tunnel keys past 9, which ovn-controller reads as hexadecimal; one that is watched" 25.03    # OVN 23.03's never gets over these groups
setup_cloud_fwd_group_keys() {
    host_more vm7 c1 net-b fa:16:3e:0b:00:17 10.2.0.17
    nb -- lsp-set-options vm5 requested-tnl-key=12 -- lsp-set-options vm7 requested-tnl-key=18
    nb -- lsp-add net-b gone -- lsp-set-options gone requested-tnl-key=20 \
       -- fwd-group-add twelve net-b 10.2.0.121 fa:16:3e:0b:00:79 vm5 -- fwd-group-add twenty net-b 10.2.0.122 fa:16:3e:0b:00:7a gone \
       -- --liveness fwd-group-add watched net-b 10.2.0.123 fa:16:3e:0b:00:7b vm3 -- --liveness fwd-group-add here net-b 10.2.0.124 fa:16:3e:0b:00:7c vm4 vm3
    local n; for n in 3 4 5; do nb lsp-set-port-security vm$n; done
    nb pg-set-ports drop vm1 vm2
    nb --wait=hv sync; sleep 1
}
traffic_cloud_fwd_group_keys() {
    local m
    for m in 79 7a 7b 7c; do craft vm4 "Ether(src=mac,dst='fa:16:3e:0b:00:$m')/IP(src='10.2.0.14',dst='198.51.100.1',id=0x$m)/UDP(sport=0xdd$m,dport=5353)/b'to a group'"; done
}
cleanup_cloud_fwd_group_keys() { host_less vm7 c1; }

# The peer of a session: a BFD control packet (RFC 5880) from ext1, in STATE, about OVN's session $DISC
bfd_says() { # STATE [FLAGS [DETECT-MULT [IP VERSION 6]]]
    local ip='IP(src="203.0.113.1",dst="203.0.113.10",ttl=255,id=7)'
    [ -z "${4:-}" ] || ip='IPv6(src="2001:db8:113::1",dst="2001:db8:113::10",hlim=255)'
    craft ext1 "Ether(src=mac,dst='$R1_GW_MAC')/$ip/UDP(sport=49999,dport=3784)/struct.pack('!BBBBIIIII',32,$1<<6|${2:-0},${3:-5},24,0x0a0b0c0d,${DISC:-0},300000,300000,0)"
}
bfd_disc() { sb --bare --columns=disc find bfd "dst_ip=\"$1\""; }

scenario cloud-bfd cloud "BFD with the next hops of static routes, IPv4 and IPv6: what ovn-controller sends by itself, what the peer's answers change, a poll"
setup_cloud_bfd() {
    nb -- --bfd lr-route-add r1 198.51.100.0/24 203.0.113.1 r1-public -- --bfd lr-route-add r1 2001:db8:77::/64 2001:db8:113::1 r1-public
    nb set bfd "$(nb --bare --columns=_uuid find bfd dst_ip=203.0.113.1)" min_tx=500 min_rx=400 detect_mult=4
    nb --wait=hv sync; sleep 4
}
traffic_cloud_bfd() {
    sleep 1
    DISC=$(bfd_disc 203.0.113.1); bfd_says 1; sleep 0.8; bfd_says 2; sleep 0.6; bfd_says 3 32; sleep 0.5; get vm2 198.51.100.7 80 -s 57041; bfd_says 0; sleep 0.6
    DISC=$(bfd_disc 2001:db8:113::1); bfd_says 1 0 5 6; sleep 1; bfd_says 3 32 5 6; sleep 0.5
    DISC=1; bfd_says 1; DISC=
}

scenario cloud-prefix-delegation cloud "IPv6 prefix delegation: ovn-controller solicits, the server's advertisement is answered with a request, its reply with nothing; refused ones"
setup_cloud_prefix_delegation() { nb -- set logical_router_port r1-public options:prefix_delegation=true -- set logical_router_port r1-net-a options:prefix=true; nb --wait=hv sync; sleep 3; }
traffic_cloud_prefix_delegation() { LIMIT=9 do_ ext1 $PY "$HERE/delegate.py" 2001:db8:d1:: 60 6; }
