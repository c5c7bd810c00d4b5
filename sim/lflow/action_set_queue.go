package lflow

// SetMeter and SetQueue change nothing of the packet.
type (
	SetMeter struct{ Rate, Burst uint64 }
	SetQueue struct{ ID uint16 }
)

func init() {
	statements["set_queue"] = (*parser).setQueue
	statements["set_meter"] = (*parser).setMeter
}

// maxQueue is the highest queue a flow can choose.
const maxQueue = 0xf000

func (p *parser) setQueue() Action {
	p.force(TokenLParen)
	n := p.quietInt()
	p.force(TokenRParen)
	if n > maxQueue {
		p.fail("Queue ID %d for set_queue is not in valid range %d to %d.", n, 0, maxQueue)
	}
	return SetQueue{uint16(n)}
}

// setMeter parses set_meter(rate, burst); a number of another form counts as 0.
func (p *parser) setMeter() Action {
	p.force(TokenLParen)
	var a SetMeter
	a.Rate = p.decimal()
	if p.match(TokenComma) {
		a.Burst = p.decimal()
	}
	p.force(TokenRParen)
	if a.Rate == 0 {
		p.fail("Rate %d for set_meter is not in valid.", a.Rate)
	}
	return a
}

// decimal passes a token and returns its value if it is a decimal constant, else 0.
func (p *parser) decimal() (n uint64) {
	if p.tok.Type == TokenInteger && p.tok.Format == FormatDecimal {
		n = p.tok.Value.Lo
	}
	p.advance()
	return n
}

func (a SetMeter) format(f *actionFormat) {
	if a.Burst != 0 {
		f.printf("set_meter(%d, %d);", a.Rate, a.Burst)
	} else {
		f.printf("set_meter(%d);", a.Rate)
	}
}

func (SetMeter) compile(Resolver) (Op, error) { return Op{Code: OpNote}, nil }

func (a SetQueue) format(f *actionFormat) { f.printf("set_queue(%d);", a.ID) }

func (SetQueue) compile(Resolver) (Op, error) { return Op{Code: OpNote}, nil }
