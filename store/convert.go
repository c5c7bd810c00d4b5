package store

// takeOver gives db the schema and tables of next. Rows handed out before
// keep the tables they had.
func (db *Database) takeOver(next *Database) {
	db.Name, db.Version, db.tables = next.Name, next.Version, next.tables
	for _, t := range db.tables {
		t.db = db
	}
}

// converted makes tables of schema s that hold db's rows as far as s has
// their tables and columns, as a server does when a schema is converted.
func (db *Database) converted(s *schema) *Database {
	next := &Database{values: db.values}
	next.adopt(s)
	for name, old := range db.tables {
		t := next.tables[name]
		if t == nil {
			continue
		}
		for u, r := range old.rows {
			var cells []cell
			for i, c := range t.columns {
				from, ok := old.index[c.name]
				if !ok {
					continue
				}
				if v := db.values.recast(r.value(from), old.columns[from].typ, c.typ); v != 0 {
					cells = append(cells, cell{uint16(i), v})
				}
			}
			t.rows[u] = &Row{UUID: u, Since: r.Since, table: t, cells: cells}
		}
	}
	next.values = db.values
	return next
}

// recast gives a value of one type as another; what cannot be said in the
// other is the default.
func (v *values) recast(value uint32, from, to columnType) uint32 {
	if from.scalar() == to.scalar() && from.key == to.key && from.value == to.value {
		return value
	}
	if from.key != to.key || from.value != 0 || to.value != 0 {
		return 0
	}
	text := v.text[value]
	if to.scalar() {
		atom, _ := cutAtom(text)
		return v.id(scalarForm(to.key, []byte(atom)))
	}
	if text == "" {
		text = defaultAtom(from.key)
	}
	return v.id(appendAtom(nil, []byte(text)))
}

// defaultAtom is the atom a scalar of "" stands for.
func defaultAtom(t atomType) string {
	switch t {
	case integerAtom, realAtom:
		return "0"
	case booleanAtom:
		return "false"
	case uuidAtom:
		return string(make([]byte, 16))
	}
	return ""
}
