package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ovnreplay/sim/replay"
	"ovnreplay/store"
)

// caseFile is case.json: a folder with a recorded session.
type caseFile struct {
	Description string         `json:"description"`
	DB          string         `json:"db"`
	Captures    []caseCapture  `json:"captures"`
	Chassis     string         `json:"chassis"`
	CTZones     perChassis     `json:"ct_zones"`
	CTProfile   string         `json:"ct_profile"`
	Conntrack   perChassis     `json:"conntrack"`
	OpenFlow    perChassis     `json:"openflow"`
	Underlay    []caseUnderlay `json:"underlay"`
}

type caseUnderlay struct {
	File    string `json:"file"`
	Chassis string `json:"underlay"`
}

type caseCapture struct {
	File    string `json:"file"`
	Port    string `json:"port"`
	Chassis string `json:"chassis"`
}

// perChassis is files of one chassis, or an object from chassis name to files.
type perChassis struct {
	one  []string
	many map[string][]string
}

// UnmarshalJSON takes a name, a list of names, and objects of both.
func (p *perChassis) UnmarshalJSON(b []byte) error {
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
func (p *perChassis) of(c *caseFile) map[string][]string {
	if len(p.one) > 0 {
		return map[string][]string{c.Chassis: p.one}
	}
	return p.many
}

// arguments returns the files, in order, as flags take them: FILE[@CHASSIS].
func (p *perChassis) arguments(dir string, c *caseFile) (args []string) {
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

// readCase reads a case's inputs; file names are relative to its folder.
func readCase(dir string) (*spec, error) {
	name := filepath.Join(dir, "case.json")
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("%s: not a case: %w", dir, err)
	}
	var c caseFile
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if c.DB == "" || len(c.Captures) == 0 {
		return nil, fmt.Errorf("%s: needs \"db\" and \"captures\"", name)
	}
	s := &spec{db: filepath.Join(dir, c.DB), profile: caseProfile(dir, c.CTProfile)}
	for _, e := range c.Captures {
		s.captures = append(s.captures, capture{file: filepath.Join(dir, e.File), port: e.Port, chassis: caseChassis(e, &c)})
	}
	for _, e := range c.Underlay {
		s.captures = append(s.captures, capture{file: filepath.Join(dir, e.File), chassis: e.Chassis, kind: replay.AtUnderlay})
	}
	s.imports = c.Conntrack.arguments(dir, &c)
	s.openflow = c.OpenFlow.arguments(dir, &c)
	for chassis, files := range c.CTZones.of(&c) {
		for _, f := range files {
			zones, err := readZones(filepath.Join(dir, f))
			if err != nil {
				return nil, err
			}
			if s.zones == nil {
				s.zones = map[string]map[string]uint16{}
			}
			s.zones[chassis] = zones
		}
	}
	return s, nil
}

func caseChassis(e caseCapture, c *caseFile) string {
	if e.Chassis != "" {
		return e.Chassis
	}
	return c.Chassis
}

// readZones reads the output of "ovn-appctl ct-zone-list": a name and a number a line.
func readZones(name string) (map[string]uint16, error) {
	f, err := store.OpenFile(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	zones := map[string]uint16{}
	sc := bufio.NewScanner(f)
	for n := 1; sc.Scan(); n++ {
		words := strings.Fields(sc.Text())
		if len(words) == 0 {
			continue
		}
		zone, err := strconv.ParseUint(words[len(words)-1], 10, 16)
		if err != nil || len(words) < 2 {
			return nil, fmt.Errorf("%s: line %d: want a zone's name and number, as ovn-appctl ct-zone-list prints", name, n)
		}
		zones[strings.Join(words[:len(words)-1], " ")] = uint16(zone)
	}
	return zones, sc.Err()
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
