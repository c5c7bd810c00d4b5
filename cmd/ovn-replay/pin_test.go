package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"ovnreplay/sim/replay"
)

// With the clients' captures alone nothing shows which backend the datapath
// chose: a guess, unless a dump of the real table dictates it.
func TestPinnedChoices(t *testing.T) {
	t.Parallel()
	dir := cases + "/kube-many-backends"
	type chosen struct {
		port    string
		guessed bool
	}
	outputs := func(args ...string) map[string]chosen {
		status, out, errs := replayed(t, append([]string{"run", "--json", "--filter", "tcp.flags == 2"}, args...)...)
		if status != exitOK {
			t.Fatal(errs)
		}
		found := map[string]chosen{}
		d := json.NewDecoder(strings.NewReader(out))
		for d.More() {
			var r replay.Record
			if err := d.Decode(&r); err != nil {
				t.Fatal(err)
			}
			for _, o := range r.Outputs {
				if r.Inferred == "" && strings.HasPrefix(o.Port, "default_pod") {
					found[fmt.Sprint(r.Inport, r.Packet)] = chosen{o.Port, o.Guessed}
				}
			}
		}
		return found
	}
	files := []string{"--db", dir + "/sb.db.gz", "--ct-profile", "ovs-userspace",
		"-r", dir + "/wire.pcap@breth0_worker", "-r", dir + "/pod2.pcap@default_pod2"}
	guessed := outputs(files...)
	pinned := outputs(append(files, "--pin", dir+"/conntrack-after-node.txt")...)
	if len(pinned) < 4 || len(pinned) != len(guessed) {
		t.Fatalf("%d connections, %d when pinned", len(guessed), len(pinned))
	}
	dump := string(read(t, dir+"/conntrack-after-node.txt"))
	guesses := 0
	for what, c := range pinned {
		if c.guessed {
			t.Errorf("%s is a guess although it is pinned", what)
		}
		// default_podN has the address 10.128.1.1N
		_, sport, _ := strings.Cut(strings.Fields(what)[len(strings.Fields(what))-4], ":")
		reply := fmt.Sprintf("reply=(src=10.128.1.1%s,", strings.TrimPrefix(c.port, "default_pod"))
		ok := false
		for _, line := range strings.Split(dump, "\n") {
			ok = ok || strings.Contains(line, reply) && strings.Contains(line, "sport="+sport+",") &&
				strings.Contains(line, "mark=")
		}
		if !ok {
			t.Errorf("%s went to %s: the dump shows another backend", what, c.port)
		}
		switch g := guessed[what]; {
		case g.guessed:
			guesses++
		case g.port != c.port: // read from the answer's Ethernet source, on one switch
			t.Errorf("%s went to %s, and not to %s as is read", what, c.port, g.port)
		}
	}
	if guesses == 0 || guesses == len(pinned) {
		t.Errorf("%d of %d choices are guesses", guesses, len(pinned))
	}
}
