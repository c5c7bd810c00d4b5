package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fakeServer answers as an OVSDB server that has smallSchema does, up to the
// question for the rows; what comes then, answer sends.
func fakeServer(t testing.TB, answer func(c net.Conn, id json.RawMessage)) (source string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				in := json.NewDecoder(c)
				for {
					var q struct {
						Method string
						ID     json.RawMessage
					}
					if in.Decode(&q) != nil {
						return
					}
					switch q.Method {
					case "list_dbs":
						fmt.Fprintf(c, `{"id":%s,"error":null,"result":["OVN_Southbound"]}`, q.ID)
					case "get_schema":
						fmt.Fprintf(c, `{"id":%s,"error":null,"result":%s}`, q.ID, smallSchema)
					default:
						answer(c, q.ID)
						return
					}
				}
			}()
		}
	}()
	return "unix:" + path
}

// A server that never stops sending, or stops in the middle, or does not
// answer, is left alone in time.
func TestBadServers(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(c net.Conn, id json.RawMessage)
		want   string
	}{
		{"never stops", func(c net.Conn, id json.RawMessage) {
			fmt.Fprintf(c, `{"id":%s,"result":["`, id)
			for a := bytes.Repeat([]byte("A"), 1<<16); ; {
				if _, err := c.Write(a); err != nil {
					return
				}
			}
		}, "the server sends a message of more than 8 MiB; if it is a real database, raise the limit with " +
			"--max-memory"},
		{"never stops nesting", func(c net.Conn, id json.RawMessage) {
			for a := bytes.Repeat([]byte("["), 1<<16); ; {
				if _, err := c.Write(a); err != nil {
					return
				}
			}
		}, "exceeded max depth"},
		{"stops in the middle", func(c net.Conn, id json.RawMessage) {
			fmt.Fprintf(c, `{"id":%s,"result":[`, id)
			io.Copy(io.Discard, c)
		}, "no more of an answer in time; see whether an OVSDB server listens there, or give it longer with --timeout"},
		{"answers nobody", func(c net.Conn, id json.RawMessage) { fmt.Fprint(c, `{"id":null,"result":[]}`) },
			"the server sends what is no message of OVSDB"},
		{"answers nobody twice", func(c net.Conn, id json.RawMessage) {
			fmt.Fprintf(c, `{"id":%s,"result":[],"ID":null}`,
				id)
		}, "no message of OVSDB"},
		{"tells changes", func(c net.Conn, id json.RawMessage) {
			fmt.Fprint(c,
				`{"id":null,"method":"update","params":[]}`)
		}, "no message of OVSDB"},
		{"says nothing", func(c net.Conn, id json.RawMessage) {
			io.Copy(io.Discard, c)
		}, "no more of an answer in time"},
	} {
		t.Run(c.name, func(t *testing.T) {
			source := fakeServer(t, c.answer)
			begin := time.Now()
			_, err := Open(context.Background(), source,
				Options{Timeout: time.Second, AnyMember: true, MaxMemory: 64 << 20})
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), source) {
				t.Errorf("error %v", err)
			}
			if d := time.Since(begin); d > 8*time.Second {
				t.Errorf("it took %v", d)
			}
		})
	}
}

// FuzzServer answers the question for the rows with anything.
func FuzzServer(f *testing.F) {
	f.Add([]byte(`{"id":0,"error":null,"result":[{"rows":[{"_uuid":["uuid","` + uuidA + `"],"name":"x"}]}]}`))
	f.Add([]byte(`{"id":0,"error":null,"result":[{"error":"no"},null,{"rows":[null]}]}`))
	f.Add([]byte(`{"method":"echo","id":"echo","params":[]}[1`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		source := fakeServer(t, func(c net.Conn, id json.RawMessage) {
			c.Write(bytes.Replace(answer, []byte(`"id":0`), append([]byte(`"id":`), id...), 1))
		})
		ends(t, func() { Open(context.Background(), source, Options{Timeout: time.Second, AnyMember: true}) })
	})
}

func TestMessages(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		text   string
		length int64
		err    error
	}{
		{`{"id":1,"a":["}]"]} `, 0, nil},
		{`{"id":1,"a":"\"}"} {`, 1, nil},
		{`[[1]`, 4, nil},
		{`{"id" : "echo" , "method":"echo","params":[]}`, 0, nil},
		{`{"method":"echo","id":null}`, 0, nil},
		{`{"method":"update","id":null}`, 0, errMessage},
		{`{"method":"echo","method":"","id":null}`, 0, errMessage},
		{`{"id":0,"result":{"id":null},"x":[{"id":null}]}`, 0, nil},
		{`{"result":[],"i\u0064":5}`, 0, errMessage},
		{`{"result":{"id":5}}`, 0, errMessage},
		{`[]`, 0, errMessage}, {`null`, 0, errMessage}, {`{"id":1} "x"`, 0, errMessage}, {`}`, 0, errMessage},
		{`{"id":5,"method":                     "update"}`, 0, errMessage},
	} {
		var m messages
		var err error
		for _, b := range []byte(x.text) { // wherever it is cut
			if err == nil {
				err = m.read([]byte{b})
			}
		}
		if err != x.err || err == nil && m.length != x.length {
			t.Errorf("%s: %d bytes of a message, error %v", x.text, m.length, err)
		}
	}
}
