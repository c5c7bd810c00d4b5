package pcap

// Clock corrects one capture's clock against the reference: corrected =
// raw + Offset + (raw-Start)*Drift/10^12. The zero Clock changes nothing.
type Clock struct {
	Offset int64 // ns to add
	Drift  int64 // ns to add per 1000 s (10^12 ns) since Start
	Start  int64 // raw time at which the drift is nil, ns since the Unix epoch
}

// driftUnit is the raw time over which Clock.Drift accrues.
const driftUnit = 1_000_000_000_000

// Correct maps a raw time to the reference clock, in integer arithmetic so
// that it is the same on every machine.
func (c Clock) Correct(raw int64) int64 {
	if c.Drift == 0 {
		return raw + c.Offset
	}
	d := raw - c.Start
	return raw + c.Offset + d/driftUnit*c.Drift + d%driftUnit*c.Drift/driftUnit
}
