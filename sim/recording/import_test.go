package recording

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"ovnreplay/conntrack"
)

// dumpOf is a dump of n connections as it comes out of a pipe, in one of two forms.
func dumpOf(n int, kernel bool) io.Reader {
	r, w := io.Pipe()
	go func() {
		var b bytes.Buffer
		for i := range n {
			from, port, as := fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255), 1024+i*7%60000,
				fmt.Sprintf("172.%d.%d.%d", 32+i>>16, i>>8&255, i&255)
			if kernel {
				fmt.Fprintf(&b, "ipv4     2 tcp      6 86399 ESTABLISHED src=%s dst=172.18.0.1 sport=%d dport=8080 "+
					"src=172.18.0.1 dst=%s sport=8080 dport=%d [ASSURED] mark=0 zone=%d use=1\n", from, port, as, port,
					1+i%20)
			} else {
				fmt.Fprintf(&b, "tcp,orig=(src=%s,dst=172.18.0.1,sport=%d,dport=8080),reply=(src=172.18.0.1,dst=%s,"+
					"sport=8080,dport=%d),zone=%d,timeout=86000,protoinfo=(state=ESTABLISHED)\n", from, port, as, port,
					1+i%20)
			}
			if b.Len() > 1<<16 || i == n-1 {
				if _, err := b.WriteTo(w); err != nil {
					return
				}
			}
		}
		w.Close()
	}()
	return r
}

// alive is how many bytes are in use when all garbage is gone.
func alive() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A connection of a dump takes at most 300 bytes while it is imported and after: in the table, and nowhere else.
// What is read of a line is little garbage, too.
func TestImportedConnectionsTakeLittle(t *testing.T) {
	const n, most, garbage = 200_000, 300, 600
	for _, kernel := range []bool{false, true} {
		table := conntrack.NewTable(conntrack.Options{Profile: conntrack.Linux})
		var before, m runtime.MemStats
		base := alive()
		runtime.ReadMemStats(&before)
		in, count, peak := table.Importing(1), 0, uint64(0)
		err := Files{Stdin: dumpOf(n, kernel)}.EachDumped("-", func(e *conntrack.Entry) error {
			if count++; count%(n/4) == 0 {
				peak = max(peak, alive()-base)
			}
			return in.Add(e)
		})
		runtime.ReadMemStats(&m)
		if err != nil || table.Len(1) != n {
			t.Fatalf("%d connections: %v", table.Len(1), err)
		}
		if peak > n*most || (m.TotalAlloc-before.TotalAlloc)/n > garbage {
			t.Errorf("kernel %v: %d bytes a connection, %d with garbage", kernel, peak/n,
				(m.TotalAlloc-before.TotalAlloc)/n)
		}
	}
}

// What is imported and taken back leaves the table as it was.
func TestImportTakenBack(t *testing.T) {
	t.Parallel()
	read := func(n int) (all []conntrack.Entry) {
		all, err := conntrack.ReadDump(dumpOf(n, false), "dump")
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	for _, before := range []int{0, 3} {
		var saved [2][]byte
		for i := range saved {
			table := conntrack.NewTable(conntrack.Options{Profile: conntrack.Linux})
			if err := table.Import(1, read(before)); err != nil {
				t.Fatal(err)
			}
			if i == 1 {
				in := table.Importing(1)
				for _, e := range read(100)[before:] {
					if err := in.Add(&e); err != nil {
						t.Fatal(err)
					}
				}
				in.Undo()
			}
			var b strings.Builder
			if err := table.WriteDump(&b, 1, conntrack.DpctlMoreStat); err != nil {
				t.Fatal(err)
			}
			saved[i] = []byte(b.String())
			if before == 0 {
				saved[i] = table.Save(nil)
			}
		}
		if !slices.Equal(saved[0], saved[1]) {
			t.Errorf("a table of %d connections was\n%q, and is\n%q", before, saved[0], saved[1])
		}
	}
}
