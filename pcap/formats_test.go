package pcap

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/pcapgo"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// same holds two readings of one capture against each other. tick is the
// coarser one's time resolution in ns.
func same(t *testing.T, got, want []*Record, tick int64) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i, g := range got {
		w := want[i]
		if g.Frame != i+1 || g.Time/tick != w.Time/tick || g.OrigLen != w.OrigLen || g.LinkType != w.LinkType ||
			!bytes.Equal(g.Data, w.Data) {
			t.Errorf("frame %d: frame %d time %d len %d %v, want time %d len %d %v (data equal: %v)", i+1,
				g.Frame, g.Time, g.OrigLen, g.LinkType, w.Time, w.OrigLen, w.LinkType, bytes.Equal(g.Data, w.Data))
		}
	}
}

func TestSameCaptureInEveryFormat(t *testing.T) {
	t.Parallel()
	want := readFile(t, "testdata/client.pcap")
	if len(want) != 21 {
		t.Fatalf("%d frames, want 21 (as capinfos says)", len(want))
	}
	if first := want[0]; first.Time != 1795341635545492000 || first.LinkType != LinkEthernet {
		t.Errorf("first frame at %d, %v", first.Time, first.LinkType)
	}
	for _, name := range []string{"client.nsec.pcap", "client.pcap.gz", "client.pcapng"} {
		t.Run(name, func(t *testing.T) { same(t, readFile(t, filepath.Join("testdata", name)), want, 1) })
	}
	// What Wireshark writes: modified pcap, other orders of magnitude, compressions of other tools.
	for _, kind := range []string{"pcap", "nsecpcap", "modpcap", "pcapng"} {
		t.Run("editcap "+kind, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			run(t, "editcap", "-F", kind, "testdata/client.pcap", out)
			same(t, readFile(t, out), want, 1)
			for _, tool := range []string{"gzip", "xz", "zstd"} {
				packed := out + "." + tool
				if err := os.WriteFile(packed, []byte(run(t, tool, "-c", out)), 0o644); err != nil {
					t.Fatal(err)
				}
				same(t, readFile(t, packed), want, 1)
			}
		})
	}
}

func TestByteSwappedClassic(t *testing.T) {
	t.Parallel()
	want := readFile(t, "testdata/client.pcap")
	for _, o := range []ClassicOptions{
		{LinkType: LinkEthernet}, {LinkType: LinkEthernet, BigEndian: true},
		{LinkType: LinkEthernet, Microseconds: true}, {LinkType: LinkEthernet, BigEndian: true, Microseconds: true},
	} {
		var b bytes.Buffer
		w, err := NewClassicWriter(&b, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range want {
			if err := w.WritePacket(r.Time, r.Data, r.OrigLen); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		r, err := NewReader(&b, "swapped")
		if err != nil {
			t.Fatal(err)
		}
		got, err := readAll(r)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, want, 1)
	}
}

// TestAgainstGopacket holds the reader against another one.
func TestAgainstGopacket(t *testing.T) {
	for _, name := range []string{"client.pcap", "client.nsec.pcap", "client.pcapng", "nginx.pcap"} {
		t.Run(name, func(t *testing.T) {
			data := mustRead(t, filepath.Join("testdata", name))
			var next pcapgoReader
			var err error
			if bytes.HasPrefix(data, magicSection) {
				next, err = pcapgo.NewNgReader(bytes.NewReader(data), pcapgo.DefaultNgReaderOptions)
			} else {
				next, err = pcapgo.NewReader(bytes.NewReader(data))
			}
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range readFile(t, filepath.Join("testdata", name)) {
				want, info, err := next.ReadPacketData()
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(r.Data, want) || r.Time != info.Timestamp.UnixNano() || r.OrigLen != info.Length {
					t.Errorf("frame %d differs from gopacket's", i+1)
				}
			}
			if _, _, err := next.ReadPacketData(); err != io.EOF {
				t.Errorf("gopacket has more: %v", err)
			}
		})
	}
}

// TestMergecapMixedLinkTypes reads a file with an interface per source and two link types.
func TestMergecapMixedLinkTypes(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "mixed.pcapng")
	run(t, "mergecap", "-w", out, "testdata/client.pcap", "testdata/nginx.any.pcap")
	perLink := map[LinkType]int{}
	for _, r := range readFile(t, out) {
		perLink[r.LinkType]++
		if r.LinkType != r.Interface.LinkType {
			t.Errorf("frame %d: %v on an interface of %v", r.Frame, r.LinkType, r.Interface.LinkType)
		}
	}
	if perLink[LinkEthernet] != 21 || perLink[LinkSLL2] != 20 || len(perLink) != 2 {
		t.Errorf("frames per link type: %v", perLink)
	}
}

// TestEditcapAnnotations reads a comment and TLS secrets that another tool put in.
func TestEditcapAnnotations(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys, out := filepath.Join(dir, "keys"), filepath.Join(dir, "out.pcapng")
	if err := os.WriteFile(keys, []byte("CLIENT_RANDOM 00 11\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, "editcap", "-a", "2:look here", "--inject-secrets", "tls,"+keys, "testdata/client.pcap", out)
	r, err := OpenWith(out, Options{KeepBlocks: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	all, err := readAll(r)
	if err != nil || len(all) != 21 || len(all[0].Comments) != 0 || len(all[1].Comments) != 1 ||
		all[1].Comments[0] != "look here" {
		t.Errorf("%d records, %v", len(all), err)
	}
	kept := r.TakeBlocks()
	if len(kept) != 1 || kept[0].Type != blockSecrets || !bytes.Contains(kept[0].Body, []byte("CLIENT_RANDOM 00 11")) {
		t.Errorf("kept %+v", kept)
	}
	size := int64(len(mustRead(t, out)))
	if read, whole := r.Progress(); read != size || whole != size {
		t.Errorf("progress %d of %d, want %d", read, whole, size)
	}
}

func TestCompressedTruncation(t *testing.T) {
	t.Parallel()
	plain := mustRead(t, "testdata/client.pcapng")
	var xzBuf, zstdBuf bytes.Buffer
	xw, _ := xz.WriterConfig{DictCap: 1 << 16}.NewWriter(&xzBuf)
	zw, _ := zstd.NewWriter(&zstdBuf)
	for _, w := range []io.WriteCloser{xw, zw} {
		if _, err := w.Write(plain); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, packed := range map[string][]byte{"gzip": mustRead(t, "testdata/client.pcap.gz"), "xz": xzBuf.Bytes(),
		"zstd": zstdBuf.Bytes()} {
		t.Run(name, func(t *testing.T) {
			for n := range len(packed) - 1 {
				r, err := NewReader(bytes.NewReader(packed[:n]), "cut")
				if err == nil {
					_, err = readAll(r)
				}
				if err == nil {
					t.Fatalf("%d of %d bytes read without complaint", n, len(packed))
				}
			}
		})
	}
}

// pcapgoReader is what gopacket's two readers share.
type pcapgoReader interface {
	ReadPacketData() ([]byte, gopacket.CaptureInfo, error)
}
