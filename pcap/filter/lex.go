package filter

import (
	"errors"
	"math"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// Bounds of an expression: the parser recurses, and programs grow with it.
const (
	maxLength = 64 << 10 // bytes
	maxDepth  = 500      // brackets and prefix operators within each other
)

// kind is what a token is.
type kind uint8

const (
	end     kind = iota // of the expression
	keyword             // word of the language, in its canonical spelling
	symbol              // operator or bracket
	number
	name // of a host, port or protocol, perhaps escaped with a backslash
	mac  // 00:11:22:33:44:55 and its other spellings
	dots // 10.1, 10.1.2 or 10.1.2.3
	ipv6
	notMAC // an Ethernet address gone wrong
)

// token is a word of an expression.
type token struct {
	kind   kind
	text   string // keywords and symbols: the canonical spelling
	source string // as it is written
	num    uint32 // of a number
	column int
}

func (t token) is(k kind, text string) bool { return t.kind == k && t.text == text }

// String names a token in an error.
func (t token) String() string {
	if t.kind == end {
		return "the end"
	}
	const enough = 60
	if len(t.source) > enough {
		return strconv.Quote(t.source[:enough] + "...")
	}
	return strconv.Quote(t.source)
}

// wordShape is what words of a kind look like.
type wordShape struct {
	kind  kind
	shape *regexp.Regexp
}

// shapes of words. Where several fit, the longest does, and of equally long
// ones the first. To compile them takes longer than most commands that need none.
var shapes = sync.OnceValue(func() []wordShape {
	return []wordShape{
		{mac, shape(`B:B:B:B:B:B|B-B-B-B-B-B|B\.B\.B\.B\.B\.B|D\.D\.D|E`)},
		{number, shape(`N`)},
		{dots, shape(`N\.N(\.N(\.N)?)?`)},
		{ipv6, shape(ipv6Shapes())},
		{notMAC, shape(`B:+(B:+)+`)},
		{name, shape(`[A-Za-z0-9]([-_.A-Za-z0-9]*[.A-Za-z0-9])?`)},
		{name, shape(`\\[^ !()\n\t]+`)},
		{symbol, shape(`&&|\|\||[<>!=]=|<<|>>|[-+*/%:\[\]!<>()&|^=]`)},
	}
})

// shape compiles a pattern in which B stands for a byte in hexadecimal, W for
// up to four digits of it, D for four, E for twelve, and N for a number.
func shape(pattern string) *regexp.Regexp {
	pattern = regexp.MustCompile(`\b[BWDEN]\b`).ReplaceAllStringFunc(pattern, func(letter string) string {
		return map[string]string{
			"B": `[0-9A-Fa-f]{1,2}`, "W": `[0-9A-Fa-f]{1,4}`, "D": `[0-9A-Fa-f]{4}`, "E": `[0-9A-Fa-f]{12}`,
			"N": `([0-9]+|0[xX][0-9A-Fa-f]+)`,
		}[letter]
	})
	re := regexp.MustCompile(`^(` + pattern + `)`)
	re.Longest()
	return re
}

// ipv6Shapes are the spellings of an IPv6 address: eight groups, or fewer
// around a double colon; the last two may be written as an IPv4 address.
func ipv6Shapes() string {
	const v4 = `N\.N\.N\.N`
	out := []string{`W(:W){7}`, `W(:W){5}:` + v4}
	for before := range 8 {
		head := strings.TrimSuffix(strings.Repeat("W:", before), ":") + "::"
		for after := range 8 - before {
			out = append(out, head+strings.TrimSuffix(strings.Repeat("W:", after), ":"))
			if before+after <= 5 {
				out = append(out, head+strings.Repeat("W:", after)+v4)
			}
		}
	}
	return strings.Join(out, "|")
}

// lex splits an expression into tokens, the last of which is its end.
func lex(s string) ([]token, error) {
	if len(s) > maxLength {
		return nil, errorAt(maxLength+1, "the expression has %d bytes, more than %d", len(s), maxLength)
	}
	var out []token
	for i := 0; ; {
		for i < len(s) && strings.IndexByte(" \r\n\t", s[i]) >= 0 {
			i++
		}
		if i == len(s) {
			return append(out, token{kind: end, column: i + 1}), nil
		}
		t, size, err := scan(s[i:])
		if err != nil {
			return nil, errorAt(i+1, "%v", err)
		}
		t.column, t.source = i+1, s[i:i+size]
		out = append(out, t)
		i += size
	}
}

// scan reads the token that s begins with.
func scan(s string) (t token, size int, err error) {
	for _, c := range shapes() {
		if m := c.shape.FindStringIndex(s); m != nil && m[1] > size {
			t.kind, size = c.kind, m[1]
		}
	}
	if size == 0 {
		return t, 0, errors.New(strconv.QuoteRune([]rune(s)[0]) + " is not of the language of filters: see " +
			"pcap-filter(7)")
	}
	t.text, t.source = s[:size], s[:size]
	switch t.kind {
	case number:
		t.num, err = parseNumber(t.text)
	case symbol:
		t = operator(t)
	case name:
		t = word(t)
	case notMAC:
		err = errors.New(t.String() + " is no Ethernet address: want six bytes, such as 02:00:5e:10:00:01")
	case ipv6:
		if _, e := netip.ParseAddr(t.text); e != nil {
			err = errors.New(t.String() + " is no IPv6 address")
		}
	}
	return t, size, err
}

// operator settles which of a symbol's spellings is the canonical one.
func operator(t token) token {
	switch t.text {
	case "&&":
		return token{kind: keyword, text: "and"}
	case "||":
		return token{kind: keyword, text: "or"}
	case "!":
		return token{kind: keyword, text: "not"}
	case "==":
		t.text = "="
	}
	return t
}

// word tells keywords and named numbers from names.
func word(t token) token {
	if n, ok := numbers[t.text]; ok {
		return token{kind: number, text: t.text, num: n}
	}
	if k, ok := keywords[t.text]; ok {
		return token{kind: keyword, text: k}
	}
	t.text = strings.TrimPrefix(t.text, `\`)
	return t
}

// parseNumber reads a number in C's notation.
func parseNumber(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 0, 64)
	if len(s) > 1 && s[0] == '0' && s[1]|0x20 != 'x' {
		n, err = strconv.ParseUint(s, 8, 64)
	}
	switch {
	case errors.Is(err, strconv.ErrRange) || err == nil && n > math.MaxUint32:
		return 0, errors.New(s + " does not fit in 32 bits")
	case err != nil:
		return 0, errors.New(s + " is no number: after a leading 0 only octal digits, or x and hexadecimal ones, " +
			"may follow")
	}
	return uint32(n), nil
}
