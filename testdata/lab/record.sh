# record.sh: one scenario becomes one case folder.  Sourced by lab.sh.
#
# A topology declares its capture points with `point`; a scenario is declared with
# `scenario` and consists of functions named after it (dashes become underscores):
#   setup_NAME    changes to the network, before the recording (optional)
#   traffic_NAME  what is recorded
#   before_NAME   the last step before the recording, after conntrack was flushed (optional)
#   cleanup_NAME  undoes what is not in the northbound database (optional; that is put back anyway)
# With KEEP=history in setup_NAME the case has the southbound database's log, and the northbound database.

POINTS=""      # lines: file|namespace|interface|logical port|chassis system-id|tcpdump filter
UNDERLAYS=""   # lines: file|namespace|interface|chassis system-id
SCENARIOS=""   # lines: name|topology|description|OVN release
CHASSIS=""     # lines: name|system-id
TCPDUMPS=""
# Debian's tcpdump gives root up unless told not to; Ubuntu's crashes if told
AS_ROOT="-Z root"; ! grep -q '^ID=ubuntu' /etc/os-release || AS_ROOT=

point()    { POINTS+="$1|$2|$3|$4|$5|${6:-}"$'\n'; }
underlay() { UNDERLAYS+="$1|$2|$3|$4||"$'\n'; }
scenario() { SCENARIOS+="$1|$2|$3|${4:-}"$'\n'; }    # NAME TOPOLOGY DESCRIPTION [the first OVN release that has what it needs]
field()    { awk -F'|' -v k="$2" -v n="$3" '$1 == k { print $n }' <<< "$1"; }
chassis_names() { awk -F'|' 'NF { print $1 }' <<< "$CHASSIS"; }

# the lab's OVN is of that release or a later one
since() { [ "$(printf '%s\n' "$1" "$(ovn-nbctl --version | awk 'NR == 1 { print $2 }')" | sort -V | head -1)" = "$1" ]; }

# --- what a scenario says -------------------------------------------------------

# do_ HOST COMMAND...: run it there; the command is kept in case.json
do_() {
    local n=$1 line="$*"; shift
    line=${line//"$PY $HERE/"/}; line=${line/" "/'$ '}
    echo "$line" >> "$WORK/commands"
    { echo "$line"; ns "$n" timeout "${LIMIT:-20}" "$@" 2>&1 || true; } | sed 's/^/    /' >&2
}
get()   { local n=$1; shift; do_ "$n" $PY "$HERE/talk.py" get "$@"; }
udp()   { local n=$1; shift; do_ "$n" $PY "$HERE/talk.py" udp "$@"; }
craft() { local n=$1; shift; do_ "$n" $PY "$HERE/craft.py" "$@"; }
pings() { local n=$1; shift; do_ "$n" ping -n -i 0.2 -W 1 -c "$@"; }   # pings HOST COUNT [options] TO

# --- captures -------------------------------------------------------------------
# They start and end one after the other; case.py keeps the time that all of them saw.

capture() { # FILE NAMESPACE INTERFACE
    ip netns exec "rp-$2" tcpdump $AS_ROOT -i "$3" -nn -U --immediate-mode -B 8192 -s "${SNAPLEN:-0}" -w "$WORK/$1" 2> "$RUN/tcpdump-$1.err" &
    echo $! > "$RUN/tcpdump-$1.pid"
    TCPDUMPS+=" $!"
}
captures_start() {
    local file host dev port chassis filter f i
    TCPDUMPS=""
    while IFS='|' read -r file host dev port chassis filter; do
        [ -z "$file" ] || capture "$file" "$host" "$dev"
    done <<< "$POINTS$UNDERLAYS"
    for f in "$RUN"/tcpdump-*.err; do
        for i in $(seq 1 400); do ! grep -q 'listening on' "$f" || break; sleep 0.02; done
    done
    sleep 0.2
    date +%s.%N > "$RUN/window"
}
captures_stop() {
    sleep 0.7
    date +%s.%N >> "$RUN/window"
    sleep 0.1
    kill -INT $TCPDUMPS
    wait $TCPDUMPS || true
    ! grep -H 'dropped by kernel' "$RUN"/tcpdump-*.err | grep -v ': *0 packets\|:0 packets' >&2 || log "packets lost: record again"
    rm -f "$RUN"/tcpdump-*
    captures_filter
}
# afterwards: a live "vlan" filter misses frames that come with their tag inside
captures_filter() {
    local file host dev port chassis filter
    while IFS='|' read -r file host dev port chassis filter; do
        [ -n "$filter" ] || continue
        tcpdump $AS_ROOT -nn -r "$WORK/$file" -w "$RUN/filtered" "$filter" 2>/dev/null
        mv "$RUN/filtered" "$WORK/$file"
    done <<< "$POINTS"
}

# --- state ----------------------------------------------------------------------

conntrack_flush() { local c; for c in $(chassis_names); do vswitch "$c" dpctl/flush-conntrack; done; }
conntrack_dump()  { # SUFFIX
    local c
    for c in $(chassis_names); do vswitch "$c" dpctl/dump-conntrack | sort > "$WORK/conntrack-$1-$c.txt"; done
}
sb_file()       { echo "$WORK/sb${1:-}${ZONE:+-$ZONE}.db"; }    # SUFFIX
zone_before() {
    [ -z "$KEEP" ] || ovs-appctl -t "$CENTRAL/ovsdb-sb.ctl" ovsdb-server/compact    # its log begins here
    ovsdb-client backup "$OVN_SB_DB" OVN_Southbound > "$(sb_file)"
    learned > "$CENTRAL/learned"
}
zone_after() {
    if [ -n "$KEEP" ]; then
        cp "$CENTRAL/sb.db" "$(sb_file)"
        ovsdb-client backup "$OVN_NB_DB" OVN_Northbound > "$WORK/nb${ZONE:+-$ZONE}.db"
        return
    fi
    learned | cmp -s - "$CENTRAL/learned" || ovsdb-client backup "$OVN_SB_DB" OVN_Southbound > "$(sb_file -after)"
}
# some releases leave work for the next change
zone_settled() {
    ovn-appctl -t ovn-northd inc-engine/recompute > /dev/null 2>&1 || true
    nb --wait=hv sync
}
state_before() {
    local c
    each_zone zone_before
    for c in $(chassis_names); do controller "$c" ct-zone-list > "$WORK/ct-zone-list-$c.txt"; done
    conntrack_dump before
}
# counters tell which flows were used; ages and byte counts only bloat the file
state_after() {
    local c
    for c in $(chassis_names); do
        on "$c" ovs-ofctl dump-flows "unix:$RUN/$c/br-int.mgmt" |
            sed -E 's/ duration=[^ ]*//; s/ n_bytes=[0-9]+,//; s/ (idle|hard)_age=[0-9]+,//g' > "$WORK/br-int.flows-$c.txt"
    done
    each_zone zone_after
}
# what the southbound database learns from traffic
learned() {
    local t
    for t in mac_binding fdb igmp_group controller_event service_monitor; do sb --columns=_uuid list "$t" | sort; done
    sb --columns=logical_port,chassis,virtual_parent list port_binding | sort
}

# --- the recording --------------------------------------------------------------

run_part() { # setup|traffic|cleanup NAME
    local f=$1_${2//-/_}
    ! declare -F "$f" > /dev/null || "$f"
}
# no connection of one scenario may speak in the next one
hush() {
    local n
    for n in $HOSTS; do ns "$n" ss -K -t >/dev/null 2>&1 || true; done
}
record() { # NAME
    local name=$1 topology needs f
    topology=$(field "$SCENARIOS" "$name" 2)
    [ -n "$topology" ] || die "no scenario $name: see lab.sh list"
    needs=$(field "$SCENARIOS" "$name" 4)
    [ -z "$needs" ] || since "$needs" || { log "== $name: SKIPPED, it needs OVN $needs"; return 0; }
    case "$name${OFFLOADS:+ with}" in
        *-offloads) log "== $name: SKIPPED, it needs OFFLOADS=yes"; return 0 ;;
        *-offloads" with") ;;
        *" with") log "== $name: SKIPPED, it is recorded without OFFLOADS"; return 0 ;;
    esac
    topology_up "$topology"
    log "== $name: $(field "$SCENARIOS" "$name" 3)"
    KEEP=; WORK=$RUN/case; rm -rf "$WORK"; mkdir -p "$WORK"
    "${topology}_warm"
    run_part setup "$name"
    each_zone zone_settled
    : > "$WORK/commands"
    conntrack_flush
    run_part before "$name"
    state_before
    captures_start
    "traffic_${name//-/_}"
    conntrack_dump after
    captures_stop
    state_after
    run_part cleanup "$name"
    whole || { log "a daemon died: no case (see $RUN/*/*.log)"; rm "$RUN/topology"; return 0; }
    write_case "$name"
    hush
    ! declare -F "setup_${name//-/_}" > /dev/null || each_zone nb_reset
}

whole() { # every daemon of the lab is still there
    local f
    for f in "$RUN"/ovn*.pid "$RUN"/ovsdb-*.pid "$RUN"/*/*.pid; do [ ! -e "$f" ] || alive "$f" || return 1; done
}

write_case() { # NAME
    local to=$CASES/$1 f
    ZONES="$ZONES" POINTS="$POINTS" UNDERLAYS="$UNDERLAYS" CHASSIS="$CHASSIS" \
        $PY "$HERE/case.py" "$WORK" "$RUN/window" "$(field "$SCENARIOS" "$1" 3)"
    for f in "$WORK"/*; do
        case $f in *.db | *.flows-*.txt) gzip -9n "$f" ;; esac
    done
    rm -f "$WORK/commands"
    mkdir -p "$CASES"; rm -rf "$to"; cp -r "$WORK" "$to"
    log "   $to: $(du -bs "$to" | cut -f1) bytes"
}
