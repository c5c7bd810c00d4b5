package pcap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"testing"
)

// ngBuilder composes pcapng files block by block, in either byte order, for
// the shapes no tool at hand writes.
type ngBuilder struct {
	bytes.Buffer
	order binary.AppendByteOrder
}

func newNG(big bool) *ngBuilder {
	if big {
		return &ngBuilder{order: binary.BigEndian}
	}
	return &ngBuilder{order: binary.LittleEndian}
}

func (b *ngBuilder) block(typ uint32, body ...[]byte) *ngBuilder {
	all := bytes.Join(body, nil)
	for len(all)%4 != 0 {
		all = append(all, 0)
	}
	n := uint32(len(all) + 12)
	b.Write(b.u32(typ, n))
	b.Write(all)
	b.Write(b.u32(n))
	return b
}

func (b *ngBuilder) u16(v ...uint16) (out []byte) {
	for _, x := range v {
		out = b.order.AppendUint16(out, x)
	}
	return out
}

func (b *ngBuilder) u32(v ...uint32) (out []byte) {
	for _, x := range v {
		out = b.order.AppendUint32(out, x)
	}
	return out
}

func (b *ngBuilder) u64(v uint64) []byte { return b.order.AppendUint64(nil, v) }

// opt is one option, padded.
func (b *ngBuilder) opt(code uint16, v []byte) []byte {
	out := append(b.u16(code, uint16(len(v))), v...)
	for len(out)%4 != 0 {
		out = append(out, 0)
	}
	return out
}

func (b *ngBuilder) section(options ...[]byte) *ngBuilder {
	return b.block(blockSection, b.u32(byteOrderMagic), b.u16(1, 0), b.u64(1<<64-1), bytes.Join(options, nil))
}

func (b *ngBuilder) iface(link uint16, snap uint32, options ...[]byte) *ngBuilder {
	return b.block(blockInterface, b.u16(link, 0), b.u32(snap), bytes.Join(options, nil))
}

// padded is packet data to a multiple of four bytes.
func padded(data []byte) []byte {
	return append(bytes.Clone(data), make([]byte, pad4(len(data))-len(data))...)
}

func (b *ngBuilder) epb(id uint32, ticks uint64, data []byte, options ...[]byte) *ngBuilder {
	return b.block(blockEnhanced, b.u32(id, uint32(ticks>>32), uint32(ticks), uint32(len(data)), uint32(len(data))),
		padded(data), bytes.Join(options, nil))
}

func (b *ngBuilder) spb(original uint32, data []byte) *ngBuilder {
	return b.block(blockSimplePacket, b.u32(original), padded(data))
}

func (b *ngBuilder) reader(t testing.TB, o Options) *Reader {
	t.Helper()
	r, err := NewReaderWith(bytes.NewReader(b.Bytes()), "built", o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// readAll collects copies of a source's records until its end or error.
func readAll(src Source) (all []*Record, err error) {
	var rec Record
	for {
		if err = src.Next(&rec); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return all, err
		}
		c := new(Record)
		c.CopyFrom(&rec)
		all = append(all, c)
	}
}

// readFile reads a whole capture that must be sound.
func readFile(t testing.TB, path string) []*Record {
	t.Helper()
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	all, err := readAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// run runs one of Wireshark's tools, which the tests need.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v: %s (tests need tshark, editcap and mergecap: apt-get install tshark)", name, args, err,
			stderr.String())
	}
	return string(out)
}

func mustRead(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
