package report

import (
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/trace"
)

// placeData is a datapath or a chassis.
type placeData struct {
	Name   string `json:"n"`           // unlike that of all others
	Short  string `json:"s,omitempty"` // for the drawing, where there is no room for Name
	Router bool   `json:"r,omitempty"`
}

// places are the datapaths and chassis of a network by their indexes, told apart where people call
// several the same.
func places(net *network.Network) (datapaths, chassis []placeData) {
	datapaths, chassis = make([]placeData, len(net.Datapaths)), make([]placeData, len(net.Chassis))
	called, full, hosts := map[string]int{}, map[string]int{}, map[string]int{}
	for _, d := range net.Datapaths {
		if d != nil {
			called[d.Called()]++
			full[named(d)]++
		}
	}
	for i, d := range net.Datapaths {
		if d == nil {
			continue
		}
		at := placeData{Name: d.Called(), Router: d.Router}
		switch {
		case called[d.Called()] == 1:
		case full[named(d)] == 1 && d.Name != d.Called():
			at.Name = named(d)
		default:
			at.Name += " (" + d.UUID + ")"
		}
		datapaths[i] = at
	}
	for _, c := range net.Chassis {
		hosts[c.Host()]++
	}
	for i, c := range net.Chassis {
		chassis[i] = placeData{Name: c.Host()}
		if hosts[c.Host()] > 1 && c.Name != c.Host() {
			chassis[i] = placeData{Name: c.Host() + " (" + c.Name + ")", Short: c.Name}
		}
	}
	return datapaths, chassis
}

// named is what people call a datapath, and its name.
func named(d *network.Datapath) string { return d.Called() + " (" + d.Name + ")" }

// apart says in which datapath a packet ended, where what people call that does not: what ends in
// several of the same name has as many causes.
func (r *Report) apart(out *sim.Outcome) string {
	events := out.Trace.Events()
	last := len(events) - 1
	if out.DropAt >= 0 && out.DropAt < len(events) {
		last = out.DropAt
	}
	for i := last; i >= 0; i-- {
		if k := events[i].Kind; k != trace.Match && k != trace.Miss {
			continue
		}
		d := r.why.Book.Net.Datapaths[events[i].Datapath]
		if name := r.data.Datapaths[d.Index].Name; name != d.Called() {
			return ", in " + name
		}
		break
	}
	return ""
}
