package conntrack

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// ReadProfile reads a profile file: a setting a line, "key value" or
// "key = value", # begins a comment. name is for messages.
//
//	profile ovs-userspace        first, if at all; linux is the default
//	tcp_established 7200         a timeout in seconds, see Timeout
//	max 65536                    the table's limit
//	zone_limit 5 1000            zone 5 holds at most 1000 connections
//	tcp_seq_check off
//	ovs 3.5                      the release of Open vSwitch that ovs-userspace is
//	stale_replies off            Open vSwitch 3.1.3 and later, see Options.FreshReplies
//	tcp_loose, tcp_be_liberal, tcp_ignore_invalid_rst on|off; tcp_max_retrans 3; netfilter on|off
//
// The kernel's own names are understood as well, so that the output of
// "sysctl net.netfilter" can be given as it is; of its settings those without
// a meaning here (net.netfilter.nf_conntrack_buckets, say) are passed over.
func ReadProfile(r io.Reader, name string) (Options, error) {
	o := Options{Timeouts: map[Timeout]Time{}, ZoneLimit: map[uint16]int{}}
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, maxLine)
	n := 1
	for ; sc.Scan(); n++ {
		line, _, _ := strings.Cut(sc.Text(), "#")
		words := strings.Fields(strings.Replace(line, "=", " ", 1))
		if len(words) == 0 {
			continue
		}
		if err := o.setting(words); err != nil {
			return Options{}, &DumpError{name, n, 1 + strings.Index(line, words[0]), err.Error()}
		}
	}
	if err := sc.Err(); errors.Is(err, bufio.ErrTooLong) {
		return Options{}, &DumpError{name, n, 1, "line too long: no setting of a profile"}
	} else if err != nil {
		return Options{}, fmt.Errorf("%s: %w", name, err)
	}
	return o, nil
}

const sysctlPrefix = "net.netfilter.nf_"

// sysctlTimeouts are the kernel's names that differ from ours by more than a prefix.
var sysctlTimeouts = map[string][]Timeout{
	"tcp_timeout_max_retrans": {TCPRetransmit}, "tcp_timeout_unacknowledged": {TCPUnack},
	"udp_timeout": {UDPFirst, UDPSingle}, "udp_timeout_stream": {UDPMultiple},
	"icmp_timeout": {ICMPFirst, ICMPReply}, "icmpv6_timeout": nil,
	"gre_timeout": {GRESingle}, "gre_timeout_stream": {GREStream}, "generic_timeout": {Generic},
}

func (o *Options) setting(words []string) error {
	key, sysctl := strings.CutPrefix(words[0], sysctlPrefix)
	key = strings.TrimPrefix(key, "conntrack_")
	if key == "zone_limit" && len(words) == 3 {
		zone, err1 := strconv.ParseUint(words[1], 10, 16)
		limit, err2 := strconv.ParseUint(words[2], 10, 31)
		if err1 != nil || err2 != nil {
			return fmt.Errorf("zone_limit needs a zone and a number")
		}
		o.ZoneLimit[uint16(zone)] = int(limit)
		return nil
	}
	if len(words) != 2 {
		if sysctl {
			return nil // a sysctl without a value, or with several
		}
		return fmt.Errorf("%s needs one value", key)
	}
	known, err := o.set(key, words[1])
	if known || sysctl {
		return err
	}
	return fmt.Errorf("unknown setting %q", key)
}

func (o *Options) set(key, value string) (known bool, err error) {
	switch key {
	case "profile":
		o.Profile, err = ParseProfile(value)
		return true, err
	case "ovs":
		o.OVS, err = ParseRelease(value)
		return true, err
	case "max":
		o.MaxConns, err = positive(value)
		return true, err
	case "min_frag_v4":
		o.MinFragment[0], err = positive(value)
		return true, err
	case "min_frag_v6":
		o.MinFragment[1], err = positive(value)
		return true, err
	case "tcp_max_retrans":
		o.MaxRetrans, err = positive(value)
		return true, err
	}
	for name, f := range map[string]struct {
		to  *bool
		not bool
	}{
		"tcp_loose": {&o.NoLoose, true}, "tcp_be_liberal": {&o.BeLiberal, false}, "netfilter": {&o.Netfilter, false},
		"stale_replies":          {&o.FreshReplies, true},
		"tcp_ignore_invalid_rst": {&o.IgnoreInvalidRST, false}, "tcp_seq_check": {&o.SeqCheckOff, true},
		"tcp_no_window_check": {&o.SeqCheckOff, false}, "checksum": {&o.IgnoreChecksums, true},
	} {
		if name == key {
			on, err := onOff(value)
			*f.to = on != f.not
			return true, err
		}
	}
	return o.setTimeout(key, value)
}

func (o *Options) setTimeout(key, value string) (known bool, err error) {
	which, known := sysctlTimeouts[key]
	if !known {
		t, err := ParseTimeout(strings.Replace(key, "_timeout_", "_", 1))
		if err != nil {
			return false, nil
		}
		which = []Timeout{t}
	}
	n, err := positive(value)
	if err != nil {
		return true, err
	}
	for _, t := range which {
		o.Timeouts[t] = Time(n) * Second
	}
	return true, nil
}

func positive(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || n == 0 || n > math.MaxInt32 {
		return 0, fmt.Errorf("%q is not a number from 1 to %d", s, math.MaxInt32)
	}
	return int(n), nil
}

func onOff(s string) (bool, error) {
	switch s {
	case "on", "1", "yes", "true":
		return true, nil
	case "off", "0", "no", "false":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither on nor off", s)
}
