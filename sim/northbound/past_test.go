package northbound

import (
	"context"
	"crypto/sha1"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ovnreplay/sim/network"
	"ovnreplay/store"
)

// A row is told as it was when a packet met the flow that was made of it: not as it became, and of
// one that went what it was last.
func TestRowsAreOfTheirMoment(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile(recorded + "nb.db")
	if err != nil {
		t.Fatal(err)
	}
	now, err := Open(context.Background(), recorded+"nb.db", store.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	uuid := ""
	for _, o := range now.All {
		if o.Table == "ACL" {
			uuid = o.UUID
		}
	}
	for i, change := range []string{`{"action":"drop"}`, "null"} {
		body := fmt.Sprintf(`{"ACL":{"%s":%s},"_date":%d}`+"\n", uuid, change, 1000*(i+1))
		file = append(file, fmt.Sprintf("OVSDB JSON %d %x\n%s", len(body), sha1.Sum([]byte(body)), body)...)
	}
	name := filepath.Join(t.TempDir(), "nb.db")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	objects, err := Open(context.Background(), name, store.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	f := &network.Flow{Stage: "ls_out_acl", StageHint: uuid[:8]}
	for _, joined := range []*network.Objects{objects, network.JoinObjects(objects, now)} {
		for millis, want := range map[int64]string{500: "1001 allow-related: ", 1500: "1001 drop: ",
			2500: "1001 drop: "} {
			o := joined.At(f, millis*1e6)
			if o == nil || !strings.Contains(o.Text, want) || !strings.HasPrefix(o.Of, "switch ") {
				t.Errorf("after %d ms it is %v, want %s", millis, o, want)
			}
		}
	}
	if o := now.ForFlow(f); o == nil || !strings.Contains(o.Text, "allow-related") {
		t.Errorf("without a history it is %v", o)
	}
}

// A row that was another before what the database knows is said to be as of the snapshot, for packets
// of before; where the history holds the change it is told as it was.
func TestRowsRemadeAreAsOfTheSnapshot(t *testing.T) {
	t.Parallel()
	plain, err := Open(context.Background(), recorded+"nb.db", store.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"ACL", "Load_Balancer"} {
		i := slices.IndexFunc(plain.All, func(o *network.Object) bool { return o.Table == table })
		if i < 0 {
			t.Fatalf("the recording has no %s", table)
		}
		row := plain.All[i]
		change := time.Unix(1700000000, 0)
		objects, err := Open(context.Background(), recorded+"nb.db", store.Options{}, Remade{row.UUID[:8]: change})
		if err != nil {
			t.Fatal(err)
		}
		f := &network.Flow{Stage: "ls_out_acl lr_in_dnat", StageHint: row.UUID[:8]}
		for ago, want := range map[time.Duration]bool{time.Second: true, -time.Second: false} {
			o := objects.At(f, change.Add(-ago).UnixNano())
			const said = "as of the snapshot, after a change at 2023-11-14T22:13:20Z: "
			if o == nil || strings.HasPrefix(o.Text, said) != want || !strings.HasSuffix(o.Text, row.Text) {
				t.Errorf("%v before the change it is %v", ago, o)
			}
			if table == "Load_Balancer" && strings.HasPrefix(o.Lead, "as of the snapshot") != want {
				t.Errorf("%v before the change parts are told after %q", ago, o.Lead)
			}
		}
	}
}
