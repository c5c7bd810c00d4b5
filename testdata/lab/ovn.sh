# ovn.sh: the daemons of a small OVN on one machine, and the wires between them.
# Sourced by lab.sh.  One central (northbound, southbound, northd) and any number
# of chassis, each in its own network namespace with its own OVS in userspace
# (no kernel module) and its own ovn-controller.  Where zones are connected, $ZONES
# names them and each has a central.  Everything lives in $RUN and in namespaces
# called rp-*; nothing else on the machine is touched.

LAB=${LAB:-/run/ovn-replay-lab}
RUN=$LAB/run
PY=/usr/bin/python3
export LC_ALL=C
export OVN_RUNDIR=$RUN OVN_LOGDIR=$RUN OVN_DBDIR=$RUN OVN_SYSCONFDIR=$RUN
export OVN_NB_DB=unix:$RUN/nb.sock OVN_SB_DB=unix:$RUN/sb.sock
CENTRAL=$RUN    # where the central's files are
ZONES=          # the availability zones, by name; none: one central for all
ZONE=           # the one that in_zone is about

log() { echo "[lab] $*" >&2; }
die() { log "error: $*"; exit 1; }
ns()  { local n=$1; shift; ip netns exec "rp-$n" "$@"; }
nb()  { ovn-nbctl --timeout=60 "$@"; }
sb()  { ovn-sbctl --timeout=60 "$@"; }

# in_zone ZONE COMMAND...: with that zone's central
in_zone() {
    local z=$1; shift
    ZONE=$z CENTRAL=$RUN/zone-$z OVN_RUNDIR=$RUN/zone-$z OVN_NB_DB=unix:$RUN/zone-$z/nb.sock OVN_SB_DB=unix:$RUN/zone-$z/sb.sock "$@"
}
# each_zone COMMAND...: with every central there is
each_zone() {
    local z
    [ -n "$ZONES" ] || { "$@"; return; }
    for z in $ZONES; do in_zone "$z" "$@"; done
}

# on CHASSIS COMMAND...: with that chassis's OVS directories
on() {
    local d=$RUN/$1; shift
    OVS_RUNDIR=$d OVS_LOGDIR=$d OVS_DBDIR=$d OVS_SYSCONFDIR=$d OVN_RUNDIR=$d OVN_LOGDIR=$d "$@"
}
vsctl()      { local c=$1; shift; on "$c" ovs-vsctl --timeout=30 --db="unix:$RUN/$c/db.sock" "$@"; }
vswitch()    { local c=$1; shift; on "$c" ovs-appctl -t "$RUN/$c/ovs-vswitchd.$(cat "$RUN/$c/ovs-vswitchd.pid").ctl" "$@"; }
controller() { local c=$1; shift; on "$c" ovn-appctl -t "$RUN/$c/ovn-controller.$(cat "$RUN/$c/ovn-controller.pid").ctl" "$@"; }

# alive PIDFILE: the process in it is one of this lab's
alive() {
    local p
    p=$(cat "$1" 2>/dev/null) || return 1
    [ -n "$p" ] && tr '\0' ' ' 2>/dev/null < "/proc/$p/cmdline" | grep -qF "$LAB/"
}

stop_pidfile() {
    local p i
    if alive "$1"; then
        p=$(cat "$1")
        kill "$p" 2>/dev/null || true
        for i in $(seq 1 60); do [ -d "/proc/$p" ] || break; sleep 0.05; done
        [ ! -d "/proc/$p" ] || kill -9 "$p" 2>/dev/null || true
    fi
    rm -f "$1"
}

# daemon DIR NAME COMMAND...: start NAME unless it runs, with its files in DIR
daemon() {
    local d=$1 n=$2; shift 2
    alive "$d/$n.pid" && return 0
    "$@" -vconsole:off -vsyslog:off --detach --no-chdir --pidfile="$d/$n.pid" --log-file="$d/$n.log"
}

ovsdb() { # DIR DB SCHEMA
    [ -f "$1/$2.db" ] || ovsdb-tool create "$1/$2.db" "$3"
    (cd "$1" && daemon "$1" "ovsdb-$2" ovsdb-server "$1/$2.db" --remote="punix:$1/$2.sock" --unixctl="$1/ovsdb-$2.ctl")
}

central_up() {
    mkdir -p "$CENTRAL"
    ovsdb "$CENTRAL" nb /usr/share/ovn/ovn-nb.ovsschema
    ovsdb "$CENTRAL" sb /usr/share/ovn/ovn-sb.ovsschema
    (cd "$CENTRAL" && daemon "$CENTRAL" ovn-northd ovn-northd --ovnnb-db="$OVN_NB_DB" --ovnsb-db="$OVN_SB_DB")
}

# Keep the northbound database as it is now, and put it back later: a scenario
# may then change what it likes.  The file is replaced, so rows keep their UUIDs
# and the southbound side keeps its keys.
nb_keep()  { ovsdb-client backup "$OVN_NB_DB" OVN_Northbound > "$CENTRAL/nb.kept"; }
nb_reset() {
    stop_pidfile "$CENTRAL/ovsdb-nb.pid"
    cp "$CENTRAL/nb.kept" "$CENTRAL/nb.db"
    ovsdb "$CENTRAL" nb /usr/share/ovn/ovn-nb.ovsschema
    nb --wait=hv sync
}

netns_up() { # NAME...
    local n
    for n in "$@"; do
        ip netns add "rp-$n"
        ns "$n" ip link set lo up
    done
}

# no offloads: what AF_PACKET sees (OVS and tcpdump alike) then is complete,
# checksummed and no longer than the MTU. With OFFLOADS=yes it is as Linux has it by
# default: sums left to the card, super-packets, merged segments, which the switch
# passes on (userspace-tso-enable).
plain_if() { [ -z "${OFFLOADS:-}" ] || return 0; ns "$1" ethtool -K "$2" tx off rx off tso off gso off gro off >/dev/null 2>&1 || true; }
no_ip6()   { ns "$1" sysctl -qw "net.ipv6.conf.$2.disable_ipv6=1"; }

# veth NS1 IF1 NS2 IF2 MTU [MAC2]; IF1 is the switch's end, without addresses
veth() {
    ip link add "$2" netns "rp-$1" mtu "$5" type veth peer name "$4" netns "rp-$3" ${6:+address "$6"} mtu "$5"
    plain_if "$1" "$2"; plain_if "$3" "$4"
    no_ip6 "$1" "$2"
    ns "$1" sysctl -qw "net.ipv4.conf.$2.arp_ignore=8"    # the switch's kernel sees the frames too: it must not answer
    ns "$1" ip link set "$2" up
}

# the datapath-less OVS of a namespace: ovsdb-server and ovs-vswitchd
vswitch_up() { # NAME (of the namespace and of its directory)
    mkdir -p "$RUN/$1"
    ovsdb "$RUN/$1" conf /usr/share/openvswitch/vswitch.ovsschema
    ln -sf "$RUN/$1/conf.sock" "$RUN/$1/db.sock"
    vsctl "$1" --no-wait init
    [ -z "${OFFLOADS:-}" ] || vsctl "$1" --no-wait set Open_vSwitch . other_config:userspace-tso-enable=true
    on "$1" daemon "$RUN/$1" ovs-vswitchd ip netns exec "rp-$1" ovs-vswitchd --disable-system "unix:$RUN/$1/db.sock"
}

# The physical world, namespace rp-phys: a Linux bridge for the tunnel network
# and an OVS switch for the provider network (VLANs need no kernel module there).
phys_up() {
    netns_up phys
    ip -n rp-phys link add underlay type bridge
    no_ip6 phys underlay
    ns phys ip link set underlay up
    vswitch_up phys
    vsctl phys add-br provider -- set bridge provider datapath_type=netdev fail-mode=standalone
}

# chassis_up NAME SYSTEM-ID HOSTNAME ENCAP-IP PHYSNET BRIDGE
chassis_up() {
    local c=$1 n=${4##*.}
    netns_up "$c"
    vswitch_up "$c"
    vsctl "$c" --no-wait set open_vswitch . external_ids:system-id="$2" external_ids:hostname="$3" \
        external_ids:ovn-remote="$OVN_SB_DB" external_ids:ovn-encap-type=geneve external_ids:ovn-encap-ip="$4" \
        external_ids:ovn-bridge-mappings="$5:$6" external_ids:ovn-bridge-datapath-type=netdev
    veth "$c" ul0 phys "ul-$c" 1500;   no_ip6 phys "ul-$c"; ns phys ip link set "ul-$c" master underlay up
    veth "$c" prov0 phys "pv-$c" 1500; no_ip6 phys "pv-$c"; ns phys ip link set "pv-$c" up
    vsctl phys add-port provider "pv-$c"
    vsctl "$c" add-br br-int -- set bridge br-int datapath_type=netdev fail-mode=secure other-config:disable-in-band=true \
        -- add-br br-phy -- set bridge br-phy datapath_type=netdev fail-mode=standalone "other-config:hwaddr=\"52:54:00:20:00:$n\"" \
        -- add-br "$6" -- set bridge "$6" datapath_type=netdev fail-mode=standalone "other-config:hwaddr=\"52:54:00:30:00:$n\"" \
        -- add-port br-phy ul0 -- add-port "$6" prov0
    local b
    for b in br-int br-phy "$6"; do no_ip6 "$c" "$b"; done
    plain_if "$c" br-phy
    ns "$c" ip addr add "$4/24" dev br-phy
    ns "$c" ip link set br-phy up
    on "$c" daemon "$RUN/$c" ovn-controller ip netns exec "rp-$c" ovn-controller "unix:$RUN/$c/db.sock"
}

# host_up NAME MAC MTU CHASSIS PORT: a workload; its eth0 is the logical port PORT there
host_up() {
    netns_up "$1"
    veth "$4" "v-$1" "$1" eth0 "$3" "$2"
    host_sysctl "$1"
    vsctl "$4" add-port br-int "v-$1" -- set interface "v-$1" external_ids:iface-id="$5"
}

# outside_up NAME MAC [VLAN]: a machine on the provider network, on an access port
outside_up() {
    netns_up "$1"
    veth phys "pv-$1" "$1" eth0 1500 "$2"
    host_sysctl "$1"
    vsctl phys add-port provider "pv-$1" ${3:+tag="$3"}
}

# keys one at a time: a kernel that lacks one must not lose the others
host_sysctl() {
    local k
    for k in net.ipv6.conf.eth0.accept_dad=0 net.ipv6.conf.eth0.accept_ra=0 net.ipv6.conf.eth0.router_solicitations=0 \
             net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0 net.ipv4.icmp_msgs_per_sec=100000 \
             net.ipv4.tcp_synack_retries=2 net.ipv4.tcp_orphan_retries=2 net.ipv4.tcp_retries2=4; do
        ns "$1" sysctl -qw "$k" 2>/dev/null || true
    done
    ns "$1" ip link set eth0 up
}

addr() { # NAME ADDRESS/LEN...
    local n=$1 a; shift
    for a in "$@"; do ns "$n" ip addr add "$a" dev eth0 $(case $a in *:*) echo nodad ;; esac); done
}

serve() { # NAME: the host answers TCP and UDP (see talk.py); not a child of this shell
    ( ns "$1" setsid $PY "$HERE/talk.py" serve "$1" "$RUN/serve-$1.pid" >/dev/null 2>"$RUN/serve-$1.log" & )
}

lab_down() {
    local f n
    for f in "$RUN"/tcpdump-*.pid "$RUN"/serve-*.pid "$RUN"/*/ovn-controller.pid "$RUN"/ovn-northd.pid "$RUN"/*/ovn-northd.pid \
             "$RUN"/*/ovn-ic.pid \
             "$RUN"/*/ovs-vswitchd.pid "$RUN"/*/ovsdb-*.pid "$RUN"/ovsdb-*.pid; do
        [ ! -e "$f" ] || stop_pidfile "$f"
    done
    for n in $(ip netns list | awk '/^rp-/ { print $1 }'); do ip netns del "$n"; done
    rm -rf "$RUN"
}
