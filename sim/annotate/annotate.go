// Package annotate writes what a replay says as a pcapng that Wireshark shows:
// every logical port is an interface, packets that entered OVN are inbound
// there, predicted ones outbound, and comments say what became of them.
//
// A comment is one line of at most MaxComment bytes, since Wireshark shows no
// more of one; what is longer goes on in the next, which begins with the same
// key and "…". The first is the verdict, and none is there twice:
//
//	ovn-replay: delivered to PORT[, PORT]…    dropped    consumed
//	            hop at PORT of DATAPATH       (--hops) the packet as it comes to a datapath
//	            predicted output at PORT      matched at PORT, mismatched …  (verify)
//	from: FILE:FRAME at PORT                  the captured frame it is, or comes from
//	called: PORT is NAME                      what people call one of the ports, where that is not its name
//	chassis: CHASSIS[ > CHASSIS]…             where it was, from where it entered on
//	host: HOST[ > HOST]…                      the same as people call them, where they do so otherwise
//	drop: STAGE: REASON (flow UUID)           where it ended; consumed: REASON[ at STAGE]
//	answered: PACKET to PORT                  (consumed) what left instead
//	decided: TEXT                             by which flow or northbound row it did not leave
//	inferred: WHY                             it is in no capture
//	nat: KIND FIELD FROM -> TO at STAGE (flow UUID) [by ROW]
//	rerouted: by ROW, flow UUID of STAGE of DATAPATH          a router policy chose its way
//	marked: DSCP N by ROW, flow UUID of STAGE of DATAPATH     a QoS rule did
//	untranslated: TEXT                        an answer passed by the binding that it needed
//	ct: zone N (NAME) STATE [orig TUPLE reply TUPLE] [mark M label L]
//	conn: N                                   its connection, over all zones and translations
//	acl: STAGE priority P (flow UUID): MATCH  a northbound row that applied to it
//	note: TEXT at STAGE (flow UUID)
//	path: DATAPATH[ > DATAPATH]…
//	flow: UUID DATAPATH table N STAGE         the flow that decided, maybe before the stage where
//	                                          the packet ended; none: no flow matched
//	observed: frame FILE:FRAME                (verify) the captured frame that is compared
//	difference: FIELD predicted A observed B  (verify) and where it was last set
//	cause: TEXT                               (verify)
//
// Keys may be added, none changes its meaning. A packet's number (epb_packetid)
// is that of the packet it comes from.
//
// What the captures carried beside packets (comments, options, name resolution,
// secrets) is written again, its texts so that they are fit to be shown: see
// printable. Of an annotated capture that is read again, package pcap leaves out what the
// annotation added: there is one set of comments, that of this replay. The package never changes a packet's bytes, and
// reads no clock.
package annotate

import (
	"fmt"
	"hash/fnv"
	"io"
	"runtime/debug"
	"slices"
	"strings"

	"ovnreplay/pcap"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
)

// About is what the file says of itself.
type About struct {
	Program  string // with its version
	Command  string
	Database string
	// Captured are the sections of the captures that are replayed.
	Captured []pcap.Section
	// Interfaces are the captures' first, by capture; nil where that is not known.
	Interfaces []*pcap.Interface
}

// version is what packages are stamped with, by the linker; "": as Go stamped it.
var version string

// Program is the program with its version.
func Program() string {
	if version != "" {
		return "ovn-replay " + version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "ovn-replay"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && !strings.Contains(v, s.Value[:min(12, len(s.Value))]) {
			v += " " + s.Value
		}
	}
	return "ovn-replay " + v
}

// CommandLine is the command with its arguments as a shell takes them.
func CommandLine(args []string) string {
	line := "ovn-replay"
	for _, a := range args {
		if a == "" || strings.ContainsAny(a, " \t\n'\"\\$&|;<>()*?[]#~`!{}") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		line += " " + a
	}
	return line
}

// Capture is an annotated capture being written. After an error every call
// returns it.
type Capture struct {
	// Verdicts writes each packet's epb_verdict, too: see pcap.Verdict.
	Verdicts bool
	// Only, if not nil, has the verdicts of what was observed that is written:
	// matched, mismatched, missing, unexpected.
	Only map[string]bool

	w      *pcap.Writer
	order  *orderer
	latest int64 // time of the packets so far
	// compared: predictions are written as they are compared with what was
	// observed, not with the packets that led to them.
	compared bool
	book     *trace.Book
	faces    map[face]int
	named    map[string]bool // interface names in use
	told     teller
	packet   uint64 // number of the last packet
	err      error
}

// face is what an interface of the file is: a port on a chassis.
type face struct {
	port    *network.Port
	chassis *network.Chassis
}

// New begins an annotated capture of a replay, on the explainer's network, of
// captures taken at some places.
func New(w io.Writer, x *why.Explainer, taps []*replay.Tap, about About) (*Capture, error) {
	book := x.Book
	order := &orderer{to: w}
	pw, err := pcap.NewWriter(order, about.section(book.Net))
	if err != nil {
		return nil, err
	}
	c := &Capture{w: pw, order: order, book: book, faces: map[face]int{}, named: map[string]bool{},
		told: teller{book: book, why: x}}
	// Interfaces come first: Wireshark's tools look at those before any other
	// block to know what link types a file has.
	for i, t := range taps {
		for _, s := range t.Sites() {
			if s.Port == nil {
				continue
			}
			var as *pcap.Interface
			if i < len(about.Interfaces) && len(t.Sites()) == 1 {
				as = about.Interfaces[i]
			}
			c.face(s.Port, s.Chassis, as)
		}
	}
	if len(c.faces) == 0 {
		for _, t := range taps {
			if s := t.Site; s != nil {
				c.face(nil, s.Chassis, nil)
			}
		}
	}
	if c.err == nil {
		c.err = pw.WriteNames(names(book.Net))
	}
	return c, c.err
}

// Compare has predictions written as they are compared with what was observed, which is known long
// after the packets entered: a spool keeps all packets until their order is known; nil: they are
// written as they come. It is called before the first packet.
func (c *Capture) Compare(spool Spool) error {
	c.compared = true
	err := c.Flush()
	c.order.spool = spool
	return err
}

// Entered writes a packet that entered, in the capture called name, and what it
// led to; conn is the number of its connection, 0 if it has none.
func (c *Capture) Entered(f *replay.Frame, p *replay.Point, name string, conn int, out *sim.Outcome) error {
	c.keep(f)
	c.number(name, f.Number)
	c.told.conn = conn
	c.told.read(f, p, name, out)
	pkt := pcap.Packet{Time: c.moment(f, out), Data: f.Data, OrigLen: f.Wire, Direction: pcap.DirectionIn,
		Lines: c.told.entered()}
	if c.Verdicts {
		pkt.Verdict = verdict(c.told.verdict)
	}
	c.write(f.Interface, p.Port, p.Chassis, pkt, f.Kept)
	if c.compared {
		return c.err
	}
	for i := range out.Hops {
		h := &out.Hops[i]
		c.write(nil, h.Port, h.Chassis, pcap.Packet{
			Time: pkt.Time, Data: h.Data, OrigLen: h.Wire, Direction: pcap.DirectionIn, Lines: c.told.hop(h),
		}, nil)
	}
	for i := range out.Outputs {
		o := &out.Outputs[i]
		c.write(nil, o.Port, o.Chassis, pcap.Packet{
			Time: int64(o.Time), Data: o.Data, OrigLen: o.Wire, Direction: pcap.DirectionOut, Lines: c.told.output(o),
		}, nil)
	}
	return c.err
}

// moment is when a packet entered, or went on that was held.
func (c *Capture) moment(f *replay.Frame, out *sim.Outcome) int64 {
	switch {
	case !out.Late:
		return int64(f.Time)
	case len(out.Outputs) > 0:
		return int64(out.Outputs[0].Time)
	}
	return max(int64(f.Time), c.latest)
}

// Passed writes what the captures carry with a frame that did not enter: the
// frame itself, if there are comments on it.
func (c *Capture) Passed(f *replay.Frame, p *replay.Point, name string) error {
	c.keep(f)
	if f.Kept == nil || len(f.Kept.Comments) == 0 || p == nil || p.Chassis == nil || len(f.Data) == 0 {
		return c.err
	}
	c.number(name, f.Number)
	c.write(f.Interface, p.Port, p.Chassis, pcap.Packet{
		Time: int64(f.Time), Data: f.Data, OrigLen: f.Wire, Direction: pcap.DirectionOut,
		Lines: c.told.passed(f, p, name),
	}, f.Kept)
	return c.err
}

// Flush writes out what is buffered: what is written so far is a whole capture, but for packets
// that a spool keeps.
func (c *Capture) Flush() error {
	if c.err == nil {
		c.err = c.w.Flush()
	}
	return c.err
}

// Close completes the file, with the blocks after the captures' last packets.
func (c *Capture) Close(blocks []pcap.Block) error {
	if c.Flush() == nil {
		c.err = c.order.release()
	}
	for _, b := range blocks {
		c.block(b)
	}
	if c.err == nil {
		c.err = c.w.Flush()
	}
	return c.err
}

func (c *Capture) block(b pcap.Block) {
	if c.err == nil {
		c.err = c.w.WriteBlock(worded.Block(b))
	}
}

// number makes a packet the current one. Where packets are compared, long after
// they entered, its number is found again by the captured frame's.
func (c *Capture) number(name string, frame int) {
	if !c.compared {
		c.packet++
		return
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%s:%d", name, frame)
	c.packet = h.Sum64()
}

// Written returns how many packets and interfaces the file has so far.
func (c *Capture) Written() (packets, interfaces int) { return c.w.Packets(), len(c.faces) }

// keep writes the blocks that a capture has before a frame.
func (c *Capture) keep(f *replay.Frame) {
	if f.Kept == nil {
		return
	}
	for _, b := range f.Kept.Blocks {
		c.block(b)
	}
	f.Kept.Blocks = nil
}

func (c *Capture) write(as *pcap.Interface, p *network.Port, on *network.Chassis, pkt pcap.Packet, kept *replay.Kept) {
	pkt.Interface = c.face(p, on, as)
	pkt.ID = c.packet
	if kept != nil {
		pkt.Comments, pkt.Options = comments(kept.Comments), worded.Options(kept.Options)
	}
	c.latest = max(c.latest, pkt.Time)
	if c.order.spool != nil {
		c.Flush()
		c.order.keeps = true
		defer func() {
			c.Flush()
			c.order.kept(pkt.Time)
		}()
	}
	if c.err == nil {
		c.err = c.w.WritePacket(&pkt)
	}
}

// face returns the number of a port's interface, added when first met; as is
// the interface of a capture that shows packets there, if one does.
func (c *Capture) face(p *network.Port, on *network.Chassis, as *pcap.Interface) int {
	k := face{p, on}
	if i, ok := c.faces[k]; ok || c.err != nil {
		return i
	}
	info := pcap.InterfaceInfo{LinkType: pcap.LinkEthernet}
	if as != nil {
		info.OS, info.Hardware, info.Filter = clean(as.OS), clean(as.Hardware), clean(as.Filter)
		info.Comments = append(info.Comments, comments(asides(as))...)
		info.Options = worded.Options(as.Options)
		if as.Name != "" && !as.Annotated {
			info.Comments = append(info.Comments, "captured at interface "+clean(as.Name+described(as)))
		}
	}
	info.Name, info.Description = c.name(p, on)
	if p != nil && info.Name != p.Name {
		info.Comments = append(info.Comments, ifaceID+clean(p.Name)) // by which the port is found again
	}
	c.named[info.Name] = true
	var i int
	i, c.err = c.w.AddInterface(info)
	c.faces[k] = i
	return i
}

// asides are the comments of a capture's interface, without the port that an earlier replay said.
func asides(i *pcap.Interface) []string {
	if !i.Annotated {
		return i.Comments
	}
	return slices.DeleteFunc(slices.Clone(i.Comments), func(c string) bool { return strings.HasPrefix(c, ifaceID) })
}

// ifaceID is before a port's name in an interface's comment.
const ifaceID = "iface-id="

func described(i *pcap.Interface) string {
	if i.Description == "" {
		return ""
	}
	return " (" + i.Description + ")"
}

// name returns what a port's interface is called, unlike all others, and its
// description. replay finds the chassis by the description's end.
func (c *Capture) name(p *network.Port, on *network.Chassis) (name, description string) {
	at := clean(on.Name)
	host := at
	if on.Hostname != "" {
		host = clean(on.Hostname)
	}
	if p == nil {
		return c.unused("underlay@" + host), "packets out of tunnels, on chassis " + at
	}
	name, description = clean(p.Name), "logical port "+clean(p.Name)
	if p.Called() != p.Name {
		description += " (" + clean(p.Called()) + ")"
	}
	description += " of " + clean(p.Datapath.Name) + " on chassis " + at
	if host != at {
		description += " (" + host + ")"
	}
	if c.named[name] { // the port on another chassis
		name = c.unused(name + "@" + host)
	}
	return name, description
}

func (c *Capture) unused(name string) string {
	for c.named[name] {
		name += "+"
	}
	return name
}

func verdict(v sim.Verdict) pcap.Verdict {
	switch v {
	case sim.Delivered:
		return pcap.VerdictPass
	case sim.Dropped:
		return pcap.VerdictDrop
	case sim.Consumed:
		return pcap.VerdictStolen
	}
	return pcap.VerdictNone
}

// section is the file's header.
func (a *About) section(net *network.Network) pcap.Section {
	s := pcap.Section{Application: a.Program}
	if s.Application == "" {
		s.Application = "ovn-replay"
	}
	add := func(key, value string) {
		if value != "" {
			s.Comments = append(s.Comments, string(appendWrapped(nil, key, []byte(clean(value)), "\n")))
		}
	}
	add("database", a.Database)
	add("OVN", net.Version)
	add("command", a.Command)
	for _, of := range a.Captured {
		if !of.Annotated() {
			add("captured with", of.Application)
		}
		if s.OS == "" {
			s.OS = clean(of.OS)
		}
		if s.Hardware == "" {
			s.Hardware = clean(of.Hardware)
		}
		s.Comments = append(s.Comments, comments(of.Kept())...)
	}
	return s
}
