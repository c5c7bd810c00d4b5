package recording

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"

	"ovnreplay/pcap"
)

// counted is a source of records of a size, of which some cannot be read.
type counted struct {
	records, size int
	given         atomic.Int64
}

var errCounted = errors.New("damaged")

func (c *counted) Next(rec *pcap.Record) error {
	n := int(c.given.Add(1))
	switch {
	case n > c.records:
		return io.EOF
	case n%100 == 0:
		return errCounted
	}
	rec.Frame = n
	rec.Data = append(rec.Data[:0], make([]byte, c.size)...)
	rec.Data[0] = byte(n)
	return nil
}

func (c *counted) progress() (read, size int64) { return c.given.Load(), int64(c.records) }

// Records and errors read ahead come as they would otherwise.
func TestAhead(t *testing.T) {
	t.Parallel()
	for _, records := range []int{0, 1, 99, 100, batchRecords, batchRecords + 1, 5000} {
		t.Run(fmt.Sprint(records), func(t *testing.T) {
			t.Parallel()
			a := newAhead(&counted{records: records, size: 60}, (&counted{}).progress)
			defer a.stop()
			var rec pcap.Record
			want := counted{records: records, size: 60}
			for {
				wantErr := want.Next(&rec)
				got, err := a.next()
				if err != wantErr {
					t.Fatalf("%v, want %v", err, wantErr)
				}
				if err == io.EOF {
					return
				}
				if err == nil && (got.Frame != rec.Frame || string(got.Data) != string(rec.Data)) {
					t.Fatalf("record %d, want %d", got.Frame, rec.Frame)
				}
			}
		})
	}
}

// What is read ahead is bounded by its bytes, and ends when nobody wants it.
func TestAheadIsBounded(t *testing.T) {
	t.Parallel()
	const size = 60_000
	c := &counted{records: 1 << 30, size: size}
	a := newAhead(c, c.progress)
	for range 1000 {
		a.next()
	}
	held := 0
	for range batches - 1 { // of those that are full, one after the other
		b := <-a.full
		for i := range b.records {
			held += cap(b.records[i].Data)
		}
	}
	if held > batches*(2*batchBytes+batchBytes+2*size) {
		t.Errorf("%d bytes are held", held)
	}
	a.stop()
	after := c.given.Load()
	if again := c.given.Load(); again != after {
		t.Errorf("it reads on after its end")
	}
}
