"""talk.py: the lab's ordinary traffic, through the kernel's own sockets.

  serve NAME PIDFILE                 TCP 80, 8080 answer each line with NAME; UDP 53, 5353, 9999 echo
  get DST PORT [options]             one TCP exchange
  udp DST PORT [options]             UDP datagrams, each waits for its echo

options: -s SPORT  -b SOURCE  -n COUNT  -z SIZE  -t TTL  -w SECONDS (wait for an answer)
         -i SECONDS (idle between connect and request)  -r (close with a reset)  -p (DF set: path MTU discovery)
"""
import argparse
import os
import select
import socket
import struct
import sys
import time

TCP_PORTS = (80, 8080)
UDP_PORTS = (53, 5353, 9999)


def listen(kind, port):
    s = socket.socket(socket.AF_INET6, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.bind(("::", port))
    if kind == socket.SOCK_STREAM:
        s.listen(64)
    return s


def serve(name, pidfile):
    with open(pidfile, "w") as f:
        f.write(str(os.getpid()))
    doors = [listen(socket.SOCK_STREAM, p) for p in TCP_PORTS]
    echoes = [listen(socket.SOCK_DGRAM, p) for p in UDP_PORTS]
    guests = []
    while True:
        for s in select.select(doors + echoes + guests, [], [])[0]:
            try:
                if s in doors:
                    guests.append(s.accept()[0])
                elif s in echoes:
                    data, peer = s.recvfrom(65535)
                    s.sendto(name.encode() + b":" + data, peer)
                else:
                    data = s.recv(65535)
                    if data.endswith(b"\n"):
                        s.sendall(b"I am " + name.encode() + b"\n")
                    if not data or data.endswith(b"bye\n"):
                        guests.remove(s)
                        s.close()
            except OSError:
                if s in guests:
                    guests.remove(s)
                    s.close()


def open_socket(a, kind):
    v6 = ":" in a.dst
    s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if a.t:
        if v6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, a.t)
        else:
            s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, a.t)
    if not v6 and kind == socket.SOCK_DGRAM:
        s.setsockopt(socket.IPPROTO_IP, 10, 2 if a.p else 0)  # IP_MTU_DISCOVER
    s.bind((a.b or ("::" if v6 else "0.0.0.0"), a.s))
    s.settimeout(a.w)
    s.connect((a.dst, a.port))
    return s


def get(a):
    s = open_socket(a, socket.SOCK_STREAM)
    time.sleep(a.i)
    for n in range(a.n):
        last = n == a.n - 1
        s.sendall(b"." * (a.z - 3) + (b"bye" if last else b"and") + b"\n")
        print(s.recv(65535).decode().strip())
        if not last:
            time.sleep(a.i)
    if a.r:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    else:
        try:
            while s.recv(65535):
                pass
        except OSError:
            pass
    s.close()


def udp(a):
    s = open_socket(a, socket.SOCK_DGRAM)
    for n in range(a.n):
        text = b"datagram %d " % n
        try:
            s.send(text + bytes(97 + i % 26 for i in range(max(0, a.z - len(text)))))
            print(len(s.recv(65535)), "bytes back")
        except OSError as e:
            print(e)


def main():
    p = argparse.ArgumentParser(add_help=False)
    p.add_argument("what")
    p.add_argument("dst")
    p.add_argument("port")
    for name, kind, value in (("-s", int, 0), ("-b", str, ""), ("-n", int, 1), ("-z", int, 16), ("-t", int, 0), ("-w", float, 2.0), ("-i", float, 0.0)):
        p.add_argument(name, type=kind, default=value)
    p.add_argument("-r", action="store_true")
    p.add_argument("-p", action="store_true")
    a = p.parse_args()
    if a.what == "serve":
        serve(a.dst, a.port)
    a.port = int(a.port)
    try:
        {"get": get, "udp": udp}[a.what](a)
    except OSError as e:
        print(e)


sys.exit(main())
