package lflow

// OVN's option tables. DHCP options come from the Southbound database, and
// these stand in when there is none; the others are fixed.

// optionType names as the DHCP_Options table has them.
const (
	typeString  = "str"
	typeDomain  = "domain"
	typeDomains = "domains"
	typeHostID  = "host_id"
)

// offerIP is the code of the pseudo-option that every DHCPv4 reply needs.
const offerIP = 0

var dhcpv4Options = map[string]OptionDef{
	"offerip":                   {offerIP, "ipv4"},
	"netmask":                   {1, "ipv4"},
	"router":                    {3, "ipv4"},
	"dns_server":                {6, "ipv4"},
	"log_server":                {7, "ipv4"},
	"lpr_server":                {9, "ipv4"},
	"hostname":                  {12, typeString},
	"domain_name":               {15, typeString},
	"swap_server":               {16, "ipv4"},
	"ip_forward_enable":         {19, "bool"},
	"policy_filter":             {21, "ipv4"},
	"default_ttl":               {23, "uint8"},
	"mtu":                       {26, "uint16"},
	"broadcast_address":         {28, "ipv4"},
	"router_discovery":          {31, "bool"},
	"router_solicitation":       {32, "ipv4"},
	"arp_cache_timeout":         {35, "uint32"},
	"ethernet_encap":            {36, "bool"},
	"tcp_ttl":                   {37, "uint8"},
	"tcp_keepalive_interval":    {38, "uint32"},
	"nis_server":                {41, "ipv4"},
	"ntp_server":                {42, "ipv4"},
	"netbios_name_server":       {44, "ipv4"},
	"netbios_node_type":         {46, "uint8"},
	"lease_time":                {51, "uint32"},
	"server_id":                 {54, "ipv4"},
	"T1":                        {58, "uint32"},
	"T2":                        {59, "uint32"},
	"tftp_server":               {66, typeHostID},
	"bootfile_name":             {67, typeString},
	"domain_search_list":        {119, typeDomains},
	"classless_static_route":    {121, "static_routes"},
	"tftp_server_address":       {150, "ipv4"},
	"path_prefix":               {210, typeString},
	"ms_classless_static_route": {249, "static_routes"},
	"wpad":                      {252, typeString},
	"next_server":               {253, "ipv4"},
	"bootfile_name_alt":         {254, typeString},
}

var dhcpv6Options = map[string]OptionDef{
	"server_id":         {2, "mac"},
	"ia_addr":           {5, "ipv6"},
	"dns_server":        {23, "ipv6"},
	"domain_search":     {24, typeString},
	"fqdn":              {39, typeDomain},
	"bootfile_name":     {59, typeString},
	"bootfile_name_alt": {254, typeString},
}

// The codes of router advertisement options are those of the wire, but for
// the first two, which are flags of the message.
const (
	raAddressMode = 0
	raSourceLL    = 1
	raPrefix      = 3
	raMTU         = 5
	raRouteInfo   = 24
	raRDNSS       = 25
	raDNSSL       = 31
	raPreference  = 255
)

var raOptions = map[string]OptionDef{
	"addr_mode":         {raAddressMode, typeString},
	"router_preference": {raPreference, typeString},
	"slla":              {raSourceLL, "mac"},
	"prefix":            {raPrefix, "ipv6"},
	"mtu":               {raMTU, "uint32"},
	"rdnss":             {raRDNSS, "ipv6"},
	"dnssl":             {raDNSSL, typeString},
	"route_info":        {raRouteInfo, typeString},
}

// emptyBackends is the only event there is.
const emptyBackends = "empty_lb_backends"

const (
	eventVIP          = 1
	eventProtocol     = 2
	eventLoadBalancer = 3
)

var eventOptions = map[string]OptionDef{
	"vip":           {eventVIP, typeString},
	"protocol":      {eventProtocol, typeString},
	"load_balancer": {eventLoadBalancer, typeString},
}

func (e *Env) dhcpv4() map[string]OptionDef {
	if e.DHCPv4 != nil {
		return e.DHCPv4
	}
	return dhcpv4Options
}

func (e *Env) dhcpv6() map[string]OptionDef {
	if e.DHCPv6 != nil {
		return e.DHCPv6
	}
	return dhcpv6Options
}
