#!/bin/sh
# system-tests-hook.sh: stands before ip, ovs-vsctl, ovs-appctl and ovn-appctl while OVN's
# system tests run (system-tests.sh), and does what they do; and captures each port that a
# switch may have from the moment it is up, and saves what a recording has of the end.
#   RECORD      where to, RECORD_NET the network namespace that the test runs in
#   HOOKS       the folder in which this is linked to, to be left out of PATH
# Called as itself with "save", it only saves.

self=$(basename "$0")
hooked=$PATH
PATH=$(printf %s "$PATH" | sed "s|$HOOKS/*:||g")
# what runs elsewhere is the process that the test knows, and has its hooks too
[ "$self $1" != "ip netns" ] || { real=$(command -v ip); PATH=$hooked exec "$real" "$@"; }

# capture DEVICE: unless that very device is captured already
capture() {
    index=$(cat "/sys/class/net/$1/ifindex" 2>/dev/null) || return 0
    [ ! -e "$RECORD/end" ] || return 0
    net=$(readlink /proc/self/ns/net)
    mkdir "$RECORD/$1.$index${net#net:}" 2>/dev/null || return 0
    n=0
    while ! mkdir "$RECORD/$1,$n" 2>/dev/null; do n=$((n + 1)); done
    as_root="-Z root"
    "$(dirname "$RECORD")/wire" $as_root -i "$1" -nn -U --immediate-mode -B 4096 -s 0 -w "$RECORD/$1,$n.pcap" 2> "$RECORD/$1,$n/said" < /dev/null > /dev/null &
    echo $! >> "$RECORD/tcpdumps"
    for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        ! grep -qs -e 'listening on' -e "$1: " "$RECORD/$1,$n/said" || return 0
        sleep 0.02
    done
}

is_up() { [ $(($(cat "/sys/class/net/$1/flags" 2>/dev/null || echo 0) & 1)) = 1 ]; }

save() {
    [ ! -e "$RECORD/end" ] || return 0
    sleep 0.2
    date +%s.%N > "$RECORD/end"
    ovs-appctl --timeout=10 dpctl/dump-conntrack > "$RECORD/conntrack-after.txt" 2>> "$RECORD/errors"
    ovn-appctl --timeout=10 -t ovn-controller ct-zone-list > "$RECORD/ct-zone-list.txt" 2>> "$RECORD/errors"
    ovs-ofctl --timeout=10 -O OpenFlow15 dump-flows br-int > "$RECORD/br-int.flows.txt" 2>> "$RECORD/errors"
    ovs-appctl --timeout=10 dpctl/ipf-get-status > "$RECORD/fragments.txt" 2>> "$RECORD/errors"
    [ ! -e "$RECORD/tcpdumps" ] || while read -r pid; do kill "$pid" 2>/dev/null; done < "$RECORD/tcpdumps"
    top=$(dirname "$RECORD")
    for db in sb nb; do cp "$(find "$top" -name "ovn-$db.db" | head -1)" "$RECORD/$db.db" 2>> "$RECORD/errors"; done
    cp "$(find "$top" -name conf.db | head -1)" "$RECORD/conf.db" 2>> "$RECORD/errors"
    sleep 0.1
}

# The tests flush the connections of all zones between their parts: each part is a
# recording of its own.
flush() {
    [ ! -e "$RECORD/end" ] || return 0
    sleep 0.1
    n=$(ls "$RECORD" | grep -c '^before,' || true)
    date +%s.%N > "$RECORD/before,$n"
    ovs-appctl --timeout=10 dpctl/dump-conntrack > "$RECORD/conntrack,$n" 2>> "$RECORD/errors"
    ovn-appctl --timeout=10 -t ovn-controller ct-zone-list > "$RECORD/zones,$n" 2>> "$RECORD/errors"
    ovs-appctl "$@"; rc=$?
    date +%s.%N > "$RECORD/after,$n"
    exit $rc
}

# The switch's end of a veth pair has a stack of its own, whose multicast reports and router
# solicitations never pass the switch.
quiet() {
    [ "$(readlink /proc/self/ns/net)" = "$RECORD_NET" ] || return 0
    for dev; do
        case $dev in ovs-*) echo 1 2>/dev/null > "/proc/sys/net/ipv6/conf/$dev/disable_ipv6" || true ;; esac
    done
}

case $self in
ip)
    case " $* " in *" link set "*" up "*) quiet "$@" ;; esac
    ip "$@"; rc=$?
    [ $rc = 0 ] || exit $rc
    case " $* " in
    *" link set "*" up "*)
        for dev; do
            # in a namespace of a guest only what is the switch's own port is of interest
            if [ "$(readlink /proc/self/ns/net)" = "$RECORD_NET" ] || grep -qxF "$dev" "$RECORD/internal" 2>/dev/null; then
                [ ! -e "/sys/class/net/$dev" ] || capture "$dev"
            fi
        done ;;
    esac
    exit 0 ;;
ovs-vsctl)
    case " $* " in
    *" add-port "* | *" add-br "*)
        for word; do [ ! -e "/sys/class/net/$word" ] || ! is_up "$word" || capture "$word"; done ;;
    esac
    ovs-vsctl "$@"; rc=$?
    case " $* " in
    *" type=internal"*) for word; do [ ! -e "/sys/class/net/$word" ] || echo "$word" >> "$RECORD/internal"; done ;;
    esac
    exit $rc ;;
ovs-appctl | ovn-appctl)
    case " $* " in
    *" ovn-controller exit --restart "*) ;;
    *" ovn-controller exit "*) save ;;
    *" dpctl/flush-conntrack ") flush "$@" ;;
    esac
    exec "$self" "$@" ;;
*)
    [ "$1" != save ] || save ;;
esac
