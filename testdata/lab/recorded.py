"""What scripts that make cases of recordings share."""
import gzip
import struct


def cut(path, first, last):
    """A pcap's whole records between two instants, and how many there are."""
    with open(path, "rb") as f:
        data = f.read()
    kept, at = [data[:24]], 24
    while at + 16 <= len(data):
        seconds, micros, length = struct.unpack_from("<III", data, at)
        if at + 16 + length <= len(data) and first <= seconds + micros / 1e6 <= last:
            kept.append(data[at:at + 16 + length])
        at += 16 + length
    return b"".join(kept), len(kept) - 1


def compress(path, data):
    """Write data to path.gz: the same bytes whenever that is."""
    with open(path + ".gz", "wb") as f, gzip.GzipFile("", "wb", 9, f, mtime=0) as z:
        z.write(data)
