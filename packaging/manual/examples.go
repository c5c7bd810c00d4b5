package manual

// session is the example's line that makes what the others are tried on.
const session = "  ovn-replay demo --keep demo   # a recorded session to try this on\n"

// Examples are those of commands, by their paths. They work as typed, in their order, in any
// folder; a test runs them in an empty one.
var Examples = map[string]string{
	"ovn-replay": `  ovn-replay demo
` + session + `  ovn-replay verify --case demo
  ovn-replay run --db demo/sb.db.gz demo/client.pcap demo/pod.pcap`,
	"ovn-replay run": session + `  ovn-replay run --case demo --only natted
  ovn-replay run --db demo/sb.db.gz demo/client.pcap demo/pod.pcap
  ovn-replay run -q --case demo -w out.pcapng`,
	"ovn-replay verify": session + `  ovn-replay verify --case demo
  ovn-replay verify --case demo --json`,
	"ovn-replay diff":        session + `  ovn-replay diff --case demo --db demo/sb.db.gz`,
	"ovn-replay why":         session + `  ovn-replay why pod.pcap:2 --case demo`,
	"ovn-replay who":         session + `  ovn-replay who 100.64.0.3:53642 --case demo`,
	"ovn-replay connections": session + `  ovn-replay connections --case demo --full`,
	"ovn-replay demo": `  ovn-replay demo
  ovn-replay demo --keep demo`,
	"ovn-replay coverage": session + `  ovn-replay coverage --case demo`,
	"ovn-replay show": session + `  ovn-replay run -q --case demo --session s.db
  ovn-replay show s.db              # the packets
  ovn-replay show s.db 2            # the trace of packet 2
  ovn-replay show s.db 2-5 --json`,
	"ovn-replay report":         session + `  ovn-replay report -o report.html --case demo`,
	"ovn-replay conntrack":      session + `  ovn-replay conntrack list --case demo`,
	"ovn-replay conntrack list": session + `  ovn-replay conntrack list --case demo`,
	"ovn-replay conntrack import": session + `  ovn-replay conntrack export --case demo > dump.txt
  ovn-replay conntrack import dump.txt`,
	"ovn-replay conntrack export": session + `  ovn-replay conntrack export --case demo`,
	"ovn-replay conntrack states": session + `  ovn-replay conntrack states -r demo/client.pcap`,
	"ovn-replay db":               session + `  ovn-replay db info demo/sb.db.gz`,
	"ovn-replay db info":          session + `  ovn-replay db info demo/sb.db.gz`,
	"ovn-replay db history":       session + `  ovn-replay db history demo/sb.db.gz`,
	"ovn-replay db gather":        session + `  ovn-replay db gather demo`,
	"ovn-replay db snapshot": session + `  ovn-replay db snapshot demo/sb.db.gz before
  ovn-replay run --db snapshot:before demo/client.pcap`,
	"ovn-replay db list": session + `  ovn-replay db snapshot demo/sb.db.gz today
  ovn-replay db list`,
	"ovn-replay db diff": session + `  ovn-replay db snapshot demo/sb.db.gz kept
  ovn-replay db diff snapshot:kept demo/sb.db.gz`,
	"ovn-replay db rm": session + `  ovn-replay db snapshot demo/sb.db.gz old
  ovn-replay db rm old`,
	"ovn-replay lflow":          `  echo 'tcp.dst == 80' | ovn-replay lflow annotate`,
	"ovn-replay lflow lex":      `  echo 'ip4.src==1.2.3.4' | ovn-replay lflow lex`,
	"ovn-replay lflow match":    `  echo 'ip4.src == {1.2.3.4, 10.0.0.0/8}' | ovn-replay lflow match`,
	"ovn-replay lflow annotate": `  echo 'tcp.dst == 80' | ovn-replay lflow annotate`,
	"ovn-replay lflow actions":  `  echo 'ip.ttl--; next;' | ovn-replay lflow actions`,
	"ovn-replay wireshark":      `  ovn-replay wireshark install`,
	"ovn-replay wireshark install": session + `  ovn-replay wireshark install
  ovn-replay run -q --case demo -w out.pcapng
  tshark -r out.pcapng -Y 'ovn.nat contains "un-SNAT"'
  wireshark -C OVN out.pcapng`,
	"ovn-replay trace": session + `  ovn-replay trace --db demo/sb.db.gz --minimal --reply \
    'inport == "breth0_ovn-worker" && eth.src == 02:42:7a:79:82:ca &&
     eth.dst == 02:42:ac:12:00:04 && ip4.src == 172.18.0.1 &&
     ip4.dst == 172.18.0.4 && ip.ttl == 64 && tcp.src == 53642 &&
     tcp.dst == 30007'`,
}
