# What goes on while the network changes: connections that use what it no longer has.
# KEEP=history keeps the southbound database's log, and the northbound database.

scenario cloud-stale cloud "a floating IP, a SNAT, a backend and a port are replaced under connections that go on"
setup_cloud_stale() {
    KEEP=history
    point vm4-again.pcap vm4-again eth0 vm4-again $C1
    host_up vm4-again fa:16:3e:0b:00:14 1442 c1 vm4-again; addr vm4-again 10.2.0.14/24; no_ip6 vm4-again eth0; serve vm4-again
    nb -- lb-add mv 203.0.113.120:5353 10.1.0.12:5353 udp -- lr-lb-add r1 mv
}
traffic_cloud_stale() {
    udp vm3 203.0.113.50 5353 -s 46001; udp vm2 203.0.113.50 5353 -s 46002
    udp ext2 203.0.113.120 5353 -s 46003; udp vm3 10.2.0.14 5353 -s 46004
    sleep 1.5
    nb lr-nat-del r1 dnat_and_snat $FIP3; nb lr-nat-add r1 dnat_and_snat 203.0.113.104 10.2.0.13
    nb lr-nat-del r1 snat 10.1.0.0/24; nb lr-nat-add r1 snat 203.0.113.20 10.1.0.0/24
    nb --may-exist lb-add mv 203.0.113.120:5353 10.2.0.15:5353 udp
    nb lsp-del vm4; nb -- lsp-add net-b vm4-again -- lsp-set-addresses vm4-again "fa:16:3e:0b:00:14 10.2.0.14" \
       -- pg-set-ports default vm1 vm2 vm3 vm4-again vm5 -- pg-set-ports web vm1 vm2 vm3 vm4-again vm5
    nb --wait=hv sync
    sleep 1.5
    udp vm3 203.0.113.50 5353 -s 46001 -w 0.6; udp vm2 203.0.113.50 5353 -s 46002 -w 0.6
    udp ext2 203.0.113.120 5353 -s 46003 -w 0.6; udp vm3 10.2.0.14 5353 -s 46004 -w 0.6
}
cleanup_cloud_stale() { vsctl c1 del-port v-vm4-again; ip netns del rp-vm4-again; }

scenario cloud-asked-for cloud "what the northbound database asks for: DHCP options, a QoS rule, a route that discards, policies that drop and reroute"
setup_cloud_asked_for() {
    KEEP=history
    local u; u=$(nb create dhcp_options cidr=10.1.0.0/24 'options={server_id="10.1.0.1",server_mac="fa:16:3e:aa:0a:01",lease_time="43200",router="10.1.0.1"}' \
        external_ids:neutron\\:network_name=net-a)
    nb -- lsp-set-dhcpv4-options vm1 "$u" \
       -- qos-add net-a from-lport 100 'inport == "vm2" && udp' dscp=46 \
       -- lr-route-add r1 203.0.113.192/26 discard \
       -- lr-policy-add r1 300 'ip4.src == 10.1.0.12 && ip4.dst == 203.0.113.1' drop \
       -- lr-policy-add r1 200 'ip4.src == 10.2.0.13 && ip4.dst == 198.51.100.0/24' reroute 203.0.113.50
}
traffic_cloud_asked_for() {
    craft vm1 'bootp(0x201, "discover")'
    udp vm2 203.0.113.50 5353 -s 46011
    udp vm2 203.0.113.200 5353 -s 46012 -w 0.3
    udp vm2 203.0.113.1 5353 -s 46013 -w 0.3
    udp vm3 198.51.100.7 5353 -s 46014 -w 0.3
}
