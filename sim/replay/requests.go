package replay

import "ovnreplay/sim/field"

// requestKey is an address of which requests of ARP or neighbor discovery ask whose it is.
type requestKey struct {
	ip field.Uint128
	v6 bool
}

// requestsFor are the frames read ahead that ask for an address, oldest first. They are
// filed once somebody looks for one: thousands of packets may go to next hops that nobody
// asks for.
func (s *Run) requestsFor(ip field.Uint128, v6 bool) chain {
	if s.requests == nil {
		s.requests = map[requestKey]chain{}
		for _, f := range s.queue[s.head:] {
			s.byRequest(f)
		}
	}
	return s.requests[requestKey{ip, v6}]
}

// byRequest files a frame if it asks, once requestsFor has been asked for that.
func (s *Run) byRequest(f *Frame) {
	if s.requests == nil {
		return
	}
	ip, v6, ok := askedFor(f.Headers())
	if !ok {
		return
	}
	k := requestKey{ip, v6}
	f.asks = true
	s.requests[k] = s.requests[k].with(f, func(f *Frame) **Frame { return &f.request })
}

// unfileRequest takes the queue's oldest frame out of what byRequest filed.
func (s *Run) unfileRequest(f *Frame) {
	if !f.asks {
		return
	}
	ip, v6, _ := askedFor(f.Headers())
	k := requestKey{ip, v6}
	if c := s.requests[k].without(f, func(f *Frame) **Frame { return &f.request }); c.first == nil {
		delete(s.requests, k)
	} else {
		s.requests[k] = c
	}
	f.asks, f.request = false, nil
}
