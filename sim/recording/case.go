package recording

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"ovnreplay/sim/replay"
)

// Case is case.json, which describes a folder with a recorded session.
type Case struct {
	Description string         `json:"description"`
	DB          Databases      `json:"db"`
	Captures    []CaseCapture  `json:"captures"`
	Chassis     string         `json:"chassis"`
	CTZones     PerChassis     `json:"ct_zones"`
	CTProfile   string         `json:"ct_profile"`
	Conntrack   PerChassis     `json:"conntrack"`
	OpenFlow    PerChassis     `json:"openflow"`
	Underlay    []CaseUnderlay `json:"underlay"`
}

// Databases are the Southbound databases of a case: a name, or a list of them
// where availability zones are connected.
type Databases []string

// UnmarshalJSON takes a name or a list of names.
func (d *Databases) UnmarshalJSON(b []byte) (err error) {
	*d, err = fileNames(b)
	if len(*d) == 1 && (*d)[0] == "" {
		*d = nil
	}
	return err
}

// CaseUnderlay is a capture of the tunnel network, and on which chassis it was taken.
type CaseUnderlay struct {
	File    string `json:"file"`
	Chassis string `json:"underlay"`
}

// CaseCapture is a capture and where it was taken.
type CaseCapture struct {
	File    string `json:"file"`
	Port    string `json:"port"`
	Chassis string `json:"chassis"`
}

// PerChassis is files of one chassis, or an object from chassis name to files.
type PerChassis struct {
	one  []string
	many map[string][]string
}

// UnmarshalJSON takes a name, a list of names, and objects of both.
func (p *PerChassis) UnmarshalJSON(b []byte) error {
	if one, err := fileNames(b); err == nil {
		p.one = one
		return nil
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	p.many = map[string][]string{}
	for chassis, r := range raw {
		files, err := fileNames(r)
		if err != nil {
			return err
		}
		p.many[chassis] = files
	}
	return nil
}

func fileNames(b []byte) ([]string, error) {
	var one string
	if err := json.Unmarshal(b, &one); err == nil {
		return []string{one}, nil
	}
	var list []string
	return list, json.Unmarshal(b, &list)
}

// of returns the files by chassis, those without under the case's own.
func (p *PerChassis) of(c *Case) map[string][]string {
	if len(p.one) > 0 {
		return map[string][]string{c.Chassis: p.one}
	}
	return p.many
}

// arguments returns the files, in order, as flags take them: FILE[@CHASSIS].
func (p *PerChassis) arguments(dir string, c *Case) (args []string) {
	for chassis, files := range p.of(c) {
		for _, f := range files {
			arg := filepath.Join(dir, f)
			if chassis != "" {
				arg += "@" + chassis
			}
			args = append(args, arg)
		}
	}
	slices.Sort(args)
	return args
}

// ReadCase reads what a case consists of; file names are relative to its folder.
func ReadCase(dir string, files Files) (*Spec, error) {
	name := filepath.Join(dir, "case.json")
	text, err := readSmall(name)
	if err != nil {
		return nil, fmt.Errorf("%s: not a case: %w", dir, err)
	}
	var c Case
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(c.DB) == 0 || len(c.Captures) == 0 {
		return nil, fmt.Errorf("%s: needs \"db\" and \"captures\"", name)
	}
	s := &Spec{read: []string{name}, Profile: caseProfile(dir, c.CTProfile)}
	for _, db := range c.DB {
		s.DBs = append(s.DBs, filepath.Join(dir, db))
	}
	for _, e := range c.Captures {
		s.Captures = append(s.Captures, Capture{File: filepath.Join(dir, e.File), Port: e.Port,
			Chassis: caseChassis(e, &c)})
	}
	for _, e := range c.Underlay {
		s.Captures = append(s.Captures, Capture{File: filepath.Join(dir, e.File), Chassis: e.Chassis,
			Kind: replay.AtUnderlay})
	}
	s.Imports = c.Conntrack.arguments(dir, &c)
	s.OpenFlow = c.OpenFlow.arguments(dir, &c)
	for chassis, names := range c.CTZones.of(&c) {
		for _, f := range names {
			zones, err := readZones(filepath.Join(dir, f), files)
			if err != nil {
				return nil, err
			}
			if s.Zones == nil {
				s.Zones = map[string]map[string]uint16{}
			}
			s.Zones[chassis] = zones
			s.read = append(s.read, filepath.Join(dir, f))
		}
	}
	return s, nil
}

// maxCase is the most that a case.json can mean to say.
const maxCase = 1 << 20

// readSmall reads a file of at most maxCase bytes.
func readSmall(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxCase+1))
	if err == nil && len(text) > maxCase {
		err = fmt.Errorf("%s is longer than %d KiB", name, maxCase>>10)
	}
	return text, err
}

func caseChassis(e CaseCapture, c *Case) string {
	if e.Chassis != "" {
		return e.Chassis
	}
	return c.Chassis
}

// caseProfile returns the case's profile: a name, or a file in its folder.
func caseProfile(dir, name string) string {
	if file := filepath.Join(dir, name); name != "" && isFile(file) {
		return file
	}
	return name
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}
