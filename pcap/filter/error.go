package filter

import "fmt"

// Error says what is wrong with an expression, and where.
type Error struct {
	Column int    // 1-based, in bytes
	What   string // what is wrong, and what was expected
}

func (e *Error) Error() string { return fmt.Sprintf("column %d: %s", e.Column, e.What) }

func errorAt(column int, format string, args ...any) *Error {
	return &Error{column, fmt.Sprintf(format, args...)}
}
