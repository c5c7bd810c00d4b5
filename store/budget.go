package store

import (
	"fmt"

	"ovnreplay/pcap/compressed"
)

// DefaultMaxMemory is the memory that a database may take unless told otherwise.
const DefaultMaxMemory = 2 << 30

// What a database takes is bounded by what its source really holds, too: this
// much whatever its size, and so much for each byte of the file. Databases take
// 5 to 20 bytes for each byte of their smallest compressed form.
const (
	memoryFree    = 32 << 20
	memoryPerByte = 40
)

// About what is kept takes, beside its bytes.
const (
	valueCost     = 80  // a distinct value: its string, its place in two indexes
	rowCost       = 100 // a row and its place in its table
	operationCost = 100 // a change not made yet
)

// MemoryError is a database that takes more memory than it may.
type MemoryError struct {
	Source string
	Limit  int64
	Given  bool // the user gave the limit
	Read   int64
}

func (e *MemoryError) Error() string {
	s := fmt.Sprintf("%s: takes more than %s of memory", e.Source, e.limit())
	if !e.Given && e.Limit < DefaultMaxMemory {
		s += fmt.Sprintf(", which is too much for a database of %d bytes", e.Read)
	}
	return s + "; if it is a real one, raise the limit with --max-memory"
}

// limit is the limit in the greatest unit of which it has at least one.
func (e *MemoryError) limit() string {
	switch {
	case e.Limit >= 1<<20:
		return fmt.Sprintf("%d MiB", e.Limit>>20)
	case e.Limit >= 1<<10:
		return fmt.Sprintf("%d KiB", e.Limit>>10)
	}
	return fmt.Sprintf("%d B", e.Limit)
}

// budget is what a database may take, and takes. A nil budget has no bound.
type budget struct {
	source string
	limit  int64
	given  bool
	meter  *compressed.Meter // nil: the source's size is not known, or size
	size   int64

	values  int64 // of distinct values
	rows    int64 // of the rows there are
	changes int64 // of the transaction read, not applied yet
	text    int64 // of JSON kept to be read later

	refused error // final
}

func (o Options) budget(source string, meter *compressed.Meter) *budget {
	b := &budget{source: source, limit: int64(o.MaxMemory), given: o.MaxMemory > 0, meter: meter}
	if b.limit <= 0 {
		b.limit = DefaultMaxMemory
	}
	return b
}

// check tells whether what is taken, and extra bytes more, is too much.
func (b *budget) check(extra int64) error {
	if b == nil {
		return nil
	}
	limit, read := b.limit, b.size
	if b.meter != nil && !b.given {
		read = b.meter.Bytes()
		limit = min(limit, memoryFree+memoryPerByte*read)
	}
	if b.refused == nil && b.values+b.rows+b.changes+b.text+extra > limit {
		b.refused = &MemoryError{b.source, limit, b.given, read}
	}
	return b.refused
}

// unpacking are the limits of what may be unpacked: none but memory's where the
// user has given that.
func (o Options) unpacking() compressed.Limits {
	if o.MaxMemory > 0 {
		return compressed.Limits{}
	}
	return expansion
}

// keep counts n bytes of JSON kept; negative: forgotten.
func (b *budget) keep(n int) {
	if b != nil {
		b.text += int64(n)
	}
}

// value counts a distinct value.
func (b *budget) value(size int) {
	if b != nil {
		b.values += valueCost + int64(size)
	}
}

// row counts a row, or with sign -1 that it is gone.
func (b *budget) row(r *Row, sign int64) {
	if b != nil && r != nil {
		b.rows += sign * (rowCost + 8*int64(len(r.cells)))
	}
}

// change counts a change read.
func (b *budget) change(cells []cell) error {
	if b == nil {
		return nil
	}
	b.changes += operationCost + 8*int64(len(cells))
	return b.check(0)
}

// applied counts no changes any more.
func (b *budget) applied() {
	if b != nil {
		b.changes = 0
	}
}

// recount counts the rows of a database anew.
func (b *budget) recount(db *Database) {
	if b == nil {
		return
	}
	b.rows = 0
	for _, t := range db.tables {
		for _, r := range t.rows {
			b.row(r, 1)
		}
	}
}
