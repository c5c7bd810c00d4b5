package ledger

import (
	"testing"

	"ovnreplay/sim/network"
)

// Two packets met the same where the flows say the same, whichever they are.
func TestSameStep(t *testing.T) {
	t.Parallel()
	sw, router := &network.Datapath{UUID: "1"}, &network.Datapath{UUID: "2"}
	flow := func(uuid string, priority uint16, actions string) *network.Flow {
		return &network.Flow{UUID: uuid, Stage: "ls_in_acl_hint", Match: "1", Priority: priority, Actions: actions}
	}
	old, anew, other := flow("a", 0, "next;"), flow("b", 65535, "next;"), flow("a", 0, "drop;")
	for _, x := range []struct {
		a, b step
		same bool
	}{
		{step{datapath: sw, flow: old}, step{datapath: sw, flow: old}, true},
		{step{datapath: sw, flow: old}, step{datapath: sw, flow: anew}, true},
		{step{datapath: sw, flow: old}, step{datapath: &network.Datapath{UUID: "1"}, flow: anew}, true},
		{step{datapath: sw, flow: old}, step{datapath: router, flow: old}, false},
		{step{datapath: sw, flow: old}, step{datapath: sw, flow: other}, false},
		{step{datapath: sw, flow: old}, step{datapath: sw}, false},
		{step{datapath: sw}, step{datapath: sw}, true},
	} {
		if x.a.same(x.b) != x.same || x.b.same(x.a) != x.same {
			t.Errorf("%+v and %+v: the same is not %v", x.a, x.b, x.same)
		}
	}
}
