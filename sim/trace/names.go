package trace

import (
	"strings"

	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
)

// portName is what a port is called: by default its second name, which people
// gave it, with a UUID at its end cut short.
func (b *Book) portName(p *network.Port) string {
	if b.PlainNames {
		return p.Name
	}
	if p.Name2 != "" {
		return ShortenUUID(p.Name2)
	}
	return ShortenUUID(p.Name)
}

// datapath is what a datapath is called.
func (b *Book) datapath(index int32) string {
	d := b.Net.Datapaths[index]
	if b.PlainNames || d.Name == d.UUID {
		if d.NBUUID != "" {
			return b.uuidName(d.NBUUID)
		}
		return b.uuidName(d.UUID)
	}
	if d.Name2 != "" {
		return ShortenUUID(d.Name2)
	}
	return ShortenUUID(d.Name)
}

func (b *Book) uuidName(uuid string) string {
	if b.PlainNames {
		return uuid
	}
	return ShortenUUID(uuid)
}

const uuidLen, uuidShort = 36, 6

// ShortenUUID cuts a UUID at the end of a name to its first digits.
func ShortenUUID(s string) string {
	at := len(s) - uuidLen
	if at < 0 || !isUUID(s[at:]) {
		return s
	}
	return s[:at+uuidShort]
}

func isUUID(s string) bool {
	for i := range len(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (s[i] == '-') || !dash && !isHex(s[i]) {
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// friendly replaces the logical ports' names in a match or action. As in
// ovn-trace a comment at the end gets lost thereby.
func (b *Book) friendly(text string) string {
	if b.PlainNames {
		return text
	}
	if end := strings.TrimRight(text, " \t"); strings.HasSuffix(end, "*/") {
		text = strings.TrimRight(text[:max(0, strings.LastIndex(end, "/*"))], " \t")
	}
	var out strings.Builder
	for {
		i := strings.IndexByte(text, '"')
		if i < 0 {
			break
		}
		end := stringEnd(text, i)
		if end < 0 {
			break
		}
		out.WriteString(text[:i])
		out.WriteString(b.friendlyString(text[i:end]))
		text = text[end:]
	}
	out.WriteString(text)
	return out.String()
}

// stringEnd returns where the string literal that begins at i ends, -1 if it does not.
func stringEnd(text string, i int) int {
	for j := i + 1; j < len(text); j++ {
		switch text[j] {
		case '\\':
			j++
		case '"':
			return j + 1
		}
	}
	return -1
}

func (b *Book) friendlyString(literal string) string {
	name, ok := lflow.Unquote(literal[1 : len(literal)-1])
	if !ok {
		return literal
	}
	if p := b.Net.Port(name); p != nil && p.Name == name {
		return lflow.Quote(b.portName(p))
	}
	return literal
}

// ZoneCalled is what people call a conntrack zone: after the port or the datapath that
// it is of.
func (b *Book) ZoneCalled(name string) string {
	if p := b.Net.Port(name); p != nil && p.Name == name {
		return p.Called()
	}
	for _, kind := range [...]string{"_dnat", "_snat"} {
		of, is := strings.CutSuffix(name, kind)
		if !is {
			continue
		}
		for _, d := range b.Net.Datapaths {
			if d.Name == of || d.UUID == of || d.NBUUID == of {
				return d.Called() + kind
			}
		}
	}
	return name
}

// zoneName is what a conntrack zone is called: after a port or a datapath.
func (b *Book) zoneName(name string) string {
	if p := b.Net.Port(name); p != nil && p.Name == name {
		return b.portName(p)
	}
	return name
}
