package compressed

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestXZ reads what the xz command writes: each check, several blocks, several
// streams, padding between them.
func TestXZ(t *testing.T) {
	t.Parallel()
	plain := bytes.Repeat(mustRead(t, "../testdata/client.pcap"), 40)
	path := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(path, plain, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-0"}, {"-7e"}, {"--check=none"}, {"--check=crc32"}, {"--check=sha256"},
		{"--block-size=10000"}, {"-T2", "--block-size=20000"}} {
		packed := []byte(run(t, "xz", append(args, "-c", path)...))
		if got, err := unxz(packed); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("xz %v: %d bytes, %v", args, len(got), err)
		}
		twice := append(append(bytes.Clone(packed), 0, 0, 0, 0, 0, 0, 0, 0), packed...)
		if got, err := unxz(twice); err != nil || len(got) != 2*len(plain) {
			t.Errorf("xz %v twice: %d bytes, %v", args, len(got), err)
		}
		for n := 1; n < len(packed); n += max(1, len(packed)/12) {
			kept, err := unxz(packed[:n])
			if err != io.ErrUnexpectedEOF || !bytes.HasPrefix(plain, kept) {
				t.Fatalf("xz %v cut to %d of %d bytes: %d bytes, %v", args, n, len(packed), len(kept), err)
			}
			// The decoder goes on while there is what the longest symbol takes.
			const longest = 21
			if theirs := cutXZ(packed[:max(n-longest, 0)]); !bytes.HasPrefix(kept, theirs) {
				t.Errorf("xz %v cut to %d of %d bytes: %d bytes are kept, xz keeps %d", args, n, len(packed), len(kept),
					len(theirs))
			}
		}
	}
}

// cutXZ is what the xz command gets out of a file that is cut.
func cutXZ(packed []byte) []byte {
	cmd := exec.Command("xz", "-dc")
	cmd.Stdin = bytes.NewReader(packed)
	kept, _ := cmd.Output() // it complains
	return kept
}

func unxz(packed []byte) ([]byte, error) {
	return io.ReadAll(&xzReader{in: bytes.NewReader(packed)})
}

// TestXZFlippedBits: with a check, a flipped bit is noticed or does no harm.
func TestXZFlippedBits(t *testing.T) {
	t.Parallel()
	plain := mustRead(t, "../testdata/client.nsec.pcap")
	packed := []byte(run(t, "xz", "-c", "../testdata/client.nsec.pcap"))
	for i := range packed {
		bad := bytes.Clone(packed)
		bad[i] ^= 1 << (i % 8)
		if got, err := unxz(bad); err == nil && !bytes.Equal(got, plain) {
			t.Errorf("byte %d flipped: no error", i)
		}
	}
}

func TestXZDictionaryIsBounded(t *testing.T) {
	t.Parallel()
	packed := []byte(run(t, "xz", "-c", "../testdata/client.nsec.pcap"))
	h := packed[12:24] // block header: size 2, flags, filter, one property byte, padding, sum
	if h[0] != 2 || h[2] != 0x21 {
		t.Fatalf("block header % x is not the expected one", h)
	}
	h[4] = 40 // 4 GiB - 1
	binary.LittleEndian.PutUint32(h[8:], crc32.ChecksumIEEE(h[:8]))
	if _, err := unxz(packed); err != errXZDictionary {
		t.Errorf("error %v", err)
	}
}

func mustRead(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		t.Fatalf("%s %v: %v", name, args, err)
	}
	return string(out)
}
