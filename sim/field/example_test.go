package field_test

import (
	"fmt"

	"ovnreplay/sim/field"
)

// A register's bits are set and read as part of the wider register that holds it.
func Example() {
	var key field.Key
	key.Set(field.IP4Dst, 0x0a000001)
	reg1 := field.Slice{Field: field.XXReg0, Ofs: 64, Width: 32} // reg0 is the most significant
	key.Store(reg1, field.U64(7))
	fmt.Printf("%#x %d %d\n", key.Get(field.IP4Dst), key.Load(reg1).Lo, key.Get128(field.XXReg0).Hi)
	// Output: 0xa000001 7 7
}
