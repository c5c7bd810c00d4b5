// Package pcap reads packet captures and writes annotated ones.
//
// In: pcap (microseconds, nanoseconds, Kuznetzov-modified, both byte orders)
// and pcapng (sections, interfaces, mixed link types, options, comments), plain
// or compressed with gzip, xz or zstd, from files, rotated sets or a stream.
// Several captures are merged by time; a filter (package filter) leaves out
// packets as they are read. Of an annotated capture that is read again, the packets and comments
// that the annotation added are left out. Out: pcapng in which every interface may be a
// logical port, and classic pcap.
//
// What it promises:
//   - Times are nanoseconds since the Unix epoch, as the capture says them.
//   - Everything before a truncation or corruption is delivered; the error
//     that follows names file, frame, offset, and what to do.
//   - No length claimed by the input is allocated before its bytes are there.
//   - A packet without options costs no allocation in steady state.
//   - A stream is answered packet by packet: nothing is read ahead of need.
//
// What it never does: guess a packet's place in the logical network from
// anything but names given by the caller, change a packet's bytes, or use the
// wall clock.
//
// Authorities: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng, the link type
// registry of tcpdump.org, RFC 8926 (Geneve), RFC 7348 (VXLAN).
package pcap
