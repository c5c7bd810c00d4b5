package store_test

import (
	"context"
	"fmt"

	"ovnreplay/store"
)

// A database is read from a file, and its rows asked for what they hold.
func Example() {
	db, err := store.Open(context.Background(), "../testdata/cases/nodeport/sb.db", store.Options{})
	if err != nil {
		panic(err)
	}
	fmt.Println(db.Name, db.Version, db.Format)
	for _, r := range db.Table("Load_Balancer").Rows()[:1] {
		for vip, backends := range r.Pairs("vips") {
			fmt.Println(r.Text("protocol"), vip, backends)
		}
	}
	// Output:
	// OVN_Southbound 20.27.0 standalone
	// tcp 10.96.91.161:80 10.244.1.3:81
}
