package sim

// Forget makes the engine as it was when it was new: nothing is tracked,
// nothing learned, nothing held. What it compiled it keeps.
func (e *Engine) Forget() error {
	for i, c := range e.chassis {
		fresh, err := newChassis(e.Net, c.Chassis, e.opts)
		if err != nil {
			return err
		}
		fresh.compiled = c.compiled
		e.chassis[i] = fresh
	}
	e.learned = learned{}
	e.learned.init(e.Net)
	e.fragments, e.selections, e.waiting = fragments{}, nil, waiting{}
	return nil
}
