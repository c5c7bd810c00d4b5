package network

import (
	"fmt"
	"strings"
	"testing"
)

// Each change with releases around those in which it came, from before to after
// in each series.
func TestChanges(t *testing.T) {
	t.Parallel()
	edges := [changes]string{
		DNSAnyCase:       "-20.03.1 +20.06.0",
		DHCPInform:       "-20.06.2 +20.09.0",
		HairpinLearned:   "-20.12.2 +21.03.0",
		SilentOnResets:   "-21.06.0 -21.09.1 +21.09.2 +21.12.0",
		FreshTOS:         "-21.12.0 +21.12.1 +22.03.0",
		GatewayPortZones: "-21.12.90 +22.03.0",
		DNSCountsAnew:    "-21.09.1 +21.09.2 -21.12.0 +21.12.1 +21.12.90 +22.03.0",
		TransitPatches:   "-21.12.4 +22.03.0",
		RemoteCopies:     "-22.03.8 +22.06.0",
		SnoopedReports:   "-22.06.0 +22.09.0",
		BuiltWithOVS3:    "-22.09.1 +22.12.0",
		BindingAwaited:   "-22.12.1 +23.03.0 +23.06.3 -23.09.0 -26.03.0",
		FlushesBackends:  "-22.12.1 +23.03.0 +26.03.0",
		DNSIgnoresAdditional: "-22.03.2 +22.03.3 -22.06.0 -22.09.1 +22.09.2 -22.12.0 +22.12.1 -23.03.0 +23.03.1 " +
			"+23.06.0",
		HoldsFour:      "-23.03.4 +23.06.0",
		FlushesIfAsked: "-23.03.0 +23.03.1 +23.06.0",
		DHCPv6Release:  "-23.06.4 +23.09.0",
		AdvertHopLimit: "-22.09.2 +22.09.3 -22.12.1 +22.12.2 -23.03.1 +23.03.2 -23.06.1 +23.06.2 +23.09.0",
		AdvertToAllNodes: "-22.03.4 +22.03.5 -22.12.1 -23.03.2 +23.03.3 -23.06.2 +23.06.3 -23.09.0 +23.09.1 " +
			"+24.03.0",
		HealthReset: "-22.03.4 +22.03.5 -22.12.1 -23.03.2 +23.03.3 -23.06.2 +23.06.3 -23.09.0 +23.09.1 " +
			"+24.03.0",
		DNSDropsAdditional: "-22.03.5 +22.03.6 -22.12.1 -23.03.2 +23.03.3 -23.06.2 +23.06.3 -23.09.1 +23.09.2 " +
			"+24.03.0",
		DNSOwned:            "-23.09.6 +24.03.0",
		DHCPEthernetOnly:    "-24.03.8 +24.09.0",
		PrefixToAllServers:  "-23.03.3 -23.06.3 +23.06.4 -23.09.3 +23.09.4 -24.03.1 +24.03.2 +24.09.0",
		CTNextZone:          "-24.03.3 +24.03.4 -24.09.0 +24.09.1 +25.03.0",
		ResolvesOtherFamily: "-24.03.8 -24.09.4 +25.03.0",
		FlushesLabels:       "-24.09.4 +25.03.0",
		StrictNeighbors:     "-24.03.7 +24.03.8 -24.09.4 -25.03.2 +25.03.3 -25.09.2 +25.09.3 +26.03.0",
		DNSShuffles:         "-25.09.4 +26.03.0",
		SolicitsForIPv4:     "-25.03.3 +25.03.4 -25.09.3 +25.09.4 -26.03.1 +26.03.2 +26.09.0",
		SolicitsNextHop:     "-26.03.2 +26.03.3 +26.09.0",
	}
	names := map[string]bool{}
	for x := range changes {
		k := knowledge[x]
		if names[k.name] || k.name == "" || k.what == "" || k.authority == "" || k.since == (Release{}) {
			t.Errorf("change %d: %+v is not told apart, told, dated or proved", x, k)
		}
		names[k.name] = true
		if x > 0 && k.since.Before(knowledge[x-1].since) {
			t.Errorf("%s stands after what came later", k.name)
		}
		if !strings.Contains(edges[x], fmt.Sprintf("+%v", k.since)) {
			t.Errorf("%s: the release it came with is in no test", k.name)
		}
		for _, r := range k.backports {
			if !strings.Contains(edges[x], fmt.Sprintf("+%v", r)) || !r.Before(k.since) {
				t.Errorf("%s: the backport of %v is in no test, or none", k.name, r)
			}
		}
		for word := range strings.FieldsSeq(edges[x]) {
			n := &AZ{Version: word[1:] + "-20.27.0-70.6"}
			if n.Has(x) != (word[0] == '+') {
				t.Errorf("%s: OVN %s: %v", k.name, word[1:], n.Has(x))
			}
		}
		for _, silent := range []string{"", "main"} {
			if n := (&AZ{Version: silent}); n.Has(x) != (k.until == Release{}) {
				t.Errorf("%s: a database of version %q is not taken for the newest", k.name, silent)
			}
		}
	}
}

func TestRelease(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]Release{
		"23.03.1-20.27.0-70.6": {23, 3, 1}, "21.12.90-20.21.0-58.3": {21, 12, 90}, "20.06": {20, 6, 0},
	} {
		if got, said := (&AZ{Version: version}).Release(); got != want || !said {
			t.Errorf("%q: %v, %v", version, got, said)
		}
	}
	if _, said := (&AZ{Version: "main"}).Release(); said {
		t.Error("main says which release it is")
	}
}
