#!/bin/bash
# lab.sh: records the cases of this repository from a running OVN.
#
#   lab.sh deps             install the Debian packages it needs
#   lab.sh list             the scenarios
#   lab.sh record NAME...   record them into ../cases (or $CASES); random-kube-7 and
#                           random-cloud-7 are random networks and traffic of seed 7
#   lab.sh all              record every scenario that this OVN has what it needs for
#   lab.sh up TOPOLOGY      build kube, cloud or ic and leave it running
#   lab.sh shell CHASSIS    print the environment for ovs-* and ovn-* tools on it
#   lab.sh down             stop everything, remove the namespaces
#
# Needs root on Debian 12.  No openvswitch kernel module: OVS runs in userspace.
# Daemons and files live in $LAB (/run/ovn-replay-lab), traffic in namespaces rp-*.
#
# With OFFLOADS=yes the interfaces keep Linux' offloads: for the scenarios that end in
# -offloads.
#
# With RELEASE=trixie or RELEASE=sid the lab runs that Debian's OVN (25.03, 26.03),
# in a root of its own under $ROOTS (/var/lib/ovn-replay-lab), which deps makes.  It
# then sees no other lab, and all it started ends with the command.  Ubuntu's (22.03 in
# jammy, 24.03 in noble) works as well, with MIRROR=http://archive.ubuntu.com/ubuntu
# COMPONENTS=main,universe KEYRING=FILE for deps.  Instead of up there is:
#   lab.sh in COMMAND...    run a command in the root, such as bash
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
CASES=${CASES:-$HERE/../cases}
for part in ovn record topology-kube topology-cloud topology-ic; do . "$HERE/$part.sh"; done
for part in "$HERE"/scenarios-*.sh; do . "$part"; done

PACKAGES="ovn-central ovn-host ovn-ic ovn-ic-db openvswitch-switch tcpdump python3 python3-scapy iproute2 ethtool iputils-ping procps gzip"

ROOTS=${ROOTS:-/var/lib/ovn-replay-lab}

deps() {
    local made= rc=0
    [ -z "${RELEASE:-}" ] || { root_deps; return; }
    # the packages' own services stay down: the lab runs its own daemons
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d; made=yes
    fi
    apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $PACKAGES || rc=$?
    [ -z "$made" ] || rm -f /usr/sbin/policy-rc.d
    return $rc
}

# A release whose index is older than its validity is still that release.
root_deps() {
    apt-get update -q && apt-get install -y -q --no-install-recommends mmdebstrap
    rm -rf "${ROOTS:?}/$RELEASE"; mkdir -p "$ROOTS"
    mmdebstrap --variant=minbase --aptopt='Acquire::Check-Valid-Until "false"' --include="${PACKAGES// /,}" \
        --components="${COMPONENTS:-main}" ${KEYRING:+--keyring="$KEYRING"} \
        "$RELEASE" "$ROOTS/$RELEASE" "${MIRROR:-http://deb.debian.org/debian}"
}

# this command again, in the release's root, with mounts, network and processes of its own
enter() {
    local root=$ROOTS/$RELEASE d
    [ -d "$root/usr" ] || die "no root for $RELEASE: RELEASE=$RELEASE lab.sh deps makes it"
    mkdir -p "$CASES"
    for d in "$HERE" "$(cd "$CASES" && pwd)"; do mkdir -p "$root$d"; done
    ROOT=$root LAB_INSIDE=yes CASES=$(cd "$CASES" && pwd) exec unshare --mount --net --pid --fork "$HERE/lab.sh" "$@"
}
inside() {
    local d
    mount --make-rprivate /
    mount --bind "$ROOT" "$ROOT"    # ip netns wants / to be a mount point
    mount -t proc proc "$ROOT/proc"; mount --rbind /dev "$ROOT/dev"; mount -t sysfs sysfs "$ROOT/sys"
    for d in run tmp; do mount -t tmpfs tmpfs "$ROOT/$d"; done
    for d in "$HERE" "$CASES"; do mkdir -p "$ROOT$d"; mount --bind "$d" "$ROOT$d"; done
    unset RELEASE LAB_INSIDE
    ip link set lo up
    exec chroot "$ROOT" "$@"
}

# one at a time: namespaces and daemons are the same for every run
own() {
    local other
    other=$(cat /run/ovn-replay-lab.pid 2>/dev/null) || other=
    [ -z "$other" ] || [ ! -d "/proc/$other" ] || die "lab.sh is at work already (process $other)"
    echo $$ > /run/ovn-replay-lab.pid
    trap 'rm -f /run/ovn-replay-lab.pid' EXIT
}

topology_up() { # kube|cloud: unless it is the one running
    POINTS=""; UNDERLAYS=""; CHASSIS=""; ZONES=""
    "${1}_points"
    [ "$(cat "$RUN/topology" 2>/dev/null)" != "$1" ] || return 0
    lab_down
    log "building $1"
    "${1}_build"
    each_zone nb --wait=hv sync
    each_zone nb_keep
    "${1}_warm"
    sleep 5    # the hosts' first multicast listener reports are over
    echo "$1" > "$RUN/topology"
}

record_all() { # NAMES: topology by topology, each built once
    local t n
    for t in kube cloud ic; do
        for n in "$@"; do
            [ "$(field "$SCENARIOS" "$n" 2)" != "$t" ] || record "$n"
        done
    done
}

[ "${1:-help}" = help ] || [ "$(id -u)" = 0 ] || die "needs root"
if [ -n "${LAB_INSIDE:-}" ]; then
    [ "$1" != in ] || { shift; inside "$@"; }
    inside "$HERE/lab.sh" "$@"
fi
case ${RELEASE:+${1:-help}} in record | all | in) enter "$@" ;; up | down | shell) die "$1: not with RELEASE; see lab.sh in" ;; esac
case ${1:-help} in record | all | up | down) own ;; esac
case ${1:-help} in
    deps) deps ;;
    list) awk -F'|' 'NF { printf "%-26s %-6s %s%s\n", $1, $2, $3, $4 ? " (OVN " $4 ")" : "" }' <<< "$SCENARIOS" ;;
    record) shift; random_scenarios "$@"; for n in "$@"; do [ -n "$(field "$SCENARIOS" "$n" 2)" ] || die "no scenario $n"; done; record_all "$@" ;;
    all) record_all $(awk -F'|' 'NF { print $1 }' <<< "$SCENARIOS"); lab_down ;;
    up) topology_up "$2" ;;
    shell) echo "export OVN_NB_DB=$OVN_NB_DB OVN_SB_DB=$OVN_SB_DB OVN_RUNDIR=$RUN/$2 OVS_RUNDIR=$RUN/$2" ;;
    down) lab_down ;;
    *) sed -n '2,23p' "$0" ;;
esac
