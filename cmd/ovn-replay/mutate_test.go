package main

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ovnreplay/sim/network"
	"ovnreplay/sim/recording"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

// A mutation changes one decision that a logical flow takes; it returns the
// flow's new actions, "" if the flow takes no such decision.
type mutation struct {
	name   string
	change func(f *network.Flow) string
}

var (
	acl      = regexp.MustCompile(`^l[sr]_(in|out)_acl(_eval)?$`)
	routing  = regexp.MustCompile(`^lr_in_ip_routing$`)
	backends = regexp.MustCompile(`backends=[^;)]*`)
	address  = regexp.MustCompile(`(\d+\.\d+\.\d+\.)\d+`)
	natted   = regexp.MustCompile(`(ct_[sd]nat(?:_in_czone)?\((?:\d+\.){3})\d+`)
	nextHop  = regexp.MustCompile(`reg0 = (ip4\.dst|\d+\.\d+\.\d+\.\d+);`)
)

var mutations = []mutation{
	{"an ACL drops", func(f *network.Flow) string {
		if !acl.MatchString(f.Stage) || f.Priority < 1001 || !strings.Contains(f.Actions, "next;") ||
			strings.Contains(f.Match, "nd_") {
			return ""
		}
		return "drop;"
	}},
	{"a backend moves", func(f *network.Flow) string {
		if !backends.MatchString(f.Actions) {
			return ""
		}
		return backends.ReplaceAllStringFunc(f.Actions, func(list string) string {
			return address.ReplaceAllString(list, "${1}251")
		})
	}},
	{"a NAT address changes", func(f *network.Flow) string {
		if !natted.MatchString(f.Actions) {
			return ""
		}
		return natted.ReplaceAllString(f.Actions, "${1}251")
	}},
	{"a route changes", func(f *network.Flow) string {
		if !routing.MatchString(f.Stage) || !nextHop.MatchString(f.Actions) {
			return ""
		}
		return nextHop.ReplaceAllString(f.Actions, "reg0 = 203.0.113.77;")
	}},
}

// Whatever is changed in a database of a recorded case, verify fails and names
// the flow that was changed.
func TestMutatedDatabaseFailsAndNamesTheFlow(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(cases + "/*/case.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases (%v)", err)
	}
	tried := map[string]int{}
	for _, file := range files {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			if verifiedCase(dir).status != exitOK {
				t.Fatal("the case is not predicted as it is: see TestEveryCaseVerifies")
			}
			c := openCase(t, dir)
			for _, m := range mutations {
				for _, f := range c.visited(m) {
					if c.check(t, m, f, m.change(f)) {
						tried[m.name]++
						break
					}
				}
			}
		})
	}
	for _, m := range mutations {
		t.Logf("%s: %d cases tell", m.name, tried[m.name])
		if tried[m.name] == 0 {
			t.Errorf("no case has a packet that meets a flow of the kind %q", m.name)
		}
	}
}

// recordedCase is a case's folder and its network.
type recordedCase struct {
	dir, db string
	net     *network.Network
	chosen  []replay.Record
}

func openCase(t *testing.T, dir string) *recordedCase {
	t.Helper()
	var c recording.Case
	if err := json.Unmarshal(read(t, dir+"/case.json"), &c); err != nil {
		t.Fatal(err)
	}
	net, _, err := southbound.Open(context.Background(), filepath.Join(dir, c.DB[0]), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := &recordedCase{dir: dir, db: c.DB[0], net: net}
	status, out, errs := replayed(t, "run", "--case", dir, "--json")
	if status != exitOK {
		t.Fatal(errs)
	}
	captured := map[string]bool{}
	for _, e := range c.Captures {
		captured[e.Port] = true
	}
	d := json.NewDecoder(strings.NewReader(out))
	for d.More() {
		var rec replay.Record
		if err := d.Decode(&rec); err != nil {
			t.Fatal(err)
		}
		// Only a packet whose way out is in a capture shows a change.
		if len(rec.Outputs) == 1 && !rec.Outputs[0].Made && captured[rec.Outputs[0].Port] &&
			!strings.Contains(rec.Packet, "arp") {
			r.chosen = append(r.chosen, rec)
		}
	}
	return r
}

// visited lists the flows that delivered packets met and that a mutation
// changes, those met first first.
func (c *recordedCase) visited(m mutation) (out []*network.Flow) {
	byUUID := map[string]*network.Flow{}
	for _, f := range c.net.Flows {
		byUUID[f.UUID] = f
	}
	const enough = 8
	for _, r := range c.chosen {
		for _, p := range r.Path {
			f := byUUID[p.Flow]
			if f == nil || slices.Contains(out, f) || len(out) == enough {
				continue
			}
			if a := m.change(f); a != "" && a != f.Actions {
				out = append(out, f)
			}
		}
	}
	return out
}

// check verifies the case with the flow's actions changed. It returns false if
// the flow makes no difference: another decides the same after it, or the
// packets that show it are in no capture.
func (c *recordedCase) check(t *testing.T, m mutation, f *network.Flow, actions string) bool {
	t.Helper()
	status, out, errs := replayed(t, "verify", "--case", c.mutated(t, f.UUID, actions), "--json")
	var r replay.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%s: %v: %s", m.name, err, errs)
	}
	if status == exitOK {
		return false
	}
	for _, it := range slices.Concat(r.Mismatched, r.Missing, r.Unexpected) {
		if it.Flow != nil && it.Flow.UUID == f.UUID ||
			slices.ContainsFunc(it.Fields, func(d replay.Difference) bool { return d.Flow == f.UUID }) {
			return true
		}
	}
	var text strings.Builder
	r.List = true
	r.Write(&text, false)
	t.Errorf("%s: flow %s, %s: %s\nnow does %s, which verify does not name:\n%.3000s", m.name, f.UUID, f.Stage, f.Match,
		actions, text.String())
	return true
}

// mutated copies the case with one flow's actions replaced.
func (c *recordedCase) mutated(t *testing.T, uuid, actions string) string {
	t.Helper()
	dir := t.TempDir()
	files, err := os.ReadDir(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name() == c.db || f.IsDir() {
			continue
		}
		whole, _ := filepath.Abs(filepath.Join(c.dir, f.Name()))
		if err := os.Symlink(whole, filepath.Join(dir, f.Name())); err != nil {
			t.Fatal(err)
		}
	}
	data := rewriteActions(t, uncompressed(t, filepath.Join(c.dir, c.db)), uuid, actions)
	if err := os.WriteFile(filepath.Join(dir, c.db), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// rewriteActions replaces the actions of a logical flow in a standalone
// database file (ovsdb(5): records "OVSDB JSON length sha1", then JSON).
func rewriteActions(t *testing.T, data []byte, uuid, actions string) []byte {
	t.Helper()
	var out bytes.Buffer
	found := false
	for len(data) > 0 {
		var size int
		var sum string
		head, rest, ok := bytes.Cut(data, []byte("\n"))
		if _, err := fmt.Sscanf(string(head), "OVSDB JSON %d %s", &size, &sum); err != nil || !ok || size > len(rest) {
			t.Fatalf("not a standalone database record: %.60q (%v)", head, err)
		}
		body := rest[:size]
		data = rest[size:]
		if bytes.Contains(body, []byte(uuid)) {
			var record struct {
				Flows map[string]json.RawMessage `json:"Logical_Flow"`
			}
			if err := json.Unmarshal(body, &record); err != nil {
				t.Fatal(err)
			}
			if row := record.Flows[uuid]; row != nil {
				was, is := fmt.Appendf(nil, "%q:%s", uuid, row), rewritten(t, row, actions)
				if is != nil && bytes.Count(body, was) == 1 {
					body = bytes.Replace(body, was, fmt.Appendf(nil, "%q:%s", uuid, is), 1)
					found = true
				}
			}
		}
		fmt.Fprintf(&out, "OVSDB JSON %d %x\n", len(body), sha1.Sum(body))
		out.Write(body)
	}
	if !found {
		t.Fatalf("flow %s is not in the database", uuid)
	}
	return out.Bytes()
}

// rewritten is a flow's row with other actions, nil if it has none.
func rewritten(t *testing.T, row []byte, actions string) []byte {
	t.Helper()
	var columns map[string]any
	d := json.NewDecoder(bytes.NewReader(row))
	d.UseNumber()
	if err := d.Decode(&columns); err != nil {
		t.Fatal(err)
	}
	if columns["actions"] == nil {
		return nil
	}
	columns["actions"] = actions
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(columns); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(b.Bytes())
}

func uncompressed(t *testing.T, file string) []byte {
	t.Helper()
	data := read(t, file)
	if !strings.HasSuffix(file, ".gz") {
		return data
	}
	return gunzip(t, data)
}
