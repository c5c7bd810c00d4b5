# Peers that are no chassis of this OVN, reached over the tunnel network: another
# availability zone (transit switch) and a hardware VTEP.  Their side is a machine
# on the tunnel network that sends crafted frames; their rows are put into the
# southbound database as ovn-ic and ovn-controller-vtep would.

far_up() { # ADDRESS
    netns_up far
    veth phys ul-far far eth0 1500 52:54:00:20:00:99
    ns phys ip link set ul-far master underlay
    ns far ip link set eth0 up; no_ip6 far eth0; addr far "$1/24"
    ns far ping -q -c1 -W1 10.90.0.11 > /dev/null; ns far ping -q -c1 -W1 10.90.0.12 > /dev/null; ns far ping -q -c1 -W1 10.90.0.13 > /dev/null
}
far_gone() { # CHASSIS
    sb --if-exists chassis-del "$1"; ip netns del rp-far
}
port_key() { sb --bare --columns=tunnel_key find port_binding logical_port="$1"; }
datapath_key() { sb --bare --columns=tunnel_key find datapath_binding external_ids:name="$1"; }

scenario cloud-remote cloud "transit switch: packets to and from another zone's router, a remote port, over Geneve"
setup_cloud_remote() {
    far_up 10.90.0.99
    local c; for c in c1 c2 c3; do vsctl $c set open_vswitch . external_ids:ovn-is-interconn=true; done
    sb -- chassis-add far geneve 10.90.0.99 -- set chassis far hostname=far other_config:is-remote=true other_config:is-interconn=true \
        other_config:ct-no-masked-label=true other_config:ovn-ct-lb-related=true other_config:mac-binding-timestamp=true other_config:port-up-notif=true
    nb -- ls-add ts1 -- set logical_switch ts1 other_config:interconn-ts=ts1 other_config:requested-tnl-key=16711681 \
       -- lrp-add r1 r1-ts1 fa:16:3e:aa:77:01 169.254.100.1/24 -- lrp-set-gateway-chassis r1-ts1 $C3 10 \
       -- lsp-add ts1 ts1-r1 -- lsp-set-type ts1-r1 router -- lsp-set-addresses ts1-r1 router -- lsp-set-options ts1-r1 router-port=r1-ts1 \
       -- lsp-add ts1 ts1-far -- lsp-set-type ts1-far remote -- lsp-set-addresses ts1-far 'fa:16:3e:aa:77:02 169.254.100.2/24' -- lsp-set-options ts1-far requested-chassis=far \
       -- lr-route-add r1 10.9.0.0/24 169.254.100.2
    nb --wait=sb sync
    sb set port_binding ts1-far chassis="$(sb --bare --columns=_uuid find chassis name=far)" up=true
    nb --wait=hv sync; sleep 2
    ns vm2 ping -q -c2 -i0.3 -W1 10.9.0.5 > /dev/null || true        # the tunnel's own ARP
}
# the other zone's router speaks: INNER packet, on the transit switch, for r1's port there
from_far() {
    craft far "Ether(src=mac,dst='52:54:00:20:00:13')/IP(src='10.90.0.99',dst='10.90.0.13',id=0,flags='DF')/UDP(sport=50000,dport=6081)/geneve($(datapath_key ts1),$(port_key ts1-far),$(port_key ts1-r1),$1)"
}
traffic_cloud_remote() {
    udp vm2 10.9.0.5 9999 -s 55001 -w 0.3
    from_far "Ether(src='fa:16:3e:aa:77:02',dst='fa:16:3e:aa:77:01')/IP(src='10.9.0.5',dst='10.1.0.12',id=1,ttl=62)/ICMP(id=10,seq=1)/b'from the other zone'"
    udp vm4 10.9.0.6 9999 -s 55002 -w 0.3
}
cleanup_cloud_remote() { local c; for c in c1 c2 c3; do vsctl $c remove open_vswitch . external_ids ovn-is-interconn; done; far_gone far; }

scenario cloud-vtep cloud "a hardware VTEP's port on a network: VXLAN to and from it, known and unknown MACs"
setup_cloud_vtep() {
    far_up 10.90.0.98
    encap_types geneve,vxlan
    sb -- chassis-add vtep vxlan 10.90.0.98 -- set chassis vtep vtep_logical_switches=ls1 hostname=vtep \
        other_config:ct-no-masked-label=true other_config:ovn-ct-lb-related=true other_config:mac-binding-timestamp=true other_config:port-up-notif=true
    nb -- lsp-add net-a vtep-a -- lsp-set-type vtep-a vtep -- lsp-set-addresses vtep-a 'fa:16:3e:0a:00:80 10.1.0.80' unknown -- lsp-set-options vtep-a vtep-physical-switch=ps1 vtep-logical-switch=ls1
    nb --wait=sb sync
    sb set port_binding vtep-a chassis="$(sb --bare --columns=_uuid find chassis name=vtep)" up=true
    nb --wait=hv sync; sleep 2
    ns vm1 ping -q -c2 -i0.3 -W1 10.1.0.80 > /dev/null || true
}
cleanup_cloud_vtep() { encap_types geneve; far_gone vtep; }
encap_types() { local c; for c in c1 c2 c3; do vsctl $c set open_vswitch . external_ids:ovn-encap-type="$1"; done; }
traffic_cloud_vtep() {
    craft vm1 "Ether(src=mac,dst='fa:16:3e:0a:00:80')/IP(src='10.1.0.11',dst='10.1.0.80',id=1)/ICMP(id=11,seq=1)/b'to the VTEP'" "Ether(src=mac,dst='02:00:00:00:00:77')/IP(src='10.1.0.11',dst='10.1.0.77',id=2)/ICMP(id=11,seq=2)/b'unknown'"
    craft far "Ether(src=mac,dst='52:54:00:20:00:12')/IP(src='10.90.0.98',dst='10.90.0.12',id=0)/UDP(sport=50001,dport=4789,chksum=0)/VXLAN(vni=$(datapath_key net-a),flags='Instance')/Ether(src='fa:16:3e:0a:00:80',dst='fa:16:3e:0a:00:12')/IP(src='10.1.0.80',dst='10.1.0.12',id=3)/ICMP(id=11,seq=3)/b'from the VTEP'"
}

# a chassis of an older release: northd keeps to what all of them understand
older_chassis() { sb -- chassis-add older geneve 10.90.0.97 -- set chassis older hostname=older; nb --wait=hv sync; sleep 1; }

scenario cloud-older-chassis cloud "one chassis without the newer features: northd writes the older pipeline (ct_lb, ct_label)"
setup_cloud_older_chassis() { older_chassis; cloud_lb web tcp '"10.1.0.200:80"="10.2.0.13:80","203.0.113.200:80"="10.1.0.12:80"'; acl web to-lport 1010 'outport == @web && tcp.dst == 8080' reject; }
traffic_cloud_older_chassis() { get vm1 10.1.0.200 80 -s 55011; get ext2 203.0.113.200 80 -s 55012; get vm2 10.2.0.14 8080 -s 55013; get ext2 $FIP1 80 -s 55014; get vm4 203.0.113.50 80 -s 55015; }
cleanup_cloud_older_chassis() { sb chassis-del older; }

scenario kube-older-chassis kube "one chassis without the newer features: services in the older pipeline (ct_lb, ct_label), hairpin and forced SNAT with it"
setup_kube_older_chassis() { older_chassis; }
traffic_kube_older_chassis() { get ext1 172.30.0.4 30080 -s 55021 -w 1; get pod2 10.96.0.10 80 -s 55022; get pod1 10.96.0.10 80 -s 55023; udp ext2 172.30.0.4 30053 -s 55024 -w 0.5; get pod2 172.30.0.1 80 -s 55025; }
cleanup_kube_older_chassis() { sb chassis-del older; }
