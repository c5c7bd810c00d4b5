package replay

import (
	"fmt"
	"strconv"
	"time"

	"ovnreplay/conntrack"
)

// Moment is a moment of the captures' clock that JSON spells in RFC 3339.
type Moment conntrack.Time

// MarshalJSON implements json.Marshaler.
func (m Moment) MarshalJSON() ([]byte, error) {
	return strconv.AppendQuote(nil, Timestamp(conntrack.Time(m))), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *Moment) UnmarshalJSON(b []byte) error {
	s, err := strconv.Unquote(string(b))
	if err != nil {
		return fmt.Errorf("%s: not a time in RFC 3339", b)
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return err
	}
	*m = Moment(t.UnixNano())
	return nil
}
