package lflow

import "strconv"

// appendQuoted appends s as a string literal, with JSON's escapes. Bytes that
// need none, of whatever encoding, go out as they are.
func appendQuoted(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c >= ' ':
			b = append(b, c)
		case c == '\b':
			b = append(b, `\b`...)
		case c == '\f':
			b = append(b, `\f`...)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c == '\t':
			b = append(b, `\t`...)
		default:
			b = append(b, `\u00`...)
			b = append(b, hex[c>>4], hex[c&15])
		}
	}
	return append(b, '"')
}

// unquote resolves the escapes of a string literal's inside. On failure it
// returns a message.
func unquote(s string) (value, msg string) {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			b = append(b, s[i])
			i++
			continue
		}
		if i+1 == len(s) {
			return "", "quoted string may not end with backslash"
		}
		c := s[i+1]
		i += 2
		switch c {
		case '"', '\\', '/':
			b = append(b, c)
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			var n int
			if b, n, msg = unquoteUnicode(b, s[i:]); msg != "" {
				return "", msg
			}
			i += n
		default:
			return "", "bad escape \\" + string([]byte{c})
		}
	}
	return string(b), ""
}

// unquoteUnicode resolves a \u escape, s being what follows the u, and returns
// how much of s it used.
func unquoteUnicode(b []byte, s string) (_ []byte, n int, msg string) {
	u, msg := hex4(s)
	if msg != "" {
		return nil, 0, msg
	}
	if u < 0xd800 || u > 0xdbff {
		return appendCodePoint(b, u), 4, ""
	}
	if len(s) < 6 || s[4:6] != `\u` {
		return nil, 0, "malformed escaped surrogate pair"
	}
	v, msg := hex4(s[6:])
	if msg != "" {
		return nil, 0, msg
	}
	if v < 0xdc00 || v > 0xdfff {
		return nil, 0, "second half of escaped surrogate pair is not trailing surrogate"
	}
	return appendCodePoint(b, 0x10000+(u-0xd800)<<10+(v-0xdc00)), 10, ""
}

func hex4(s string) (uint32, string) {
	if len(s) < 4 {
		return 0, `quoted string ends within \u escape`
	}
	if hexRun(s[:4]) < 4 {
		return 0, `malformed \u escape`
	}
	v, _ := strconv.ParseUint(s[:4], 16, 32)
	if v == 0 {
		return 0, "null bytes not supported in quoted strings"
	}
	return uint32(v), ""
}

// appendCodePoint is utf8.AppendRune but for a lone trailing surrogate, which
// OVN encodes like any other code point.
func appendCodePoint(b []byte, u uint32) []byte {
	switch {
	case u < 0x80:
		return append(b, byte(u))
	case u < 0x800:
		return append(b, 0xc0|byte(u>>6), 0x80|byte(u&0x3f))
	case u < 0x10000:
		return append(b, 0xe0|byte(u>>12), 0x80|byte(u>>6&0x3f), 0x80|byte(u&0x3f))
	}
	return append(b, 0xf0|byte(u>>18), 0x80|byte(u>>12&0x3f), 0x80|byte(u>>6&0x3f), 0x80|byte(u&0x3f))
}

// Quote returns s as a string literal of a match or action.
func Quote(s string) string { return string(appendQuoted(nil, s)) }

// Unquote returns what a string literal's inside stands for; false if its
// escapes are wrong.
func Unquote(inside string) (string, bool) {
	s, msg := unquote(inside)
	return s, msg == ""
}
