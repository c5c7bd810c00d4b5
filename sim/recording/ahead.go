package recording

import (
	"sync"

	"ovnreplay/pcap"
)

// ahead reads captures on a goroutine of its own, as far before their records
// are asked for as a bound on their bytes allows. The records, errors and their
// order are those of reading them when they are asked for.
type ahead struct {
	full, free chan *batch
	quit       chan struct{}
	reader     sync.WaitGroup

	now *batch // whose records are being given
	at  int
}

// batch is records that are handed over together.
type batch struct {
	records    []pcap.Record
	errs       []error // of a record, nil if it could be read
	n          int
	read, size int64 // of the captures, when all of it was read
}

// A batch is full with so many records or bytes, and so many batches are there.
const (
	batchRecords = 256
	batchBytes   = 256 << 10
	batches      = 4
)

// newAhead begins to read; progress tells how much of how much is read.
func newAhead(from pcap.Source, progress func() (read, size int64)) *ahead {
	a := &ahead{full: make(chan *batch, batches), free: make(chan *batch, batches), quit: make(chan struct{})}
	for range batches {
		a.free <- &batch{records: make([]pcap.Record, batchRecords), errs: make([]error, batchRecords)}
	}
	a.reader.Add(1)
	go func() {
		defer a.reader.Done()
		defer close(a.full)
		for a.fill(from, progress) {
		}
	}()
	return a
}

// fill reads a batch; false if nothing comes after it.
func (a *ahead) fill(from pcap.Source, progress func() (read, size int64)) bool {
	var b *batch
	select {
	case b = <-a.free:
	case <-a.quit:
		return false
	}
	b.shrink()
	bytes, last := 0, false
	for b.n = 0; b.n < batchRecords && bytes < batchBytes && !last; b.n++ {
		rec := &b.records[b.n]
		b.errs[b.n] = from.Next(rec)
		bytes += len(rec.Data) + rec.Size() - cap(rec.Data)
		last = ended(b.errs[b.n])
	}
	b.read, b.size = progress()
	a.full <- b // there is room for all batches
	return !last
}

// shrink gives up buffers beyond those that a batch needs: large frames come in
// turn to every record's.
func (b *batch) shrink() {
	held := 0
	for i := range b.records {
		if held += b.records[i].Size(); held > 2*batchBytes {
			b.records[i] = pcap.Record{}
		}
	}
}

// next returns the next record, which is valid until the call after, or what
// reading it said.
func (a *ahead) next() (*pcap.Record, error) {
	if a.now == nil || a.at == a.now.n {
		if a.now != nil {
			a.free <- a.now
		}
		a.now, a.at = <-a.full, 0
	}
	i := a.at
	a.at++
	return &a.now.records[i], a.now.errs[i]
}

// stop ends the reading.
func (a *ahead) stop() {
	close(a.quit)
	a.reader.Wait()
}
