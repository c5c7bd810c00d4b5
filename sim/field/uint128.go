package field

import "math/bits"

// Uint128 is an unsigned 128-bit integer.
type Uint128 struct{ Hi, Lo uint64 }

// U64 returns v as a Uint128.
func U64(v uint64) Uint128 { return Uint128{0, v} }

// Ones returns the number whose n lowest bits are set; n is 0 to 128.
func Ones(n int) Uint128 {
	switch {
	case n <= 0:
		return Uint128{}
	case n < 64:
		return Uint128{0, 1<<n - 1}
	case n < 128:
		return Uint128{1<<(n-64) - 1, ^uint64(0)}
	}
	return Uint128{^uint64(0), ^uint64(0)}
}

// FromBytes returns the number whose 16 big-endian bytes are b.
func FromBytes(b [16]byte) Uint128 {
	var v Uint128
	for i := range 8 {
		v.Hi = v.Hi<<8 | uint64(b[i])
		v.Lo = v.Lo<<8 | uint64(b[8+i])
	}
	return v
}

// Bytes returns v as 16 big-endian bytes.
func (v Uint128) Bytes() (b [16]byte) {
	for i := range 8 {
		b[7-i] = byte(v.Hi >> (8 * i))
		b[15-i] = byte(v.Lo >> (8 * i))
	}
	return b
}

// And returns v & w.
func (v Uint128) And(w Uint128) Uint128 { return Uint128{v.Hi & w.Hi, v.Lo & w.Lo} }

// AndNot returns v &^ w.
func (v Uint128) AndNot(w Uint128) Uint128 { return Uint128{v.Hi &^ w.Hi, v.Lo &^ w.Lo} }

// Or returns v | w.
func (v Uint128) Or(w Uint128) Uint128 { return Uint128{v.Hi | w.Hi, v.Lo | w.Lo} }

// Xor returns v ^ w.
func (v Uint128) Xor(w Uint128) Uint128 { return Uint128{v.Hi ^ w.Hi, v.Lo ^ w.Lo} }

// Not returns ^v.
func (v Uint128) Not() Uint128 { return Uint128{^v.Hi, ^v.Lo} }

// IsZero reports whether v is 0.
func (v Uint128) IsZero() bool { return v.Hi|v.Lo == 0 }

// Lsh returns v << n.
func (v Uint128) Lsh(n uint) Uint128 {
	if n >= 64 {
		return Uint128{v.Lo << (n - 64), 0}
	}
	if n == 0 {
		return v
	}
	return Uint128{v.Hi<<n | v.Lo>>(64-n), v.Lo << n}
}

// Rsh returns v >> n.
func (v Uint128) Rsh(n uint) Uint128 {
	if n >= 64 {
		return Uint128{0, v.Hi >> (n - 64)}
	}
	if n == 0 {
		return v
	}
	return Uint128{v.Hi >> n, v.Lo>>n | v.Hi<<(64-n)}
}

// Cmp returns -1, 0 or 1 as v is less than, equal to or greater than w.
func (v Uint128) Cmp(w Uint128) int {
	switch {
	case v == w:
		return 0
	case v.Hi < w.Hi || v.Hi == w.Hi && v.Lo < w.Lo:
		return -1
	}
	return 1
}

// Add returns v + w, wrapping.
func (v Uint128) Add(w Uint128) Uint128 {
	lo, c := bits.Add64(v.Lo, w.Lo, 0)
	hi, _ := bits.Add64(v.Hi, w.Hi, c)
	return Uint128{hi, lo}
}

// Sub returns v - w, wrapping.
func (v Uint128) Sub(w Uint128) Uint128 {
	lo, b := bits.Sub64(v.Lo, w.Lo, 0)
	hi, _ := bits.Sub64(v.Hi, w.Hi, b)
	return Uint128{hi, lo}
}

// Len returns the number of bits needed to hold v; 0 for 0.
func (v Uint128) Len() int {
	if v.Hi != 0 {
		return 64 + bits.Len64(v.Hi)
	}
	return bits.Len64(v.Lo)
}

// OnesCount returns the number of set bits of v.
func (v Uint128) OnesCount() int { return bits.OnesCount64(v.Hi) + bits.OnesCount64(v.Lo) }

// TrailingZeros returns the number of zero bits below the lowest set one;
// 128 for 0.
func (v Uint128) TrailingZeros() int {
	if v.Lo != 0 {
		return bits.TrailingZeros64(v.Lo)
	}
	return 64 + bits.TrailingZeros64(v.Hi)
}
