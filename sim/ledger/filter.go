package ledger

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var connClause = regexp.MustCompile(`^\s*conn\s*==\s*(\d+)\s*(?:&&(.*))?$|^(.*)&&\s*conn\s*==\s*(\d+)\s*$`)

// CutConn takes "conn == N" out of a filter expression, of which it must be the
// first or last condition: the packets of one connection, on both sides of NAT,
// by its number. N is 0 if the expression has no such condition.
func CutConn(expr string) (rest string, n int, err error) {
	m := connClause.FindStringSubmatch(expr)
	if m == nil {
		if regexp.MustCompile(`\bconn\b`).MatchString(expr) {
			return "", 0, fmt.Errorf("%s: conn goes with other conditions as \"conn == 7 && …\" only", expr)
		}
		return expr, 0, nil
	}
	number, rest := m[1]+m[4], strings.TrimSpace(m[2]+m[3])
	if n, err = strconv.Atoi(number); err != nil || n == 0 {
		return "", 0, fmt.Errorf("conn == %s: connections are numbered from 1, as ovn-replay connections lists them",
			number)
	}
	return rest, n, nil
}
