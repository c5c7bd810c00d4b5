package sim

// Forget makes the engine as it was when it was new: nothing is tracked,
// nothing learned, nothing held. What it compiled it keeps.
func (e *Engine) Forget() {
	for i, c := range e.chassis {
		if c != nil {
			fresh := newChassis(e.Net, c.Chassis, e.opts)
			fresh.compiled = c.compiled
			e.chassis[i] = fresh
		}
	}
	e.learned = learned{}
	e.learned.init(e.Net)
	e.fragments, e.selections, e.waiting, e.buckets = fragments{}, nil, waiting{}, nil
	if len(e.preferred) > 0 {
		e.preferred, e.contests = nil, nil
		e.forgetPaths()
	}
}
