package replay

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"ovnreplay/sim/printable"
)

// suite and its parts are JUnit's XML as CI systems read it.
type suite struct {
	XMLName  xml.Name   `xml:"testsuite"`
	Name     string     `xml:"name,attr"`
	Tests    int        `xml:"tests,attr"`
	Failures int        `xml:"failures,attr"`
	Errors   int        `xml:"errors,attr"`
	Skipped  int        `xml:"skipped,attr"`
	Cases    []testCase `xml:"testcase"`
	Out      string     `xml:"system-out"`
}

type testCase struct {
	Class   string   `xml:"classname,attr"`
	Name    string   `xml:"name,attr"`
	Failure *failure `xml:"failure,omitempty"`
	Error   *failure `xml:"error,omitempty"`
	Skipped *failure `xml:"skipped,omitempty"`
}

type failure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes the report as JUnit's XML: a test for each of the captures,
// which fails if a packet there is mismatched, missing or unexpected, and is
// skipped if nothing was observed at all; and one for the verdict, without which
// what was interrupted, could not be read or not be verified would look well.
func (r *Report) WriteJUnit(w io.Writer, captures []string) error {
	s := suite{Name: "ovn-replay verify"}
	for _, name := range captures {
		s.Cases = append(s.Cases, testCase{Class: "ovn-replay.verify", Name: printable.Line(name)})
	}
	find := func(name string) *testCase {
		name = printable.Line(name)
		for i := range s.Cases {
			if s.Cases[i].Name == name {
				return &s.Cases[i]
			}
		}
		s.Cases = append(s.Cases, testCase{Class: "ovn-replay.verify", Name: name}) // a file of a set
		return &s.Cases[len(s.Cases)-1]
	}
	for _, list := range []struct {
		name  string
		items []Item
	}{{"mismatched", r.Mismatched}, {"missing", r.Missing}, {"unexpected", r.Unexpected}} {
		for i := range list.items {
			var b strings.Builder
			section(&b, list.name, list.items[i:i+1])
			c := find(list.items[i].Capture)
			if c.Failure == nil {
				first, _, _ := strings.Cut(b.String(), "\n")
				c.Failure = &failure{Message: first}
				s.Failures++
			}
			c.Failure.Text += b.String()
		}
	}
	if r.Observed == 0 && s.Failures == 0 {
		for i := range s.Cases {
			s.Cases[i].Skipped = &failure{Message: "nothing was observed leaving OVN"}
			s.Skipped++
		}
	}
	var sums strings.Builder
	if err := r.Write(&sums, true); err != nil {
		return err
	}
	verdict := testCase{Class: "ovn-replay.verify", Name: "verdict"}
	said, _, _ := strings.Cut(sums.String(), "\n")
	switch {
	case r.Interrupted, r.Damaged != "", r.Unverified != "":
		verdict.Error = &failure{Message: said, Text: printable.Line(r.Damaged)}
		s.Errors++
	case !r.OK():
		verdict.Failure = &failure{Message: said}
		s.Failures++
	}
	s.Cases = append(s.Cases, verdict)
	s.Tests, s.Out = len(s.Cases), sums.String()
	text, err := xml.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("junit: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, text)
	return err
}
