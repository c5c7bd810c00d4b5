package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fakeKubectl answers as a cluster would whose node has the recorded session.
const fakeKubectl = `#!/bin/sh
echo "kubectl $*" >> "$LOG"
case "$*" in
*"get pods -l app=ovnkube-node --field-selector spec.nodeName=node1 "*) echo ovnkube-node-x ;;
*"get pods"*) ;;
"-n default get pod nginx-deployment-9456bbbf9-x6pc6 "*) echo node1 ;;
*"get pod "*) echo "Error from server (NotFound): pods not found" >&2; exit 1 ;;
*"exec ovnkube-node-x -c sb-ovsdb -- ovsdb-client backup unix:/var/run/ovn/ovnsb_db.sock") cat "$CASE/sb.db" ;;
*"iface-id=default_nginx-deployment-9456bbbf9-x6pc6") echo veth7 ;;
*"-c ovnkube-controller -- tcpdump -U -n -w - -i veth7") cat "$CASE/nginx.pcap" ;;
*) echo "unexpected: $*" >&2; exit 9 ;;
esac
`

// The plugin copies a node's database, captures at a pod's interface and
// replays what comes.
func TestKubectlPlugin(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(program(t), filepath.Join(dir, "ovn-replay")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kubectl"), []byte(fakeKubectl), 0o755); err != nil {
		t.Fatal(err)
	}
	plugin, err := filepath.Abs("../../packaging/kubectl-ovn_replay")
	if err != nil {
		t.Fatal(err)
	}
	session, err := filepath.Abs(cases + "/nodeport")
	if err != nil {
		t.Fatal(err)
	}
	kubectl := func(args ...string) (string, error) {
		cmd := exec.Command(plugin, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "CASE="+session,
			"LOG="+filepath.Join(dir, "log"))
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := kubectl("live", "nginx-deployment-9456bbbf9-x6pc6", "--", "--wide")
	if err != nil || strings.Count(out, "delivered to default_nginx-deployment-9456bbbf9-x6pc6\n") != 12 ||
		strings.Count(out, "\n") != 20 {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		t.Errorf("%v\n%s%s", err, out, log)
	}
	if out, err := kubectl("db", "node1"); err != nil || out != "sb.db\n" {
		t.Errorf("%v %s", err, out)
	}
	for _, args := range [][]string{{"live", "--help"}, {"db", "-h"}, {"--help"}} {
		if out, err := kubectl(args...); err != nil || !strings.HasPrefix(out, "Usage:") {
			t.Errorf("%q: %v %q", args, err, out)
		}
	}
	for _, args := range [][]string{{"db", "node2"}, {"db"}, {"live", "nobody"}, {"live", "x", "-n"}, {}} {
		if out, err := kubectl(args...); err == nil || strings.TrimSpace(out) == "" {
			t.Errorf("%q: %v %q", args, err, out)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.part")); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}
