package why

import (
	"strings"
	"testing"

	"ovnreplay/sim/packet"
)

// A flow in port security's stages that ends packets by itself is no port's security: it is told what it is for.
func TestUnfit(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct{ match, actions, want string }{
		"a group's address": {"eth.src[40]", "drop;", "no frame is sent by a group's Ethernet address, as 01:00:5e:"},
		"a disabled port":   {`inport == "p1"`, "reg0[15] = 1; next;", "port p1 is disabled: flow"},
		"a tag":             {"vlan.present", "drop;", "this switch takes no frame with a VLAN tag, as this one's of"},
		"anything else":     {"icmp4.type == 3 && flags.tunnel_rx == 1", "drop;", "by flow flow-ls_ of"},
		"the port's own":    {"1", "reg0[15] = check_in_port_sec(); next;", "by port security: flow"},
	} {
		x1, out := way(flow("ls_in_check_port_sec", x.match, x.actions),
			flow("ls_in_apply_port_sec", "reg0[15] == 1", "drop;"))
		if x.actions == "drop;" {
			x1, out = way(flow("ls_in_check_port_sec", x.match, x.actions))
		}
		h := new(packet.Headers)
		h.Read([]byte{0, 0, 0, 0, 0, 1, 1, 0, 0x5e, 0, 0, 1, 0x81, 0, 0, 7, 0x88, 0xb5, 0, 0})
		out.Of.Headers = h
		if list := x1.Decide(out); len(list) != 1 || !strings.HasPrefix(list[0].Text, x.want) {
			t.Errorf("%s: %+v, want %s", name, list, x.want)
		}
	}
}
