package conntrack

import (
	"fmt"
	"strconv"
	"strings"
)

// Options is how a Table is set up. The zero value of each field but Profile
// is the profile's default.
type Options struct {
	Profile Profile // OVSUserspace or Linux; zero: Linux

	MaxConns  int            // table limit; 0: 262144 (Linux), 3000000 (OVSUserspace)
	ZoneLimit map[uint16]int // most connections of a zone; absent: no limit
	Timeouts  map[Timeout]Time

	// Checksums that are wrong make a packet invalid, as they do in both
	// datapaths. A capture taken where hardware had yet to fill them in may
	// want them overlooked; partial ones always are.
	IgnoreChecksums bool

	// SeqCheckOff switches off sequence number checks: OVSUserspace's
	// ct-tcp-seq-chk, the kernel's nf_conntrack_tcp_no_window_check.
	SeqCheckOff bool

	// OVS is the release of Open vSwitch that OVSUserspace is; zero: 3.1. (The
	// last patch releases of 2.17 and 3.0 do as 3.1.)
	OVS Release

	// FreshReplies says that an Open vSwitch of 3.0 or 3.1 is one of the last
	// patch releases. Before (in Debian 12, say) the reply tuple of a translated
	// connection that a new SYN or force had ended stayed taken until the next
	// sweep, so that the connection that replaced it got another port, and late
	// replies were invalid. OVSUserspace only.
	FreshReplies bool

	// MinFragment is how long an IP packet must be to be taken for a fragment, unless
	// it is the last: IPv4 and IPv6. 0: 1200 and 1280. OVSUserspace only
	// (ovs-appctl dpctl/ipf-set-min-frag).
	MinFragment [2]int

	// Kernel settings, for profile Linux.
	NoLoose          bool // nf_conntrack_tcp_loose = 0: never pick up a connection in the middle
	BeLiberal        bool // nf_conntrack_tcp_be_liberal = 1
	IgnoreInvalidRST bool // nf_conntrack_tcp_ignore_invalid_rst = 1
	MaxRetrans       int  // nf_conntrack_tcp_max_retrans; 0: 3

	// Netfilter is nf_conntrack without Open vSwitch on top, which is liberal
	// about windows once a connection is established (since Linux 5.11).
	Netfilter bool
}

func (o *Options) setDefaults() {
	if o.Profile == 0 {
		o.Profile = Linux
	}
	if o.MaxConns == 0 {
		o.MaxConns = 262144
		if o.Profile == OVSUserspace {
			o.MaxConns = 3000000
		}
	}
	if o.MaxRetrans == 0 {
		o.MaxRetrans = 3
	}
	if o.OVS == 0 {
		o.OVS = OVS31
	}
	for i, usual := range [...]int{userMinFragment4, userMinFragment6} {
		if o.MinFragment[i] == 0 {
			o.MinFragment[i] = usual
		}
	}
}

// Release is a release of Open vSwitch: 0x0302 is 3.2.
type Release uint16

// Releases in which the userspace datapath changed; see Behaviour.
const (
	OVS217 Release = 0x0211
	OVS30  Release = 0x0300
	OVS31  Release = 0x0301
	OVS32  Release = 0x0302
	OVS33  Release = 0x0303
	OVS36  Release = 0x0306
	OVS40  Release = 0x0400
)

// Releases are the releases in which the userspace datapath changed, the oldest first.
func Releases() []Release { return []Release{OVS217, OVS30, OVS31, OVS32, OVS33, OVS36, OVS40} }

// ParseRelease reads a release such as "3.2", or what ovs-vswitchd --version
// says of one, "3.2.1".
func ParseRelease(s string) (Release, error) {
	first, rest, ok := strings.Cut(s, ".")
	second, _, _ := strings.Cut(rest, ".")
	major, err1 := strconv.ParseUint(first, 10, 8)
	minor, err2 := strconv.ParseUint(second, 10, 8)
	if !ok || err1 != nil || err2 != nil {
		return 0, fmt.Errorf("%q is no release of Open vSwitch; give one such as 3.5", s)
	}
	return Release(major<<8 | minor), nil
}

// String returns the release as people write it.
func (r Release) String() string { return fmt.Sprintf("%d.%d", r>>8, r&0xff) }

// ParseProfile finds a profile by the name the command line uses.
func ParseProfile(name string) (Profile, error) {
	switch name {
	case "linux":
		return Linux, nil
	case "ovs-userspace":
		return OVSUserspace, nil
	}
	return 0, fmt.Errorf("unknown conntrack profile %q (linux or ovs-userspace)", name)
}

func (p Profile) String() string {
	if p == OVSUserspace {
		return "ovs-userspace"
	}
	return "linux"
}

// MaxConns is the most connections the table holds.
func (t *Table) MaxConns() int { return t.opt.MaxConns }

// ZoneLimit is the most connections a zone may have, 0 if that is not limited.
func (t *Table) ZoneLimit(zone uint16) int { return t.opt.ZoneLimit[zone] }
