package pcap

import "ovnreplay/pcap/filter"

// filters is an expression with its programs, one for each kind of interface
// that a capture has. Without an expression it selects everything.
type filters struct {
	expr     *filter.Expr
	programs []linkProgram
}

type linkProgram struct {
	link    filter.Link
	program *filter.Program
}

// selects reports whether the expression selects a record.
func (f *filters) selects(file string, rec *Record) (bool, error) {
	if f.expr == nil {
		return true, nil
	}
	p, err := f.of(file, rec.Interface)
	if err != nil {
		return false, err
	}
	return p.Match(rec.Data, rec.OrigLen), nil
}

// check compiles the expression for an interface, to find out early whether it
// can be.
func (f *filters) check(file string, i *Interface) error {
	if f.expr == nil {
		return nil
	}
	_, err := f.of(file, i)
	return err
}

// of is the program for an interface.
func (f *filters) of(file string, i *Interface) (*filter.Program, error) {
	link := filter.Link{Type: uint16(i.LinkType), BigEndian: i.BigEndian}
	for _, p := range f.programs {
		if p.link == link {
			return p.program, nil
		}
	}
	p, err := f.expr.Compile(link)
	if err != nil {
		return nil, &FormatError{File: file, Fault: Unsupported, What: "the filter does not suit its " +
			i.LinkType.String() + " frames",
			Err: err, Advice: "change the filter, or leave this capture out"}
	}
	f.programs = append(f.programs, linkProgram{link, p})
	return p, nil
}
