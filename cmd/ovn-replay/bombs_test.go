package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ovnreplay/nat/header"
)

// bombs are files of a few megabytes at most that once took more than 512 MiB, or more than
// 10 s, or said what fills a terminal; and what is said of them now.
var bombs = []struct {
	name   string
	file   func(t *testing.T) string
	args   string // FILE is the bomb, CASE the recorded session
	status int
	says   string
}{
	{"100,000 ports, more than there are zones", manyPorts, "verify --db FILE CAPTURES", exitOK,
		"everything observed was predicted"},
	{"50,000 flows of a group of 5,000 datapaths", wideGroup, "verify --db FILE CAPTURES", exitOK,
		"everything observed was predicted"},
	{"3,000 flows that name a set of 100,000 addresses", func(t *testing.T) string {
		return manyMentions(t, "ip4.src != {$big, 9.9.9.9}")
	}, "verify --db FILE CAPTURES", exitOK, "everything observed was predicted"},
	{"the same, listed", func(t *testing.T) string { return manyMentions(t, "ip4.src == $big || ip4.dst == $big") },
		"db info FILE", exitOK, "0 logical flows that do not parse"},
	{"the same, explained", func(t *testing.T) string { return manyMentions(t, "ip4.src == $big") },
		"why 1 --db FILE CAPTURES", exitOK, "delivered to"},
	{"3,000 flows that name a group of 100,000 ports", func(t *testing.T) string {
		return manyMentions(t, "inport == @big")
	}, "diff --db FILE --db FILE CAPTURES", exitOK, "20 packets, 0 fare differently"},
	{"a flow with 1,500,000 actions", func(t *testing.T) string {
		return databaseWith(t, flowOf(longActions, "reg0 = 1; ", 1_500_000))
	}, "run --format none --db FILE CAPTURES", exitOK, "longer than Open vSwitch can be told"},
	{"the same, listed", func(t *testing.T) string {
		return databaseWith(t, flowOf(longActions, "reg0 = 1; ", 1_500_000))
	}, "db info FILE", exitOK, "longer than Open vSwitch can be told"},
	{"a number of 30 MB", func(t *testing.T) string {
		return databaseWith(t, `{"Port_Binding":{"`+rowUUID(1)+`":{"tunnel_key":`+strings.Repeat("9", 30_000_000)+`}}}`)
	}, "db info FILE", exitOK, " … 9"},
	{"500 databases of an archive that unpack to 60 MB each", innerBombs, "db gather FILE", exitOK,
		"it unpacks to more than 128 times its size"},
	{"as many members as fit", manyMembers, "db info FILE", exitBad, "it is too small to hold as many"},
	{"comments of 60,000 bytes on each of 10,000 frames", manyComments,
		"verify --db CASE/sb.db -r FILE@breth0_ovn-worker", exitBad, "duplicate: 9999 packets"},
	{"a million options on each of 20 frames", manyOptions,
		"run --format none --db CASE/sb.db -r FILE@breth0_ovn-worker", exitBad, "a packet has more than 16384 options"},
	{"400 MB of secrets before the first frame", manySecrets,
		"run --format none -w OUT --db CASE/sb.db -r FILE@breth0_ovn-worker", exitOK, ""},
	{"a case of 12,000 captures", func(t *testing.T) string { return manyCaptures(t, 12_000) }, "verify --case FILE",
		exitBad, "there are more than 2000 captures"},
	{"a case of 1,000 captures", func(t *testing.T) string { return manyCaptures(t, 1000) }, "verify --case FILE",
		exitOK, "20979 repeated"},
	{"100,000 packets that are observed, and nothing led to", observedFlood, "verify --db CASE/sb.db -r FILE -w OUT",
		exitOK, "entered 0, observed 100000"},
	{"two networks and 13,000 packets that are all read ahead",
		func(t *testing.T) string { return floodOf(t, "SYN", 13_000) },
		"diff --db CASE/sb.db --db CASE/sb.db -r FILE@breth0_ovn-worker", exitOK, "13000 packets, 0 fare differently"},
}

func TestBombs(t *testing.T) {
	const mostMemory, mostTime = 512 << 10, 10 * time.Second
	nodeport, err := filepath.Abs(filepath.Join(cases, "nodeport"))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bombs {
		t.Run(b.name, func(t *testing.T) {
			args := strings.ReplaceAll(b.args, "CAPTURES",
				"-r CASE/client.pcap -r CASE/nginx.pcap --ct-profile ovs-userspace")
			args = strings.NewReplacer("FILE", b.file(t), "CASE", nodeport, "OUT", os.DevNull).Replace(args)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			cmd := process(ctx, strings.Fields(args)...)
			said, _ := cmd.CombinedOutput()
			if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != b.status ||
				!strings.Contains(string(said), b.says) || len(said) > 1<<20 {
				t.Fatalf("%v, %d bytes: %.900s", cmd.ProcessState, len(said), said)
			}
			took := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			if memory := maxMemory(cmd.ProcessState); memory > mostMemory || took > mostTime {
				t.Errorf("%d MiB, %v", memory>>10, took)
			}
		})
	}
}

func rowUUID(i int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", i, i) }

// A datapath and a router of the recorded session.
const (
	aDatapath = "fd5bab16-a872-4fb4-aff5-f338ac2b138b"
	aRouter   = "ROUTER"
)

// longActions is a flow of the router through which the session's packets go; ACTIONS is
// what it does.
const longActions = `{"Logical_Flow":{"00000001-0000-4000-8000-000000000001":{"match":"1","actions":"ACTIONSnext;",` +
	`"table_id":0,"pipeline":"ingress","priority":65535,"logical_datapath":["uuid","` + aRouter + `"]}}}`

func flowOf(flow, action string, n int) string {
	return strings.Replace(flow, "ACTIONS", strings.Repeat(action, n), 1)
}

// databaseWith is the recorded session's database with transactions added, compressed.
func databaseWith(t *testing.T, transactions ...string) string {
	t.Helper()
	db := read(t, filepath.Join(cases, "nodeport", "sb.db"))
	router := datapathNamed(t, db, "GR_ovn-worker")
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(db)
	for _, text := range transactions {
		text = strings.ReplaceAll(text, aRouter, router)
		fmt.Fprintf(w, "OVSDB JSON %d %x\n%s", len(text), sha1.Sum([]byte(text)), text)
	}
	w.Close()
	return written(t, "sb.db.gz", out.Bytes())
}

func written(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// datapathNamed is the row of the datapath with a name.
func datapathNamed(t *testing.T, db []byte, name string) string {
	t.Helper()
	for line := range bytes.Lines(db) {
		var change map[string]json.RawMessage
		line, _, _ = bytes.Cut(line, []byte("OVSDB JSON"))
		if json.Unmarshal(line, &change) != nil || change["Datapath_Binding"] == nil {
			continue
		}
		var rows map[string]map[string]any
		if err := json.Unmarshal(change["Datapath_Binding"], &rows); err != nil {
			t.Fatal(err)
		}
		for uuid, row := range rows {
			if strings.Contains(fmt.Sprint(row["external_ids"]), "[name "+name+"]") {
				return uuid
			}
		}
	}
	t.Fatalf("there is no datapath %s", name)
	return ""
}

// addedRows is a transaction that adds n rows to a table.
func addedRows(table string, from, n int, row func(i int) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"%s":{`, table)
	for i := from; i < from+n; i++ {
		if i > from {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"%s":%s`, rowUUID(i), row(i))
	}
	b.WriteString("}}")
	return b.String()
}

func manyPorts(t *testing.T) string {
	return databaseWith(t, addedRows("Port_Binding", 1, 100_000, func(i int) string {
		return fmt.Sprintf(`{"logical_port":"p%d","type":"","datapath":["uuid","%s"],"tunnel_key":%d}`, i, aDatapath,
			i%32000+1)
	}))
}

// manyMentions has flows of the router that ask for something of a large set.
func manyMentions(t *testing.T, of string) string {
	const members, flows = 100_000, 3000
	var addresses, ports strings.Builder
	for i := range members {
		fmt.Fprintf(&addresses, `"20.%d.%d.%d",`, i>>16, i>>8&255, i&255)
		fmt.Fprintf(&ports, `"p%d",`, i)
	}
	row := func(column string, list *strings.Builder) func(int) string {
		return func(int) string {
			return `{"name":"big","` + column + `":["set",[` + strings.TrimSuffix(list.String(), ",") + `]]}`
		}
	}
	return databaseWith(t, addedRows("Address_Set", 1, 1, row("addresses", &addresses)),
		addedRows("Port_Group", 1, 1, row("ports", &ports)), addedRows("Logical_Flow", 1, flows, func(i int) string {
			return fmt.Sprintf(`{"match":"(%s) && tcp.dst != %d","actions":"next;","table_id":0,"pipeline":"ingress",`+
				`"priority":%d,"logical_datapath":["uuid","%s"]}`, of, i, 1000+i%100, aRouter)
		}))
}

func wideGroup(t *testing.T) string {
	const datapaths, flows = 5000, 50_000
	group := rowUUID(1 << 24)
	var in strings.Builder
	for i := range datapaths {
		fmt.Fprintf(&in, `["uuid","%s"],`, rowUUID(i))
	}
	return databaseWith(t,
		addedRows("Datapath_Binding", 0, datapaths, func(i int) string {
			return fmt.Sprintf(`{"tunnel_key":%d,"external_ids":["map",[["name","d%d"],["logical-switch","%s"]]]}`,
				i+100, i, rowUUID(i))
		}),
		`{"Logical_DP_Group":{"`+group+`":{"datapaths":["set",[`+strings.TrimSuffix(in.String(), ",")+`]]}}}`,
		addedRows("Logical_Flow", 1<<20, flows, func(i int) string {
			return fmt.Sprintf(`{"match":"ip4.dst == 10.%d.%d.%d","actions":"next;","table_id":3,"pipeline":"ingress",`+
				`"priority":100,"logical_dp_group":["uuid","%s"]}`, i>>16&255, i>>8&255, i&255, group)
		}))
}

// tarOf is a compressed tar file of n members.
func tarOf(t *testing.T, n int, member func(i int) (name string, data []byte)) string {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for i := range n {
		name, data := member(i)
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(data)), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		w.Write(data)
	}
	w.Close()
	z.Close()
	return written(t, "gathered.tar.gz", out.Bytes())
}

func manyMembers(t *testing.T) string {
	return tarOf(t, 300_000, func(i int) (string, []byte) { return fmt.Sprintf("f%d", i), nil })
}

func innerBombs(t *testing.T) string {
	bomb := read(t, gzipped(t, fmt.Sprintf("OVSDB JSON 99999999 %040d\n", 0), strings.Repeat("A", 1<<20), 60, ""))
	return tarOf(t, 500, func(i int) (string, []byte) { return fmt.Sprintf("node%d/ovnsb_db.db.gz", i), bomb })
}

// block is a pcapng block.
func block(kind uint32, body string) string {
	body += strings.Repeat("\x00", -len(body)&3)
	b := binary.LittleEndian.AppendUint32(nil, kind)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(body)+12))
	b = append(b, body...)
	return string(binary.LittleEndian.AppendUint32(b, uint32(len(body)+12)))
}

// ngHeader is a section and an interface.
var ngHeader = block(0x0a0d0d0a, "\x4d\x3c\x2b\x1a\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff") +
	block(1, "\x01\x00\x00\x00\x00\x00\x04\x00")

// ngFrame is the recorded session's first frame with options.
func ngFrame(t *testing.T, options string) string {
	t.Helper()
	capture := read(t, filepath.Join(cases, "nodeport", "client.pcap"))
	frame := capture[40 : 40+binary.LittleEndian.Uint32(capture[32:])]
	at := uint64(binary.LittleEndian.Uint32(capture[24:])) * 1e6
	b := binary.LittleEndian.AppendUint32(nil, 0)
	for _, v := range []uint32{uint32(at >> 32), uint32(at), uint32(len(frame)), uint32(len(frame))} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return block(6, string(b)+string(frame)+strings.Repeat("\x00", -len(frame)&3)+options)
}

func manyComments(t *testing.T) string {
	return gzipped(t, ngHeader, ngFrame(t, "\x01\x00\x60\xea"+strings.Repeat("c", 60_000)), 10_000, "")
}

func manyOptions(t *testing.T) string {
	return gzipped(t, ngHeader, ngFrame(t, strings.Repeat("\x09\x00\x04\x00abcd", 1_000_000)), 20, "")
}

func manySecrets(t *testing.T) string {
	return gzipped(t, ngHeader, block(10, "KSLT\x00\x00\x10\x00"+strings.Repeat("A", 1<<20)), 400, ngFrame(t, ""))
}

// manyCaptures is a case that names one capture again and again.
func manyCaptures(t *testing.T, n int) string {
	t.Helper()
	dir, nodeport := t.TempDir(), filepath.Join(cases, "nodeport")
	for _, name := range []string{"sb.db", "client.pcap"} {
		if err := os.WriteFile(filepath.Join(dir, name), read(t, filepath.Join(nodeport, name)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := `{"db":"sb.db","captures":[` + strings.Repeat(`{"file":"client.pcap"},`, n-1) + `{"file":"client.pcap"}]}`
	if err := os.WriteFile(filepath.Join(dir, "case.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// observedFlood is 100,000 SYNs on their way to the recorded session's pod, each from another address.
func observedFlood(t *testing.T) string {
	t.Helper()
	const file, record = 24, 16
	sample := read(t, filepath.Join(cases, "nodeport", "nginx.pcap"))
	out := slices.Clone(sample[:file])
	for at := file; ; at += record + int(binary.LittleEndian.Uint32(sample[at+8:])) {
		frame := sample[at+record:]
		if frame[12] != 8 || frame[13] != 0 || frame[23] != header.ProtoTCP || frame[47] != header.FlagSYN {
			continue
		}
		one := slices.Clone(sample[at : at+record+int(binary.LittleEndian.Uint32(sample[at+8:]))])
		ip, tcp := one[record+14:][:20], one[record+34:]
		for i := range 100_000 {
			binary.BigEndian.PutUint32(ip[12:], 20<<24+uint32(i))
			ip[10], ip[11], tcp[16], tcp[17] = 0, 0, 0, 0
			binary.BigEndian.PutUint16(ip[10:], ^header.Fold(header.Sum(0, ip)))
			sum := header.Sum(header.Sum(uint64(header.ProtoTCP+len(tcp)), ip[12:]), tcp)
			binary.BigEndian.PutUint16(tcp[16:], ^header.Fold(sum))
			out = append(out, one...)
		}
		return written(t, "observed.pcap", out)
	}
}
