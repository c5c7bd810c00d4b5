package pcap_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"ovnreplay/pcap"
)

// Two captures are merged by time and written as one pcapng, each as an
// interface of its own, with a comment on every packet.
func Example() {
	var sources []pcap.Source
	for _, name := range []string{"testdata/client.pcap.gz", "testdata/nginx.pcap"} {
		r, err := pcap.Open(name)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer r.Close()
		sources = append(sources, r)
	}
	var out bytes.Buffer
	w, err := pcap.NewWriter(&out, pcap.Section{Application: "example"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, port := range []string{"client", "pod"} {
		if _, err := w.AddInterface(pcap.InterfaceInfo{Name: port, LinkType: pcap.LinkEthernet}); err != nil {
			fmt.Println(err)
			return
		}
	}
	merged, frames := pcap.NewMerge(sources...), make([]int, 2)
	for {
		var rec pcap.Record
		err := merged.Next(&rec)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			fmt.Println(err) // one capture is damaged here; the others go on
			continue
		}
		frames[rec.Capture]++
		err = w.WritePacket(&pcap.Packet{Interface: rec.Capture, Time: rec.Time, Data: rec.Data, OrigLen: rec.OrigLen,
			Comments: []string{fmt.Sprintf("frame %d of %s", rec.Frame, rec.File)}})
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	if err := w.Flush(); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(frames, out.Len() > 0)
	// Output: [21 20] true
}
