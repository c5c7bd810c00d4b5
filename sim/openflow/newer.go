package openflow

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"ovnreplay/nat/header"
)

// Dumps made with OpenFlow 1.0, the default of ovs-ofctl, spell assignments in
// an older way than those made with 1.5, which ovn-trace asks for: "load" and
// "mod_dl_src" are "set_field" there. newer respells a flow's actions.
func newer(flow string) string {
	head, actions, ok := strings.Cut(flow, " actions=")
	if !ok || !strings.Contains(actions, "load:") && !strings.Contains(actions, "mod_dl_") {
		return flow
	}
	var out strings.Builder
	out.WriteString(head)
	out.WriteString(" actions=")
	depth := 0 // inside learn(…), which keeps the older spelling
	for len(actions) > 0 {
		word, sep := actions, ""
		if i := strings.IndexAny(actions, ",()"); i >= 0 {
			word, sep = actions[:i], actions[i:i+1]
		}
		actions = actions[len(word)+len(sep):]
		if depth == 0 {
			word = respell(word)
		}
		switch {
		case sep == "(" && (depth > 0 || word == "learn"):
			depth++
		case sep == ")" && depth > 0:
			depth--
		}
		out.WriteString(word)
		out.WriteString(sep)
	}
	return out.String()
}

// respell returns one action in the newer spelling.
func respell(action string) string {
	if mac, ok := strings.CutPrefix(action, "mod_dl_src:"); ok {
		return "set_field:" + mac + "->eth_src"
	}
	if mac, ok := strings.CutPrefix(action, "mod_dl_dst:"); ok {
		return "set_field:" + mac + "->eth_dst"
	}
	load, ok := strings.CutPrefix(action, "load:")
	if !ok {
		return action
	}
	number, dst, ok := strings.Cut(load, "->")
	if !ok {
		return action
	}
	name, bits, _ := strings.Cut(strings.TrimSuffix(dst, "]"), "[")
	f, known := fieldNamed(name)
	value, isNumber := new(big.Int).SetString(number, 0)
	low, high, inRange := bitRange(bits, f.width)
	if !known || !isNumber || !inRange || value.Sign() < 0 || value.BitLen() > high-low+1 {
		return action
	}
	value.Lsh(value, uint(low))
	mask := new(big.Int).Lsh(big.NewInt(1), uint(high-low+1))
	mask.Lsh(mask.Sub(mask, big.NewInt(1)), uint(low))
	text := f.format(value)
	if high-low+1 < f.width {
		text += "/" + f.format(mask)
	}
	return "set_field:" + text + "->" + f.name
}

// bitRange parses what stands in the brackets after a field: nothing, a bit,
// or the lowest and the highest bit.
func bitRange(s string, width int) (low, high int, ok bool) {
	if s == "" {
		return 0, width - 1, width > 0
	}
	first, last, isRange := strings.Cut(s, "..")
	low, err := strconv.Atoi(first)
	high = low
	if isRange && err == nil {
		high, err = strconv.Atoi(last)
	}
	return low, high, err == nil && low >= 0 && low <= high && high < width
}

// oxField is a field as OpenFlow 1.5's extensible match names it.
type oxField struct {
	name  string
	width int
	kind  byte // m: Ethernet address, i: IPv4 address, d: decimal, 0: hexadecimal
}

func (f oxField) format(v *big.Int) string {
	b := v.FillBytes(make([]byte, 16))
	switch f.kind {
	case 'm':
		return header.FormatMAC(header.MAC(b[10:]))
	case 'i':
		return fmt.Sprintf("%d.%d.%d.%d", b[12], b[13], b[14], b[15])
	case 'd':
		return v.String()
	}
	if v.Sign() == 0 {
		return "0"
	}
	return fmt.Sprintf("%#x", v)
}

var oxFields = map[string]oxField{
	"OXM_OF_METADATA":    {"metadata", 64, 0},
	"NXM_OF_ETH_SRC":     {"eth_src", 48, 'm'},
	"NXM_OF_ETH_DST":     {"eth_dst", 48, 'm'},
	"NXM_OF_VLAN_TCI":    {"vlan_tci", 16, 0},
	"NXM_OF_IP_SRC":      {"ip_src", 32, 'i'},
	"NXM_OF_IP_DST":      {"ip_dst", 32, 'i'},
	"NXM_OF_ARP_OP":      {"arp_op", 16, 'd'},
	"NXM_OF_ARP_SPA":     {"arp_spa", 32, 'i'},
	"NXM_OF_ARP_TPA":     {"arp_tpa", 32, 'i'},
	"NXM_NX_ARP_SHA":     {"arp_sha", 48, 'm'},
	"NXM_NX_ARP_THA":     {"arp_tha", 48, 'm'},
	"NXM_NX_ND_SLL":      {"nd_sll", 48, 'm'},
	"NXM_NX_ND_TLL":      {"nd_tll", 48, 'm'},
	"NXM_OF_TCP_SRC":     {"tcp_src", 16, 'd'},
	"NXM_OF_TCP_DST":     {"tcp_dst", 16, 'd'},
	"NXM_OF_UDP_SRC":     {"udp_src", 16, 'd'},
	"NXM_OF_UDP_DST":     {"udp_dst", 16, 'd'},
	"NXM_NX_IP_TTL":      {"nw_ttl", 8, 'd'},
	"NXM_OF_ICMP_TYPE":   {"icmp_type", 8, 'd'},
	"NXM_OF_ICMP_CODE":   {"icmp_code", 8, 'd'},
	"NXM_NX_ICMPV6_TYPE": {"icmpv6_type", 8, 'd'},
	"NXM_NX_ICMPV6_CODE": {"icmpv6_code", 8, 'd'},
	"NXM_NX_PKT_MARK":    {"pkt_mark", 32, 0},
	"NXM_NX_CT_MARK":     {"ct_mark", 32, 0},
	"NXM_NX_CT_LABEL":    {"ct_label", 128, 0},
	"NXM_OF_IN_PORT":     {"in_port", 16, 'd'},
	"NXM_NX_TUN_ID":      {"tun_id", 64, 0},
}

// fieldNamed returns the field of an older name.
func fieldNamed(name string) (oxField, bool) {
	for _, r := range []struct {
		prefix, name string
		width        int
	}{{"NXM_NX_REG", "reg", 32}, {"OXM_OF_PKT_REG", "xreg", 64}, {"NXM_NX_XXREG", "xxreg", 128}} {
		if n, ok := strings.CutPrefix(name, r.prefix); ok {
			return oxField{r.name + n, r.width, 0}, true
		}
	}
	f, ok := oxFields[name]
	return f, ok && f.width > 0
}
