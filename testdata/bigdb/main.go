// Command bigdb makes the Southbound database of a big cluster, for
// measurements: nodes with a switch, a gateway router and an outside switch
// each, pods on them, and services balanced on every node.
//
//	go run ./testdata/bigdb -o sb.db [-nodes 100] [-pods 2000] [-services 500]
//
// With -measure PROGRAM it also measures, on that database, ovn-trace's start
// and "PROGRAM db info", CPU time and memory, and fails unless the latter
// takes less than a tenth of both.
//
// The logical flows are the real northd's: it needs ovsdb-server, ovsdb-tool,
// ovsdb-client, ovn-northd, ovn-nbctl, ovn-sbctl and OVN's schemas (Debian:
// ovn-central). It runs them in a directory of its own and ends them. The
// network is the same on every run; its rows' UUIDs are the server's choice.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

type cluster struct {
	nodes, pods, services int
	measured              string

	dir   string
	procs []*exec.Cmd
}

func main() {
	c := cluster{}
	out := flag.String("o", "sb.db", "file to write, an \"ovsdb-client backup\"")
	schemas := flag.String("schemas", "/usr/share/ovn", "directory of ovn-nb.ovsschema and ovn-sb.ovsschema")
	flag.StringVar(&c.measured, "measure", "", "ovn-replay to measure against ovn-trace")
	flag.IntVar(&c.nodes, "nodes", 100, "nodes")
	flag.IntVar(&c.pods, "pods", 2000, "pods, on all nodes together")
	flag.IntVar(&c.services, "services", 500, "services")
	flag.Parse()
	if c.nodes < 1 || c.nodes > 250 {
		fmt.Fprintln(os.Stderr, "bigdb: -nodes must be between 1 and 250")
		os.Exit(2)
	}
	err := c.build(*out, *schemas)
	c.stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bigdb:", err)
		os.Exit(1)
	}
}

func (c *cluster) build(out, schemas string) (err error) {
	if c.dir, err = os.MkdirTemp("", "bigdb"); err != nil {
		return err
	}
	if err := c.start(schemas); err != nil {
		return err
	}
	for _, batch := range [][][]string{c.routers(), c.hosts(), c.balancers()} {
		if err := c.ctl("ovn-nbctl", "nb", batch); err != nil {
			return err
		}
	}
	if err := c.sync(); err != nil {
		return err
	}
	if err := c.ctl("ovn-sbctl", "sb", c.bindings()); err != nil {
		return err
	}
	if err := c.sync(); err != nil {
		return err
	}
	file, err := os.Create(out)
	if err != nil {
		return err
	}
	backup := exec.Command("ovsdb-client", "backup", c.remote("sb"), "OVN_Southbound")
	backup.Stdout, backup.Stderr = file, os.Stderr
	if err := backup.Run(); err != nil {
		return fmt.Errorf("ovsdb-client backup: %w", err)
	}
	if err := file.Close(); err != nil || c.measured == "" {
		return err
	}
	return c.measure(out)
}

func (c *cluster) remote(db string) string { return "unix:" + filepath.Join(c.dir, db+".sock") }

// start starts a server for each database, and northd between them.
func (c *cluster) start(schemas string) error {
	for _, db := range []string{"nb", "sb"} {
		file := filepath.Join(c.dir, db+".db")
		if err := run("ovsdb-tool", "create", file, filepath.Join(schemas, "ovn-"+db+".ovsschema")); err != nil {
			return err
		}
		if err := c.spawn("ovsdb-server", "--remote=p"+c.remote(db), "--unixctl="+filepath.Join(c.dir, db+".ctl"),
			"-vconsole:off", "-vsyslog:off", file); err != nil {
			return err
		}
		if err := await(filepath.Join(c.dir, db+".sock")); err != nil {
			return err
		}
	}
	if err := run("ovn-nbctl", "--no-leader-only", "--db="+c.remote("nb"), "init"); err != nil {
		return err
	}
	return c.spawn("ovn-northd", "--ovnnb-db="+c.remote("nb"), "--ovnsb-db="+c.remote("sb"),
		"--unixctl="+filepath.Join(c.dir, "northd.ctl"), "-vconsole:off", "-vsyslog:off")
}

func (c *cluster) spawn(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "OVS_RUNDIR="+c.dir, "OVN_RUNDIR="+c.dir)
	if err := cmd.Start(); err != nil {
		return err
	}
	c.procs = append(c.procs, cmd)
	return nil
}

func (c *cluster) stop() {
	for _, p := range c.procs {
		p.Process.Kill()
		p.Wait()
	}
	if c.dir != "" {
		os.RemoveAll(c.dir)
	}
}

func await(path string) error {
	for range 1000 {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("%s does not appear", path)
}

func run(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(stderr.String()))
	}
	return nil
}

// sync waits until northd has made all flows.
func (c *cluster) sync() error {
	return run("ovn-nbctl", "--no-leader-only", "--db="+c.remote("nb"), "--timeout=900", "--wait=sb", "sync")
}

// ctl runs commands, many to a transaction.
func (c *cluster) ctl(name, db string, commands [][]string) error {
	const most = 4000 // the balancers must share a transaction for their @names
	for len(commands) > 0 {
		n := min(most, len(commands))
		args := []string{"--no-leader-only", "--db=" + c.remote(db), "--timeout=900"}
		for _, cmd := range commands[:n] {
			args = append(append(args, "--"), cmd...)
		}
		if err := run(name, args...); err != nil {
			return err
		}
		commands = commands[n:]
	}
	return nil
}

// list splits lines of commands into words; '…' quotes are not needed.
type list [][]string

func (l *list) add(format string, args ...any) {
	*l = append(*l, strings.Fields(fmt.Sprintf(format, args...)))
}

func mac(kind, a, b int) string {
	return fmt.Sprintf("0a:58:%02x:%02x:%02x:%02x", kind, a, b>>8, b&0xff)
}

// routers makes the cluster router, the join switch, and every node's switch,
// gateway router and outside switch.
func (c *cluster) routers() [][]string {
	var l list
	l.add("lr-add ovn_cluster_router")
	l.add("ls-add join")
	l.add("lrp-add ovn_cluster_router rtoj-ovn_cluster_router %s 100.64.0.1/16", mac(1, 0, 0))
	routerPort(&l, "join", "jtor-ovn_cluster_router", "rtoj-ovn_cluster_router")
	for i := 1; i <= c.nodes; i++ {
		l.add("ls-add node%d", i)
		l.add("lrp-add ovn_cluster_router rtos-node%d %s 10.128.%d.1/24", i, mac(2, i, 0), i)
		routerPort(&l, fmt.Sprintf("node%d", i), fmt.Sprintf("stor-node%d", i), fmt.Sprintf("rtos-node%d", i))
		l.add("lr-add GR_node%d", i)
		l.add("set Logical_Router GR_node%d options:chassis=chassis%d options:lb_force_snat_ip=router_ip "+
			"options:snat-ct-zone=0 options:always_learn_from_arp_request=false options:dynamic_neigh_routers=true", i,
			i)
		l.add("lrp-add GR_node%d rtoj-GR_node%d %s 100.64.0.%d/16", i, i, mac(3, i, 0), i+1)
		routerPort(&l, "join", fmt.Sprintf("jtor-GR_node%d", i), fmt.Sprintf("rtoj-GR_node%d", i))
		l.add("ls-add ext_node%d", i)
		l.add("lrp-add GR_node%d rtoe-GR_node%d %s 172.18.0.%d/16", i, i, mac(4, i, 0), i+1)
		routerPort(&l, fmt.Sprintf("ext_node%d", i), fmt.Sprintf("etor-GR_node%d", i), fmt.Sprintf("rtoe-GR_node%d", i))
		l.add("lsp-add ext_node%d breth0_node%d", i, i)
		l.add("lsp-set-type breth0_node%d localnet", i)
		l.add("lsp-set-addresses breth0_node%d unknown", i)
		l.add("lsp-set-options breth0_node%d network_name=physnet", i)
		l.add("lr-nat-add GR_node%d snat 172.18.0.%d 10.128.0.0/14", i, i+1)
		l.add("lr-route-add GR_node%d 10.128.0.0/14 100.64.0.1", i)
		l.add("lr-route-add GR_node%d 0.0.0.0/0 172.18.255.254 rtoe-GR_node%d", i, i)
		l.add("--policy=src-ip lr-route-add ovn_cluster_router 10.128.%d.0/24 100.64.0.%d", i, i+1)
	}
	return l
}

func routerPort(l *list, ls, port, peer string) {
	l.add("lsp-add %s %s", ls, port)
	l.add("lsp-set-type %s router", port)
	l.add("lsp-set-addresses %s router", port)
	l.add("lsp-set-options %s router-port=%s", port, peer)
}

func (c *cluster) pod(i int) (name string, node, host int) {
	return fmt.Sprintf("default_pod%d", i), i%c.nodes + 1, i/c.nodes + 3
}

// hosts makes the pods' ports.
func (c *cluster) hosts() [][]string {
	var l list
	for i := range c.pods {
		name, node, host := c.pod(i)
		l.add("lsp-add node%d %s", node, name)
		// Address and addresses are one word each.
		address := fmt.Sprintf("%s 10.128.%d.%d", mac(5, node, host), node, host)
		l = append(l, []string{"lsp-set-addresses", name, address}, []string{"lsp-set-port-security", name, address})
	}
	return l
}

// balancers makes the services: one group, on every node switch and gateway router.
func (c *cluster) balancers() [][]string {
	var l list
	var ids []string
	for s := range c.services {
		var backends []string
		for b := range 4 {
			_, node, host := c.pod((s*4 + b) % max(c.pods, 1))
			backends = append(backends, fmt.Sprintf("10.128.%d.%d:8080", node, host))
		}
		vip := fmt.Sprintf("10.96.%d.%d:80", s/250, s%250+1)
		l.add(`--id=@lb%d create Load_Balancer name=service%d protocol=tcp options:reject=true `+
			`options:hairpin_orig_tuple=true vips:"%s"="%s"`, s, s, vip, strings.Join(backends, ","))
		ids = append(ids, fmt.Sprintf("@lb%d", s))
	}
	l.add("--id=@g create Load_Balancer_Group name=cluster load_balancer=[%s]", strings.Join(ids, ","))
	for i := 1; i <= c.nodes; i++ {
		l.add("add Logical_Switch node%d load_balancer_group @g", i)
		l.add("add Logical_Router GR_node%d load_balancer_group @g", i)
	}
	return l
}

// bindings makes the chassis and binds the pods to them, as their
// ovn-controllers would.
func (c *cluster) bindings() [][]string {
	var l list
	for i := 1; i <= c.nodes; i++ {
		l.add("chassis-add chassis%d geneve 172.18.0.%d", i, i+1)
		l.add("set Chassis chassis%d other_config:ct-no-masked-label=true other_config:ovn-ct-lb-related=true "+
			"other_config:mac-binding-timestamp=true other_config:port-up-notif=true", i)
	}
	for i := range c.pods {
		name, node, _ := c.pod(i)
		l.add("lsp-bind %s chassis%d", name, node)
		l.add("set Port_Binding %s up=true", name)
	}
	return l
}
