package ledger

import "strings"

// All is what is told of each packet.
func (s *Stories) All() (list []string) {
	for i := range s.all {
		list = append(list, strings.Join(s.story(&s.all[i], maxLines), "\n"))
	}
	return list
}
