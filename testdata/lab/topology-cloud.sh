# topology-cloud.sh: three chassis as Neutron lays them out, Geneve between them.
#
#   vm1 c1 --+ net-a                       vm3 c2 --+ net-b
#   vm2 c2 --+   \                         vm4 c1 --+
#                 +---- r1 (distributed) ----+      vm5 c3 (gateway chassis) on net-b
#                            |  gateway chassis: c3, then c1
#                         public (provider VLAN 100, localnet on every chassis)
#
# vm1 has a distributed floating IP, vm3 a centralised one, the rest share r1's SNAT.
# Everybody is in the security groups `default` (egress anywhere, ingress from the
# group) and `web` (ICMP and a few ports from anywhere); `drop` closes the rest.

C1=5b1f5a1c-9a0e-4f5b-8a43-10c1a0000001
C2=5b1f5a1c-9a0e-4f5b-8a43-10c1a0000002
C3=5b1f5a1c-9a0e-4f5b-8a43-10c1a0000003
# name | chassis | network | mac | ipv4 | ipv6
VMS="vm1|c1|a|fa:16:3e:0a:00:11|10.1.0.11|fd01:a::11
vm2|c2|a|fa:16:3e:0a:00:12|10.1.0.12|fd01:a::12
vm3|c2|b|fa:16:3e:0b:00:13|10.2.0.13|fd01:b::13
vm4|c1|b|fa:16:3e:0b:00:14|10.2.0.14|fd01:b::14
vm5|c3|b|fa:16:3e:0b:00:15|10.2.0.15|fd01:b::15"
META_MAC=fa:16:3e:0a:00:02
R1_A_MAC=fa:16:3e:aa:0a:01 R1_B_MAC=fa:16:3e:aa:0b:01 R1_GW_MAC=fa:16:3e:aa:99:10
FIP1=203.0.113.101 FIP1_MAC=fa:16:3e:f1:01:01 FIP3=203.0.113.103
O_EXT1_MAC=52:54:00:e0:00:01 O_EXT2_MAC=52:54:00:e0:00:50

cloud_points() {
    CHASSIS="c1|$C1"$'\n'"c2|$C2"$'\n'"c3|$C3"
    HOSTS="ext1 ext2 vm1 vm2 vm3 vm4 vm5 meta1 meta2"
    local name ch rest c id
    while IFS='|' read -r name ch rest; do
        point "$name.pcap" "$name" eth0 "$name" "$(field "$CHASSIS" "$ch" 2)"
    done <<< "$VMS"
    point meta1.pcap meta1 eth0 meta-a $C1
    point meta2.pcap meta2 eth0 meta-a $C2
    while IFS='|' read -r c id; do
        point "provider-$c.pcap" "$c" prov0 provnet "$id"
        underlay "underlay-$c.pcap" "$c" ul0 "$id"
    done <<< "$CHASSIS"
}

cloud_build() {
    central_up
    cloud_network
    phys_up
    chassis_up c1 $C1 compute-1 10.90.0.11 physnet1 br-ex
    chassis_up c2 $C2 compute-2 10.90.0.12 physnet1 br-ex
    chassis_up c3 $C3 gateway-1 10.90.0.13 physnet1 br-ex
    cloud_hosts
}

router_port() { # SWITCH MAC ADDRESS...: a port of r1 on that switch
    local s=$1 mac=$2; shift 2
    nb -- lrp-add r1 "r1-$s" "$mac" "$@" -- lsp-add "$s" "$s-r1" -- lsp-set-type "$s-r1" router \
       -- lsp-set-addresses "$s-r1" router -- lsp-set-options "$s-r1" router-port="r1-$s"
}

cloud_network() {
    nb -- set nb_global . options:mac_prefix=fa:16:3e
    nb -- ls-add net-a -- ls-add net-b -- ls-add public -- lr-add r1 \
       -- set logical_router r1 options:always_learn_from_arp_request=false options:dynamic_neigh_routers=true \
       -- lsp-add public provnet -- lsp-set-type provnet localnet -- lsp-set-addresses provnet unknown \
       -- lsp-set-options provnet network_name=physnet1 -- set logical_switch_port provnet tag_request=100
    router_port net-a $R1_A_MAC 10.1.0.1/24 fd01:a::1/64
    router_port net-b $R1_B_MAC 10.2.0.1/24 fd01:b::1/64
    router_port public $R1_GW_MAC 203.0.113.10/24 2001:db8:113::10/64
    nb -- lrp-set-gateway-chassis r1-public $C3 20 -- lrp-set-gateway-chassis r1-public $C1 10 \
       -- lsp-set-options public-r1 router-port=r1-public nat-addresses=router \
       -- lr-route-add r1 0.0.0.0/0 203.0.113.1 r1-public -- lr-route-add r1 ::/0 2001:db8:113::1 r1-public \
       -- lsp-add net-a meta-a -- lsp-set-type meta-a localport -- lsp-set-addresses meta-a "$META_MAC 10.1.0.2"
    cloud_vms
    nb -- lr-nat-add r1 snat 203.0.113.10 10.1.0.0/24 -- lr-nat-add r1 snat 203.0.113.10 10.2.0.0/24 \
       -- lr-nat-add r1 dnat_and_snat $FIP1 10.1.0.11 vm1 $FIP1_MAC -- lr-nat-add r1 dnat_and_snat $FIP3 10.2.0.13
    cloud_security
}

cloud_vms() {
    local name ch net mac ip ip6
    while IFS='|' read -r name ch net mac ip ip6; do
        nb -- lsp-add "net-$net" "$name" -- lsp-set-addresses "$name" "$mac $ip $ip6" -- lsp-set-port-security "$name" "$mac $ip $ip6"
    done <<< "$VMS"
}

acl() { nb --type=port-group acl-add "$@"; }    # GROUP DIRECTION PRIORITY MATCH VERDICT

cloud_security() {
    local g all; all=$(awk -F'|' '{ print $1 }' <<< "$VMS")
    for g in drop default web; do nb pg-add $g $all; done
    acl drop from-lport 1001 'inport == @drop && ip' drop
    acl drop to-lport 1001 'outport == @drop && ip' drop
    acl default from-lport 1002 'inport == @default && ip4' allow-related
    acl default from-lport 1002 'inport == @default && ip6' allow-related
    acl default to-lport 1002 'outport == @default && ip4 && ip4.src == $default_ip4' allow-related
    acl default to-lport 1002 'outport == @default && ip6 && ip6.src == $default_ip6' allow-related
    acl web to-lport 1002 'outport == @web && ip4 && ip4.src == 0.0.0.0/0 && icmp4' allow-related
    acl web to-lport 1002 'outport == @web && ip6 && ip6.src == ::/0 && icmp6' allow-related
    acl web to-lport 1002 'outport == @web && ip4 && ip4.src == 0.0.0.0/0 && tcp && tcp.dst == 80' allow-related
    acl web to-lport 1002 'outport == @web && ip6 && ip6.src == ::/0 && tcp && tcp.dst == 80' allow-related
    acl web to-lport 1002 'outport == @web && ip4 && ip4.src == 0.0.0.0/0 && udp && udp.dst == 5353' allow-related
}

cloud_hosts() {
    local name ch net mac ip ip6
    outside_up ext1 $O_EXT1_MAC 100; addr ext1 203.0.113.1/24 2001:db8:113::1/64
    outside_up ext2 $O_EXT2_MAC 100; addr ext2 203.0.113.50/24 2001:db8:113::50/64
    ns ext1 ip addr add 198.51.100.7/32 dev lo
    for name in ext1 ext2; do
        ns $name ip route add 10.0.0.0/8 via 203.0.113.10; ns $name ip -6 route add fd01::/16 via 2001:db8:113::10
    done
    while IFS='|' read -r name ch net mac ip ip6; do
        host_up "$name" "$mac" 1442 "$ch" "$name"
        addr "$name" "$ip/24" "$ip6/64"
        ns "$name" ip route add default via "${ip%.*}.1"; ns "$name" ip -6 route add default via "${ip6%::*}::1"
    done <<< "$VMS"
    for name in 1 2; do
        host_up meta$name $META_MAC 1442 c$name meta-a
        no_ip6 meta$name eth0
        addr meta$name 10.1.0.2/24 169.254.169.254/32
    done
    for name in $HOSTS; do serve "$name"; done
}

cloud_warm() {
    local n x ok=
    for n in $(seq 1 60); do
        if ns vm2 ping -q -c1 -W1 203.0.113.1 && ns vm1 ping -q -c1 -W1 203.0.113.50 && ns vm1 ping -q -c1 -W1 10.2.0.13; then ok=yes; break; fi
    done > /dev/null 2>&1
    [ -n "$ok" ] || die "cloud: no way from a VM to the outside (see $RUN/*/*.log)"
    for n in vm1 vm2 vm3 vm4 vm5; do
        for x in 203.0.113.1 203.0.113.50 2001:db8:113::1 2001:db8:113::50 10.1.0.11 10.1.0.12 10.2.0.13 10.2.0.14 10.2.0.15 fd01:a::11 fd01:b::13; do
            ns $n ping -q -c1 -W1 $x > /dev/null 2>&1 || true
        done &
    done
    for n in ext1 ext2; do
        for x in $FIP1 $FIP3 203.0.113.10 2001:db8:113::10 fd01:a::11; do ns $n ping -q -c1 -W1 $x > /dev/null 2>&1 || true; done &
    done
    wait
    nb --wait=hv sync
}
