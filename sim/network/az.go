package network

import (
	"slices"
	"time"
)

// AZ is an availability zone (ovn-ic(8); OVN-Kubernetes has one a node): what
// its Southbound database says beside its datapaths, and the names and tunnel
// keys that mean something only within it.
type AZ struct {
	Index  int    // in Network.AZs
	Name   string // SB_Global options:name, or what the caller calls it; may be ""
	Source string // where the database is from, "" if nobody said

	AsOf   time.Time // when the database became what it is, or its latest timestamp; zero if it tells none
	States int       // how many it has been in, as far as its file tells

	Version  string            // SB_Global options:northd_internal_version, "" if absent
	SBGlobal map[string]string // SB_Global options

	AddressSets map[string][]string
	PortGroups  map[string][]string          // SB Port_Group: name -> logical port names
	Templates   map[string]map[string]string // chassis name -> variables
	DHCPv4      map[string]DHCPOption
	DHCPv6      map[string]DHCPOption
	Meters      map[string]Meter

	portByName map[string]*Port
	dpByKey    map[uint32]*Datapath
	knows      map[string][]Encap // of joined zones: the chassis in its database, by name, with their addresses
}

// Reaches reports whether a zone's chassis have tunnels to a chassis, as far as the
// zone's database is concerned: it knows it by an address that it has. Open vSwitch
// takes frames from no other address.
func (z *AZ) Reaches(c *Chassis) bool {
	if z.knows == nil || c.AZ == z || c.Remote() {
		return true
	}
	return slices.ContainsFunc(z.knows[c.Name], func(e Encap) bool {
		return slices.ContainsFunc(c.Encaps, func(own Encap) bool { return own.IP == e.IP })
	})
}

func newAZ() *AZ {
	return &AZ{portByName: map[string]*Port{}, dpByKey: map[uint32]*Datapath{}}
}

// PortNamed returns the port that a name means in this zone's logical flows,
// nil if it has none such.
func (z *AZ) PortNamed(name string) *Port { return z.portByName[name] }

// DatapathByKey returns the zone's datapath of that tunnel key, or nil.
func (z *AZ) DatapathByKey(key uint32) *Datapath { return z.dpByKey[key] }
