"""case.py DIR WINDOW DESCRIPTION: write DIR/case.json from what the recording left there.

The captures began and ended one after the other; WINDOW holds the first and the
last second at which all of them were running, and frames outside are cut.  Large
captures are compressed here, so that case.json names the final files; the
databases and flow dumps are compressed afterwards by the caller.
"""
import json
import os
import re
import subprocess
import sys

from recorded import compress, cut

BIG = 8192


def rows(name):
    return [line.split("|") for line in os.environ[name].splitlines() if line]


def packed(folder, name):
    """Compress a large capture; the name to use for it."""
    path = os.path.join(folder, name)
    if os.path.getsize(path) < BIG:
        return name
    with open(path, "rb") as f:
        compress(path, f.read())
    os.remove(path)
    return name + ".gz"


def release():
    said = subprocess.run(["ovs-vswitchd", "--version"], capture_output=True, text=True, check=True).stdout
    return re.search(r"\) (\d+\.\d+)", said).group(1)


def main(folder, window, description):
    chassis = rows("CHASSIS")
    with open(window) as f:
        first, last = (float(line) for line in f)
    for file, *_ in rows("POINTS") + rows("UNDERLAYS"):
        path = os.path.join(folder, file)
        data, _ = cut(path, first, last)
        with open(path, "wb") as f:
            f.write(data)
    zones = os.environ["ZONES"].split()
    case = {"description": description, "db": [f"sb-{z}.db.gz" for z in zones] or "sb.db.gz"}
    case["captures"] = [
        {"file": packed(folder, file), "port": port, "chassis": where} for file, _, _, port, where, _ in rows("POINTS")]
    if len(chassis) == 1:
        case["chassis"] = chassis[0][1]

    def each(pattern):
        files = {uuid: pattern % name for name, uuid in chassis}
        return files if len(chassis) > 1 else files[chassis[0][1]]

    case["ct_zones"] = each("ct-zone-list-%s.txt")
    before = {uuid: f"conntrack-before-{name}.txt" for name, uuid in chassis}
    for name, uuid in chassis:
        if not os.path.getsize(os.path.join(folder, before[uuid])):
            os.remove(os.path.join(folder, before.pop(uuid)))
    case["conntrack"] = before if len(chassis) > 1 else list(before.values())
    case["ct_profile"] = "ovs-userspace:" + release()
    case["openflow"] = each("br-int.flows-%s.txt.gz")
    if rows("UNDERLAYS"):
        case["underlay"] = [{"file": packed(folder, file), "underlay": where} for file, _, _, where, *_ in rows("UNDERLAYS")]
    with open(os.path.join(folder, "commands")) as f:
        case["commands"] = f.read().splitlines()
    with open(os.path.join(folder, "case.json"), "w") as f:
        json.dump(case, f, indent=2, ensure_ascii=False)
        f.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
