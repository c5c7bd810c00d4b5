package store

import (
	"fmt"
	"strconv"

	"github.com/ovn-org/libovsdb/ovsdb"
)

// appendGoAtom appends the canonical form of an atom as the client gives it:
// numbers are float64 in answers and int in its cache.
func appendGoAtom(out []byte, t atomType, in any) ([]byte, error) {
	switch v := in.(type) {
	case string:
		if t == stringAtom {
			return append(out, v...), nil
		}
	case bool:
		if t == booleanAtom {
			return strconv.AppendBool(out, v), nil
		}
	case ovsdb.UUID:
		if u, ok := ParseUUID(v.GoUUID); ok && t == uuidAtom {
			return append(out, u[:]...), nil
		}
	case int:
		if t == integerAtom {
			return strconv.AppendInt(out, int64(v), 10), nil
		}
	case float64:
		switch t {
		case integerAtom:
			return strconv.AppendInt(out, int64(v), 10), nil
		case realAtom:
			return strconv.AppendFloat(out, v, 'g', -1, 64), nil
		}
	}
	return out, fmt.Errorf("%v (%T) is not of the column's type", in, in)
}
