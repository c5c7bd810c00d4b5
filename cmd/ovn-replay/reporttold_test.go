package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ovnreplay/store/output"
)

// What the page says on top is what verify says, and it is green only where something was verified,
// all of it.
func TestReportTellsWhatVerifyTells(t *testing.T) {
	t.Parallel()
	chromium := needsTool(t, "chromium")
	const user = `<pre id="seen"></pre><script>
const ready = setInterval(() => {
  if (!document.body.dataset.ready) return;
  clearInterval(ready);
  const card = [...document.querySelectorAll(".card")].find(c => c.textContent.includes("as predicted"));
  $("seen").textContent = JSON.stringify([document.querySelector("header :nth-child(2)").textContent, $("verdict")?.className,
    card.querySelector("b").className, $("causes").firstElementChild.className, $("causes").textContent]);
}, 20);
</script>`
	const nodeport = cases + "/nodeport/"
	client := read(t, nodeport+"client.pcap")
	whole := []string{"--db", nodeport + "sb.db", "-r", nodeport + "client.pcap@breth0_ovn-worker", "-r", nodeport +
		"nginx.pcap"}
	first := 24 + 16 + int(client[24+8]) // a SYN
	one := write(t, "one.pcap", client[:first])
	cut := write(t, "cut.pcap", client[:len(client)-3])
	for _, x := range []struct {
		name      string
		args      []string
		interrupt bool
		status    int
		verdict   string
		class     string
	}{
		{"all is verified", whole, false, exitOK, "Everything observed was predicted, byte for byte.", "ok"},
		{"nothing is", []string{"--db", nodeport + "sb.db", "-r", one + "@breth0_ovn-worker"}, false, exitBad,
			"Nothing was verified: ", "warn"},
		{"interrupted", whole, true, exitSignal + int(syscall.SIGINT), "Interrupted after ", "warn"},
		{"damaged", []string{"--db", nodeport + "sb.db", "-r", cut + "@breth0_ovn-worker", "-r", nodeport +
			"nginx.pcap"}, false, exitBad, "cut.pcap", "warn"},
	} {
		t.Run(x.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "r.html")
			ctx, stop := context.WithCancelCause(t.Context())
			defer stop(nil)
			var in io.Reader = strings.NewReader("")
			if args := x.args; x.interrupt { // once it has begun to read what never ends
				x.args = append(args[:len(args):len(args)], "-r", "-@breth0_ovn-worker2")
				in = &stopping{Reader: bytes.NewReader(client), at: func() {
					stop(output.Signalled{Signal: syscall.SIGINT})
				}, over: ctx}
			}
			var out, errs bytes.Buffer
			if got := run(ctx, append([]string{"report", "-o", file}, x.args...), in, &out, &errs); got != x.status {
				t.Fatalf("exit status %d, want %d: %s", got, x.status, &errs)
			}
			page, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			seen := browsed(t, chromium, string(page), user)
			if !strings.Contains(seen[0], x.verdict) || seen[1] != x.class || seen[2] != x.class {
				t.Errorf("seen %q", seen)
			}
			if x.class != "ok" && seen[3] == "ok" {
				t.Errorf("the causes are green: %q", seen[4])
			}
		})
	}
}

// stopping is a capture that does not end: when it is read to there, at is called.
type stopping struct {
	io.Reader
	at   func()
	over context.Context
}

func (s *stopping) Read(b []byte) (int, error) {
	n, err := s.Reader.Read(b)
	if err != io.EOF {
		return n, err
	}
	s.at()
	<-s.over.Done()
	return 0, io.EOF
}

// What people call the same is drawn apart as it is, and told apart: networks, chassis, and the
// causes of networks.
func TestReportTellsNamesakesApart(t *testing.T) {
	t.Parallel()
	chromium := needsTool(t, "chromium")
	needsTool(t, "ovsdb-tool")
	const dir = cases + "/cloud-mixed-26.03"
	const user = `<pre id="seen"></pre><script>
const ready = setInterval(() => {
  if (!document.body.dataset.ready) return;
  clearInterval(ready);
  const titles = [...document.querySelectorAll("#net g title")].map(x => x.textContent);
  $("seen").textContent = JSON.stringify([titles.length, new Set(titles.map(x => x.split("):")[0])).size,
	document.querySelectorAll("#causes tr.go").length,
	new Set([...document.querySelectorAll("#net g")].map(g => [...g.querySelectorAll("text")].map(x => x.textContent).filter(x => !x.includes("more ports")).join())).size,
	titles.join("\n"), $("causes").textContent].map(String));
}, 20);
</script>`
	file := filepath.Join(t.TempDir(), "sb.db")
	plain := gunzip(t, read(t, dir+"/sb.db.gz"))
	look := func(transactions ...string) []string {
		t.Helper()
		if err := os.WriteFile(file, plain, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, x := range transactions {
			command(t, "ovsdb-tool", "transact", file, `["OVN_Southbound", `+x+`]`)
		}
		return browsed(t, chromium, reported(t, "--case", dir, "--db", file, "--db-time", "last"), user)
	}
	want := look()
	for _, x := range []struct{ name, transaction string }{
		{"networks", `{"op": "mutate", "table": "Datapath_Binding", "where": [["external_ids", "includes", ["map",
			[["name", "net-a"]]]]], "mutations": [["external_ids", "insert", ["map", [["name2", "private"]]]]]},
			{"op": "mutate", "table": "Datapath_Binding", "where": [["external_ids", "includes", ["map",
			[["name", "net-b"]]]]], "mutations": [["external_ids", "insert", ["map", [["name2", "private"]]]]]}`},
		{"networks of the same name", `{"op": "mutate", "table": "Datapath_Binding", "where": [["external_ids", "includes",
			["map", [["name", "net-b"]]]]], "mutations": [["external_ids", "delete", ["set", ["name"]]],
			["external_ids", "insert", ["map", [["name", "net-a"]]]]]}`},
		{"hosts", `{"op": "update", "table": "Chassis", "where": [], "row": {"hostname": "localhost.localdomain"}}`},
	} {
		t.Run(x.name, func(t *testing.T) {
			got := look(x.transaction)
			if strings.Join(got[:4], " ") != strings.Join(want[:4], " ") || got[0] != got[1] {
				t.Errorf("boxes, different ones, causes, labels: %q, without namesakes %q:\n%s\n%s", got[:4], want[:4],
					got[4], got[5])
			}
			if got[4] == want[4] {
				t.Error("the names are as before: the test tests nothing")
			}
		})
	}
}
