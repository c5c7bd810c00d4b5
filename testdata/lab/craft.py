"""craft.py: frames no kernel would send, made with scapy and sent from eth0.

  craft.py [-g SECONDS] EXPRESSION...

Each expression is scapy's (Ether(...)/IP(...)/...), or a list of packets; `mac`
is the address of eth0.  Frames are sent in order, SECONDS (0.05) apart.
"""
import logging
import sys
import time

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
from scapy.all import *  # noqa: E402,F403
from scapy.layers.dhcp6 import *  # noqa: E402,F403
from scapy.contrib import igmp  # noqa: E402

conf.verb = 0
mac = get_if_hwaddr("eth0")
BROADCAST = "ff:ff:ff:ff:ff:ff"


def bootp(xid, kind, *options, ciaddr="0.0.0.0", src="0.0.0.0", dst="255.255.255.255", to=BROADCAST):
    """A DHCPv4 client's message."""
    hw = bytes.fromhex(mac.replace(":", ""))
    return (Ether(src=mac, dst=to) / IP(src=src, dst=dst, id=xid & 0xffff) / UDP(sport=68, dport=67)
            / BOOTP(chaddr=hw, xid=xid, ciaddr=ciaddr) / DHCP(options=[("message-type", kind), *options, "end"]))


def solicit(target, src, to=None, lladdr=True):
    """A neighbour solicitation for target."""
    group = in6_getnsma(inet_pton(socket.AF_INET6, target))
    ns = Ether(src=mac, dst=to or in6_getnsmac(group)) / IPv6(src=src, dst=inet_ntop(socket.AF_INET6, group), hlim=255)
    ns = ns / ICMPv6ND_NS(tgt=target)
    return ns / ICMPv6NDOptSrcLLAddr(lladdr=mac) if lladdr else ns


def who_has(target, src, hwsrc=None, to=BROADCAST, ether=None):
    """An ARP request."""
    return Ether(src=ether or mac, dst=to) / ARP(op=1, hwsrc=hwsrc or mac, psrc=src, pdst=target)


def ask(dst, name, kind, ident, sport=40053, src=None, to=None):
    """A DNS question; its source address is that of eth0 and its way the router's."""
    ip = IPv6(src=src, dst=dst) if ":" in dst else IP(src=src, dst=dst, id=ident)
    return Ether(src=mac, dst=to) / ip / UDP(sport=sport, dport=53) / DNS(id=ident, rd=1, qd=DNSQR(qname=name, qtype=kind))


def geneve(vni, inport, outport, inner):
    """What a chassis puts into the tunnel's UDP: the keys, then the frame."""
    keys = inport.to_bytes(2, "big") + outport.to_bytes(2, "big")
    return bytes([0x02, 0x40]) + b"\x65\x58" + vni.to_bytes(3, "big") + b"\0" + b"\x01\x02\x80\x01" + keys + bytes(inner)


def main(args):
    gap = 0.05
    if args and args[0] == "-g":
        gap = float(args[1])
        args = args[2:]
    for text in args:
        frames = eval(text)  # the lab's own scenarios, nobody else's
        for frame in frames if isinstance(frames, list) else [frames]:
            sendp(frame, iface="eth0")
            print(frame.summary())
            time.sleep(gap)


main(sys.argv[1:])
