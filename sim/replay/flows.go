package replay

import "ovnreplay/sim/field"

// flowKey is a flow, wherever it is seen.
type flowKey struct {
	proto uint8
	ends  [2]endpoint
}

// filedAs are the frames read ahead of a flow, at whatever point, oldest first. They
// are filed once somebody asks: thousands of flows are looked for among thousands of frames.
func (s *Run) filedAs(k answerKey) chain {
	if s.flows == nil {
		s.flows = map[flowKey]chain{}
		for _, f := range s.queue[s.head:] {
			s.byFlow(f)
		}
	}
	return s.flows[flowKey{k.proto, [2]endpoint{k.src, k.dst}}]
}

// byFlow files a frame, once filedAs has been asked for that.
func (s *Run) byFlow(f *Frame) {
	if s.flows == nil || f.dir == Unknown {
		return
	}
	k := f.flowKey()
	f.inFlow = true
	s.flows[k] = s.flows[k].with(f, func(f *Frame) **Frame { return &f.ofFlow })
}

// unfileFlow takes the queue's oldest frame out of what byFlow filed.
func (s *Run) unfileFlow(f *Frame) {
	if !f.inFlow {
		return
	}
	k := f.flowKey()
	if c := s.flows[k].without(f, func(f *Frame) **Frame { return &f.ofFlow }); c.first == nil {
		delete(s.flows, k)
	} else {
		s.flows[k] = c
	}
	f.inFlow, f.ofFlow = false, nil
}

func (f *Frame) flowKey() flowKey {
	h := f.Headers()
	return flowKey{uint8(h.Key.Get(field.IPProto)), flowEnds(f.Data, h)}
}
