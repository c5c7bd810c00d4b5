// Package network is the logical network of a Southbound database: datapaths,
// ports, groups, logical flows and bindings, as plain data ready to replay on.
//
// Package southbound builds it from a database's rows. A Network never changes
// once complete (what a replay learns lives in package sim) and its order never
// depends on map iteration.
//
// The package does not parse matches or actions, reads no files and knows no
// database.
package network

import (
	"net/netip"
	"time"
)

// Network is the logical network of a Southbound database, or of several that
// Join has joined.
type Network struct {
	// AZ is what the database says beside its datapaths: of joined databases,
	// the first. What depends on a datapath or chassis asks that one's own AZ.
	*AZ
	AZs []*AZ // of every database, in the order given

	Datapaths []*Datapath // by tunnel key
	Ports     []*Port     // Ports[0] is nil: index 0 is "no port"; then by datapath key, tunnel key, UUID
	Groups    []*Group    // multicast groups, by datapath and tunnel key
	Flows     []*Flow     // by UUID
	Chassis   []*Chassis  // by name

	// Stamp is the latest moment that a row tells, in milliseconds since 1970: what a chassis
	// took over (Chassis_Private, nb_cfg_timestamp) or learned (MAC_Binding, FDB). The
	// database was read no sooner. 0: no row tells.
	Stamp int64

	MACBindings     []MACBinding // by datapath, port name, IP
	StaticMACs      []MACBinding
	FDB             []FDBEntry
	LoadBalancers   []*LoadBalancer
	DNS             []*DNS
	ServiceMonitors []ServiceMonitor

	// Problems lists rows that could not be used, each with its reason. They are shown to the user.
	Problems []Problem

	IPMulticast  []IPMulticast
	BFD          []BFD
	ECMPNexthops []ECMPNexthop
	ACLIDs       []ACLID

	// Became counts how often the network has become another.
	Became int

	portByName2 map[string]*Port // nil for a name several ports have
	portByUUID  map[string]*Port
	chassis     map[string]*Chassis // by name
}

// Problem is a row that could not be used.
type Problem struct{ Table, UUID, Reason string }

// Datapath is a Datapath_Binding: a logical switch or router.
type Datapath struct {
	Index       int // in Network.Datapaths
	UUID        string
	AZ          *AZ // never nil
	TunnelKey   uint32
	Name        string // external_ids:name, else the UUID
	Name2       string // external_ids:name2
	Router      bool   // external_ids:logical-router, or type
	NBUUID      string // external_ids:logical-switch / logical-router, or nb_uuid
	SNATCTZone  int    // external_ids:snat-ct-zone; -1 when absent
	ExternalIDs map[string]string

	Ports         []*Port
	Groups        []*Group
	LoadBalancers []*LoadBalancer
	DNS           []*DNS
	Localnet      []*Port // its localnet ports
	HasVTEP       bool

	// Flows by pipeline (0 ingress, 1 egress) and table, highest priority
	// first, then by UUID; shared with other datapaths of a group.
	Flows [2][][]*Flow
}

// PortType is Port_Binding.type.
type PortType uint8

const (
	VIF PortType = iota + 1 // ""
	Patch
	L3Gateway
	L2Gateway
	Localnet
	Localport
	ChassisRedirect
	VTEP
	External
	Virtual
	Remote
	Mirror
	Port_Unknown
)

// Stay is where a port was from a moment on; of the first that is known, at all times before.
type Stay struct {
	Since   time.Time
	Chassis string
}

// Port is a Port_Binding.
type Port struct {
	Index       int // in Network.Ports, never 0
	UUID        string
	Name        string // logical_port
	Name2       string // external_ids:name, or ""
	called      string // see Called
	Type        PortType
	TypeName    string
	Datapath    *Datapath
	TunnelKey   uint32
	Peer        *Port // patch and l3gateway
	Distributed *Port // chassisredirect: its distributed port

	Chassis    *Chassis   // the row's chassis, nil if unbound
	Additional []*Chassis // additional_chassis
	Had        []Address  // addresses that it, or one of its name, had before, as far as a history was asked for it
	Been       []Stay     // where it was bound and since when, as far as a history was asked for it
	HAChassis  []HAMember // gateway_chassis or ha_chassis_group, highest priority first

	Addresses     []Address // parsed from mac
	RawMAC        []string  // the mac column
	Unknown       bool      // mac holds "unknown"
	PortSecurity  []string
	NATAddresses  []string
	Options       map[string]string
	ExternalIDs   map[string]string
	Parent        *Port   // container ports
	Containers    []*Port // container ports behind this one
	ParentName    string
	Tag           int // 0 when absent
	VirtualParent string
	Up            bool // true unless the row says otherwise
	MirrorPort    string
	MirrorTo      *Port // mirror: the port at which what is sent to it leaves
	Twin          *Port // remote: the port as its own zone's database has it, if that is joined

	Several  bool     // more chassis than one have a port of their own of this name
	active   *Chassis // the one it is at
	function bool     // see IsFunction
}

// NetworkName is the option of a localnet port that names its physical network.
const NetworkName = "network_name"

// Address is one "MAC IP…" entry.
type Address struct {
	MAC [6]byte
	IPs []netip.Prefix // with the written prefix length, else a single address
}

// HAMember is a chassis with its priority in a gateway or HA group.
type HAMember struct {
	Chassis  *Chassis
	Priority int
}

// Chassis is a Chassis row.
type Chassis struct {
	Index    int // in Network.Chassis
	AZ       *AZ // whose logical flows it runs; never nil
	UUID     string
	Name     string
	Hostname string
	Encaps   []Encap
	Options  map[string]string // other_config, else external_ids
}

// Encap is a tunnel endpoint of a chassis.
type Encap struct{ Type, IP string }

// Group is a Multicast_Group.
type Group struct {
	Index     int // in Network.Groups
	UUID      string
	Name      string
	Datapath  *Datapath
	TunnelKey uint32
	Ports     []*Port // by tunnel key
}

// Flow is a Logical_Flow. It is shared by every datapath it applies to.
type Flow struct {
	Index     int // in Network.Flows
	UUID      string
	Datapaths []*Datapath
	Egress    bool
	Table     uint8
	Priority  uint16
	Match     string
	Actions   string
	Stage     string // external_ids:stage-name
	Source    string // external_ids:source
	StageHint string
	Meter     string            // controller_meter
	Tags      map[string]string // tags
	Since     int               // the transaction that it came with; 0: it was there before all that are known
}

// MACBinding is a MAC_Binding or Static_MAC_Binding row.
type MACBinding struct {
	UUID      string
	Datapath  *Datapath
	Port      *Port
	IP        netip.Addr
	MAC       [6]byte
	Timestamp int64 // milliseconds; 0 when the database has none
	Override  bool  // static: override_dynamic_mac
}

// FDBEntry is an FDB row.
type FDBEntry struct {
	Datapath             *Datapath
	DatapathKey, PortKey uint32
	MAC                  [6]byte
	Timestamp            int64
}

// LoadBalancer is a Southbound Load_Balancer.
type LoadBalancer struct {
	UUID, Name string
	Protocol   uint8 // 6, 17, 132; 0 when absent
	VIPs       []VIP // by VIP text
	Options    map[string]string
	Datapaths  []*Datapath
}

// VIP is one virtual address with its backends. Port 0: all ports.
//
// A template load balancer names variables ("^vip:^port", "^backends") that
// differ by chassis: then Text and BackendText are as written, Addr is the
// zero Addr, and ParseVIP makes the VIP of the texts expanded.
type VIP struct {
	Addr     netip.Addr
	Port     uint16
	Backends []netip.AddrPort

	Text, BackendText string
}

// DHCPOption is a row of DHCP_Options or DHCPv6_Options.
type DHCPOption struct {
	Code uint8
	Type string
}

// DNS is a Southbound DNS row.
type DNS struct {
	UUID      string
	Records   map[string]string
	Options   map[string]string
	Datapaths []*Datapath
}

// ServiceMonitor is a Service_Monitor row.
type ServiceMonitor struct {
	UUID, IP, LogicalPort, Protocol, SrcMAC, SrcIP, Status string
	Port                                                   int
	// Since OVN 25.09: that of a network function goes into InputPort, to MAC.
	Type, MAC, InputPort string
	Options              map[string]string
}

// IPMulticast is an IP_Multicast row: how a switch snoops and queries.
type IPMulticast struct {
	UUID             string
	Datapath         *Datapath
	Enabled, Querier bool
	EthSrc           string
	IP4Src, IP6Src   string
	TableSize, SeqNo int
	IdleTimeout      int // seconds
	QueryInterval    int // seconds
	QueryMaxResponse int // seconds
}

// BFD is a BFD row: a session a router port keeps with a next hop.
type BFD struct {
	UUID         string
	Port         *Port // nil if the named port does not exist
	LogicalPort  string
	DstIP        string
	SrcPort      uint16
	Disc         uint32
	MinTX, MinRX int // milliseconds
	DetectMult   int
	Status       string
}

// ECMPNexthop is an ECMP_Nexthop row: a next hop of ECMP symmetric reply.
type ECMPNexthop struct {
	UUID     string
	Nexthop  netip.Addr
	Port     *Port
	Datapath *Datapath // nil where the schema has no such column
	MAC      string
}

// ACLID is an ACL_ID row: the label of connections that an ACL let through and
// keeps alive. AZ is whose database has it.
type ACLID struct {
	UUID string
	AZ   *AZ
	ID   uint16
}
