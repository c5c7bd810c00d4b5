package store

import (
	"unicode/utf16"
	"unicode/utf8"
)

// escaped takes the rest of a string in which pos is at the first backslash;
// buf[start:pos] is what came before.
func (in *input) escaped(start int) ([]byte, error) {
	in.scratch = append(in.scratch[:0], in.buf[start:in.pos]...)
	for {
		if len(in.scratch) > maxToken {
			in.readErr = errToken
		}
		if in.readErr == errToken || in.pos == in.stop && !in.more(in.pos) {
			return nil, errEnd
		}
		c := in.buf[in.pos]
		switch {
		case c == '"':
			in.pos++
			return in.scratch, nil
		case c == '\\':
			in.pos++
			if err := in.escape(); err != nil {
				return nil, err
			}
		case c < ' ':
			return nil, in.errorf("control character %#02x in a string", c)
		default:
			in.scratch = append(in.scratch, c)
			in.pos++
		}
	}
}

// escape takes what follows a backslash.
func (in *input) escape() error {
	if in.pos == in.stop && !in.more(in.pos) {
		return errEnd
	}
	c := in.buf[in.pos]
	in.pos++
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		return in.unicode()
	default:
		return in.errorf("unknown escape \\%c", c)
	}
	in.scratch = append(in.scratch, c)
	return nil
}

// unicode takes the four digits of a \u escape, and the second half of a
// surrogate pair.
func (in *input) unicode() error {
	r, err := in.hex4()
	if err != nil {
		return err
	}
	if utf16.IsSurrogate(r) {
		if err := in.literal(`\u`); err != nil {
			return err
		}
		low, err := in.hex4()
		if err != nil {
			return err
		}
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			return in.errorf("a \\u escape is half of a surrogate pair")
		}
	}
	in.scratch = utf8.AppendRune(in.scratch, r)
	return nil
}

func (in *input) literal(s string) error {
	for i := range len(s) {
		if in.pos == in.stop && !in.more(in.pos) {
			return errEnd
		}
		if in.buf[in.pos] != s[i] {
			return in.errorf("%q where %q was expected", in.buf[in.pos], s[i])
		}
		in.pos++
	}
	return nil
}

func (in *input) hex4() (rune, error) {
	var r rune
	for range 4 {
		if in.pos == in.stop && !in.more(in.pos) {
			return 0, errEnd
		}
		d, ok := nibble(in.buf[in.pos])
		if !ok {
			return 0, in.errorf("%q in a \\u escape", in.buf[in.pos])
		}
		r = r<<4 | rune(d)
		in.pos++
	}
	return r, nil
}
