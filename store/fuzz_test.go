package store

import (
	"bytes"
	"io"
	"runtime"
	"strings"
	"testing"

	"ovnreplay/pcap/compressed"
)

// readAll reads a database from text, as far as it goes, and every value of
// it by every accessor.
func readAll(text []byte) {
	h, err := newHistory("fuzz", bytes.NewReader(text), Options{})
	if err != nil {
		return
	}
	defer h.Close()
	for range 1000 {
		if _, err := h.Next(); err != nil {
			break
		}
	}
	for _, t := range h.db.Tables() {
		for _, r := range t.Rows() {
			for _, c := range t.Columns() {
				r.Display(c)
				r.Integer(c)
				r.Ref(c)
				r.Set(c)
				r.Map(c)
			}
		}
	}
}

// allocated measures what f allocates, in bytes.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Reading allocates a fixed amount (windows, mostly) and a small multiple of
// the text. The multiple covers a schema of nothing but tables.
const (
	fixedAllocation    = 1 << 20
	allocationPerInput = 400
)

func checkAllocation(t *testing.T, text []byte) {
	if n := allocated(func() { readAll(text) }); n > fixedAllocation+allocationPerInput*uint64(len(text)) {
		t.Errorf("%d bytes of input, %d allocated", len(text), n)
	}
}

func FuzzFile(f *testing.F) {
	for _, r := range small() {
		f.Add([]byte(r))
	}
	f.Add([]byte(strings.Join(small(), "")))
	f.Add([]byte(clusterFile(entryOf(5, "five"), `{"commit_index":5}`, entryOf(6, "six"))))
	f.Add([]byte(`{"caption":"Datapath_Binding table","headings":["_uuid","tunnel_key"],"data":[[["uuid","` + uuidA +
		`"],5]]}`))
	for _, how := range []string{"gzip", "zstd", "xz"} {
		f.Add([]byte(compressAs(f, how, strings.Join(small(), ""))))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if compressed.Name(text) != "" {
			readAll(text) // what it unpacks to is no multiple of it
			return
		}
		checkAllocation(t, text)
	})
}

// FuzzTransaction reads transactions under a schema of every kind of column,
// with right checksums.
func FuzzTransaction(f *testing.F) {
	schema := `{"name":"OVN_Southbound","version":"1.0.0","tables":{"T":{"columns":{"i":{"type":"integer"},` +
		`"r":{"type":"real"},"b":{"type":"boolean"},"s":{"type":"string"},"u":{"type":"uuid"},` +
		`"si":{"type":{"key":"integer","min":0,"max":"unlimited"}},"ss":{"type":{"key":"string","min":0,"max":9}},` +
		`"os":{"type":{"key":"string","min":0,"max":1}},"mss":{"type":{"key":"string","value":"string","min":0,` +
		`"max":"unlimited"}},"msu":{"type":{"key":"string","value":"uuid","min":0,"max":"unlimited"}}}}}}`
	f.Add(`{"T":{"`+uuidA+`":{"i":1,"s":"x","si":["set",[1,2]],"mss":["map",[["k","v"]]]}}}`,
		`{"T":{"`+uuidA+`":{"si":["set",[2,3]],"mss":["map",[["k","w"],["l","m"]]]}},"_is_diff":true}`)
	f.Add(`{"T":{"`+uuidA+`":{"u":["uuid","`+uuidB+`"],"msu":["map",[["k",["uuid","`+uuidA+
		`"]]]]}},"_date":5,"_comment":"c"}`, `{"T":{"`+uuidA+`":null}}`)
	f.Add(`{"T":{"`+uuidA+`":{"s":"\u00e9\ud83d\ude00\n"}}}`, `{"X":{},"_more":[1,{"a":null}]}`)
	f.Fuzz(func(t *testing.T, one, two string) {
		checkAllocation(t, []byte(record("JSON", schema)+record("JSON", one)+record("JSON", two)))
		readAll([]byte(record("CLUSTER", `{"prev_index":1,"prev_data":[`+schema+`,`+one+`]}`) +
			record("CLUSTER", `{"index":2,"data":[null,`+two+`]}`) + record("CLUSTER", `{"commit_index":2}`)))
	})
}

func FuzzDump(f *testing.F) {
	f.Add(`["_uuid","up","mac","options"]`, `[[["uuid","`+uuidA+`"],true,["set",["a","b"]],["map",[["k","v"]]]]]`)
	f.Add(`["_uuid"]`, `[]`)
	f.Fuzz(func(t *testing.T, headings, data string) {
		checkAllocation(t, []byte(`{"caption":"Datapath_Binding table","headings":`+headings+`,"data":`+data+`}`))
	})
}

// Our reading of JSON refuses what is not JSON, wherever the window ends.
func FuzzSkip(f *testing.F) {
	f.Add(`{"a":[1,true,null,"x\n"]}`, 3)
	f.Fuzz(func(t *testing.T, text string, window int) {
		whole := bytesInput([]byte(text), 0)
		err := whole.skip()
		split := newInput(&slowReader{text, max(window%7, 0) + 1})
		split.buf = make([]byte, 8)
		if err2 := split.skip(); (err == nil) != (err2 == nil) {
			t.Errorf("whole: %v, split: %v", err, err2)
		}
	})
}

// slowReader gives a few bytes at a time.
type slowReader struct {
	text string
	n    int
}

func (r *slowReader) Read(p []byte) (int, error) {
	if r.text == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), r.n)], r.text)
	r.text = r.text[n:]
	return n, nil
}
