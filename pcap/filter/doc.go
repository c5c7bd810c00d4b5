// Package filter selects captured packets by expressions of pcap-filter(7).
//
// An expression is parsed once and compiled for each link type its packets
// come with; the program that results is run on each packet's bytes.
//
// What it promises:
//   - It selects what tcpdump -r FILE EXPR selects, peculiarities of libpcap's
//     included: a test that looks beyond the captured bytes rejects the packet,
//     even under "not"; "tcp[0]" is of IPv4 only; "vlan", "mpls", "pppoes" and
//     "geneve" move what is to the right of them, also across an "or".
//   - What cannot be meant is an error that names a column and what was
//     expected there.
//   - Matching allocates nothing, and ends: a chain of headers that leads in a
//     circle is left after as many steps as the packet could have headers.
//   - Depth and size of an expression are bounded.
//
// What it never does: resolve names through a network (a host must be an
// address), look at anything but the packet's bytes and its length, or change
// them. Names of ports and protocols are those of /etc/services and
// /etc/protocols, and a few well-known ones where these files are missing.
//
// Programs are simplified as libpcap's are, since that decides which tests look
// beyond the end of a packet. Two corners are left, where the answer about a
// packet cut within its headers may differ: programs of thousands of tests are
// not simplified, and where arithmetic on constants makes a load useless,
// libpcap may keep it for the sake of a later test.
//
// Authorities: pcap-filter(7) of libpcap 1.10, bpf(4), the link type registry of
// tcpdump.org, RFC 8926 (Geneve).
package filter
