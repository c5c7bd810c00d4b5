package store

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// record frames one record of a log.
func record(magic, body string) string {
	return fmt.Sprintf("OVSDB %s %d %x\n%s\n", magic, len(body)+1, sha1.Sum([]byte(body+"\n")), body)
}

const smallSchema = `{"name":"OVN_Southbound","version":"1.0.0",` +
	`"tables":{"Meter":{"columns":{"name":{"type":"string"},"unit":{"type":"string"}}}}}`

const (
	uuidA = "00000000-0000-0000-0000-00000000000a"
	uuidB = "00000000-0000-0000-0000-00000000000b"
)

// small is a sound database of three transactions.
func small() []string {
	return []string{
		record("JSON", smallSchema),
		record("JSON", `{"Meter":{"`+uuidA+`":{"name":"first"}},"_date":1000,"_comment":"one"}`),
		record("JSON", `{"Meter":{"`+uuidA+`":{"unit":"kbps"}},"_date":2000}`),
		record("JSON", `{"Meter":{"`+uuidB+`":{"name":"second"}},"_date":3000}`),
	}
}

func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// What is said of damage names the record and byte, and what came before it
// is used.
func TestDamage(t *testing.T) {
	t.Parallel()
	r := small()
	sound := strings.Join(r, "")
	offset := func(n int) int { return len(strings.Join(r[:n-1], "")) }
	header := strings.IndexByte(r[3], '\n') + 1
	for _, c := range []struct {
		name, text   string
		damage       Damage
		record, byte int
		used         int
		want         string
	}{
		{"sound", sound, 0, 0, 0, 3, ""},
		{"cut in the last body", sound[:len(sound)-20], Truncated, 4, len(sound) - 20, 2,
			"the file ends here, 20 bytes before the end of this record; the 2 transactions before it are used, " +
				"what follows is not"},
		{"cut in the last header", sound[:offset(4)+30], Truncated, 4, offset(4), 2,
			"the file ends inside a record's header"},
		{"a bit flipped in the last record", sound[:len(sound)-20] + "X" + sound[len(sound)-19:], BadChecksum, 4,
			offset(4) +
				header, 2, "have SHA-1"},
		{"a bit flipped in the middle", strings.Replace(sound, "kbps", "kbqs", 1), BadChecksum, 3, offset(3) +
			strings.IndexByte(r[2], '\n') + 1, 1, "have SHA-1"},
		{"a bit flipped in the first transaction", strings.Replace(sound, "first", "worst", 1), BadChecksum, 2,
			offset(2) +
				strings.IndexByte(r[1], '\n') + 1, 0, "take a new copy"},
		{"junk between records", strings.Join(r[:3], "") + "junk\n" + r[3], BadHeader, 4, offset(4), 2,
			"not the start of a record"},
		{"no newline for long", strings.Join(r[:3], "") + strings.Repeat("x", 500), BadHeader, 4, offset(4), 2,
			"not the start of a record"},
		{"a length beyond all reason", strings.Join(r[:3], "") + "OVSDB JSON 99999999999999999999 " +
			strings.Repeat("0", 40) + "\n", BadHeader, 4, offset(4), 2, "not the start"},
		{"a length beyond the file", strings.Join(r[:3], "") + "OVSDB JSON 99999999999 " + strings.Repeat("0", 40) +
			"\n{}\n", Truncated, 4, offset(4) + 67, 2, "99999999996 bytes before the end of this record"},
		{"not JSON, though the checksum is right", strings.Join(r[:3], "") + record("JSON", `{"Meter":[]}`), BadJSON, 4,
			offset(4) + 55 + 9, 2, `'[' where '{' was expected`},
		{"more after the JSON", strings.Join(r[:3], "") + record("JSON", `{} {}`), BadJSON, 4, -1, 2,
			`'{' after the record's JSON`},
		{"a wrong type", strings.Join(r[:3], "") + record("JSON", `{"Meter":{"`+uuidB+`":{"name":7}}}`), BadJSON,
			4, -1, 2, "column name of table Meter"},
		{"a deletion of what is not there", strings.Join(r[:3], "") + record("JSON", `{"Meter":{"`+uuidB+`":null}}`),
			Inconsistent, 4, offset(4), 2, "deletes row " + uuidB},
		{"cut in the schema", sound[:100], Truncated, 1, 100, 0, "take a new copy"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, "sb.db", c.text)
			db, err := Open(context.Background(), path, Options{})
			var d *DamageError
			switch {
			case c.damage == 0:
				if err != nil || len(db.Warnings) != 0 || db.Transactions != 3 {
					t.Fatalf("error %v, database %+v", err, db)
				}
				return
			case c.used == 0:
				if !errors.As(err, &d) {
					t.Fatalf("error %v, want a DamageError", err)
				}
			default:
				if err != nil || len(db.Warnings) != 1 || !errors.As(db.Warnings[0], &d) {
					t.Fatalf("error %v, want a database with one warning", err)
				}
				if db.Transactions != c.used {
					t.Errorf("%d transactions used, want %d", db.Transactions, c.used)
				}
				if got := db.Table("Meter").Len(); got != 1 {
					t.Errorf("%d rows, want 1", got)
				}
			}
			if d.Damage != c.damage || d.Record != c.record || (c.byte >= 0 && d.Offset != int64(c.byte)) ||
				d.Used != c.used {
				t.Errorf("%v: record %d, byte %d, %d used; want %v: record %d, byte %d, %d used", d.Damage, d.Record,
					d.Offset, d.Used, c.damage, c.record, c.byte, c.used)
			}
			if !strings.HasPrefix(d.Error(), path+": record ") || !strings.Contains(d.Error(), c.want) ||
				strings.Contains(d.Error(), "\n") {
				t.Errorf("the message is %q, want one line with %q", d.Error(), c.want)
			}
		})
	}
}

// What is not a Southbound database is told apart, in one line that says what
// to do.
func TestNotASouthbound(t *testing.T) {
	t.Parallel()
	nb := strings.Replace(smallSchema, "OVN_Southbound", "OVN_Northbound", 1)
	dir := t.TempDir()
	for _, c := range []struct{ name, source, want string }{
		{"missing", filepath.Join(dir, "none.db"), "no such file"},
		{"directory", dir, "holds no OVN_Southbound database"},
		{"empty", write(t, "empty.db", ""), "is empty"},
		{"text", write(t, "text.db", "hello\n"), "is not an OVSDB database"},
		{"binary", write(t, "bin.db", "\x00\x01\x02"), "is not an OVSDB database"},
		{"capture", write(t, "c.pcap", "\xd4\xc3\xb2\xa1\x02\x00\x04\x00"), "is a packet capture"},
		{"unknown magic", write(t, "m.db", "OVSDB STRANGE 3 "+strings.Repeat("0", 40)+"\n{}\n"), "unknown kind"},
		{"northbound", write(t, "nb.db", record("JSON", nb)),
			"this is the OVN_Northbound database, not OVN_Southbound; pass the Southbound database"},
		{"gzip cut short", write(t, "s.db.gz", compressAs(t, "gzip", strings.Join(small(), ""))[:30]), "gzip"},
		{"empty gzip", write(t, "e.db.gz", compressAs(t, "gzip", "")), "is empty inside its gzip compression"},
		{"bad gzip", write(t, "b.db.gz", "\x1f\x8bxxxxxxxxxxxxxxxxxxx"), "bad gzip data"},
		{"bad xz", write(t, "b.db.xz", "\xfd7zXZ\x00xxxxxxxxxxxxxxxxxxxxxx"), "bad xz data"},
		{"bad zstd", write(t, "b.db.zst", "\x28\xb5\x2f\xfdxxxxxxxxxxxxxxxxxxx"), "bad zstd data"},
		{"a schema that is none", write(t, "x.db", record("JSON", `{"hello":1}`)), "record 1"},
		{"nothing", "", "no database named"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db, err := Open(context.Background(), c.source, Options{})
			if err == nil {
				t.Fatalf("no error; database %v", db)
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") ||
				!strings.Contains(err.Error(), c.source) {
				t.Errorf("%q, want one line naming the source, with %q", err, c.want)
			}
		})
	}
}

func compressAs(t testing.TB, how, text string) string {
	t.Helper()
	var out bytes.Buffer
	var w interface {
		Write([]byte) (int, error)
		Close() error
	}
	var err error
	switch how {
	case "gzip":
		w = gzip.NewWriter(&out)
	case "xz":
		w, err = xz.NewWriter(&out)
	case "zstd":
		w, err = zstd.NewWriter(&out)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// A database reads the same compressed as plain; one compressed and cut short
// as one cut short.
func TestCompressed(t *testing.T) {
	t.Parallel()
	path := recorded(t)[0]
	want := mustOpen(t, path, Options{})
	var text []byte
	if strings.HasSuffix(path, ".gz") {
		text = gunzip(t, path)
	} else {
		var err error
		if text, err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	for _, how := range []string{"gzip", "xz", "zstd"} {
		packed := compressAs(t, how, string(text))
		got := mustOpen(t, write(t, "sb.db."+how, packed), Options{})
		if len(contentsOf(got)["Logical_Flow"]) == 0 || !equal(contentsOf(want), contentsOf(got)) {
			t.Errorf("%s: another database", how)
		}
		_, err := Open(context.Background(), write(t, "cut.db."+how, packed[:len(packed)*3/4]), Options{})
		// The xz reader gives nothing of a block it cannot read whole.
		var d *DamageError
		if how == "xz" && err != nil && strings.Contains(err.Error(), "its xz data end too early") {
			continue
		}
		if !errors.As(err, &d) || d.Record != 2 {
			t.Errorf("%s, cut: %v, want damage in record 2", how, err)
		}
	}
}

func equal(a, b contents) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

// What tools print of a database for people is said to be that, with the forms that are read,
// whichever database was asked for.
func TestTextForms(t *testing.T) {
	t.Parallel()
	const uuid = "f7919d49-1228-4a90-94b0-71740c58bf73"
	for name, c := range map[string]struct{ text, want string }{
		"nbctl show":      {"switch " + uuid + " (ext_node1)\n    port pod1\n", `is what "ovn-nbctl show" prints`},
		"nbctl show crlf": {"router " + uuid + " (GR)\r\n    port r\r\n", `is what "ovn-nbctl show" prints`},
		"with a prompt":   {"# ovn-nbctl show\nswitch " + uuid + " (a)\n", `is what "ovn-nbctl show" prints`},
		"sbctl show":      {"Chassis \"node1\"\n    hostname: node1\n", `is what "ovn-sbctl show" prints`},
		"vsctl show":      {uuid + "\n    Bridge br-int\n", `is what "ovs-vsctl show" prints`},
		"lflow-list": {"Datapath: \"n\" (" + uuid + ")  Pipeline: ingress\n  table=0 (ls_in)\n",
			`is what "ovn-sbctl lflow-list" prints`},
		"dump":         {"ACL table\n_uuid action\n----- ------\n", "is a dump in text form"},
		"dump as list": {"ACL table\n\nDNS table\n\nNAT table\n_uuid : " + uuid + "\n", "is a dump in text form"},
		"dump as csv":  {"ACL table\n_uuid,action\n", "is a dump in CSV form"},
		"dump as html": {"<table border=1>\n    <caption>ACL table</caption>\n", "is a dump in HTML"},
		"list":         {"_uuid               : " + uuid + "\nname: n\n", "is rows of one table"},
		"list as table": {"_uuid                                name\n------------------------------------ ----\n" +
			uuid + " n\n", "is rows of one table"},
		"list as JSON": {`{"data":[["tcp"]],"headings":["protocol"]}`, "is JSON of one table's rows"},
		"one table":    {`{"caption":"ACL table","data":[],"headings":["_uuid"]}`, "is a dump of 1 table alone"},
		"other text":   {"UUID   LB   PROTO\n", "is text, and is not an OVSDB database"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, database := range []string{Southbound, "OVN_Northbound"} {
				source := write(t, "text", c.text)
				_, err := Open(context.Background(), source, Options{Database: database})
				if err == nil || !strings.HasPrefix(err.Error(), source+": "+c.want) ||
					!strings.Contains(err.Error(), "ovsdb-client backup SERVER "+database) ||
					strings.Contains(err.Error(), "\n") {
					t.Errorf("%v, want a line with %q and the forms that are read of %s", err, c.want, database)
				}
			}
		})
	}
}

// A folder in which there is only what tools print of the database says so.
func TestOnlyTextIsThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := "switch f7919d49-1228-4a90-94b0-71740c58bf73 (ext)\n"
	if err := os.WriteFile(filepath.Join(dir, "ovn-nbctl_show"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(context.Background(), dir, Options{Database: "OVN_Northbound"})
	const said = `ovn-nbctl_show is what "ovn-nbctl show" prints, which is not read`
	if err == nil || !strings.Contains(err.Error(), said) {
		t.Errorf("%v, want what is there", err)
	}
	if _, err = Open(context.Background(), dir, Options{}); err == nil || strings.Contains(err.Error(), "nbctl") {
		t.Errorf("%v, want nothing about another database", err)
	}
}
