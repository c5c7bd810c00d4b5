"""delegate.py PREFIX LENGTH SECONDS: a DHCPv6 server on eth0 that delegates one prefix.

Before it advertises the prefix it does so wrongly, in ways that a client has to
refuse: with a status, with lifetimes or times that contradict each other, and
for an identity association nobody asked for.
"""
import logging
import sys
import time

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
from scapy.all import *  # noqa: E402,F403
from scapy.layers.dhcp6 import *  # noqa: E402,F403

conf.verb = 0
mac = get_if_hwaddr("eth0")
address = next(a for a in in6_getifaddr() if a[2] == "eth0" and not a[0].startswith("fe80"))[0]
server = DHCP6OptServerId(duid=DUID_LL(lladdr=mac))


def association(iaid, prefix, length, t1=1800, t2=2800, preferred=3000, valid=4000, status=None):
    options = [DHCP6OptIAPrefix(prefix=prefix, plen=length, preflft=preferred, validlft=valid)]
    if status is not None:
        options.append(DHCP6OptStatusCode(statuscode=status, statusmsg=b""))
    return DHCP6OptIA_PD(iaid=iaid, T1=t1, T2=t2, iapdopt=options)


def main(prefix, length, seconds):
    length, end = int(length), time.time() + float(seconds)

    def answer(frame, kind, ia):
        client = frame[DHCP6OptClientId] if DHCP6OptClientId in frame else None
        head = Ether(src=mac, dst=frame.src) / IPv6(src=address, dst=frame[IPv6].src) / UDP(sport=547, dport=546)
        ident = DHCP6OptClientId(duid=client.duid) if client else DHCP6OptClientId(duid=DUID_LL(lladdr=frame.src))
        sendp(head / kind(trid=7) / ident / DHCP6OptPref(prefval=255) / server / ia, iface="eth0")
        time.sleep(0.05)

    def on(frame):
        iaid = frame[DHCP6OptIA_PD].iaid if DHCP6OptIA_PD in frame else 0
        if DHCP6_Solicit in frame:
            answer(frame, DHCP6_Advertise, association(iaid, prefix, length, status=6))
            answer(frame, DHCP6_Advertise, association(iaid, prefix, length, preferred=9000))
            answer(frame, DHCP6_Advertise, association(iaid, prefix, length, t1=5000))
            answer(frame, DHCP6_Advertise, association(iaid ^ 0x5555, prefix, length))
            answer(frame, DHCP6_Advertise, association(iaid, prefix, length, status=0))
        elif DHCP6_Request in frame:
            answer(frame, DHCP6_Reply, association(iaid, prefix, length))
        print(frame.summary())

    while time.time() < end:
        sniff(iface="eth0", filter="udp dst port 547", prn=on, timeout=max(0.1, end - time.time()))


main(*sys.argv[1:])
