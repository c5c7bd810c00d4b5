package manual

// Examples are those of commands, by their paths. They work as typed where the sources are; a
// test runs them.
var Examples = map[string]string{
	"ovn-replay": `  ovn-replay demo
  ovn-replay verify --case testdata/cases/nodeport`,
	"ovn-replay run": `  ovn-replay run --case testdata/cases/nodeport --only dropped
  ovn-replay run --db testdata/cases/nodeport/sb.db \
    testdata/cases/nodeport/client.pcap testdata/cases/nodeport/nginx.pcap`,
	"ovn-replay verify": `  ovn-replay verify --case testdata/cases/nodeport
  ovn-replay verify --case testdata/cases/nodeport --json`,
	"ovn-replay diff": `  ovn-replay diff --case testdata/cases/nodeport \
    --db testdata/cases/nodeport/sb.db`,
	"ovn-replay why":              `  ovn-replay why client.pcap:1 --case testdata/cases/nodeport`,
	"ovn-replay who":              `  ovn-replay who 100.64.0.3:53642 --case testdata/cases/nodeport`,
	"ovn-replay connections":      `  ovn-replay connections --case testdata/cases/nodeport`,
	"ovn-replay demo":             `  ovn-replay demo`,
	"ovn-replay coverage":         `  ovn-replay coverage --case testdata/cases/nodeport`,
	"ovn-replay conntrack list":   `  ovn-replay conntrack list --case testdata/cases/nodeport`,
	"ovn-replay conntrack export": `  ovn-replay conntrack export --case testdata/cases/nodeport`,
	"ovn-replay conntrack states": `  ovn-replay conntrack states -r testdata/cases/nodeport/client.pcap`,
	"ovn-replay db info":          `  ovn-replay db info testdata/cases/nodeport/sb.db`,
	"ovn-replay db history":       `  ovn-replay db history testdata/cases/nodeport/sb.db`,
	"ovn-replay trace": `  ovn-replay trace --db testdata/cases/nodeport/sb.db --minimal \
    'inport == "default_client-pod" && eth.src == 0a:58:0a:f4:01:04 &&
     eth.dst == 0a:58:0a:f4:01:01 && ip4.src == 10.244.1.4 &&
     ip4.dst == 10.244.1.3 && ip.ttl == 64 && tcp.dst == 80'`,
}
