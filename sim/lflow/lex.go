package lflow

import (
	"fmt"
	"strings"

	"ovnreplay/sim/field"
)

// TokenType is the kind of a Token.
type TokenType uint8

const (
	TokenEnd           TokenType = iota // end of input
	TokenID                             // Text: foo
	TokenString                         // Text, unescaped: "foo"
	TokenInteger                        // Value: 12345, 1.2.3.4, ::1, 01:02:03:04:05:06
	TokenMaskedInteger                  // Value and Mask: 12345/10, 1.2.0.0/16, …
	TokenMacro                          // Text: $foo
	TokenPortGroup                      // Text: @foo
	TokenTemplate                       // Text: ^foo
	TokenError                          // Text is the message

	TokenLParen
	TokenRParen
	TokenLCurly
	TokenRCurly
	TokenLSquare
	TokenRSquare
	TokenEQ
	TokenNE
	TokenLT
	TokenLE
	TokenGT
	TokenGE
	TokenLogNot
	TokenLogAnd
	TokenLogOr
	TokenEllipsis
	TokenComma
	TokenSemicolon
	TokenEquals
	TokenExchange
	TokenDecrement
	TokenColon
	TokenHyphen
)

// punctuation is the text of the tokens that have only one.
var punctuation = [...]string{
	TokenEnd: "$", TokenLParen: "(", TokenRParen: ")", TokenLCurly: "{", TokenRCurly: "}",
	TokenLSquare: "[", TokenRSquare: "]", TokenEQ: "==", TokenNE: "!=", TokenLT: "<",
	TokenLE: "<=", TokenGT: ">", TokenGE: ">=", TokenLogNot: "!", TokenLogAnd: "&&",
	TokenLogOr: "||", TokenEllipsis: "..", TokenComma: ",", TokenSemicolon: ";",
	TokenEquals: "=", TokenExchange: "<->", TokenDecrement: "--", TokenColon: ":", TokenHyphen: "-",
}

// Token is a lexical unit of a match or of actions.
type Token struct {
	Type     TokenType
	Format   Format // how an integer was written
	Pos, End int    // byte offsets in the source

	// Text is an identifier (without its $, @ or ^), a string's value or a
	// lexical error's message. It may share the source's memory.
	Text string

	// Value of an integer and, when masked, its Mask. No bit of Value lies
	// outside Mask. Numbers of more than 128 bits, which lex but fit no
	// field, also keep their full width out of sight.
	Value, Mask field.Uint128
	wide        *wideNumber
}

// String returns the token as OVN prints it, which lexes to the same token
// again (but for the end of input, "$", and errors).
func (t Token) String() string { return string(t.append(nil)) }

func (t *Token) append(b []byte) []byte {
	switch t.Type {
	case TokenID:
		return append(b, t.Text...)
	case TokenString:
		return appendQuoted(b, t.Text)
	case TokenInteger, TokenMaskedInteger:
		return appendNumber(b, t.Value, t.Mask, t.Type == TokenMaskedInteger, t.Format, t.wide)
	case TokenMacro:
		return append(append(b, '$'), t.Text...)
	case TokenPortGroup:
		return append(append(b, '@'), t.Text...)
	case TokenTemplate:
		return append(append(b, '^'), t.Text...)
	case TokenError:
		return append(appendQuoted(append(b, "error("...), t.Text), ')')
	}
	return append(b, punctuation[t.Type]...)
}

// Lex returns the tokens of src up to its end, which is not among them.
// A lexical error is a token of its own; lexing goes on after it.
func Lex(src string) []Token {
	lx := newLexer(src)
	tokens := make([]Token, 0, 1+len(lx.src)/4)
	for {
		var t Token
		lx.next(&t)
		if t.Type == TokenEnd {
			return tokens
		}
		tokens = append(tokens, t)
	}
}

// lexer cuts src into tokens, from pos on.
type lexer struct {
	src string
	pos int
}

// newLexer starts at the beginning of src. A NUL byte ends the input, as it
// does for OVN.
func newLexer(src string) lexer {
	if i := strings.IndexByte(src, 0); i >= 0 {
		src = src[:i]
	}
	return lexer{src: src}
}

// at returns the byte at i, or 0 beyond the end.
func (lx *lexer) at(i int) byte {
	if i < len(lx.src) {
		return lx.src[i]
	}
	return 0
}

// next reads one token into t.
func (lx *lexer) next(t *Token) {
	*t = Token{}
	msg := lx.skipBlank(t)
	if msg == "" {
		msg = lx.token(t)
	}
	if msg != "" {
		t.Type, t.Text = TokenError, msg
	}
	t.End = lx.pos
}

// skipBlank passes white space and comments and notes in t where the token
// begins. It returns a message when what looked like a comment is none.
func (lx *lexer) skipBlank(t *Token) (msg string) {
	for {
		t.Pos = lx.pos
		switch lx.at(lx.pos) {
		case ' ', '\t', '\n', '\r', '\v', '\f':
			lx.pos++
			continue
		case '/':
		default:
			return ""
		}
		rest := lx.src[lx.pos+1:]
		switch {
		case strings.HasPrefix(rest, "/"):
			if i := strings.IndexByte(rest, '\n'); i >= 0 {
				lx.pos += 1 + i
			} else {
				lx.pos = len(lx.src)
			}
		case strings.HasPrefix(rest, "*"):
			end := strings.Index(rest[1:], "*/")
			line := strings.IndexByte(rest, '\n')
			if end < 0 || line >= 0 && line < 1+end {
				lx.pos = len(lx.src)
				if line >= 0 {
					lx.pos = t.Pos + 1 + line
				}
				return "`/*' without matching `*/'."
			}
			lx.pos += 1 + 1 + end + 2
		default:
			lx.pos++
			return "`/' is only valid as part of `//' or `/*'."
		}
	}
}

// token reads the token that begins at lx.pos; it returns an error's message.
func (lx *lexer) token(t *Token) (msg string) {
	if lx.pos >= len(lx.src) {
		return ""
	}
	switch c := lx.src[lx.pos]; c {
	case '$':
		return lx.sigil(t, TokenMacro, "`$' must be followed by a valid identifier.")
	case '@':
		return lx.sigil(t, TokenPortGroup, "`@' must be followed by a valid identifier.")
	case '^':
		return lx.sigil(t, TokenTemplate, "`^' must be followed by a valid identifier.")
	case '"':
		return lx.quoted(t)
	case '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return lx.number(t)
	case '.':
		if lx.at(lx.pos+1) != '.' {
			lx.pos++
			return "`.' is only valid as part of `..' or a number."
		}
		return lx.operator(t)
	default:
		switch {
		case isIDStart(c):
			// Addresses that begin with a letter begin with hex digits and
			// a colon, which no identifier does.
			if isHex(c) && lx.at(lx.pos+hexRun(lx.src[lx.pos:])) == ':' {
				return lx.number(t)
			}
			t.Type, t.Text = TokenID, lx.identifier()
			return ""
		case c == ':' && lx.at(lx.pos+1) == ':':
			return lx.number(t)
		}
		return lx.operator(t)
	}
}

// identifier takes the identifier at lx.pos, whose first byte is known good.
func (lx *lexer) identifier() string {
	start := lx.pos
	for lx.pos++; lx.pos < len(lx.src) && isIDPart(lx.src[lx.pos]); lx.pos++ {
	}
	return lx.src[start:lx.pos]
}

func (lx *lexer) sigil(t *Token, typ TokenType, msg string) string {
	lx.pos++
	if !isIDStart(lx.at(lx.pos)) {
		return msg
	}
	t.Type, t.Text = typ, lx.identifier()
	return ""
}

// operators in the order to try them: longer ones before their beginnings.
var operators = []struct {
	text string
	typ  TokenType
}{
	{"(", TokenLParen}, {")", TokenRParen}, {"{", TokenLCurly}, {"}", TokenRCurly},
	{"[", TokenLSquare}, {"]", TokenRSquare}, {"==", TokenEQ}, {"=", TokenEquals},
	{"!=", TokenNE}, {"!", TokenLogNot}, {"&&", TokenLogAnd}, {"||", TokenLogOr},
	{"<=", TokenLE}, {"<->", TokenExchange}, {"<", TokenLT}, {">=", TokenGE}, {">", TokenGT},
	{"..", TokenEllipsis}, {",", TokenComma}, {";", TokenSemicolon},
	{"--", TokenDecrement}, {"-", TokenHyphen}, {":", TokenColon},
}

func (lx *lexer) operator(t *Token) (msg string) {
	rest := lx.src[lx.pos:]
	for i := range operators {
		if op := &operators[i]; rest[0] == op.text[0] && strings.HasPrefix(rest, op.text) {
			t.Type = op.typ
			lx.pos += len(op.text)
			return ""
		}
	}
	lx.pos++
	switch c := rest[0]; {
	case c == '&':
		return "`&' is only valid as part of `&&'."
	case c == '|':
		return "`|' is only valid as part of `||'."
	case c >= ' ' && c <= '~':
		return fmt.Sprintf("Invalid character `%c' in input.", c)
	default:
		return fmt.Sprintf("Invalid byte 0x%d in input.", int8(c)) // decimal, as OVN has it
	}
}

// quoted takes the string literal at lx.pos.
func (lx *lexer) quoted(t *Token) (msg string) {
	start := lx.pos + 1
	escaped := false
	for i := start; i < len(lx.src); i++ {
		switch lx.src[i] {
		case '"':
			lx.pos = i + 1
			t.Type, t.Text = TokenString, lx.src[start:i]
			if escaped {
				t.Text, msg = unquote(t.Text)
			}
			return msg
		case '\\':
			escaped = true
			i++
		}
	}
	lx.pos = len(lx.src)
	return "Input ends inside quoted string."
}

func isIDStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '.'
}

func isIDPart(c byte) bool { return isIDStart(c) || isDigit(c) }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isHex(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// hexRun returns the number of hex digits s begins with.
func hexRun(s string) int {
	n := 0
	for n < len(s) && isHex(s[n]) {
		n++
	}
	return n
}
