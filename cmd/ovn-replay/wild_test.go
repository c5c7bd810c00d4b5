package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ovnreplay/sim/network"
	"ovnreplay/sim/recording"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

// wildCases: one chassis and three, IPv4 and IPv6, TCP, UDP and ICMP, NAT,
// Geneve, VLAN.
var wildCases = []string{
	"nodeport", "clusterip", "egress-snat", "icmp", "udp-service", "kube-nodeport-v6", "kube-transfer",
	"cloud-l3-geneve", "cloud-snat", "cloud-fip-distributed", "cloud-vlan-tenant", "cloud-nat-v6", "cloud-mixed",
}

// wildMutations, each alone and then together.
var wildMutations = []string{
	"csum", "csum-local", "gso", "gro", "gso gro", "csum gso gro", "snap=128", "snap=64", "snapmix", "loss=0.01",
	"loss=0.05",
	"late=0.3", "early=0.7", "lateall=0.4", "dup", "dupall", "skew=0.7", "skew=3600000", "drift=100", "res=1000",
	"noarp", "untag", "any",
	"csum gso gro snap=128 loss=0.0005 dup skew=0.7 drift=20 res=10 noarp",
}

// With captures as engineers have them nothing is said to differ that does
// not, and nothing is said to be dropped that was delivered; the causes are named,
// with how many packets they touch. WILD=all tries every mutation on every case,
// WILD=MUTATION that one; else each meets some of the cases. WILD=sweep takes
// WILD_CASES (60) of all recordings there are, as WILD_SEED (1) has it, and
// WILD_MUTATION only, if there is one. What goes wrong is kept in WILD_KEEP.
func TestWildCapturesVerify(t *testing.T) {
	only := os.Getenv("WILD")
	dirs := wildDirs(t, only)
	for i, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			clean := cleanRun(t, dir)
			for j, m := range wildMutations {
				switch one := os.Getenv("WILD_MUTATION"); {
				case only == "" && (i+j)%3 != 0, only != "" && only != "all" && only != "sweep" && only != m,
					one != "" && one != m:
					continue
				}
				for seed := range wildSeeds(m) {
					checkWild(t, dir, m, int64(seed+1), clean)
				}
			}
		})
	}
}

// wildKinds are captures of which something was said once that is not so, a few of
// each kind.
var wildKinds = map[string][]string{
	"cloud-equal-priorities":        {"dupall"},                    // a network that changes
	"cloud-sg-reject-in-25.03":      {"dupall"},                    // more BFD than tunnelled packets
	"cloud-l2gateway-22.03":         {"dupall"},                    // the same answer twice, and all of it twice
	"kube-multicast":                {"dup", "dupall"},             // answers to two, alike but for their addresses
	"kube-affinity":                 {"dup", "late=0.7 noarp"},     // a first packet that is sent again
	"cloud-vlan-tenant-25.03":       {"noarp", "any"},              // ARP behind tags, announced on several wires
	"kube-affinity-25.03":           {"any"},                       // ARP requests for a router alone, flooded
	"kube-multicast-26.03":          {"any", "loss=0.01"},          // interfaces that no frame tells; copies
	"kube-cold-ingress-26.03":       {"late=0.6", "loss=0.05"},     // packets held, of which an answer or they show
	"kube-port-unreachable-dnat":    {"late=0.3", "early=0.7"},     // errors about what came an unknown way
	"cloud-acl-translation-26.03":   {"loss=0.05"},                 // a fragment that conntrack refuses, and came
	"kube-offloads":                 {"late=0.3"},                  // sums changed twice
	"cloud-proxy-arp":               {"any"},                       // a localport beside the one interface
	"cloud-spine-26.03":             {"noarp", "any"},              // ARP in tunnels, and to linked switches
	"cloud-prefix-delegation-26.03": {"noarp"},                     // ARP to all chassis
	"cloud-dhcpv4-25.03":            {"loss=0.05", wildTogether()}, // questions to all chassis
	"cloud-vlan-tenant":             {"loss=0.05", "lateall=0.4"},  // a wire that others are on, too
	"kube-hairpin":                  {"lateall=0.4", "loss=0.05"},  // a virtual address of the sender itself
	"cloud-ha-group-25.03":          {"lateall=0.4"},               // the last packet of its direction
	"kube-port-security-26.03":      {"lateall=0.4"},               // an answer to what was before
	"kube-egress-v6":                {"loss=0.05", "loss=0.01"},    // datagrams that begin alike
	"cloud-dns-22.03":               {"snapmix", "late=0.3"},       // cut questions of DNS, and errors about them
	"kube-dnat":                     {"any"},                       // stateless translation
	"cloud-gateway-router":          {"any"},                       // a load balancer that only a router knows
	"cloud-arp-nd":                  {"any"},                       // the one interface beside a sender
	"kube-cold-ingress-24.03":       {"res=1000"},                  // a request before the packet that calls for it
	"random-kube-5":                 {"any"},                       // a packet to a router on its own network
	"cloud-batches":                 {"csum", "snap=64", "any"},    // UDP_SEGMENT, BIG TCP
	"kube-arp-nd":                   {"any sll"},                   // announcements, copied to all
	"kube-ecmp":                     {"any sll"},                   // over a wire to an address inside
	"kube-idle":                     {"any sll"},                   // solicitations over a wire
	"cloud-ctl-ttl":                 {"any sll"},                   // of link-local addresses
	"cloud-dhcpv6-ra":               {"any sll"},                   // to groups
	"cloud-evpn-26.03":              {"any sll"},                   // from nobody's address
	"cloud-fip-distributed":         {"any sll"},                   // three chassis
	"kube-cold-unanswered":          {"any sll"},                   // a router's own requests
	"random-kube-3":                 {"any sll"},                   // to another's address

	"cloud-lb-health":                 {"late=0.3", "lateall=0.08"}, // answers to what was before
	"kube-mixed":                      {"lateall=0.843"},            // a port moved by SNAT before
	"cloud-ecmp":                      {"lateall=0.958"},            // a port moved beside DNAT before
	"cloud-dns":                       {"lateall=0.8"},              // errors about connections from before
	"udp-service":                     {"early=0.6"},                // what is sent again where its capture had ended
	"kube-fragments":                  {"early=0.6"},                // a question of which conntrack keeps the parts
	"kube-fragments-26.03":            {"lateall=0.4"},              // fragments of a connection from before
	"kube-icmp-id-collision-26.03":    {"lateall=0.4"},              // an id that was taken before
	"random-cloud-changing-302-24.03": {"csum-local"},               // health checks with partial sums
	"kube-ctl-lb-reject":              {"snap=64"},                  // aborts that OVN answers cut INITs with
	"cloud-own-address-26.03":         {"snapmix"},                  // cut chunks that conntrack takes
	"kube-ecmp-26.03":                 {"late=0.3"},                 // a next hop that only later packets show
	"kube-tcp-refused":                {"swap"},                     // an answer before its question
	"cloud-ecmp-24.03":                {"swap"},                     // packets of one connection
	"kube-garp":                       {"fill"},                     // announcements filled up
	"cloud-vlan-tenant-26.03":         {"fill"},                     // tags that come and go around it
	"cloud-ctl-cold":                  {"fill"},                     // answers that ovn-controller makes
}

// wildTogether are all mutations at once.
func wildTogether() string { return wildMutations[len(wildMutations)-1] }

func TestWildCapturesOfEachKindVerify(t *testing.T) {
	for name, mutations := range wildKinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(cases, name)
			clean := cleanRun(t, dir)
			for _, m := range mutations {
				for seed := range wildSeeds(m) {
					checkWild(t, dir, m, int64(seed+1), clean)
				}
			}
		})
	}
}

// Whichever capture of a recording is not there, nothing is said to differ: what came from
// where it was taken cannot be told, or is inferred.
func TestFewerCapturesVerify(t *testing.T) {
	for _, name := range []string{"nodeport", "kube-mixed-26.03", "kube-cold-ingress", "kube-tcp-refused",
		"kube-acl-verdicts-24.03", "kube-port-unreachable-dnat", "cloud-snat", "cloud-l3-geneve", "cloud-fip-to-fip",
		"cloud-mixed-24.03", "cloud-gateway-router"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(cases, name)
			for i := range mutated(t, dir, "", 1).captures {
				c := mutated(t, dir, "", 1)
				file := c.leaveOut(i)
				status, out, errs := replayed(t, append([]string{"verify", "--list"}, c.save(t, t.TempDir())...)...)
				if status == exitDifference {
					t.Errorf("without %s:\n%.1500s%s", file, out, errs)
				}
			}
		})
	}
}

// A single capture verifies, too: who is not captured is inferred where it can be, as the
// backend by the Ethernet source of what its client gets back, else left open.
func TestOneCaptureVerifies(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"random-kube-13", "random-kube-33-26.03", "random-cloud-10",
		"random-cloud-changing-302-24.03", "kube-affinity-25.03"} {
		dir := filepath.Join(cases, name)
		for i, all := 0, len(mutated(t, dir, "", 1).captures); i < all; i++ {
			t.Run(fmt.Sprint(name, "/", i), func(t *testing.T) {
				t.Parallel()
				c := mutated(t, dir, "", 1)
				for n := all - 1; n >= 0; n-- {
					if n != i {
						c.leaveOut(n)
					}
				}
				args := append([]string{"verify", "--list"}, c.save(t, t.TempDir())...)
				if status, out, errs := replayed(t, args...); status == exitDifference {
					t.Errorf("%.1500s%s", out, errs)
				}
			})
		}
	}
}

// Captures that show what enters only, or what leaves only, of one port or of all: what goes
// the other way is told to be in none of them, and no flow is blamed for it.
func TestCapturesOfOneDirectionVerify(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"nodeport", "kube-affinity", "kube-hairpin-snat-ip", "kube-transfer", "kube-dnat",
		"kube-egress-v6", "cloud-lb-fip", "cloud-l2gateway", "cloud-ecmp", "random-kube-changing-4"} {
		for _, entering := range []bool{true, false} {
			for _, all := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/entering=%v/all=%v", name, entering, all), func(t *testing.T) {
					t.Parallel()
					c := mutated(t, filepath.Join(cases, name), "", 1)
					cut := 0
					for _, x := range c.captures {
						if x.underlay || len(x.frames) == 0 || cut > 0 && !all {
							continue
						}
						before := len(x.frames)
						x.frames = slices.DeleteFunc(x.frames, func(f wildFrame) bool {
							return c.entered(x, &f) != entering
						})
						cut += before - len(x.frames)
					}
					args := append([]string{"verify", "--list"}, c.save(t, t.TempDir())...)
					status, out, errs := replayed(t, args...)
					if status == exitDifference || cut == 0 {
						t.Errorf("%d frames less:\n%.1500s%s", cut, out, errs)
					}
					if all && entering && cut > 50 && !strings.Contains(out, "one direction: ") {
						t.Errorf("it is not said that there is one direction only:\n%.1500s", out)
					}
				})
			}
		}
	}
}

// Captures with a filter verify: of one protocol there are no errors in it of another; of the
// address that stands for others outside, captures of those are empty.
func TestFilteredCapturesVerify(t *testing.T) {
	t.Parallel()
	for name, filter := range map[string]string{
		"random-kube-changing-4": "udp", "kube-egress-v6": "host fd30::4", "kube-transfer": "host 172.30.0.4",
		"kube-port-unreachable-snat": "host 172.30.0.4", "cloud-ecmp": "host 203.0.113.10",
		"kube-affinity": "port 80", "cloud-mixed": "tcp",
	} {
		t.Run(name+"/"+filter, func(t *testing.T) {
			t.Parallel()
			c := mutated(t, filepath.Join(cases, name), "", 1)
			word, value, _ := strings.Cut(filter, " ")
			kept := 0
			for _, x := range c.captures {
				x.frames = slices.DeleteFunc(x.frames, func(f wildFrame) bool {
					p, ok := parseWild(f.data)
					switch {
					case !ok:
						return true
					case word == "udp":
						return p.proto != 17
					case word == "tcp":
						return p.proto != 6
					case word == "port":
						at := f.data[p.l4:]
						return p.proto != 6 && p.proto != 17 || fmt.Sprint(binary.BigEndian.Uint16(at)) != value &&
							fmt.Sprint(binary.BigEndian.Uint16(at[2:])) != value
					}
					host := netip.MustParseAddr(value).AsSlice()
					src, dst := f.data[p.l3+12:p.l3+16], f.data[p.l3+16:p.l3+20]
					if p.v6 {
						src, dst = f.data[p.l3+8:p.l3+24], f.data[p.l3+24:p.l3+40]
					}
					return !bytes.Equal(src, host) && !bytes.Equal(dst, host)
				})
				kept += len(x.frames)
			}
			args := append([]string{"verify", "--list"}, c.save(t, t.TempDir())...)
			if status, out, errs := replayed(t, args...); status == exitDifference || kept == 0 {
				t.Errorf("%d frames:\n%.1500s%s", kept, out, errs)
			}
		})
	}
}

// wildSeeds is with how many seeds a mutation is tried.
func wildSeeds(mutations string) int {
	if strings.Contains(mutations, "loss") {
		return 3
	}
	return 1
}

// wildDirs are the folders of the cases that are mutated.
func wildDirs(t *testing.T, only string) (dirs []string) {
	t.Helper()
	if only != "sweep" {
		for _, name := range wildCases {
			dirs = append(dirs, filepath.Join(cases, name))
		}
		return dirs
	}
	for _, kind := range []string{cases, unpackSystemTests(t, "")} {
		found, err := filepath.Glob(kind + "/*/case.json")
		if err != nil || len(found) == 0 {
			t.Fatalf("no cases in %s (%v)", kind, err)
		}
		for _, file := range found {
			var c struct{ DB any }
			if err := json.Unmarshal(read(t, file), &c); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if _, one := c.DB.(string); one {
				dirs = append(dirs, filepath.Dir(file))
			}
		}
	}
	random := rand.New(rand.NewSource(int64(envInt(t, "WILD_SEED", 1))))
	random.Shuffle(len(dirs), func(i, j int) { dirs[i], dirs[j] = dirs[j], dirs[i] })
	return dirs[:min(len(dirs), envInt(t, "WILD_CASES", 60))]
}

func envInt(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s=%s: %v", name, text, err)
	}
	return n
}

// wildClean is what is said of a case as it was recorded: recordings have duplicates
// and losses of their own.
type wildClean struct {
	drops map[string]bool
	told  map[replay.Cause]int
}

func cleanRun(t *testing.T, dir string) *wildClean {
	t.Helper()
	c := mutated(t, dir, "", 1)
	args := c.save(t, t.TempDir())
	_, out, errs := replayed(t, append([]string{"verify", "--json"}, args...)...)
	var r replay.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%s: %v: %s", dir, err, errs)
	}
	clean := &wildClean{drops(t, args...), map[replay.Cause]int{}}
	for _, g := range r.Groups {
		clean.told[g.Cause] += g.Packets
	}
	return clean
}

func checkWild(t *testing.T, dir, mutations string, seed int64, clean *wildClean) {
	t.Helper()
	c := mutated(t, dir, mutations, seed)
	what := fmt.Sprintf("%s, seed %d", mutations, seed)
	args := c.save(t, wildFolder(t, filepath.Base(dir), what))
	if os.Getenv("WILD_KEEP") != "" {
		what += "\n\tovn-replay verify --list " + strings.Join(args, " ") + "\n\t"
	}
	status, out, errs := replayed(t, append([]string{"verify", "--json"}, args...)...)
	var r replay.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Errorf("%s: %v: %s", what, err, errs)
		return
	}
	if strings.HasPrefix(mutations, "snap") && status == exitBad && strings.Contains(r.Unverified, "snaplen") {
		return // it is said that headers are cut, and so that nothing can be told
	}
	if c.untold(&r) {
		status = exitOK
	}
	if n := len(r.Mismatched) + len(r.Missing) + len(r.Unexpected); status != exitOK || n > 0 {
		var text strings.Builder
		r.List = true
		r.Write(&text, false)
		t.Errorf("%s: exit status %d\n%.1500s%s", what, status, text.String(), errs)
	}
	for line := range drops(t, args...) {
		if !clean.drops[line] {
			t.Errorf("%s: run drops what the network delivered: %s", what, line)
		}
	}
	if !strings.Contains(mutations, " ") {
		checkCauses(t, what, strings.TrimRight(mutations, "=.0123456789"), c, &r, clean)
	}
}

// wildFolder is where a mutated case goes: it is kept in WILD_KEEP.
func wildFolder(t *testing.T, name, what string) string {
	t.Helper()
	keep := os.Getenv("WILD_KEEP")
	if keep == "" {
		return t.TempDir()
	}
	return filepath.Join(keep, name, strings.NewReplacer(", seed ", ".", " ", "+").Replace(what))
}

// untold takes out of a report what is predicted and was taken away, where nothing in
// what is left shows that it came: that it is not told as lost is right. It reports
// whether there was no other difference. One packet in twenty that were taken away
// may be such.
func (c *wildCase) untold(r *replay.Report) bool {
	removed, left := 0, 0
	gone := map[string]bool{}
	for _, x := range c.captures {
		removed += x.removed
		for _, f := range x.lost {
			gone[hex.EncodeToString(f.data)] = true
		}
	}
	r.Unexpected = slices.DeleteFunc(r.Unexpected, func(it replay.Item) bool {
		if !gone[it.Hex] || left > removed/20 {
			return false
		}
		left++
		return true
	})
	return left > 0 && len(r.Mismatched)+len(r.Missing)+len(r.Unexpected) == 0
}

// shown is how many of the frames that were taken away another capture still shows.
func (c *wildCase) shown() (n int) {
	const tail = 12 // of its bytes, which no translation changes
	left := map[string]bool{}
	for _, x := range c.captures {
		for _, f := range x.frames {
			left[string(f.data[max(0, len(f.data)-tail):])] = true
		}
	}
	for _, x := range c.captures {
		for _, f := range x.lost {
			if left[string(f.data[max(0, len(f.data)-tail):])] {
				n++
			}
		}
	}
	return n
}

// checkCauses holds the causes that a report names against what one mutation did.
func checkCauses(t *testing.T, what, mutation string, c *wildCase, r *replay.Report, clean *wildClean) {
	t.Helper()
	told := map[replay.Cause]int{}
	for _, g := range r.Groups {
		told[g.Cause] += g.Packets
	}
	lacks := func(told map[replay.Cause]int) int {
		return told[replay.CauseLost] + told[replay.CauseLate] + told[replay.CauseEarly] + told[replay.CauseFlight] +
			told[replay.CauseEmpty]
	}
	var did wildCapture
	for _, x := range c.captures {
		did.removed, did.twice, did.sums = did.removed+x.removed, did.twice+x.twice, did.sums+x.sums
		did.untagged, did.cut = did.untagged+x.untagged, did.cut+x.cut
	}
	missing := lacks(told)
	switch mutation {
	case "dup", "dupall":
		if n := told[replay.CauseTwice]; n < did.twice || n > did.twice+2*clean.told[replay.CauseTwice] {
			t.Errorf("%s: %d frames are there twice, told %d", what, did.twice, n)
		}
	case "untag":
		if told[replay.CauseVLAN] != did.untagged {
			t.Errorf("%s: %d frames have lost their tag, told %d", what, did.untagged, told[replay.CauseVLAN])
		}
	case "csum", "csum-local": // what OVN answers itself is compared nowhere
		if n := told[replay.CauseChecksum]; n > 4*did.sums || did.sums > 4 && n == 0 {
			t.Errorf("%s: %d checksums are left to the card, told %d", what, did.sums, n)
		}
	case "loss", "late", "early":
		if missing > did.removed+lacks(clean.told) || c.shown() > 4 && missing == 0 {
			t.Errorf("%s: %d frames are missing, told %v", what, did.removed, told)
		}
	case "snap", "snapmix":
		if told[replay.CauseSnaplen] > 2*did.cut || did.cut > 4 && told[replay.CauseSnaplen] == 0 {
			t.Errorf("%s: %d frames are cut, told %v", what, did.cut, told)
		}
	}
}

// A network that was changed is caught in such captures, too, and the flow named.
func TestWildCapturesOfChangedNetworks(t *testing.T) {
	artefacts := []string{"csum gso gro", "snap=128", "loss=0.02", "loss=0.05", "late=0.2", "lateall=0.1",
		"dup", "skew=0.7", "noarp",
		"csum gso gro snap=128 loss=0.0005 dup skew=0.7 drift=20 res=10 noarp"}
	for _, name := range []string{"nodeport", "clusterip", "udp-service", "kube-transfer", "cloud-l3-geneve",
		"cloud-snat", "cloud-fip-distributed"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(cases, name)
			c := openCase(t, dir)
			for _, m := range mutations {
				f := c.told(t, m)
				if f == nil {
					continue
				}
				for j, wild := range artefacts {
					if os.Getenv("WILD") != "all" && (len(name)+j)%3 != 0 {
						continue
					}
					w := mutated(t, dir, wild, 1)
					to := t.TempDir()
					args := w.save(t, to)
					replaceActions(t, filepath.Join(to, c.db), filepath.Join(dir, c.db), f, m.change(f))
					status, out, errs := replayed(t, append([]string{"verify", "--json"}, args...)...)
					// what opened connections before the captures is met by none of their packets
					named := strings.Contains(out, f.UUID) || strings.HasPrefix(wild, "lateall")
					if status != exitDifference || !named {
						t.Errorf("%s with captures of %s: exit status %d, flow %s of %s is not named\n%.2000s%s",
							m.name, wild, status, f.UUID, f.Stage, out, errs)
					}
				}
			}
		})
	}
}

// told is a flow that a mutation changes and that verify of the clean case names then.
func (c *recordedCase) told(t *testing.T, m mutation) *network.Flow {
	t.Helper()
	for _, f := range c.visited(m) {
		status, out, _ := replayed(t, "verify", "--json", "--case", c.mutated(t, f.UUID, m.change(f)))
		if status == exitDifference && strings.Contains(out, f.UUID) && strings.Count(out, `"capture"`) > 4 {
			return f
		}
	}
	return nil
}

func replaceActions(t *testing.T, file, of string, f *network.Flow, actions string) {
	t.Helper()
	data := rewriteActions(t, uncompressed(t, of), f.UUID, actions)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func mutated(t *testing.T, dir, mutations string, seed int64) *wildCase {
	t.Helper()
	var f recording.Case
	if err := json.Unmarshal(read(t, dir+"/case.json"), &f); err != nil {
		t.Fatal(err)
	}
	net, _, err := southbound.Open(context.Background(), filepath.Join(dir, f.DB[0]), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := openWild(t, dir, net)
	random := rand.New(rand.NewSource(seed))
	for _, m := range strings.Fields(mutations) {
		c.mutate(m, random)
	}
	return c
}

var bracketed = regexp.MustCompile(` \[[^\]]*\]`)

// drops are the packets that run says were dropped: by port, ends and reason.
func drops(t *testing.T, args ...string) map[string]bool {
	t.Helper()
	status, out, errs := replayed(t, append([]string{"run", "--json"}, args...)...)
	if status != exitOK {
		t.Fatalf("run: exit status %d: %s", status, errs)
	}
	found := map[string]bool{}
	d := json.NewDecoder(strings.NewReader(out))
	for d.More() {
		var r replay.Record
		if err := d.Decode(&r); err != nil {
			t.Fatal(err)
		}
		if r.Verdict == "dropped" {
			found[r.Inport+" "+bracketed.ReplaceAllString(r.Packet, "")] = true
		}
	}
	return found
}

// An answer that came once and is in no capture of where it should have left may
// have been dropped: nothing says that the capture lost it, unless it lost others.
func TestAnAnswerThatDidNotComeIsNoLoss(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ name, file string }{{"udp-service", "client.pcap"}} {
		c := mutated(t, filepath.Join(cases, x.name), "", 1)
		var ends string // of the client's first datagram
		for _, cap := range c.captures {
			if cap.file != x.file {
				continue
			}
			cap.frames = slices.DeleteFunc(cap.frames, func(f wildFrame) bool {
				p, ok := parseWild(f.data)
				if !ok || p.v6 || p.proto != 17 {
					return false
				}
				src, dst := string(f.data[p.l3+12:p.l3+16]), string(f.data[p.l3+16:p.l3+20])
				if ends == "" {
					ends = dst + src
				}
				return src+dst == ends
			})
		}
		args := c.save(t, t.TempDir())
		status, out, errs := replayed(t, append([]string{"verify", "--json"}, args...)...)
		if status != exitDifference || strings.Contains(out, `"unexpected": []`) {
			t.Errorf("%s without the answers: exit status %d\n%.1000s%s", x.name, status, out, errs)
		}
	}
}

// A datagram about which its receiver sent an error came, although no capture holds it.
func TestAPacketThatAnErrorQuotesCame(t *testing.T) {
	t.Parallel()
	for name, port := range map[string]string{
		"kube-port-unreachable-dnat": "default_pod4", "kube-port-unreachable-snat": "breth0_worker",
	} {
		c, tried := mutated(t, filepath.Join(cases, name), "", 1), 0
		for _, x := range c.captures {
			if x.port != port {
				continue
			}
			all := x.frames
			for i := range all {
				p, ok := parseWild(all[i].data)
				if !ok || p.proto != 17 || c.entered(x, &all[i]) || i+1 == len(all) {
					continue
				}
				if p, ok := parseWild(all[i+1].data); !ok || p.proto != 1 && p.proto != 58 || !c.entered(x, &all[i+1]) {
					continue
				}
				tried++
				x.frames = slices.Concat(all[:i], all[i+1:])
				args := c.save(t, wildFolder(t, name, "quoted"))
				if _, status := verdictOf(t, args...); status != exitOK {
					t.Errorf("%s without frame %d of %s: status %d", name, i+1, x.file, status)
				}
			}
			x.frames = all
		}
		if tried == 0 {
			t.Errorf("%s: nothing tried", name)
		}
	}
}

// Of one file given twice each frame is there once, also those that were sent again.
func TestAFileGivenTwice(t *testing.T) {
	t.Parallel()
	const dir = cases + "/cloud-mixed-26.09"
	again := dir + "/provider-c3.pcap@provnet@5b1f5a1c-9a0e-4f5b-8a43-10c1a0000003"
	once, status := verdictOf(t, "--case", dir)
	twice, statusTwice := verdictOf(t, "--case", dir, "-r", again)
	if status != exitOK || statusTwice != exitOK || twice.Matched != once.Matched || twice.Repeated <= once.Repeated {
		t.Errorf("status %d and %d, %d and %d matched, %d and %d repeated", status, statusTwice, once.Matched,
			twice.Matched, once.Repeated, twice.Repeated)
	}
}
