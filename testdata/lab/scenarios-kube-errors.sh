# ICMP errors in the kube topology: made by OVN's routers and by hosts, and carried
# back through NAT with their quoted packets rewritten.

scenario kube-ttl-exceeded kube "time exceeded from every router on the way, both directions, IPv4 and IPv6"
traffic_kube_ttl_exceeded() {
    udp pod2 172.30.0.1 9999 -s 45001 -t 1 -w 0.4; udp pod2 172.30.0.1 9999 -s 45002 -t 2 -w 0.4; udp pod2 fd30::1 9999 -s 45003 -t 1 -w 0.4; udp pod2 fd30::1 9999 -s 45004 -t 2 -w 0.4
    udp ext1 172.30.0.4 30053 -s 45005 -t 1 -w 0.4; udp ext1 172.30.0.4 30053 -s 45006 -t 2 -w 0.4; udp ext1 10.128.1.14 9999 -s 45007 -t 1 -w 0.4; udp ext1 10.128.1.14 9999 -s 45008 -t 2 -w 0.4
    pings pod3 1 -t 1 172.30.0.1
}

scenario kube-port-unreachable-snat kube "port unreachable from outside comes back through SNAT with the pod's tuple inside, IPv4, IPv6, long datagram"
traffic_kube_port_unreachable_snat() { udp pod2 172.30.0.1 7777 -s 45011 -w 0.5; udp pod2 fd30::1 7777 -s 45012 -w 0.5; udp pod3 172.30.0.9 7777 -s 45013 -z 900 -w 0.5; }

scenario kube-port-unreachable-dnat kube "port unreachable from a backend comes back through DNAT and forced SNAT, from a pod and from outside"
setup_kube_port_unreachable_dnat() { service closed udp 10.96.0.60:7=10.128.1.14:7777 172.30.0.4:30070=10.128.1.14:7777 '[fd96::60]:7=[fd00:128:1::14]:7777' '[fd30::4]:30070=[fd00:128:1::14]:7777'; }
traffic_kube_port_unreachable_dnat() {
    udp pod2 10.96.0.60 7 -s 45021 -w 0.5; udp ext1 172.30.0.4 30070 -s 45022 -w 0.5; udp pod2 fd96::60 7 -s 45023 -w 0.5; udp ext1 fd30::4 30070 -s 45024 -w 0.5
}

scenario kube-tcp-refused kube "TCP to a closed port: the reset of host or pod comes back through SNAT, DNAT and neither"
setup_kube_tcp_refused() { service refused tcp 10.96.0.61:81=10.128.1.14:81 172.30.0.4:30081=10.128.1.14:81; }
traffic_kube_tcp_refused() { get pod2 172.30.0.1 81 -s 45031; get pod2 10.96.0.61 81 -s 45032; get ext1 172.30.0.4 30081 -s 45033; get pod2 10.128.1.13 81 -s 45034; get ext1 fd00:128:1::13 81 -s 45035; }

scenario kube-frag-needed kube "gateway_mtu: packets too big are answered with the MTU that fits, through SNAT and DNAT, IPv4 and IPv6"
setup_kube_frag_needed() { nb -- set logical_router_port rtoe-GR_worker options:gateway_mtu=1000 -- set logical_router_port rtoj-GR_worker options:gateway_mtu=1100; }
traffic_kube_frag_needed() {
    udp pod2 172.30.0.1 9999 -s 45041 -z 1200 -p -w 0.4; udp pod2 172.30.0.1 9999 -s 45042 -z 1200 -w 0.5; udp pod2 fd30::1 9999 -s 45043 -z 1200 -w 0.5
    udp ext1 10.128.1.14 9999 -s 45044 -z 1200 -p -w 0.4; udp ext1 172.30.0.4 30053 -s 45045 -z 1200 -p -w 0.4; udp ext1 fd00:128:1::14 9999 -s 45046 -z 1200 -w 0.5
}
cleanup_kube_frag_needed() { local n; for n in pod2 ext1; do ns $n ip route flush cache; ns $n ip -6 route flush cache; done; }

scenario kube-router-itself kube "packets to the routers' own addresses: echo, TCP, UDP, the VIPs' addresses, IPv4 and IPv6"
traffic_kube_router_itself() {
    pings pod2 1 10.128.1.1; pings pod2 1 100.64.0.3; pings pod2 1 fd00:128:1::1; pings ext1 1 172.30.0.4; pings ext1 1 fd30::4; pings pod2 1 10.96.0.10
    udp pod2 10.128.1.1 9999 -s 45051 -w 0.3; get ext1 172.30.0.4 8080 -s 45052 -w 0.5; udp ext1 172.30.0.4 9999 -s 45053 -w 0.3; get pod2 fd00:128:1::1 80 -s 45054 -w 0.5; get pod2 10.96.0.10 8080 -s 45055 -w 0.5
}
