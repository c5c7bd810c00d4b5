"""random_networks.py TOPOLOGY[-changing] SEED...: scenarios of random networks and random traffic, for scenarios-random.sh.

What a seed means stays the same, so that a recording that was predicted wrongly can be made again.
Networks are the kube and the cloud topology with a handful of features that nobody chose together:
ACLs of every verdict, load balancers, NAT, policies, routes, port options.  Traffic goes between any
hosts and any addresses, those that answer and those that do not.  With -changing there are rarer
features too, and the network changes while packets flow: connections outlive what they use.
"""
import random
import re
import sys

PORTS = [80, 8080, 53, 5353, 9999, 7]


class Cloud:
    hosts = {
        "vm1": ("10.1.0.11", "fd01:a::11", "a"),
        "vm2": ("10.1.0.12", "fd01:a::12", "a"),
        "vm3": ("10.2.0.13", "fd01:b::13", "b"),
        "vm4": ("10.2.0.14", "fd01:b::14", "b"),
        "vm5": ("10.2.0.15", "fd01:b::15", "b"),
    }
    outside = {"ext1": ("203.0.113.1", "2001:db8:113::1"), "ext2": ("203.0.113.50", "2001:db8:113::50")}
    router, switches = "r1", ["net-a", "net-b"]
    ports = {"vm1": "vm1", "vm2": "vm2", "vm3": "vm3", "vm4": "vm4", "vm5": "vm5"}
    macs = {
        "vm1": "fa:16:3e:0a:00:11",
        "vm2": "fa:16:3e:0a:00:12",
        "vm3": "fa:16:3e:0b:00:13",
        "vm4": "fa:16:3e:0b:00:14",
        "vm5": "fa:16:3e:0b:00:15",
    }
    nets = ["10.1.0.0/24", "10.2.0.0/24"]
    public = ["203.0.113.101", "203.0.113.103", "203.0.113.10", "2001:db8:113::10"]
    unused = ["10.1.0.99", "10.2.0.99", "203.0.113.99", "198.51.100.7", "fd01:a::99"]
    gateways = ["10.1.0.1", "10.2.0.1", "fd01:a::1"]
    vips = ["10.1.0.220", "10.2.0.221", "203.0.113.222", "172.31.0.10", "203.0.113.10"]
    vips6 = ["fd01:a::220", "2001:db8:113::222", "fd77::10"]
    spare = ["203.0.113.130", "203.0.113.131", "203.0.113.132"]
    router_macs = {"a": "fa:16:3e:aa:0a:01", "b": "fa:16:3e:aa:0b:01"}
    acl_to = ["port-group:web", "port-group:default", "switch:net-a", "switch:net-b"]
    nexthops = ["203.0.113.1", "203.0.113.50"]


class Kube:
    hosts = {f"pod{n}": (f"10.128.1.1{n}", f"fd00:128:1::1{n}", "w") for n in (1, 2, 3, 4)}
    hosts["mgmt"] = ("10.128.1.2", "fd00:128:1::2", "w")
    outside = {"ext1": ("172.30.0.1", "fd30::1"), "ext2": ("172.30.0.9", "fd30::9")}
    router, switches = "GR_worker", ["worker"]
    ports = {f"pod{n}": f"default_pod{n}" for n in (1, 2, 3, 4)} | {"mgmt": "k8s-worker"}
    macs = {f"pod{n}": f"0a:58:0a:80:01:{10 + n:02x}" for n in (1, 2, 3, 4)} | {"mgmt": "0a:58:0a:80:01:02"}
    nets = ["10.128.1.0/24", "10.128.0.0/16"]
    public = ["172.30.0.4", "fd30::4", "10.96.0.10", "10.96.0.53", "fd96::10"]
    unused = ["10.128.1.99", "172.30.0.99", "198.51.100.7", "10.96.0.99", "fd00:128:1::99"]
    gateways = ["10.128.1.1", "fd00:128:1::1", "100.64.0.3"]
    vips = ["10.96.0.120", "10.96.0.121", "172.30.0.122", "172.30.0.4", "10.96.0.123"]
    vips6 = ["fd96::120", "fd30::122", "fd30::4"]
    spare = ["172.30.0.130", "172.30.0.131", "172.30.0.132"]
    router_macs = {"w": "0a:58:0a:80:01:01"}
    acl_to = ["switch:worker", "switch:worker", "switch:join"]
    nexthops = ["172.30.0.1", "172.30.0.9"]


class Scenario:
    def __init__(self, topology, seed):
        self.r = random.Random(f"{topology}-{seed}")
        self.t = {"cloud": Cloud, "kube": Kube}[topology]
        self.kind = topology
        self.name = f"random-{topology}-{seed}"
        self.setup, self.lanes, self.targets = [], [], []
        self.count = 0

    def nb(self, *words):
        self.setup.append("tried nb " + " ".join(words))

    def some(self, pool, low=1, high=None):
        pool = list(pool)
        return self.r.sample(pool, self.r.randint(low, min(high or len(pool), len(pool))))

    def fresh(self, prefix):
        self.count += 1
        return f"{prefix}{self.count}"

    # --- the network

    def match(self, direction, where):
        r, t = self.r, self.t
        parts = []
        host = r.choice(list(t.hosts))
        side = ("inport", "src", "dst") if direction == "from-lport" else ("outport", "dst", "src")
        if where.startswith("port-group:"):
            parts.append(f"{side[0]} == @{where.split(':')[1]}")
        elif r.random() < 0.6:
            parts.append(f'{side[0]} == "{t.ports[host]}"')
        parts.append(r.choice(["ip4", "ip6", "ip", "ip"]))
        other = r.choice(list(t.hosts.values()))
        family = parts[-1]
        if family == "ip4" and r.random() < 0.7:
            parts.append(
                f"ip4.{r.choice(side[1:])} "
                + r.choice(
                    [
                        f"== {other[0]}",
                        f"== {r.choice(t.nets)}",
                        f"!= {other[0]}",
                        "== {" + f"{other[0]}, {r.choice(list(t.outside.values()))[0]}" + "}",
                    ]
                )
            )
        if family == "ip6" and r.random() < 0.5:
            parts.append(f"ip6.{r.choice(side[1:])} == {other[1]}")
        parts.append(
            r.choice(
                [
                    "tcp",
                    "udp",
                    "tcp.dst == 80",
                    "udp.dst == 5353",
                    "tcp.dst == {80, 8080}",
                    "udp.dst >= 5000 && udp.dst <= 9000",
                    "icmp",
                    "icmp4.type == 8",
                    "tcp.src < 60500",
                    "(tcp.dst == 80 || udp.dst == 53)",
                    "ip.ttl == 64",
                    "tcp.dst != 80",
                ]
            )
        )
        return " && ".join(parts)

    def acl(self):
        r = self.r
        where = r.choice(self.t.acl_to)
        kind, name = where.split(":")
        direction = r.choice(["from-lport", "to-lport"])
        verdict = r.choice(
            ["allow", "allow-related", "allow-related", "allow-stateless", "drop", "drop", "reject", "reject"]
        )
        options = f"--type={kind}" + r.choice(
            [
                "",
                "",
                "",
                " --label=77" if verdict == "allow-related" else "",
                " --apply-after-lb" if direction == "from-lport" else "",
            ]
        )
        self.nb(
            options,
            "acl-add",
            name,
            direction,
            str(r.randint(900, 1400)),
            f"'{self.match(direction, where)}'",
            verdict,
        )

    def backends(self, v6, port):
        pool = [h[1 if v6 else 0] for h in self.t.hosts.values()]
        if self.r.random() < 0.15:
            pool.append(self.r.choice(list(self.t.outside.values()))[1 if v6 else 0])
        return ",".join(
            f"[{a}]:{port}" if v6 else f"{a}:{port}" for a in self.some(pool, 0 if self.r.random() < 0.2 else 1, 3)
        )

    def balancer(self):
        r, t = self.r, self.t
        proto, port, to = r.choice(
            [("tcp", 80, 80), ("tcp", 81, 8080), ("udp", 53, 5353), ("udp", 5300, 53), ("tcp", 30200, 80)]
        )
        vips = []
        for v6 in self.some([False, True], 1):
            vip = r.choice(t.vips6 if v6 else t.vips)
            vips.append(
                f'"[{vip}]:{port}"="{self.backends(True, to)}"'
                if v6
                else f'"{vip}:{port}"="{self.backends(False, to)}"'
            )
            self.targets.append((proto, vip, port))
        if r.random() < 0.12:
            vip = r.choice(t.vips[:4])
            vips = [f'"{vip}"="{",".join(self.some([h[0] for h in t.hosts.values()], 1, 2))}"']
            self.targets.append((proto, vip, to))
        more = [
            r.choice(
                [
                    "",
                    "",
                    "options:reject=true",
                    "options:skip_snat=true",
                    "options:affinity_timeout=60",
                    "options:hairpin_snat_ip=169.254.7.7",
                    "selection_fields=ip_src,ip_dst",
                    "options:reject=true",
                    "options:add_route=true",
                ]
            )
        ]
        name = self.fresh("lb")
        attach = " ".join(
            f"-- add logical_switch {s} load_balancer @{name}"
            for s in self.some(t.switches, 0 if r.random() < 0.3 else 1)
        )
        if r.random() < 0.7 or not attach:
            attach += f" -- add logical_router {t.router} load_balancer @{name}"
        self.nb(
            f"-- --id=@{name} create load_balancer name={name} protocol={proto} 'vips={{{','.join(vips)}}}' {' '.join(more)} {attach}"
        )

    def nat(self):
        r, t = self.r, self.t
        host = r.choice(list(t.hosts))
        ext, inside = r.choice(t.spare), t.hosts[host][0]
        kind = r.choice(["snat", "dnat_and_snat", "dnat_and_snat", "dnat"])
        flags = r.choice(["", "", "--stateless"]) if kind == "dnat_and_snat" else ""
        ranged = " 40000-40003" if kind == "snat" and r.random() < 0.4 else ""
        if ranged:
            flags = "--portrange"
        where = inside if kind != "snat" or r.random() < 0.6 else f"{inside}/31"
        spread = (
            f" {t.ports[host]} fa:16:3e:f1:77:{r.randint(1, 250):02x}"
            if kind == "dnat_and_snat" and self.kind == "cloud" and r.random() < 0.4
            else ""
        )
        self.nb(flags, "lr-nat-add", t.router, kind, ext, where + spread + ranged)
        if kind != "snat":
            self.targets += [("tcp", ext, 80), ("udp", ext, 5353), ("icmp", ext, 0)]

    def policy(self):
        r, t = self.r, self.t
        src = r.choice(list(t.hosts.values()))[0]
        match = r.choice(
            [
                f"ip4.src == {src}",
                f"ip4.src == {src} && udp",
                f"ip4.dst == {src}",
                "tcp.dst == 8080",
                f"ip4.src == {r.choice(t.nets)} && ip4.dst == {r.choice(list(t.outside.values()))[0]}",
                "icmp4",
            ]
        )
        act = r.choice([f"reroute {r.choice(t.nexthops)}", "allow", "drop", "reroute " + ",".join(t.nexthops)])
        router = r.choice([t.router, "cluster_router"]) if self.kind == "kube" else t.router
        self.nb("lr-policy-add", router, str(r.randint(50, 900)), f"'{match}'", act)

    def route(self):
        r, t = self.r, self.t
        net = r.choice(["192.0.2.0/25", "192.0.2.128/25", "198.51.100.0/24"])
        how = r.choice(["", "--policy=src-ip ", "--ecmp ", "--ecmp-symmetric-reply "])
        if how.startswith("--ecmp"):
            for hop in t.nexthops:
                self.nb(how + "lr-route-add", t.router, net, hop)
            self.targets += [
                ("udp", net.split("/")[0][:-1] + str(r.randint(130, 140) if "128" in net else r.randint(2, 9)), 9999)
            ] * 2
        elif how:
            self.nb(how + "lr-route-add", t.router, r.choice(list(t.hosts.values()))[0] + "/32", r.choice(t.nexthops))
        else:
            self.nb("lr-route-add", t.router, net, r.choice(t.nexthops + ["discard"]))
            self.targets.append(
                ("udp", net.split("/")[0][:-1] + str(r.randint(130, 140) if "128" in net else r.randint(2, 9)), 9999)
            )

    def port_option(self):
        r, t = self.r, self.t
        host = r.choice(list(t.hosts))
        port, (v4, v6, _) = t.ports[host], t.hosts[host]
        mac = t.macs[host]
        pick = r.choice(["security", "open", "unknown", "disabled", "v4only", "range"])
        if pick == "security":
            self.nb("lsp-set-port-security", port, mac)
        elif pick == "open":
            self.nb("lsp-set-port-security", port)
        elif pick == "unknown":
            self.nb("-- lsp-set-addresses", port, f"'{mac} {v4} {v6}'", "unknown -- lsp-set-port-security", port)
        elif pick == "disabled" and r.random() < 0.5:
            self.nb("lsp-set-enabled", port, "disabled")
        elif pick == "v4only":
            self.nb("-- lsp-set-addresses", port, f"'{mac} {v4}'", "-- lsp-set-port-security", port, f"'{mac} {v4}'")
        elif pick == "range":
            self.nb("lsp-set-port-security", port, f"'{mac} {v4.rsplit('.', 1)[0]}.0/24 {v6}'")

    def router_option(self):
        t = self.t
        pool = [
            "mcast_relay=true",
            "always_learn_from_arp_request=true",
            "always_learn_from_arp_request=false",
            "dynamic_neigh_routers=false",
        ]
        if self.kind == "kube":
            pool += [
                f"lb_force_snat_ip={t.spare[0]}",
                f"dnat_force_snat_ip={t.spare[1]}",
                "lb_force_snat_ip=router_ip",
            ]
        self.nb("set logical_router", t.router, "options:" + self.r.choice(pool))

    def port_mtu(self):
        port = "r1-public" if self.kind == "cloud" else "rtoe-GR_worker"
        self.nb("set logical_router_port", port, f"options:gateway_mtu={self.r.choice([1000, 1280, 1400])}")

    def switch_option(self):
        r = self.r
        self.nb(
            "set logical_switch",
            r.choice(self.t.switches),
            r.choice(
                [
                    "other_config:mcast_snoop=true",
                    "other_config:mcast_snoop=true other_config:mcast_flood_unregistered=true",
                    "other_config:vlan-passthru=true",
                    "other_config:broadcast-arps-to-all-routers=false",
                ]
            ),
        )

    def qos(self):
        r = self.r
        self.nb(
            "qos-add",
            r.choice(self.t.switches),
            r.choice(["from-lport", "to-lport"]),
            str(r.randint(1, 100)),
            f"'{r.choice(['ip4', 'tcp', 'udp.dst == 5353', 'ip6', 'icmp4'])}'",
            f"dscp={r.choice([10, 48, 63])}",
        )

    def network(self):
        r = self.r
        menu = [
            (self.acl, 7),
            (self.balancer, 5),
            (self.nat, 4),
            (self.policy, 2),
            (self.route, 3),
            (self.port_option, 3),
            (self.router_option, 2),
            (self.port_mtu, 1),
            (self.switch_option, 1),
            (self.qos, 1),
        ]
        for make in r.choices([m for m, _ in menu], [w for _, w in menu], k=r.randint(5, 11)):
            make()
        self.setup.append("KEEP=history; nb --wait=hv sync; sleep 0.5")

    # --- the traffic

    def target(self, v6):
        r, t = self.r, self.t
        if self.targets and r.random() < 0.55:
            found = [x for x in self.targets if (":" in x[1]) == v6]
            if found:
                return r.choice(found)
        pool = [h[1 if v6 else 0] for h in t.hosts.values()] * 2 + [o[1 if v6 else 0] for o in t.outside.values()] * 2
        pool += [a for a in t.public * 2 + t.unused + t.gateways if (":" in a) == v6]
        return r.choice(["tcp", "tcp", "udp", "udp", "icmp"]), r.choice(pool), r.choice(PORTS)

    def exchange(self):
        r, t = self.r, self.t
        host = r.choice(list(t.hosts) * 2 + list(t.outside))
        proto, to, port = self.target(r.random() < 0.3)
        sport = r.randint(60000, 60400) if r.random() < 0.8 else r.choice([60500, 60501])
        if proto == "icmp":
            return f"pings {host} {r.randint(1, 2)} {r.choice(['', '', '-s 1400 ', '-t 2 '])}{to}"
        if proto == "tcp":
            return f"get {host} {to} {port} -s {sport} -w 0.6" + r.choice(
                ["", "", " -n 3", " -r", " -n 2 -i 0.3", " -z 3000", " -t 3"]
            )
        return f"udp {host} {to} {port} -s {sport} -w 0.3" + r.choice(
            ["", " -n 2", " -z 1300", " -z 3000", " -t 1", " -t 2"]
        )

    def crafted(self):
        r, t = self.r, self.t
        host = r.choice(list(t.hosts))
        v4, v6, net = t.hosts[host]
        other = r.choice(list(t.hosts))
        mac = r.choice([t.router_macs[net], t.macs[other]])
        to = r.choice(
            [t.hosts[other][0], r.choice(t.vips), r.choice(t.public[:1]), r.choice(list(t.outside.values()))[0]]
        )
        sport = r.randint(61000, 61400)
        ether = f"Ether(src=mac,dst='{mac}')"
        return (
            "craft "
            + host
            + " "
            + '"'
            + r.choice(
                [
                    f"{ether}/IP(src='{v4}',dst='{to}',id={sport})/TCP(sport={sport},dport=80,flags='A',seq=100,ack=200)/b'middle'",
                    f"{ether}/IP(src='{v4}',dst='{to}',id={sport})/TCP(sport={sport},dport=80,flags='SA',seq=100,ack=200)",
                    f"{ether}/IP(src='{v4}',dst='{to}',id={sport})/TCP(sport={sport},dport=80,flags='R',seq=100)",
                    f"{ether}/IP(src='{v4}',dst='{to}',id={sport},proto=47)/b'some tunnel of others'",
                    f"{ether}/IP(src='{v4}',dst='{to}',id={sport})/SCTP(sport={sport},dport=80)/b''",
                    f"{ether}/IP(src='{r.choice(list(t.hosts.values()))[0]}',dst='{to}',id={sport})/UDP(sport={sport},dport=5353)/b'maybe forged'",
                    f"{ether}/IP(src='{v4}',dst='{to}',id={sport},frag=100)/b'a later fragment alone'",
                    f"Ether(src=mac,dst=BROADCAST)/ARP(op=1,hwsrc=mac,psrc='{v4}',pdst='{r.choice(t.gateways[:1] + t.unused[:2] + t.vips)}')",
                    f"Ether(src=mac,dst=BROADCAST)/IP(src='{v4}',dst='255.255.255.255',id={sport})/UDP(sport=9,dport=9)/b'broadcast'",
                    f"Ether(src=mac,dst='01:00:5e:01:02:03')/IP(src='{v4}',dst='239.1.2.3',ttl=3,id={sport})/UDP(sport=9,dport=9)/b'group'",
                    f"{ether}/IP(src='{v4}',dst='{to}',id={sport})/ICMP(type=3,code=4,nexthopmtu=1000)/IP(src='{to}',dst='{v4}')/UDP(sport=5353,dport={sport})/b'quoted'",
                    f"{ether}/IPv6(src='{v6}',dst='{t.hosts[other][1]}')/UDP(sport={sport},dport=5353)/b'six'",
                ]
            )
            + '"'
        )

    def traffic(self):
        for _ in range(self.r.randint(2, 3)):
            self.lanes.append(
                [self.crafted() if self.r.random() < 0.2 else self.exchange() for _ in range(self.r.randint(6, 10))]
            )

    def text(self):
        self.network()
        self.traffic()
        f = self.name.replace("-", "_")
        out = [
            f'scenario {self.name} {self.kind} "a random network and random traffic, seed {self.name.rsplit("-", 1)[1]}"'
        ]
        out += [f"setup_{f}() {{"] + ["    " + line for line in self.setup] + ["}"]
        out += [f"traffic_{f}() {{", "    local jobs="]
        out += ["    ( " + "; ".join(lane) + ' ) & jobs+=" $!"' for lane in self.lanes]
        out += ["    wait $jobs", "}"]
        return "\n".join(out) + "\n"


class Changing(Scenario):
    """A network with rarer features, which changes under the traffic."""

    def __init__(self, topology, seed):
        super().__init__(topology, f"changing-{seed}")
        self.named = []  # what was made and can be taken away: nbctl's words for that
        self.lbs, self.asks, self.few = [], False, False

    def nb(self, *words):
        super().nb(*words)
        text = " ".join(words)
        if "acl-add" in text:
            where, direction, priority, rest = text.split("acl-add ")[1].split(" ", 3)
            self.named.append(
                f"--type={text.split('--type=')[1].split()[0]} acl-del {where} {direction} {priority} {rest.rsplit(' ', 1)[0]}"
            )
        elif "lr-nat-add" in text:
            router, kind, ext, inside = text.split("lr-nat-add ")[1].split()[:4]
            self.named.append(f"lr-nat-del {router} {kind} {inside if kind == 'snat' else ext}")
        elif "lr-policy-add" in text:
            router, priority, rest = text.split("lr-policy-add ")[1].split(" ", 2)
            self.named.append(f"lr-policy-del {router} {priority}")

    def balancer(self):
        before = self.count
        super().balancer()
        self.lbs.append((f"lb{before + 1}", self.targets[-1]))

    def tiers(self):
        r = self.r
        kind, name = r.choice(self.t.acl_to).split(":")
        direction = r.choice(["from-lport", "to-lport"])
        for tier, verdict in ((0, "pass"), (1, r.choice(["drop", "reject", "allow-related"]))):
            self.nb(
                f"--type={kind} --tier={tier}",
                "acl-add",
                name,
                direction,
                str(r.randint(900, 1400)),
                f"'{self.match(direction, kind + ':' + name)}'",
                verdict,
            )

    def health(self):
        r, t = self.r, self.t
        picked = self.some(list(t.hosts), 2, 3)
        src = t.gateways[0].rsplit(".", 1)[0] + ".250"
        vip, name = r.choice(t.vips[:3]), self.fresh("lb")
        port = r.choice([80, 81])
        backends = ",".join(f"{t.hosts[h][0]}:{port}" for h in picked)
        mappings = ",".join(f'"{t.hosts[h][0]}"="{t.ports[h]}:{src}"' for h in picked)
        self.nb(
            f"-- --id=@{name} create load_balancer name={name} protocol=tcp 'vips={{\"{vip}:8081\"=\"{backends}\"}}' 'ip_port_mappings={{{mappings}}}'"
            f" -- --id=@h create load_balancer_health_check 'vip=\"{vip}:8081\"' options:interval=2 options:timeout=1 options:success_count=1 options:failure_count=1"
            f" -- add load_balancer {name} health_check @h -- add logical_switch {t.switches[0]} load_balancer @{name} -- add logical_router {t.router} load_balancer @{name}"
        )
        self.targets += [("tcp", vip, 8081)] * 2

    def affinity(self):
        r, t = self.r, self.t
        vip, name = r.choice(t.vips), self.fresh("lb")
        backends = ",".join(f"{h[0]}:80" for h in self.some(t.hosts.values(), 2, 4))
        self.nb(
            f'-- --id=@{name} create load_balancer name={name} protocol=tcp \'vips={{"{vip}:82"="{backends}"}}\' options:affinity_timeout=30'
            f" -- add logical_switch {r.choice(t.switches)} load_balancer @{name} -- add logical_router {t.router} load_balancer @{name}"
        )
        self.targets += [("tcp", vip, 82)] * 4

    def dns(self):
        self.nb(
            f"-- --id=@d create dns records:one.test='\"{self.r.choice(list(self.t.hosts.values()))[0]}\"'"
            f" -- add logical_switch {self.r.choice(self.t.switches)} dns_records @d"
        )
        self.asks = True

    def arp_proxy(self):
        port = {"kube": "stor-worker", "cloud": "net-a-r1"}[self.kind]
        self.nb(
            "lsp-set-options",
            port,
            f"router-port={'rtos-worker' if self.kind == 'kube' else 'r1-net-a'}",
            "arp_proxy='169.254.1.1 10.99.0.0/24'",
        )

    def static_binding(self):
        port = "r1-public" if self.kind == "cloud" else "rtoe-GR_worker"
        self.nb(
            "static-mac-binding-add", port, self.r.choice(self.t.unused[2:3] + self.t.nexthops), "52:54:00:aa:bb:cc"
        )

    def address_set(self):
        r, t = self.r, self.t
        kind, name = r.choice(t.acl_to).split(":")
        members = " ".join(h[0] for h in self.some(t.hosts.values(), 2))
        self.setup.append(f"tried nb create address_set name=few addresses='{members}'")
        direction = r.choice(["from-lport", "to-lport"])
        self.nb(
            f"--type={kind}",
            "acl-add",
            name,
            direction,
            str(r.randint(900, 1400)),
            f"'ip4.{r.choice(['src', 'dst'])} == $few && {r.choice(['tcp', 'udp', 'ip4'])}'",
            r.choice(["allow-related", "drop", "reject"]),
        )
        self.few = True

    def inverse_match(self):
        self.nb("set nb_global . options:use_ct_inv_match=" + self.r.choice(["true", "false"]))

    def network(self):
        menu = [
            (self.acl, 6),
            (self.balancer, 5),
            (self.nat, 4),
            (self.policy, 2),
            (self.route, 3),
            (self.port_option, 2),
            (self.router_option, 2),
            (self.port_mtu, 1),
            (self.switch_option, 1),
            (self.qos, 1),
            (self.tiers, 2),
            (self.health, 1),
            (self.affinity, 2),
            (self.dns, 1),
            (self.arp_proxy, 1),
            (self.static_binding, 1),
            (self.address_set, 2),
            (self.inverse_match, 1),
        ]
        for make in self.r.choices([m for m, _ in menu], [w for _, w in menu], k=self.r.randint(5, 10)):
            make()
        self.setup.append("KEEP=history; nb --wait=hv sync; sleep 0.5")

    # --- changes

    def change(self):
        r, t = self.r, self.t
        picks = ["acl", "nat", "option", "bindings", "set-enabled"]
        picks += ["undo"] * 3 if self.named else []
        picks += ["lb"] * 3 if self.lbs else []
        picks += ["set"] * 2 if self.few else []
        pick = r.choice(picks)
        if pick == "undo":
            return "nb " + self.named.pop(r.randrange(len(self.named)))
        if pick == "lb":
            name, (proto, vip, port) = r.choice(self.lbs)
            if r.random() < 0.25:
                return f"nb --if-exists lb-del {name}"
            key = f"[{vip}]:{port}" if ":" in vip else f"{vip}:{port}"
            return f"nb set load_balancer {name} 'vips:\"{key}\"=\"{self.backends(':' in vip, r.choice([80, 5353]))}\"'"
        if pick == "set":
            return f"nb set address_set few addresses={r.choice(list(t.hosts.values()))[0]}"
        if pick == "bindings":
            return "sb --all destroy mac_binding"
        if pick == "set-enabled":
            port = t.ports[r.choice(list(t.hosts))]
            return f"nb lsp-set-enabled {port} disabled; sleep 0.8; nb lsp-set-enabled {port} enabled"
        at = len(self.setup)
        {"acl": self.acl, "nat": self.nat, "option": self.port_option}[pick]()
        made = [line.replace("tried ", "", 1) for line in self.setup[at:]]
        del self.setup[at:]
        return "; ".join(made) or "true"

    def exchange(self):
        r, t = self.r, self.t
        if self.asks and r.random() < 0.15:
            host = r.choice(list(t.hosts))
            return f'craft {host} "ask(\'{r.choice(t.unused[:2])}\',\'{r.choice(["one.test", "two.test"])}\',\'A\',{r.randint(1, 999)},to=\'{t.router_macs[t.hosts[host][2]]}\',src=\'{t.hosts[host][0]}\')"'
        line = super().exchange()
        if line.startswith("get") and r.random() < 0.5:  # one that lives through changes
            line = re.sub(" -[nizt] [0-9.]+", "", line) + f" -n {r.randint(2, 4)} -i {r.choice([0.4, 0.7])}"
        if line.startswith("udp") and r.random() < 0.3:  # the same tuple again, later
            line += "; sleep 0.6; " + line
        return line

    def traffic(self):
        super().traffic()
        changes = []
        for _ in range(self.r.randint(3, 6)):
            changes += [
                f"sleep {self.r.choice([0.5, 0.9, 1.4])}",
                f"{{ {self.change()}; }} > /dev/null || true",
                self.r.choice(["true", "nb --wait=hv sync"]),
            ]
        self.lanes.append(changes)


def main(topology, *seeds):
    make = Changing if topology.endswith("-changing") else Scenario
    for seed in seeds:
        print(make(topology.removesuffix("-changing"), seed).text())


main(*sys.argv[1:])
