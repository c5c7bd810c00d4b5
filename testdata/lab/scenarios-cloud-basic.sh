# The cloud topology's ordinary ways: switched, routed, SNAT, floating IPs.

scenario cloud-l2-geneve cloud "one switch, two chassis: TCP, UDP, ping over one Geneve hop, IPv4 and IPv6"
traffic_cloud_l2_geneve() {
    get vm1 10.1.0.12 80 -s 42001; udp vm2 10.1.0.11 5353 -s 42002; get vm2 fd01:a::11 80 -s 42003; pings vm1 2 10.1.0.12; pings vm1 2 fd01:a::12
}

scenario cloud-l3-geneve cloud "distributed router: routed on the source's chassis, then Geneve; also without leaving the chassis"
traffic_cloud_l3_geneve() {
    get vm1 10.2.0.13 80 -s 42011; get vm1 10.2.0.14 80 -s 42012; udp vm2 10.2.0.15 5353 -s 42013
    get vm2 fd01:b::14 80 -s 42014; pings vm4 2 fd01:a::12; pings vm1 1 10.2.0.1
}

scenario cloud-snat cloud "VM -> outside through the gateway chassis, SNAT to the router's address: TCP, UDP, ICMP"
traffic_cloud_snat() { get vm2 203.0.113.50 80 -s 42021; udp vm4 203.0.113.1 5353 -s 42022; pings vm5 2 203.0.113.1; get vm2 198.51.100.7 80 -s 42023; }

scenario cloud-routed-v6 cloud "VM <-> outside over IPv6, routed without NAT through the gateway chassis"
traffic_cloud_routed_v6() { get vm2 2001:db8:113::50 80 -s 42031; get ext2 fd01:a::12 80 -s 42032; pings ext1 2 fd01:b::13; }

scenario cloud-fip-distributed cloud "floating IP with its own MAC: answered and translated on the VM's chassis, both directions"
traffic_cloud_fip_distributed() { get ext2 $FIP1 80 -s 42041; pings ext1 2 $FIP1; get vm1 203.0.113.50 80 -s 42042; udp ext2 $FIP1 5353 -s 42043; }

scenario cloud-fip-centralised cloud "floating IP without a MAC of its own: translated on the gateway chassis, both directions"
traffic_cloud_fip_centralised() { get ext2 $FIP3 80 -s 42051; pings ext1 2 $FIP3; get vm3 203.0.113.50 80 -s 42052; udp vm3 203.0.113.1 5353 -s 42053; }

scenario cloud-fip-to-fip cloud "VM to another VM's floating IP, VM to its own floating IP, VM without one to a floating IP"
traffic_cloud_fip_to_fip() { get vm1 $FIP3 80 -s 42061; get vm3 $FIP1 80 -s 42062; get vm2 $FIP1 80 -s 42063; get vm1 $FIP1 80 -s 42064 -w 1; }
