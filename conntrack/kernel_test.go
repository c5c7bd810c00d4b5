//go:build linux

package conntrack

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// kernelTap is a network namespace of its own with one TUN device. Packets
// written to it pass the kernel's conntrack, get the state an nftables rule
// saw written into their DSCP field, and are routed back out of the device.
type kernelTap struct {
	tun *os.File
	buf [65536]byte
}

const stateRules = `
table inet t {
  chain pre {
    type filter hook prerouting priority 0; policy accept;
    meta nfproto ipv4 ip dscp set 0
    meta nfproto ipv6 ip6 dscp set 0
    ct state invalid meta mark set 1
    ct state new meta mark set 2
    ct state established meta mark set 3
    ct state related meta mark set 4
    ct direction reply meta mark set meta mark or 8
    meta nfproto ipv4 meta mark 1 ip dscp set 1
    meta nfproto ipv4 meta mark 2 ip dscp set 2
    meta nfproto ipv4 meta mark 3 ip dscp set 3
    meta nfproto ipv4 meta mark 4 ip dscp set 4
    meta nfproto ipv4 meta mark 10 ip dscp set 10
    meta nfproto ipv4 meta mark 11 ip dscp set 11
    meta nfproto ipv4 meta mark 12 ip dscp set 12
    meta nfproto ipv6 meta mark 1 ip6 dscp set 1
    meta nfproto ipv6 meta mark 2 ip6 dscp set 2
    meta nfproto ipv6 meta mark 3 ip6 dscp set 3
    meta nfproto ipv6 meta mark 4 ip6 dscp set 4
    meta nfproto ipv6 meta mark 10 ip6 dscp set 10
    meta nfproto ipv6 meta mark 11 ip6 dscp set 11
    meta nfproto ipv6 meta mark 12 ip6 dscp set 12
  }
}
`

// newKernelTap moves the calling goroutine's thread into a fresh namespace,
// which ends with it: no subtests then, they run on threads of their own.
// extra is more nftables input.
func newKernelTap(t *testing.T, extra string) *kernelTap {
	t.Helper()
	for _, tool := range []string{"nft", "ip"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED: no %s here; nothing was compared with the kernel", tool)
		}
	}
	runtime.LockOSThread() // and never unlock: the thread dies with the test
	if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
		t.Skipf("SKIPPED: no network namespace of our own (%v: run as root); nothing was compared with the kernel", err)
	}
	k := &kernelTap{tun: openTUN(t)}
	t.Cleanup(func() { k.tun.Close() })
	for _, cmd := range []string{
		"ip link set lo up", "ip link set tun0 up", "ip addr add 10.255.0.1/30 dev tun0",
		"ip route add 10.0.0.0/8 dev tun0",
	} {
		f := strings.Fields(cmd)
		run(t, "", f[0], f[1:]...)
	}
	for name, v := range map[string]string{
		"ipv4/ip_forward": "1", "ipv4/conf/all/rp_filter": "0", "ipv4/conf/tun0/rp_filter": "0",
		"ipv4/conf/all/send_redirects": "0", "ipv4/conf/tun0/send_redirects": "0",
		"netfilter/nf_conntrack_checksum": "1",
	} {
		os.WriteFile("/proc/sys/net/"+name, []byte(v), 0o644)
	}
	run(t, stateRules+extra, "nft", "-f", "-")
	return k
}

func run(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Skipf("SKIPPED: %s %v: %v: %s; nothing was compared with the kernel", name, args, err, out)
	}
	return string(out)
}

func openTUN(t *testing.T) *os.File {
	t.Helper()
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("SKIPPED: /dev/net/tun: %v; nothing was compared with the kernel", err)
	}
	var req [40]byte
	copy(req[:], "tun0")
	binary.NativeEndian.PutUint16(req[16:], 0x1001) // IFF_TUN | IFF_NO_PI
	if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), 0x400454ca, uintptr(unsafe.Pointer(&req))); e != 0 {
		t.Skipf("SKIPPED: TUNSETIFF: %v; nothing was compared with the kernel", e)
	}
	return os.NewFile(uintptr(fd), "tun0")
}

// send passes a packet through the kernel and returns it as it came out, nil if it did not.
func (k *kernelTap) send(t *testing.T, ip []byte) []byte {
	t.Helper()
	if _, err := k.tun.Write(ip); err != nil {
		t.Fatal(err)
	}
	k.tun.SetReadDeadline(time.Now().Add(2 * time.Second))
	for {
		n, err := k.tun.Read(k.buf[:])
		if err != nil {
			return nil
		}
		if out := k.buf[:n]; out[0]>>4 == ip[0]>>4 && (out[0]>>4 == 6 || out[9] == ip[9] && out[8] == ip[8]-1) {
			return out
		}
	}
}

// kernelState reads what the rule saw.
func kernelState(out []byte) string {
	if out == nil {
		return "dropped"
	}
	dscp := out[1] >> 2
	if out[0]>>4 == 6 {
		dscp = out[0]<<4>>2 | out[1]>>6
	}
	s := []string{"untracked", "inv", "new", "est", "rel"}[dscp&7]
	if dscp&8 != 0 {
		s += "|rpl"
	}
	return s
}

func TestAgainstKernel(t *testing.T) {
	k := newKernelTap(t, "")
	seen := map[string]int{}
	for seed := range uint64(60) {
		g := newGenerator(seed)
		k.compare(t, fmt.Sprint("seed ", seed), 300, g.next, seen)
	}
	for _, s := range []string{"inv", "new", "est", "est|rpl", "rel", "rel|rpl"} {
		if seen[s] < 50 {
			t.Errorf("only %d packets were %s: %v", seen[s], s, seen)
		}
	}
	t.Log("states seen by the kernel:", seen)
}

func TestAgainstKernelSCTP(t *testing.T) {
	k := newKernelTap(t, "")
	seen := map[string]int{}
	for seed := range uint64(60) {
		g := newGenerator(seed)
		k.compare(t, fmt.Sprint("seed ", seed), 300, g.sctp, seen)
	}
	for _, s := range []string{"inv", "new", "est", "est|rpl"} {
		if seen[s] < 50 {
			t.Errorf("only %d packets were %s: %v", seen[s], s, seen)
		}
	}
	t.Log("states seen by the kernel:", seen)
}

// compare sends packets through the kernel and through a table of ours: each
// must get the same state, and the tables must be the same afterwards, with
// states, reply and assured bits, and timeouts up to the seconds the test took.
func (k *kernelTap) compare(t *testing.T, name string, packets int, next func() []byte, seen map[string]int) {
	t.Helper()
	flushKernel(t)
	start := time.Now()
	ct := NewTable(Options{Profile: Linux, Netfilter: true})
	for i := range packets {
		ip := next()
		theirs := kernelState(k.send(t, ip))
		now := Time(time.Since(start)) + Second // the kernel's clock ticks
		seen[theirs]++
		var m Meta
		ct.Execute(now, ip, &m, &Request{Commit: true})
		if ours := m.State.flags(); ours != theirs {
			tup := tuple(t, ip)
			t.Errorf("%s packet %d: %v\nours:   %s\ntheirs: %s\npacket: %x", name, i, &tup, ours, theirs, ip)
			return
		}
	}
	out := run(t, "", "sh", "-c", "conntrack -L -o extended 2>/dev/null")
	theirs, err := ReadDump(strings.NewReader(out), "conntrack -L")
	if err != nil {
		t.Fatal(err)
	}
	ours := ct.Entries(Time(time.Since(start)) + Second)
	for _, d := range Compare(ours, theirs) {
		t.Errorf("%s: table: %v", name, &d)
	}
	SortEntries(ours)
	SortEntries(theirs)
	for i := range min(len(ours), len(theirs)) {
		a, b := &ours[i], &theirs[i]
		const bits = StatusSeenReply | StatusAssured
		if late := a.Timeout - b.Timeout; a.Orig == b.Orig &&
			(a.State != b.State || a.Status&bits != b.Status&bits || late < -3*Second || late > 3*Second) {
			t.Errorf("%s: table:\n%s, theirs\n%s", name, AppendEntry(nil, a, ConntrackExt),
				AppendEntry(nil, b, ConntrackExt))
		}
	}
}

func flushKernel(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("conntrack"); err != nil {
		t.Skip("SKIPPED: no conntrack tool here; nothing was compared with the kernel")
	}
	exec.Command("conntrack", "-F").Run()
}
