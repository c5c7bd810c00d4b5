package conntrack

import "fmt"

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

	// FreshReplies is Open vSwitch since 3.1.3. Before (in Debian 12, say), the
	// reply tuple of a translated connection that a new SYN or force had ended
	// stayed taken until the next sweep, so that the connection that replaced
	// it got another port, and late replies were invalid. OVSUserspace only.
	FreshReplies bool

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
}

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
