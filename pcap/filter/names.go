package filter

import (
	"bufio"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"ovnreplay/nat/header"
)

// Where systems keep the names of ports and protocols.
const (
	servicesFile  = "/etc/services"
	protocolsFile = "/etc/protocols"
)

// entry is a line of either file: the official name, the number (with /tcp and
// the like for a port), and other names.
type entry struct {
	number string
	names  []string
}

// The names, read when one is first asked for.
var (
	services      = sync.OnceValue(func() []entry { return readNames(servicesFile, wellKnownServices) })
	protocolNames = sync.OnceValue(func() []entry { return readNames(protocolsFile, wellKnownProtocols) })
)

// readNames reads the entries of a file in the manner of services(5); known
// are used where there is no such file.
func readNames(file, known string) []entry {
	text := known
	if b, err := os.ReadFile(file); err == nil {
		text = string(b)
	}
	var out []entry
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if f := strings.Fields(line); len(f) > 1 {
			out = append(out, entry{f[1], append(f[:1:1], f[2:]...)})
		}
	}
	return out
}

func (e entry) has(name string) bool { return slices.Contains(e.names, name) }

// lookUpProtocol finds the number of an IP protocol.
func lookUpProtocol(name string) (uint32, bool) {
	for _, e := range protocolNames() {
		if e.has(name) {
			n, err := strconv.ParseUint(e.number, 10, 8)
			return uint32(n), err == nil
		}
	}
	return 0, false
}

// lookUpPort finds a port and the protocol it is of, which is 0 if it is the
// same port of TCP and UDP. Ports of TCP go before those of UDP, as in libpcap.
func lookUpPort(name string) (port, protocol uint32, ok bool) {
	if n, err := strconv.ParseUint(name, 10, 16); err == nil {
		return uint32(n), 0, true
	}
	found := map[string]uint32{}
	for _, e := range services() {
		n, transport, _ := strings.Cut(e.number, "/")
		if _, seen := found[transport]; seen || !e.has(name) {
			continue
		}
		if p, err := strconv.ParseUint(n, 10, 16); err == nil {
			found[transport] = uint32(p)
		}
	}
	tcp, isTCP := found["tcp"]
	udp, isUDP := found["udp"]
	switch {
	case isTCP && isUDP && tcp == udp:
		return tcp, 0, true
	case isTCP:
		return tcp, header.ProtoTCP, true
	}
	return udp, header.ProtoUDP, isUDP
}

const wellKnownServices = `
ftp-data 20/tcp
ftp 21/tcp
ssh 22/tcp
telnet 23/tcp
smtp 25/tcp mail
domain 53/tcp
domain 53/udp
bootps 67/udp
bootpc 68/udp
tftp 69/udp
http 80/tcp www
kerberos 88/tcp
kerberos 88/udp
pop3 110/tcp
sunrpc 111/tcp
sunrpc 111/udp
ntp 123/udp
imap2 143/tcp imap
snmp 161/tcp
snmp 161/udp
bgp 179/tcp
ldap 389/tcp
ldap 389/udp
https 443/tcp
https 443/udp
syslog 514/udp
ldaps 636/tcp
nfs 2049/tcp
nfs 2049/udp
mysql 3306/tcp
`

const wellKnownProtocols = `
ip 0 IP
icmp 1 ICMP
igmp 2 IGMP
tcp 6 TCP
udp 17 UDP
ipv6 41 IPv6
ipv6-route 43 IPv6-Route
ipv6-frag 44 IPv6-Frag
gre 47 GRE
esp 50 IPSEC-ESP
ah 51 IPSEC-AH
ipv6-icmp 58 IPv6-ICMP
ipv6-nonxt 59 IPv6-NoNxt
ipv6-opts 60 IPv6-Opts
eigrp 88 EIGRP
ospf 89 OSPFIGP
pim 103 PIM
vrrp 112 VRRP
l2tp 115 L2TP
sctp 132 SCTP
`
