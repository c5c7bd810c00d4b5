package lflow

import (
	"iter"
	"net/netip"
	"strings"
)

// Written are the addresses that a match writes out; those of sets and of variables are not
// among them. It needs no parsing: it is for looking among many flows for the few to parse.
func Written(match string) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for word := range strings.FieldsFuncSeq(match, notOfAddress) {
			if a, err := netip.ParseAddr(word); err == nil && !yield(a) {
				return
			}
		}
	}
}

// notOfAddress reports whether a character is in no address.
func notOfAddress(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF.:", r) }

// HasVariables reports whether a match or actions name template variables.
func HasVariables(text string) bool { return strings.Contains(text, "^") }

// MayBalance reports whether actions may give packets a load balancer's backends.
func MayBalance(actions string) bool { return strings.Contains(actions, "ct_lb") }
