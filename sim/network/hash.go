package network

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"hash"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Hash tells networks apart by everything a replay can depend on. Two
// networks of one hash number their ports, flows and all else alike. When a
// binding was made or refreshed is not part of it.
func (n *Network) Hash() (sum [32]byte) {
	h := hasher{Hash: sha256.New()}
	h.fields(reflect.ValueOf(n).Elem(), func(list reflect.Value) {
		h.number(uint64(list.Len()))
		for i := range list.Len() {
			if x := list.Index(i); x.Kind() == reflect.Pointer && !x.IsNil() {
				h.fields(x.Elem(), h.value)
			} else {
				h.value(x)
			}
		}
	})
	h.Sum(sum[:0])
	return sum
}

type hasher struct {
	hash.Hash
	buf []byte
}

// derived are fields that say again what others say, or what changes nothing.
var derived = map[string]bool{
	"Datapath.Ports": true, "Datapath.Groups": true, "Datapath.LoadBalancers": true, "Datapath.DNS": true,
	"Datapath.Localnet": true, "Datapath.Flows": true, "Port.Containers": true,
	"MACBinding.Timestamp": true, "FDBEntry.Timestamp": true, "Network.Problems": true,
	"Network.AZ": true, "AZ.Source": true,
}

// fields hashes a struct, its lists by the function given.
func (h *hasher) fields(v reflect.Value, list func(reflect.Value)) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		switch {
		case !f.IsExported() || derived[t.Name()+"."+f.Name]:
		case f.Type.Kind() == reflect.Slice:
			list(v.Field(i))
		default:
			h.value(v.Field(i))
		}
	}
}

// value hashes a value; a pointer is hashed as the UUID of what it leads to, or
// its place in its list if it is no row.
func (h *hasher) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			h.text("")
			return
		}
		if uuid := v.Elem().FieldByName("UUID"); uuid.IsValid() {
			h.text(uuid.String())
		} else {
			h.value(v.Elem().FieldByName("Index"))
		}
	case reflect.Struct:
		if m, ok := v.Interface().(encoding.BinaryMarshaler); ok { // of package netip, never an error
			b, _ := m.MarshalBinary()
			h.text(string(b))
			return
		}
		h.fields(v, h.value)
	case reflect.Slice, reflect.Array:
		h.number(uint64(v.Len()))
		for i := range v.Len() {
			h.value(v.Index(i))
		}
	case reflect.Map:
		h.entries(v)
	case reflect.String:
		h.text(v.String())
	case reflect.Bool:
		if v.Bool() {
			h.number(1)
		} else {
			h.number(0)
		}
	case reflect.Int, reflect.Int64:
		h.number(uint64(v.Int()))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		h.number(v.Uint())
	default:
		panic("network: no hash of " + v.Type().String())
	}
}

// entries hashes a map from strings in the order of its keys.
func (h *hasher) entries(v reflect.Value) {
	byKey := make(map[string]reflect.Value, v.Len())
	for it := v.MapRange(); it.Next(); {
		byKey[it.Key().String()] = it.Value()
	}
	h.number(uint64(len(byKey)))
	for _, k := range slices.SortedFunc(maps.Keys(byKey), strings.Compare) {
		h.text(k)
		h.value(byKey[k])
	}
}

func (h *hasher) number(n uint64) {
	h.buf = binary.AppendUvarint(h.buf[:0], n)
	h.Write(h.buf)
}

func (h *hasher) text(s string) {
	h.buf = binary.AppendUvarint(h.buf[:0], uint64(len(s)))
	h.buf = append(h.buf, s...)
	h.Write(h.buf)
}
