package microflow

import (
	"bytes"
	"context"
	"testing"

	"ovnreplay/pcap"
	"ovnreplay/sim/field"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

// What Express writes, Parse takes, and the packet has the same fields.
func TestExpressIsParsed(t *testing.T) {
	t.Parallel()
	dir := "../../testdata/cases/nodeport/"
	net, _, err := southbound.Open(context.Background(), dir+"sb.db", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range []string{dir + "client.pcap", dir + "pod2.pcap", dir + "../icmp/client.pcap", dir +
		"../udp-service/weba.pcap"} {
		r, err := pcap.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		var rec pcap.Record
		for r.Next(&rec) == nil {
			text := Express(bytes.Clone(rec.Data), "breth0_ovn-worker")
			flow, err := Parse(text, net, nil)
			if err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			var want, got field.Key
			packet.Parse(rec.Data, &want)
			packet.Parse(flow.Frame(), &got)
			if want != got {
				t.Errorf("%s\nmakes another packet than\n%s", packet.Describe(flow.Frame()), packet.Describe(rec.Data))
			}
			n++
		}
		r.Close()
	}
	if n < 20 {
		t.Errorf("only %d packets", n)
	}
}
