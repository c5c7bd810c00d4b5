#!/bin/bash
# system-tests.sh: records OVN's own system test suite (userspace datapath), a case a test.
#
#   system-tests.sh deps          add to the release's root what the tests call (nc, curl, dhcpd, ...)
#   system-tests.sh build         make the test suite of $OVN and $OVS
#   system-tests.sh list          the tests: number and title
#   system-tests.sh record N...   run those tests, one after the other, and keep what they did
#   system-tests.sh all           run every test, two at a time
#
# RELEASE=trixie|sid names a root that "lab.sh deps" made; its OVN and OVS are what runs.
# OVN and OVS name git repositories (or git directories) that have OVN_TAG and OVS_TAG, the
# releases of the root: the tests' text is taken from there, nothing is built.
# Recordings are written to $CASES/NUMBER-TITLE.
#
# The test suite runs as it is, with commands of the same name before ip, ovs-vsctl, ovs-appctl
# and ovn-appctl: a port of the switch is captured from the moment it is up, and before
# ovn-controller is told to exit the tables, flows and zones are saved.  A test that flushes
# all connections in its midst gives a recording for each part (.seg0, .seg1, ...).  See
# system-tests-hook.sh (inside the root) and system-tests-case.py (which writes case.json).
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
RELEASE=${RELEASE:-}; : "${CASES:?where the recordings go}"
mkdir -p "$CASES"; CASES=$(cd "$CASES" && pwd)
SUITE=$CASES/.suite
ROOT=${ROOTS:-/var/lib/ovn-replay-lab}/$RELEASE    # (inside the root there is no RELEASE)
NEEDS="ncat curl xxd net-tools iputils-arping iputils-ping isc-dhcp-server isc-dhcp-client python3-openvswitch
 python3-scapy python3-pyftpdlib nftables nfdump lftp wget tftpd-hpa conntrack diffutils bsdextrautils ethtool kmod"

deps() { # each by itself: a package that a release lacks takes only its tests away
    local p
    cp /etc/resolv.conf "$ROOT/etc/" 2>/dev/null || true
    printf '#!/bin/sh\nexit 101\n' > "$ROOT/usr/sbin/policy-rc.d"; chmod +x "$ROOT/usr/sbin/policy-rc.d"
    chroot "$ROOT" apt-get update -q -o Acquire::Check-Valid-Until=false > /dev/null
    for p in $NEEDS; do
        DEBIAN_FRONTEND=noninteractive chroot "$ROOT" apt-get install -y -q --no-install-recommends "$p" > /dev/null ||
            echo "$RELEASE has no $p"
    done
}

from_git() { # REPOSITORY TAG DIRECTORY
    mkdir -p "$3"; git -C "$1" archive "$2" | tar x -C "$3"
}

build() {
    rm -rf "$SUITE"; mkdir -p "$SUITE/bin"
    from_git "$OVN" "$OVN_TAG" "$SUITE/ovn"; from_git "$OVS" "$OVS_TAG" "$SUITE/ovs"
    cp "$ROOT/usr/share/openvswitch/vswitch.ovsschema" "$SUITE/ovs/vswitchd/"    # of the release that runs
    local version=${OVN_TAG#v}
    cd "$SUITE/ovn"
    printf 'm4_define([AT_PACKAGE_%s], [%s])\n' NAME ovn TARNAME ovn VERSION "$version" STRING "ovn $version" \
        BUGREPORT none URL none > tests/package.m4
    # one variant of a test, not one for each way that northd and ovn-controller can be set
    cat >> tests/ovn-macros.at <<-'END'
	m4_define([OVN_FOR_EACH_NORTHD], [m4_pushdef([OVN_MONITOR_ALL], [no])m4_pushdef([NORTHD_USE_PARALLELIZATION], [yes])$1
	m4_popdef([OVN_MONITOR_ALL])m4_popdef([NORTHD_USE_PARALLELIZATION])])
	END
    autom4te --language=autotest -I . -I tests -o tests/testsuite tests/system-userspace-testsuite.at
    # what a failed test did is saved as well
    sed -i 's|^    \. "$ovs_base/cleanup"|    "$RECORD_HOOK" save; . "$ovs_base/cleanup"|' tests/testsuite
    grep -q 'RECORD_HOOK' tests/testsuite
    sed "s|@HAVE_OPENSSL@|no|; s|@HAVE_UNBOUND@|no|; s|@EGREP@|grep -E|; s|@PYTHON3@|/usr/bin/python3|" \
        tests/atlocal.in > tests/atlocal
    sed -i "1a ovs_srcdir=$SUITE/ovs; ovs_builddir=$SUITE/ovs; abs_top_srcdir=$SUITE/ovn; abs_top_builddir=$SUITE/ovn" tests/atlocal
    cat > tests/atconfig <<-END
	at_testdir='tests'
	abs_builddir='$SUITE/ovn/tests'
	at_srcdir='.'
	abs_srcdir='$SUITE/ovn/tests'
	at_top_srcdir='..'
	abs_top_srcdir='$SUITE/ovn'
	at_top_build_prefix='../'
	abs_top_builddir='$SUITE/ovn'
	at_top_builddir='\$at_top_build_prefix'
	AUTOTEST_PATH='tests'
	SHELL=/bin/bash
	END
    local c
    for c in ip ovs-vsctl ovs-appctl ovn-appctl; do ln -s "$HERE/system-tests-hook.sh" "$SUITE/bin/$c"; done
}

list() { bash "$SUITE/ovn/tests/testsuite" -C "$SUITE/ovn/tests" -l | awk -F: '/^ +[0-9]+:/ { print $1 ":" $3 }'; }

# in the root: a test, in a directory of its own
inside() { # NUMBER
    local dir=$SUITE/run/$1
    rm -rf "$dir"; mkdir -p "$dir/tests"; cd "$dir/tests"
    ln -s "$SUITE"/ovn/tests/* .
    export PATH=$SUITE/bin:$PATH RECORD_HOOK=$HERE/system-tests-hook.sh RECORD=$dir/recording HOOKS=$SUITE/bin
    RECORD_NET=$(readlink /proc/self/ns/net); export RECORD_NET
    mkdir -p "$RECORD"
    cp "$(command -v tcpdump)" "$dir/wire"    # tests kill every tcpdump
    timeout 900 bash "$SUITE/ovn/tests/testsuite" -C "$dir/tests" -d "$1" > "$dir/said" 2>&1 || true
    # a test that was ended in its midst left the daemons running
    OVS_RUNDIR=$(find "$dir/tests" -name conf.db -printf '%h\n' | head -1)
    export OVS_RUNDIR OVN_RUNDIR=$OVS_RUNDIR
    [ -z "$OVS_RUNDIR" ] || "$RECORD_HOOK" save
}

record() {
    local n title
    for n in "$@"; do
        title=$(list | awk -F: -v n="$n" '$1 + 0 == n { sub(/^[0-9]+ +/, "", $2); print $2 }')
        nice "$HERE/lab.sh" in "$HERE/system-tests.sh" inside "$n"
        grep -E "^ *$n: " "$SUITE/run/$n/said" | head -1 || echo "$n: no result"
        python3 "$HERE/system-tests-case.py" "$SUITE/run/$n" "$CASES" "$n" "$title" "$OVN_TAG" || true
    done
}

case ${1:-help} in
    deps) deps ;;
    build) build ;;
    list) list ;;
    inside) inside "$2" ;;
    record) shift; record "$@" ;;
    all) list | awk -F: '{ print $1 + 0 }' | xargs -n 1 -P "${JOBS:-2}" "$0" record ;;
    *) sed -n '2,20p' "$0" ;;
esac
