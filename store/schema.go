package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// atomType is the type of one atom (RFC 7047 section 3.2, <atomic-type>).
type atomType uint8

const (
	integerAtom atomType = iota + 1
	realAtom
	booleanAtom
	stringAtom
	uuidAtom
)

// columnType is a column's type. A value of it is a scalar (exactly one
// atom), or a set, or a map.
type columnType struct {
	key   atomType
	value atomType // 0 unless a map
	min   int      // 0 or 1
	many  bool     // more than one element allowed
}

// scalar reports whether every value of the column is exactly one atom.
func (t columnType) scalar() bool { return t.value == 0 && t.min == 1 && !t.many }

type column struct {
	name string
	typ  columnType
}

// schema is a database schema: its name, version, tables.
type schema struct {
	name, version string
	tables        []tableSchema // by name
}

type tableSchema struct {
	name    string
	columns []column // by name
}

// The JSON of a schema (RFC 7047 section 3.2).
type (
	schemaJSON struct {
		Name    string                      `json:"name"`
		Version string                      `json:"version"`
		Tables  map[string]*tableSchemaJSON `json:"tables"`
	}
	tableSchemaJSON struct {
		Columns map[string]struct {
			Type json.RawMessage `json:"type"`
		} `json:"columns"`
	}
	columnTypeJSON struct {
		Key   json.RawMessage `json:"key"`
		Value json.RawMessage `json:"value"`
		Min   *int            `json:"min"`
		Max   json.RawMessage `json:"max"`
	}
)

// maxColumns keeps a column number in 16 bits with room to spare.
const maxColumns = 1 << 12

// parseSchema reads a schema's JSON.
func parseSchema(text []byte) (*schema, error) {
	var in schemaJSON
	if err := json.Unmarshal(text, &in); err != nil {
		return nil, fmt.Errorf("not a database schema: %w", err)
	}
	if in.Name == "" || in.Tables == nil {
		return nil, errors.New("not a database schema: it has no name or no tables")
	}
	s := &schema{name: in.Name, version: in.Version}
	for name, t := range in.Tables {
		if t == nil {
			return nil, fmt.Errorf("table %s of the schema is null", name)
		}
		ts := tableSchema{name: name}
		if len(t.Columns) > maxColumns {
			return nil, fmt.Errorf("table %s of the schema has %d columns, more than %d", name, len(t.Columns),
				maxColumns)
		}
		for cname, c := range t.Columns {
			typ, err := parseColumnType(c.Type)
			if err != nil {
				return nil, fmt.Errorf("column %s of table %s: %w", cname, name, err)
			}
			ts.columns = append(ts.columns, column{cname, typ})
		}
		slices.SortFunc(ts.columns, func(a, b column) int { return compare(a.name, b.name) })
		s.tables = append(s.tables, ts)
	}
	slices.SortFunc(s.tables, func(a, b tableSchema) int { return compare(a.name, b.name) })
	return s, nil
}

func parseColumnType(raw json.RawMessage) (columnType, error) {
	t := columnType{min: 1}
	if len(raw) > 0 && raw[0] == '"' {
		key, err := parseAtomType(raw)
		t.key = key
		return t, err
	}
	var in columnTypeJSON
	if err := json.Unmarshal(raw, &in); err != nil {
		return t, fmt.Errorf("bad type: %w", err)
	}
	var err error
	if t.key, err = parseAtomType(in.Key); err != nil {
		return t, err
	}
	if len(in.Value) > 0 {
		if t.value, err = parseAtomType(in.Value); err != nil {
			return t, err
		}
	}
	if in.Min != nil && *in.Min == 0 {
		t.min = 0
	}
	// Only "exactly one", "at most one" and "more" differ in how values are written.
	switch string(in.Max) {
	case "", "1":
	default:
		t.many = true
	}
	return t, nil
}

func parseAtomType(raw json.RawMessage) (atomType, error) {
	var name string
	if len(raw) > 0 && raw[0] == '{' {
		var base struct {
			Type string `json:"type"`
		}
		if err := json.Unmarshal(raw, &base); err != nil {
			return 0, fmt.Errorf("bad type: %w", err)
		}
		name = base.Type
	} else if err := json.Unmarshal(raw, &name); err != nil {
		return 0, fmt.Errorf("bad type: %w", err)
	}
	switch name {
	case "integer":
		return integerAtom, nil
	case "real":
		return realAtom, nil
	case "boolean":
		return booleanAtom, nil
	case "string":
		return stringAtom, nil
	case "uuid":
		return uuidAtom, nil
	}
	return 0, fmt.Errorf("unknown type %q", name)
}

// encodeSchema writes a database's schema in the JSON that parseSchema reads,
// the same bytes for the same schema.
func encodeSchema(db *Database) []byte {
	type typeJSON struct {
		Key   string `json:"key"`
		Value string `json:"value,omitempty"`
		Min   int    `json:"min"`
		Max   any    `json:"max"`
	}
	type columnJSON struct {
		Type typeJSON `json:"type"`
	}
	tables := make(map[string]map[string]map[string]columnJSON)
	for name, t := range db.tables {
		columns := make(map[string]columnJSON)
		for _, c := range t.columns {
			j := typeJSON{Key: c.typ.key.String(), Min: c.typ.min, Max: 1}
			if c.typ.value != 0 {
				j.Value = c.typ.value.String()
			}
			if c.typ.many {
				j.Max = "unlimited"
			}
			columns[c.name] = columnJSON{j}
		}
		tables[name] = map[string]map[string]columnJSON{"columns": columns}
	}
	// Maps of strings always marshal, and by key.
	text, err := json.Marshal(map[string]any{"name": db.Name, "version": db.Version, "tables": tables})
	if err != nil {
		panic(err)
	}
	return text
}

func (t atomType) String() string {
	return [...]string{"", "integer", "real", "boolean", "string", "uuid"}[t]
}
