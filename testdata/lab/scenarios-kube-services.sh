# Services of the kube topology: nodePort and cluster IP, IPv4 and IPv6, hairpin,
# no backends, several backends, affinity, skip_snat.

scenario kube-nodeport-v6 kube "external client -> nodePort over IPv6 -> pod: DNAT, forced SNAT, reply back through both"
traffic_kube_nodeport_v6() { get ext1 fd30::4 30080 -s 41001; udp ext2 fd30::4 30053 -s 41002 -n 2; }

scenario kube-clusterip-v6 kube "pod -> cluster IP over IPv6 (TCP and UDP), from the node switch"
traffic_kube_clusterip_v6() { get pod2 fd96::10 80 -s 41011; udp pod2 fd96::53 53 -s 41012 -n 2; get pod3 fd30::4 30080 -s 41013; }

scenario kube-hairpin kube "a pod reaches itself through its own service: hairpin SNAT to the VIP, TCP and UDP, IPv4 and IPv6"
traffic_kube_hairpin() {
    get pod1 10.96.0.10 80 -s 41021; get pod1 fd96::10 80 -s 41022
    udp pod3 10.96.0.53 53 -s 41023; udp pod3 fd96::53 53 -s 41024
}

scenario kube-hairpin-snat-ip kube "hairpin with hairpin_snat_ip: the pod sees that address instead of the VIP"
setup_kube_hairpin_snat_ip() {
    service self tcp 10.96.0.20:80=10.128.1.14:80 '[fd96::20]:80=[fd00:128:1::14]:80' -- 'options:hairpin_snat_ip="169.254.169.5 fd69::5"'
}
traffic_kube_hairpin_snat_ip() { get pod4 10.96.0.20 80 -s 41031; get pod4 fd96::20 80 -s 41032; }

scenario kube-no-backends-reject kube "services without backends answer with a reset or unreachable, from a pod and from outside"
setup_kube_no_backends_reject() {
    service none tcp 10.96.0.30:80= 172.30.0.4:30090= '[fd96::30]:80=' '[fd30::4]:30090=' -- options:reject=true
    service noneu udp 10.96.0.31:53= 172.30.0.4:30091= '[fd96::31]:53=' -- options:reject=true
}
traffic_kube_no_backends_reject() {
    get pod2 10.96.0.30 80 -s 41041; get pod2 fd96::30 80 -s 41042; get ext1 172.30.0.4 30090 -s 41043; get ext1 fd30::4 30090 -s 41044
    udp pod2 10.96.0.31 53 -s 41045 -w 0.5; udp pod2 fd96::31 53 -s 41046 -w 0.5; udp ext1 172.30.0.4 30091 -s 41047 -w 0.5
}

scenario kube-no-backends-event kube "a service without backends that raises an event: the packet is swallowed"
setup_kube_no_backends_event() {
    nb set nb_global . options:controller_event=true
    service idle tcp 10.96.0.32:80= -- options:event=true options:reject=false
}
traffic_kube_no_backends_event() { get pod2 10.96.0.32 80 -s 41051 -w 1.5; }

scenario kube-many-backends kube "three backends: connections from several ports, pods and outside spread by the datapath's choice"
setup_kube_many_backends() {
    service many tcp 10.96.0.40:80=10.128.1.11:80,10.128.1.13:80,10.128.1.14:80 172.30.0.4:30100=10.128.1.11:80,10.128.1.13:80,10.128.1.14:80
}
traffic_kube_many_backends() {
    local p
    for p in 41061 41062 41063; do get pod2 10.96.0.40 80 -s $p; get ext1 172.30.0.4 30100 -s $p; done
}

scenario kube-hash-fields kube "two backends chosen by selection_fields: the same client address always meets the same pod"
setup_kube_hash_fields() {
    service hashed tcp 10.96.0.41:80=10.128.1.13:80,10.128.1.14:80 172.30.0.4:30101=10.128.1.13:80,10.128.1.14:80 -- selection_fields='ip_src,ip_dst'
}
traffic_kube_hash_fields() {
    local p
    for p in 41071 41072; do get pod2 10.96.0.41 80 -s $p; get ext1 172.30.0.4 30101 -s $p; get ext2 172.30.0.4 30101 -s $p; done
}

scenario kube-affinity kube "session affinity by client address: the learned backend is kept for later connections"
setup_kube_affinity() {
    service sticky tcp 10.96.0.42:80=10.128.1.13:80,10.128.1.14:80 172.30.0.4:30102=10.128.1.13:80,10.128.1.14:80 -- options:affinity_timeout=60
}
traffic_kube_affinity() {
    local p
    for p in 41081 41082 41083; do get ext1 172.30.0.4 30102 -s $p -w 4; done
    for p in 41084 41085; do get pod2 10.96.0.42 80 -s $p -w 4; done
}

scenario kube-skip-snat kube "a nodePort with skip_snat on a force-SNAT gateway: the pod sees the client's address"
setup_kube_skip_snat() { service open tcp 172.30.0.4:30110=10.128.1.14:80 '[fd30::4]:30110=[fd00:128:1::14]:80' -- options:skip_snat=true; }
traffic_kube_skip_snat() { get ext1 172.30.0.4 30110 -s 41091; get ext2 fd30::4 30110 -s 41092; }

scenario kube-mixed kube "services, egress, hairpin and errors interleaved from pods and from outside at the same time"
setup_kube_mixed() { service many tcp 10.96.0.40:80=10.128.1.11:80,10.128.1.13:80 172.30.0.4:30100=10.128.1.11:80,10.128.1.13:80; }
traffic_kube_mixed() {
    local jobs=
    ( get ext1 172.30.0.4 30100 -s 41101; get ext1 172.30.0.4 30080 -s 41102; get ext1 fd30::4 30080 -s 41103 ) & jobs+=" $!"
    ( get ext2 172.30.0.4 30080 -s 41102; get ext2 172.30.0.4 30100 -s 41101; udp ext2 172.30.0.4 30053 -s 41104 ) & jobs+=" $!"
    ( get pod1 10.96.0.10 80 -s 41105; get pod1 10.96.0.40 80 -s 41106; get pod1 172.30.0.1 80 -s 41107 ) & jobs+=" $!"
    ( udp pod2 10.96.0.53 53 -s 41108; get pod2 172.30.0.1 80 -s 41107; udp pod2 172.30.0.1 7777 -s 41109 -w 0.4 ) & jobs+=" $!"
    wait $jobs
}
