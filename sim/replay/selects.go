package replay

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
)

// KnownNames refuses ports in a filter that the network does not have: a logical flow with such is right and
// matches nothing, but who filters would take that for an answer.
func KnownNames(net *network.Network, expr string) error {
	e, err := lflow.ParseMatch(expr, sim.NewEnv(net, &network.Flow{}))
	if expr == "" || err != nil {
		return nil // see NewFilter
	}
	return knownNames(net, e)
}

func knownNames(net *network.Network, e *lflow.Expr) error {
	for _, arg := range e.Args {
		if err := knownNames(net, arg); err != nil {
			return err
		}
	}
	name := e.String
	if name == "" || e.Kind == lflow.Cmp && !e.Symbol.IsString() {
		return nil
	}
	p, err := net.FindPort(name)
	switch {
	case err != nil && name != "none": // of no outport
		return err
	case err == nil && p.Name != name:
		return fmt.Errorf("no logical port is named %s; did you mean %s?", name, p.Name)
	}
	return nil
}

// meant adds to an error about a word that is no field which ones may be meant.
func meant(err error) error {
	at := new(lflow.Error)
	if !errors.As(err, &at) || !strings.Contains(at.Msg, "expecting field name") || at.End > len(at.Src) {
		return err
	}
	word := at.Src[at.Pos:at.End]
	if word == "datapath" {
		return fmt.Errorf("%w A datapath is no field of a packet; name a port where it enters, as in inport == \"…\"",
			err)
	}
	var names []string
	for _, s := range lflow.StandardSymtab().All() {
		names = append(names, s.Name)
	}
	if close := resembling(names, word); close != "" {
		return fmt.Errorf("%w Did you mean %s?", err, close)
	}
	return err
}

// resembling are the names that may be meant by a word, those of its length first; "" if there is none.
func resembling(names []string, word string) string {
	const most = 3
	close := slices.DeleteFunc(names, func(n string) bool { return !network.Resembles(n, word) })
	slices.SortStableFunc(close, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
	return strings.Join(close[:min(most, len(close))], " or ")
}

// others are the fields that differ of which the language has no names.
var others = []string{"length", "ip4 header checksum", "tunnel datapath key", "tunnel inport key",
	"tunnel outport key"}

// ComparedFields are the names of the fields of which differences are told.
func ComparedFields() (names []string) {
	for _, id := range packet.Fields() {
		if id != field.TpSrc && id != field.TpDst {
			names = append(names, id.String())
		}
	}
	for _, proto := range []string{"tcp", "udp", "sctp"} {
		names = append(names, proto+".src", proto+".dst")
	}
	return append(names, others...)
}

// CheckIgnored refuses names of fields that may differ if no difference is told of such.
func CheckIgnored(names []string) error {
	known := ComparedFields()
	for _, name := range names {
		plain := strings.TrimPrefix(name, "outer ")
		if slices.Contains(known, plain) || strings.HasPrefix(plain, "byte ") {
			continue
		}
		if close := resembling(known, plain); close != "" {
			return fmt.Errorf("%q is no field that is compared; did you mean %s?", name, close)
		}
		return fmt.Errorf("%q is no field that is compared; they are those of logical flows, as in ip.ttl, and %s",
			name, strings.Join(others, ", "))
	}
	return nil
}
