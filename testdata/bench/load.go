package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	"ovnreplay/nat/header"
)

// A load is grown from the recorded nodePort session: as many connections of
// its client, each a handshake, rounds of a request and its answer, and a close,
// at the client and at the pod. Every packet is what OVN made of the recorded
// one, with another port of the client's and other sequence numbers.

// frame is one of the recording's, with its time in microseconds.
type frame struct {
	at   int64
	data []byte
}

// fromClient tells which of the connection's ten frames the client sent.
var fromClient = [10]bool{true, false, true, true, false, false, true, true, false, true}

func readCapture(path string) ([]frame, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all []frame
	for at := 24; at+16 <= len(b) && len(all) < len(fromClient); {
		le := binary.LittleEndian
		n := int(le.Uint32(b[at+8:]))
		if at+16+n > len(b) {
			break
		}
		all = append(all, frame{int64(le.Uint32(b[at:]))*1e6 + int64(le.Uint32(b[at+4:])), b[at+16 : at+16+n]})
		at += 16 + n
	}
	if len(all) != len(fromClient) {
		return nil, fmt.Errorf("%s: %d frames, want %d of them", path, len(all), len(fromClient))
	}
	return all, nil
}

const (
	clientPorts = 1100
	tcpSum      = 14 + 20 + 16
	request     = 81 // bytes
	response    = 256
	batch       = 64 // connections at a time
)

// put writes new bytes into a frame and mends its checksum.
func put(p []byte, at int, v []byte) {
	sum := header.Update16(binary.BigEndian.Uint16(p[tcpSum:]), p[at:at+len(v)], v)
	binary.BigEndian.PutUint16(p[tcpSum:], sum)
	copy(p[at:], v)
}

// shape is a frame of another connection, further on in it.
func shape(of []byte, client bool, port uint16, sent, got uint32) []byte {
	p := append([]byte(nil), of...)
	at := 36
	if client {
		at = 34
	} else {
		sent, got = got, sent
	}
	put(p, at, binary.BigEndian.AppendUint16(nil, port))
	put(p, 38, binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(p[38:])+sent))
	if p[47]&0x10 != 0 {
		put(p, 42, binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(p[42:])+got))
	}
	return p
}

// capture is a pcap being written.
type capture struct {
	w *bufio.Writer
	f *os.File
}

func newCapture(path string) (*capture, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	c := &capture{bufio.NewWriterSize(f, 1<<20), f}
	head := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	head = append(head, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	head = binary.LittleEndian.AppendUint32(head, 262144)
	head = binary.LittleEndian.AppendUint32(head, 1)
	_, err = c.w.Write(head)
	return c, err
}

func (c *capture) add(at int64, p []byte) {
	h := binary.LittleEndian.AppendUint32(nil, uint32(at/1e6))
	h = binary.LittleEndian.AppendUint32(h, uint32(at%1e6))
	h = binary.LittleEndian.AppendUint32(h, uint32(len(p)))
	h = binary.LittleEndian.AppendUint32(h, uint32(len(p)))
	c.w.Write(h)
	c.w.Write(p)
}

func (c *capture) close() error {
	if err := c.w.Flush(); err != nil {
		return err
	}
	return c.f.Close()
}

// load is captures made, and how many packets entered in them.
type load struct {
	client, pod string
	packets     int
}

// makeLoad writes a load of connections with so many rounds each.
func makeLoad(caseDir, dir, name string, connections, rounds int) (l load, err error) {
	client, err := readCapture(filepath.Join(caseDir, "client.pcap"))
	if err != nil {
		return l, err
	}
	pod, err := readCapture(filepath.Join(caseDir, "nginx.pcap"))
	if err != nil {
		return l, err
	}
	l = load{filepath.Join(dir, name+"-client.pcap"), filepath.Join(dir, name+"-pod.pcap"), 0}
	c, err := newCapture(l.client)
	if err != nil {
		return l, err
	}
	p, err := newCapture(l.pod)
	if err != nil {
		return l, err
	}
	order := []int{0, 1, 2}
	for range rounds {
		order = append(order, 3, 4, 5, 6)
	}
	order = append(order, 7, 8, 9)
	now := client[0].at
	for first := 0; first < connections; first += batch {
		var sent, got uint32
		for k, i := range order {
			for j := first; j < min(first+batch, connections); j++ {
				port := uint16(clientPorts + j)
				// Each side of each begins with a sequence number of its own.
				sent, got := sent+uint32(j)*2654435761, got+uint32(j)*2246822519
				a := shape(client[i].data, fromClient[i], port, sent, got)
				q := shape(pod[i].data, fromClient[i], port, sent, got)
				now += 2
				l.packets++
				if fromClient[i] {
					c.add(now, a)
					p.add(now+1, q)
				} else {
					p.add(now, q)
					c.add(now+1, a)
				}
			}
			if i == 6 && order[k+1] == 3 {
				sent, got = sent+request, got+response
			}
		}
	}
	if err := c.close(); err != nil {
		return l, err
	}
	return l, p.close()
}
