package main

import (
	"strings"
	"testing"
)

// --inport is where a microflow enters that does not say it itself, as if it did.
func TestTraceInportBesideMicroflow(t *testing.T) {
	t.Parallel()
	const port, flow = "breth0_ovn-worker", "ip4.src == 172.18.0.1 && ip.ttl == 64"
	db := cases + "/nodeport/sb.db"
	_, want, _ := replayed(t, "trace", "--db", db, `inport == "`+port+`" && (`+flow+`)`)
	status, got, errs := replayed(t, "trace", "--db", db, "--inport", port, flow)
	body := func(s string) string { _, after, _ := strings.Cut(s, "\ningress("); return after }
	if status == exitBad || body(want) == "" || body(got) != body(want) {
		t.Errorf("exit status %d, %s, traces\n%.300s\nwant\n%.300s", status, errs, got, want)
	}
	for flow, want := range map[string]string{
		`inport == "` + port + `" && ip4`: "or with --inport, not both", "ip4 && foo": "`foo'",
	} {
		if status, _, errs := replayed(t, "trace", "--db", db, "--inport", port, flow); status != exitBad ||
			!strings.Contains(errs, want) {
			t.Errorf("%s: exit status %d, %s", flow, status, errs)
		}
	}
}
