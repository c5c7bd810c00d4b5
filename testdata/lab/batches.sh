#!/bin/bash
# batches.sh DIR: records what Linux' offloads make of UDP_SEGMENT and of BIG TCP, which no
# Open vSwitch of the lab passes on: its userspace datapath knows neither. A namespace
# routes and translates as cloud-snat's r1 does at c1 (vm1, its floating IP, the provider's
# VLAN 100) and c3 (vm5), with the same Ethernet addresses; its cards cut up what leaves to
# vm5 and to the provider. Each capture is that of a port of cloud-snat's database.
#
# Needs root, ip, ethtool, nft, tcpdump. DIR gets vm1.pcap, vm5.pcap and provider-c1.pcap.
set -eu
DIR=$1 HERE=$(cd "$(dirname "$0")" && pwd)
trap 'for n in vm1 vm5 ext r; do ip netns pids bt-$n | xargs -r kill; ip netns del bt-$n; done 2>/dev/null' EXIT

ns() { local n=bt-$1; shift; ip netns exec "$n" "$@"; }
host() { # NAME MAC MTU ROUTER-INTERFACE ROUTER-MAC
    ip link add eth0 netns "bt-$1" address "$2" type veth peer name "$4" netns bt-r address "$5"
    ns "$1" ip link set eth0 mtu "$3" up; ns r ip link set "$4" mtu "$3" up
}
near() { # NAME INTERFACE ADDRESS... MAC: who has them, so that nobody asks
    local name=$1 dev=$2 mac=${!#}; shift 2
    while [ $# -gt 1 ]; do ns "$name" ip neigh replace "$1" lladdr "$mac" dev "$dev" nud permanent; shift; done
}

for n in vm1 vm5 ext r; do ip netns add bt-$n; ns $n sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.router_solicitations=0 net.ipv6.conf.default.addr_gen_mode=1; done
host vm1 fa:16:3e:0a:00:11 1500 ra fa:16:3e:aa:0a:01
host vm5 fa:16:3e:0b:00:15 1500 rb fa:16:3e:aa:0b:01
host ext 52:54:00:e0:00:50 1500 rx fa:16:3e:f1:01:01
for x in "vm1 eth0 10.1.0.11/24 fd01:a::11/64" "vm5 eth0 10.2.0.15/24 fd01:b::15/64" "ext eth0 203.0.113.50/24" \
    "r ra 10.1.0.1/24 fd01:a::1/64" "r rb 10.2.0.1/24 fd01:b::1/64" "r rx 203.0.113.101/24"; do
    set -- $x
    for a in "${@:3}"; do ns $1 ip addr add $a dev $2; done
done
near vm1 eth0 10.1.0.1 fd01:a::1 fa:16:3e:aa:0a:01; near vm5 eth0 10.2.0.1 fd01:b::1 fa:16:3e:aa:0b:01
near r ra 10.1.0.11 fd01:a::11 fa:16:3e:0a:00:11; near r rb 10.2.0.15 fd01:b::15 fa:16:3e:0b:00:15
near r rx 203.0.113.50 52:54:00:e0:00:50; near ext eth0 203.0.113.101 fa:16:3e:f1:01:01
ns vm1 ip route add default via 10.1.0.1 initcwnd 400; ns vm5 ip route add default via 10.2.0.1 initrwnd 1000
ns vm1 ip -6 route add default via fd01:a::1; ns vm5 ip -6 route add default via fd01:b::1
ns r sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.send_redirects=0
ns vm5 sysctl -qw net.ipv4.tcp_rmem="4096 4000000 8000000"; ns vm1 sysctl -qw net.ipv4.tcp_wmem="4096 4000000 8000000"
ns r nft -f - <<'NFT'
table ip nat {
    chain out { type nat hook postrouting priority 100; oifname "rx" ip saddr 10.1.0.11 snat to 203.0.113.101; }
    chain in { type nat hook prerouting priority -100; iifname "rx" ip daddr 203.0.113.101 dnat to 10.1.0.11; }
}
NFT
# cards that cannot cut up datagrams, where several leave; one that puts them together
ns r ethtool -K rb tx-udp-segmentation off gso off tso off tx off > /dev/null
ns r ethtool -K rx tx-udp-segmentation off gso off tso off tx off > /dev/null
ns ext ethtool -K eth0 tx-udp-segmentation off gso off tx off > /dev/null
ns r ethtool -K rx gro on rx-udp-gro-forwarding on > /dev/null
for d in vm1:eth0 r:ra r:rb; do # BIG TCP, which this iproute2 knows of IPv6 only
    ns ${d%:*} python3 -c '
import socket, struct, sys
m = struct.pack("BBHiII", 0, 0, 0, socket.if_nametoindex(sys.argv[1]), 0, 0) + b"".join(struct.pack("HHI", 8, t, 180000) for t in (41, 58, 63, 64))
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
s.send(struct.pack("IHHII", 16 + len(m), 16, 5, 1, 0) + m)
assert struct.unpack("i", s.recv(4096)[16:20]) == (0,)' ${d#*:}
done
sleep 3    # multicast listener reports are over
for n in vm1 vm5 ext; do ns $n python3 "$HERE/batches.py" serve & done
ns r tcpdump -U -i ra -w "$DIR/vm1.pcap" 2>/dev/null &
ns r tcpdump -U -i rb -w "$DIR/vm5.pcap" 2>/dev/null &
ns ext tcpdump -U -i eth0 -w "$DIR/provider-c1.pcap" 2>/dev/null &
sleep 1
ns vm1 python3 "$HERE/batches.py" udp 10.2.0.15 4000/1000 4100/1400 900/1000 30000/1400
ns vm1 python3 "$HERE/batches.py" udp fd01:b::15 4000/1000 4100/1400 30000/1400
ns vm1 python3 "$HERE/batches.py" udp 203.0.113.50 4000/1000 4100/1400 10000/512
ns vm5 python3 "$HERE/batches.py" udp 10.1.0.11 5000/1200
ns ext python3 "$HERE/batches.py" udp 203.0.113.101 4000/1000 4100/1400
ns vm1 python3 "$HERE/batches.py" get 10.2.0.15 900000
sleep 1
jobs -p | xargs -r kill
wait
