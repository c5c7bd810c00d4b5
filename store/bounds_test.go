package store

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ovnreplay/pcap/compressed"
)

// shortTokens lowers the bound of a token for a test.
func shortTokens(t *testing.T, n int) {
	t.Helper()
	before, said := maxToken, errToken
	maxToken, errToken = n, fmt.Errorf("a value of more than %d MiB: this is no OVSDB database", n>>20)
	t.Cleanup(func() { maxToken, errToken = before, said })
}

// Wherever a value stands that is longer than any database's, reading ends
// there: the value is not held, and no more of it is read.
func TestLongValues(t *testing.T) {
	t.Parallel()
	shortTokens(t, 1<<20)
	long := strings.Repeat("A", 3<<20)
	claimed := func(body string) string {
		return record("JSON", smallSchema) + fmt.Sprintf("OVSDB JSON %d %s\n%s", 3<<30, strings.Repeat("0", 40), body)
	}
	for name, text := range map[string]string{
		"comment":      claimed(`{"_comment":"` + long),
		"unknown":      claimed(`{"_more":["` + long),
		"table's name": claimed(`{"` + long),
		"row's name":   claimed(`{"Meter":{"` + long),
		"value":        claimed(`{"Meter":{"` + uuidA + `":{"name":"` + long),
		"escapes":      claimed(`{"Meter":{"` + uuidA + `":{"name":"\n` + long),
		"number":       claimed(`{"_date":` + strings.Repeat("1", 3<<20)),
		"schema":       fmt.Sprintf("OVSDB JSON %d %s\n{%q", 3<<30, strings.Repeat("0", 40), long),
		"cluster's schema": fmt.Sprintf("OVSDB CLUSTER %d %s\n{\"prev_data\":[%q", 3<<30,
			strings.Repeat("0", 40), long),
		"dump":          `{"caption":"` + long,
		"dump's values": `{"caption":"Datapath_Binding table","headings":["_uuid"],"data":[["` + long,
	} {
		t.Run(name, func(t *testing.T) {
			in := &counted{r: io.MultiReader(strings.NewReader(text), strings.NewReader(strings.Repeat("A", 20<<20)))}
			_, err := openAll(in)
			var e *SourceError
			if !errors.As(err, &e) || !strings.Contains(err.Error(), "a value of more than 1 MiB") {
				t.Errorf("error %v", err)
			}
			if in.n > 8<<20 {
				t.Errorf("%d bytes were read", in.n)
			}
		})
	}
}

type counted struct {
	r io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// openAll reads a database to its end.
func openAll(r io.Reader) (*Database, error) {
	h, err := newHistory("x.db", r, Options{})
	if err != nil {
		return nil, err
	}
	defer h.Close()
	return h.db, h.finish(context.Background())
}

// manyRows is a database of n rows whose values are all different.
func manyRows(n int) string {
	var b strings.Builder
	b.WriteString(`{"Meter":{`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"00000000-0000-0000-0000-%012x":{"name":"meter number %d"}`, i, i)
	}
	b.WriteString("}}")
	return b.String()
}

// A database that takes more than it may is refused, saying which limit to
// raise, in each of the forms.
func TestMaxMemory(t *testing.T) {
	t.Parallel()
	rows := manyRows(20000)
	plain := record("JSON", smallSchema) + record("JSON", rows)
	dump := `{"caption":"Datapath_Binding table","headings":["_uuid","name"],"data":[`
	for i := range 20000 {
		dump += fmt.Sprintf(`%s[["uuid","00000000-0000-0000-0000-%012x"],"name %d"]`, strings.Repeat(",", min(i, 1)),
			i+1, i)
	}
	dump += "]}"
	for name, text := range map[string]string{
		"standalone": plain,
		"gzip":       compressAs(t, "gzip", plain),
		"clustered":  record("CLUSTER", `{"prev_index":1,"prev_data":[`+smallSchema+`,`+rows+`]}`),
		"cluster's entry": record("CLUSTER", `{"prev_index":1,"prev_data":[`+smallSchema+`,{}]}`) +
			record("CLUSTER", `{"index":2,"data":[null,`+rows+`]}`) + record("CLUSTER", `{"commit_index":2}`),
		"dump": dump,
		"one set": record("JSON", strings.Replace(smallSchema, `"unit":{"type":"string"}`,
			`"unit":{"type":{"key":"integer","min":0,"max":"unlimited"}}`, 1)) +
			record("JSON", `{"Meter":{"`+uuidA+`":{"unit":["set",[1`+strings.Repeat(",2", 200000)+`]]}}}`),
		"changes, no rows": record("JSON", smallSchema) +
			record("JSON", `{"Meter":{"`+uuidA+`":{}`+strings.Repeat(`,"`+uuidA+`":null`, 30000)+`}}`),
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, "big.db", text)
			_, err := Open(context.Background(), path, Options{MaxMemory: 1 << 20})
			var e *MemoryError
			if !errors.As(err, &e) || !strings.Contains(err.Error(),
				"big.db: takes more than 1 MiB of memory; if it is a real one, raise the limit with --max-memory") {
				t.Errorf("error %v", err)
			}
			if _, err := Open(context.Background(), path, Options{}); err != nil &&
				!strings.Contains(err.Error(), "deletes row") {
				t.Errorf("without the limit: %v", err)
			}
		})
	}
}

// The same rows over and over, modified and deleted, are counted once.
func TestMaxMemoryIsOfWhatIsThere(t *testing.T) {
	t.Parallel()
	text := record("JSON", smallSchema)
	for i := range 300 {
		text += record("JSON", manyRows(500))
		if i%10 == 9 {
			text += record("JSON", strings.ReplaceAll(manyRows(500), `{"name"`, `{"unit":"kbps","name"`))
		}
	}
	db, err := Open(context.Background(), write(t, "x.db", text), Options{MaxMemory: 1 << 20})
	if err != nil || db.Table("Meter").Len() != 500 {
		t.Fatal(err)
	}
	b := *db.values.budget
	if db.values.budget.recount(db); b.rows != db.values.budget.rows || b.changes != 0 || b.text != 0 {
		t.Errorf("rows count %d, want %d; changes %d, text %d", b.rows, db.values.budget.rows, b.changes, b.text)
	}
}

// A small file that unpacks to a large database is none that anybody made.
func TestBomb(t *testing.T) {
	t.Parallel()
	defer func(l compressed.Limits) { expansion = l }(expansion)
	expansion = compressed.Limits{Free: 1 << 20, Ratio: 20}
	bomb := record("JSON", smallSchema) + record("JSON", `{"Meter":{}`+strings.Repeat(" ", 8<<20)+`}`)
	for _, how := range []string{"gzip", "xz", "zstd"} {
		path := write(t, "x.db", compressAs(t, how, bomb))
		if _, err := Open(context.Background(), path, Options{}); err == nil ||
			!strings.Contains(err.Error(), "it unpacks to more than 20 times its size") {
			t.Errorf("%s: %v", how, err)
		}
		if _, err := Open(context.Background(), path, Options{MaxMemory: 1 << 20}); err != nil {
			t.Errorf("%s with --max-memory: %v", how, err)
		}
		// Compressed and in a tar, and again, in a directory: passed over, and said.
		inner := compressAs(t, "gzip",
			tarOf(t, []treeFile{{"x.db", compressAs(t, how, bomb)}, {"zeros", strings.Repeat("\x00", 8<<20)},
				{"y.db", strings.Join(small(), "")}}))
		dir := writeTree(t, []treeFile{{"a.tgz", inner}, {"b.db", strings.Join(small(), "")}})
		items, passed, err := Gather(context.Background(), dir)
		if err != nil || len(items) != 2 || len(passed) != 1 || !strings.Contains(passed[0].Why, "unpacks to more") {
			t.Errorf("%s gathered: %v, %v, %v", how, items, passed, err)
		}
	}
}

// What is no file, or has holes, is passed over.
func TestGatherPassesOver(t *testing.T) {
	t.Parallel()
	dir := writeTree(t, []treeFile{{"z/sb.db", strings.Join(small(), "")}})
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := makeFifo(path("fifo")); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", path("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.WriteFile(path("sparse.db"), []byte("OVSDB JSON 1099511627776 "+strings.Repeat("0", 40)+"\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path("sparse.db"), 1<<40); err != nil {
		t.Fatal(err)
	}
	os.Symlink(path("fifo"), path("link"))
	want := "fifo socket sparse.db"
	if makeZero(path("device")) == nil { // only root makes one
		want = "device " + want
	}
	items, passed, err := Gather(context.Background(), dir)
	if err != nil || len(items) != 1 || items[0].Path != path("z/sb.db") {
		t.Errorf("items %v, error %v", items, err)
	}
	var names []string
	for _, p := range passed {
		names = append(names, strings.TrimPrefix(p.Path, dir+"/"))
	}
	if got := strings.Join(names, " "); got != want {
		t.Errorf("passed over %q, want %q", got, want)
	}
	if db, err := Open(context.Background(), dir, Options{}); err != nil || db.Table("Meter").Len() != 2 {
		t.Errorf("the directory as a database: %v", err)
	}
	if _, err := Open(context.Background(), path("sparse.db"), Options{}); err == nil {
		t.Error("the sparse file was read")
	}
	if _, _, err := Gather(context.Background(), path("fifo")); err == nil ||
		!strings.Contains(err.Error(), "neither a directory nor a file") {
		t.Errorf("a pipe: %v", err)
	}
}

// A tar's member that claims to be larger than anything is read as far as it
// is of use.
func TestTarMemberWithHoles(t *testing.T) {
	t.Parallel()
	header := "OVSDB JSON 1099511627776 " + strings.Repeat("0", 40) + "\n"
	// A PAX header of version 1.0 with a sparse map of one piece (GNU tar).
	var out bytes.Buffer
	sparseMap := fmt.Sprintf("1\n0\n%d\n", len(header))
	sparseMap += strings.Repeat("\x00", 512-len(sparseMap))
	w := tar.NewWriter(&out)
	pax := map[string]string{"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "big.db",
		"GNU.sparse.realsize": fmt.Sprint(int64(1) << 40)}
	var records string
	for _, k := range []string{"GNU.sparse.major", "GNU.sparse.minor", "GNU.sparse.name", "GNU.sparse.realsize"} {
		line := " " + k + "=" + pax[k] + "\n"
		n := len(line) + 2
		if len(fmt.Sprint(n)) != 2 {
			t.Fatal("a record's length has two digits here")
		}
		records += fmt.Sprint(n) + line
	}
	raw := func(name string, flag byte, body string) {
		h := make([]byte, 512)
		copy(h, name)
		copy(h[100:], "0000644\x000000000\x000000000\x00")
		copy(h[124:], fmt.Sprintf("%011o\x00%011o\x00        ", len(body), 0))
		h[156] = flag
		copy(h[257:], "ustar\x0000")
		sum := 0
		for _, c := range h {
			sum += int(c)
		}
		copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
		out.Write(h)
		out.WriteString(body + strings.Repeat("\x00", -len(body)&511))
	}
	raw("pax", 'x', records)
	raw("big.db", '0', sparseMap+header)
	if err := w.WriteHeader(&tar.Header{Name: "sb.db", Typeflag: tar.TypeReg,
		Size: int64(len(strings.Join(small(), "")))}); err != nil {
		t.Fatal(err)
	}
	w.Write([]byte(strings.Join(small(), "")))
	w.Close()
	path := write(t, "x.tar", out.String())
	items, _, err := Gather(context.Background(), path)
	if err != nil || len(items) != 1 || items[0].Path != path+"!sb.db" {
		t.Errorf("items %v, error %v", items, err)
	}
	if _, err := Open(context.Background(), path+"!big.db", Options{}); err == nil {
		t.Error("the member was read")
	}
}

// Bytes that are no JSON do not make reading go on to a record's claimed end.
func TestEndlessRecord(t *testing.T) {
	t.Parallel()
	text := record("JSON", smallSchema) +
		fmt.Sprintf("OVSDB JSON %d %s\n", int64(1)<<40, hex.EncodeToString(make([]byte, 20)))
	in := &counted{r: io.MultiReader(strings.NewReader(text), zeros{})}
	if _, err := openAll(in); err == nil || in.n > 1<<20 {
		t.Errorf("%d bytes read, error %v", in.n, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
