"""system-tests-case.py RUN CASES NUMBER TITLE RELEASE: one test's recording as a case.

RUN is the test's directory, where system-tests-hook.sh left its captures, databases and
dumps.  The logical port of a capture is what Open vSwitch's own database said of the
interface: the port of its iface-id, or the localnet port of the network that its bridge
was mapped to.  Frames after the end (when ovn-controller was told to exit) are cut.
"""
import json
import os
import re
import shutil
import subprocess
import sys

from recorded import compress, cut


def log(path):
    """The records of a database file, one after the other."""
    with open(path, encoding="utf-8") as f:
        for line in f:
            if not line.startswith("OVSDB JSON"):
                yield json.loads(line)


def both(old, new):
    """A column's value with what it had before, if it is a map or a set."""
    if old is None or not isinstance(new, list):
        return new
    if new[0] == "map":
        return ["map", [list(p) for p in {**pairs(old), **pairs(new)}.items()]]
    had, now = (v[1] if isinstance(v, list) and v[0] == "set" else [v] for v in (old, new))
    return ["set", had + [v for v in now if v not in had]]


def tables(path):
    """All rows that a database ever had, with all that a map or set ever held, else the
    last value: whether the log has the new value or the difference is then the same."""
    kept = {}
    for record in log(path):
        for table, rows in record.items():
            if not isinstance(rows, dict) or table.startswith("_"):
                continue
            for uuid, row in rows.items():
                if isinstance(row, dict):
                    known = kept.setdefault(table, {}).setdefault(uuid, {})
                    known.update({column: both(known.get(column), v) for column, v in row.items()})
    return kept


def pairs(value):
    return dict(value[1]) if isinstance(value, list) and value[0] == "map" else {}


def members(value):
    if not isinstance(value, list) or value[0] == "uuid":
        value = ["set", [value]]
    return [v[1] if isinstance(v, list) else v for v in value[1]]


class Switch:
    def __init__(self, conf, sb):
        c, self.bindings = tables(conf), tables(sb).get("Port_Binding", {}).values()
        root = next(iter(c["Open_vSwitch"].values()))
        self.external = pairs(root.get("external_ids"))
        self.interfaces = {}    # name: (iface-id, bridge)
        for bridge in c.get("Bridge", {}).values():
            for port in members(bridge.get("ports", ["set", []])):
                for i in members(c["Port"].get(port, {}).get("interfaces", ["set", []])):
                    row = c["Interface"].get(i, {})
                    self.interfaces[row.get("name")] = (pairs(row.get("external_ids")).get("iface-id"), bridge["name"])
        for port in c.get("Port", {}).values():    # those removed from their bridge since
            for i in members(port.get("interfaces", ["set", []])):
                row = c["Interface"].get(i, {})
                self.interfaces.setdefault(row.get("name"), (pairs(row.get("external_ids")).get("iface-id"), None))

    def mapped(self, bridge):
        """The localnet and l2gateway ports of a bridge."""
        networks = [m.split(":")[0] for m in self.external.get("ovn-bridge-mappings", "").split(",")
                    if m.endswith(":" + str(bridge))]
        return sorted({b["logical_port"] for b in self.bindings if b.get("type") in ("localnet", "l2gateway")
                       and pairs(b.get("options")).get("network_name") in networks})

    def port(self, name):
        """The logical port of an interface, and why there is none."""
        if name not in self.interfaces:
            return None, "no port of a switch"
        iface, bridge = self.interfaces[name]
        if bridge in ("br-int", None):
            known = {b["logical_port"] for b in self.bindings}
            return (iface, "") if iface in known else (None, f"iface-id {iface} is no logical port")
        ports = self.mapped(bridge)
        return (ports[0], "") if len(ports) == 1 else (None, f"bridge {bridge} has the localnet ports {ports}")


def instant(path):
    with open(path, encoding="ascii") as f:
        return float(f.read())


def parts(rec):
    """The parts of a test: its first and last moment, its table and zones at the end."""
    found, first, n = [], 0.0, 0
    while os.path.exists(f"{rec}/after,{n}"):
        found.append((first, instant(f"{rec}/before,{n}"), f"{rec}/conntrack,{n}", f"{rec}/zones,{n}", False))
        first, n = instant(f"{rec}/after,{n}"), n + 1
    return found + [(first, instant(f"{rec}/end"), f"{rec}/conntrack-after.txt", f"{rec}/ct-zone-list.txt", True)]


def read(path):
    with open(path, "rb") as f:
        return f.read()


def main(run, cases, number, title, release):
    rec = os.path.join(run, "recording")
    if not all(os.path.exists(os.path.join(rec, f)) for f in ("end", "sb.db", "conf.db")):
        print(f"{number}: nothing to keep (the test was skipped, or ended before there was a network)")
        return 1
    title = re.sub(r" -- \w+=.*", "", title).strip()
    name = "%03d-%s" % (int(number), re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-"))
    switch, every = Switch(f"{rec}/conf.db", f"{rec}/sb.db"), parts(rec)
    with open(os.path.join(run, "said"), encoding="utf-8", errors="replace") as f:
        said = re.findall(r"^ *%s: .* (ok|FAILED|skipped)" % number, f.read(), re.M)
    number = 0
    for part in every:
        out = os.path.join(cases, name + (f".seg{number}" if len(every) > 1 else ""))
        shutil.rmtree(out, ignore_errors=True)
        os.makedirs(out)
        if one(rec, out, switch, part, f"OVN {release} system test: {title}", ovs(run),
               [f"the test itself: {s}" for s in said if s != "ok"]):
            number += 1
        else:
            shutil.rmtree(out)
    return 0


def one(rec, out, switch, part, description, openvswitch, notes):
    """A part as a case; false if it has no packets."""
    first, last, table, zones, ends = part
    captures = []
    for file in sorted(f for f in os.listdir(rec) if f.endswith(".pcap")):
        data, frames = cut(os.path.join(rec, file), first, last)
        port, why = switch.port(file.rsplit(",", 1)[0])
        if port and frames:
            short = file.replace(",0.", ".").replace(",", ".")
            compress(os.path.join(out, short), data)
            captures.append({"file": short + ".gz", "port": port})
        elif frames:
            notes = notes + [f"{file}: {frames} frames, {why}"]
    if not captures:
        return False
    files = {"sb.db": f"{rec}/sb.db", "nb.db": f"{rec}/nb.db", "conf.db": f"{rec}/conf.db", "conntrack-after.txt": table}
    case = {"description": description, "db": "sb.db.gz", "captures": captures,
            "chassis": switch.external.get("system-id", "hv1"), "ct_profile": "ovs-userspace:" + openvswitch,
            "ct_zones": "ct-zone-list.txt"}
    if ends:
        files["br-int.flows.txt"] = f"{rec}/br-int.flows.txt"
        case["openflow"] = "br-int.flows.txt.gz"
        shutil.copy(os.path.join(rec, "fragments.txt"), out)
    for file, source in files.items():
        if os.path.exists(source):
            compress(os.path.join(out, file), read(source))
    shutil.copy(zones, os.path.join(out, "ct-zone-list.txt"))
    if notes:
        with open(os.path.join(out, "notes.txt"), "w", encoding="utf-8") as f:
            f.write("\n".join(notes) + "\n")
    with open(os.path.join(out, "case.json"), "w", encoding="utf-8") as f:
        json.dump(case, f, indent=2)
        f.write("\n")
    return True


def ovs(run):
    """The switch's release, from its log."""
    said = subprocess.run(["grep", "-rhoE", "--include=ovs-vswitchd.log", r"ovs-vswitchd \(Open vSwitch\) [0-9]+\.[0-9]+", run],
                          capture_output=True, text=True, check=False).stdout
    return said.split()[-1] if said else "3.1"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
