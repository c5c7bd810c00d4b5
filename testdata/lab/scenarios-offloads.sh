# scenarios-offloads.sh: what captures hold where Linux' offloads are on, as they are by
# default. Recorded with OFFLOADS=yes only, which the lab's network must be built with.

scenario kube-offloads kube "default offloads: sums left to the card, super-packets both ways, through a nodePort, a service, egress SNAT and between pods"
traffic_kube_offloads() {
    get ext1 172.30.0.4 30080 -s 48141 -z 30000
    get pod2 172.30.0.1 80 -s 48142 -z 30000
    get pod2 10.96.0.10 80 -s 48143 -z 30000
    get pod1 10.128.1.14 80 -s 48144 -z 20000
    get ext1 fd30::4 30080 -s 48145 -z 20000
    udp pod2 172.30.0.1 9999 -s 48146
    pings pod1 2 172.30.0.1
}
