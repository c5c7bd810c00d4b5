"""batches.py: what hands its kernel several datagrams, or much of a stream, at once.

  serve            UDP 5353 tells nobody what it gets; TCP 80 reads to the end and says how much
  udp DST SIZE/SEGMENT...  datagrams of SIZE bytes each, cut up by the card into such of SEGMENT (UDP_SEGMENT)
  get DST SIZE     a TCP connection that sends SIZE bytes
"""
import select
import socket
import sys
import time

UDP_SEGMENT = 103


def serve():
    door = socket.socket(socket.AF_INET6)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind(("::", 80))
    door.listen()
    udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    udp.bind(("::", 5353))
    guests = {}
    while True:
        for s in select.select([door, udp, *guests], [], [])[0]:
            if s is door:
                guests[s.accept()[0]] = 0
            elif s is udp:
                s.recv(65535)
            else:
                data = s.recv(1 << 20)
                guests[s] += len(data)
                if not data:
                    s.sendall(b"%d\n" % guests.pop(s))
                    s.close()


def udp(dst, *batches):
    s = socket.socket(socket.AF_INET6 if ":" in dst else socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", 40053))
    for b in batches:
        size, segment = map(int, b.split("/"))
        s.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, segment)
        s.sendto((b"%d bytes in %d. " % (size, segment) + bytes(97 + i // 97 % 26 for i in range(size)))[:size], (dst, 5353))
        time.sleep(0.05)


def get(dst, size):
    s = socket.create_connection((dst, 80))
    s.sendall(b"." * int(size))
    s.shutdown(socket.SHUT_WR)
    print(s.recv(64).decode().strip(), "arrived")
    s.close()


globals()[sys.argv[1]](*sys.argv[2:])
