package store

import (
	"cmp"
	"os"
	"path/filepath"
)

// Where a host has its Southbound database: OVN's own folders, those of OpenShift's zones (ovn-ic),
// kube-ovn (origin) and MicroOVN's snap (run/central was the name of run/ovn before), and those of when
// OVN was a part of Open vSwitch. Distributions and support tools look in the same ones. LXD has no
// database of its own: it is a client of the host's OVN or of MicroOVN's, and its snap
// keeps only the certificates for it.
var (
	runFolders = []string{"var/run/ovn", "run/ovn", "var/run/ovn-ic", "var/snap/microovn/common/run/ovn",
		"var/snap/microovn/common/run/central", "var/run/openvswitch"}
	fileFolders = []string{"var/lib/ovn", "var/lib/ovn/etc", "etc/ovn", "var/lib/ovn-ic/etc", "etc/origin/ovn",
		"var/snap/microovn/common/data/central/db", "var/lib/openvswitch/ovn", "etc/openvswitch", "var/lib/openvswitch",
		"usr/local/etc/openvswitch"}
)

const (
	sbSocket = "ovnsb_db.sock"
	sbFile   = "ovnsb_db.db"
)

// DefaultSource is the Southbound database that OVN's own tools would ask:
// $OVN_SB_DB, else that of this host. If there is none, it is the socket at
// which it would be.
func DefaultSource() string {
	if source := cmp.Or(os.Getenv("OVN_SB_DB"), LocalSource()); source != "" {
		return source
	}
	return "unix:" + filepath.Join(cmp.Or(os.Getenv("OVN_RUNDIR"), "/var/run/ovn"), sbSocket)
}

// LocalSource is the Southbound database of the host that this runs on: its
// server's socket, else its file; "" if there is none.
func LocalSource() string { return localSource("/", os.Getenv("OVN_RUNDIR"), os.Getenv("OVN_DBDIR")) }

// localSource looks below a root, and only in the folders named if those are.
func localSource(root, run, files string) string {
	runs, folders := runFolders, fileFolders
	if run != "" || files != "" {
		runs, folders = []string{run}, []string{files}
	}
	for _, dir := range runs {
		at := filepath.Join(root, dir, sbSocket)
		if info, err := os.Stat(at); dir != "" && err == nil && info.Mode()&os.ModeSocket != 0 {
			return "unix:" + at
		}
	}
	for _, dir := range folders {
		at := filepath.Join(root, dir, sbFile)
		if info, err := os.Stat(at); dir != "" && err == nil && info.Mode().IsRegular() {
			return at
		}
	}
	return ""
}
