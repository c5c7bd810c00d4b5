package network

import "slices"

// Meter is a row of Meter with those of its Meter_Band rows: a rate beyond which what goes to
// ovn-controller is dropped.
type Meter struct {
	Kilobits bool // unit: kbps; else packets
	Bands    []Band
}

// Band is a rate a second, and how much may come at once; 0: what comes in a second.
type Band struct{ Rate, Burst uint32 }

// Size is how much may come at once: Open vSwitch takes the rate where no burst is given.
func (b Band) Size() uint32 {
	if b.Burst == 0 {
		return b.Rate
	}
	return b.Burst
}

// Same reports whether two meters are alike: a switch leaves such a one alone.
func (m *Meter) Same(n *Meter) bool {
	return m.Kilobits == n.Kilobits && slices.Equal(m.Bands, n.Bands)
}

// Least is the lowest of its rates; 0: it has none.
func (m *Meter) Least() (rate int) {
	for i, b := range m.Bands {
		if i == 0 || int(b.Rate) < rate {
			rate = int(b.Rate)
		}
	}
	return rate
}
