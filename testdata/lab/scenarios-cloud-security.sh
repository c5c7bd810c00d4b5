# Security groups of the cloud topology.

scenario cloud-sg-drop cloud "security groups: a port no rule allows is dropped, one that a rule allows passes; both directions keep state"
traffic_cloud_sg_drop() {
    get ext2 $FIP1 8080 -s 43001 -w 1.2; get ext2 $FIP1 80 -s 43002; udp ext2 $FIP3 9999 -s 43003 -w 0.4; udp ext2 $FIP3 5353 -s 43004
    get ext2 fd01:a::11 8080 -s 43005 -w 0.5
}

scenario cloud-sg-reject-in cloud "to-lport reject: TCP answered by a reset, UDP and others by unreachable, IPv4 and IPv6, local and remote sender"
setup_cloud_sg_reject_in() {
    acl web to-lport 1010 'outport == @web && tcp.dst == 8080' reject
    acl web to-lport 1010 'outport == @web && udp.dst == 9999' reject
}
traffic_cloud_sg_reject_in() {
    get vm1 10.1.0.12 8080 -s 43011; udp vm1 10.1.0.12 9999 -s 43012 -w 0.4; get vm1 10.2.0.14 8080 -s 43013; get vm1 fd01:a::12 8080 -s 43014
    udp vm2 fd01:b::14 9999 -s 43015 -w 0.4; get ext2 $FIP1 8080 -s 43016; udp ext2 $FIP3 9999 -s 43017 -w 0.4
}

scenario cloud-sg-reject-out cloud "from-lport reject: the VM's own packet answered on its chassis, TCP, UDP, ICMP, IPv4 and IPv6"
setup_cloud_sg_reject_out() {
    acl web from-lport 1010 'inport == @web && tcp.dst == 8080' reject
    acl web from-lport 1010 'inport == @web && udp.dst == 9999' reject
    acl web from-lport 1010 'inport == @web && ip4.dst == 203.0.113.50 && icmp4' reject
}
traffic_cloud_sg_reject_out() {
    get vm2 10.1.0.11 8080 -s 43021; udp vm2 203.0.113.1 9999 -s 43022 -w 0.4; pings vm4 1 203.0.113.50
    get vm2 fd01:b::13 8080 -s 43023; udp vm2 fd01:a::11 9999 -s 43024 -w 0.4
}

scenario cloud-equal-priorities cloud "ACLs, policies and DNAT rows of equal priority that match the same packets and act differently"
setup_cloud_equal_priorities() {
    KEEP=history
    nb acl-add net-a from-lport 2001 'ip4.src == 10.1.0.11 && udp.src == 47001' drop; nb acl-add net-a from-lport 2001 'udp.dst == 5353' allow-related
    nb acl-add net-a from-lport 2002 'udp.dst == 9999' allow-related; nb acl-add net-a from-lport 2002 'ip4.src == 10.1.0.11 && udp.src == 47002' drop
    nb acl-add net-b from-lport 2003 'udp.dst == 5353' drop; nb acl-add net-b from-lport 2003 'ip4.src == 10.2.0.13 && udp.src == 47003' allow-related
    nb acl-add net-b from-lport 2004 'ip4.src == 10.2.0.13 && udp.src == 47004' allow-related; nb acl-add net-b from-lport 2004 'udp.dst == 9999' drop
    nb lr-policy-add r1 310 'ip4.src == 10.1.0.12 && udp.src == 47011' drop; nb lr-policy-add r1 310 'ip4.dst == 203.0.113.50' allow
    nb lr-policy-add r1 320 'ip4.dst == 203.0.113.1' drop; nb lr-policy-add r1 320 'ip4.src == 10.1.0.12 && udp.src == 47012' allow
    nb lr-policy-add r1 330 'udp.src == 47013' drop; nb lr-policy-add r1 330 'ip4.src == 10.1.0.12' allow
    nb lr-nat-add r1 dnat 203.0.113.130 10.2.0.14; nb lr-nat-add r1 dnat_and_snat 203.0.113.130 10.2.0.15
    nb --wait=hv sync
}
traffic_cloud_equal_priorities() {
    udp vm1 10.1.0.12 5353 -s 47001 -w 0.3; udp vm1 10.1.0.12 9999 -s 47002 -w 0.3
    udp vm3 10.1.0.12 5353 -s 47003 -w 0.3; udp vm3 10.1.0.12 9999 -s 47004 -w 0.3
    udp vm2 203.0.113.50 5353 -s 47011 -w 0.3; udp vm2 203.0.113.1 5353 -s 47012 -w 0.3; udp vm2 198.51.100.7 5353 -s 47013 -w 0.3
    udp ext2 203.0.113.130 5353 -s 47021 -w 0.3
    nb lr-policy-del r1 310 'ip4.dst == 203.0.113.50'; nb --wait=hv lr-policy-add r1 310 'ip4.dst == 203.0.113.50' allow
    udp vm2 203.0.113.50 5353 -s 47011 -w 0.3
    nb lr-policy-del r1 310 'ip4.src == 10.1.0.12 && udp.src == 47011'; nb --wait=hv lr-policy-add r1 310 'ip4.src == 10.1.0.12 && udp.src == 47011' drop
    udp vm2 203.0.113.50 5353 -s 47011 -w 0.3
}
