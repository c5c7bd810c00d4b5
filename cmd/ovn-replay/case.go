package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// caseFile is case.json: a folder with a recorded session.
type caseFile struct {
	Description string        `json:"description"`
	DB          string        `json:"db"`
	Captures    []caseCapture `json:"captures"`
	Chassis     string        `json:"chassis"`
	CTZones     perChassis    `json:"ct_zones"`
	CTProfile   string        `json:"ct_profile"`
}

type caseCapture struct {
	File    string `json:"file"`
	Port    string `json:"port"`
	Chassis string `json:"chassis"`
}

// perChassis is one file, or an object from chassis name to file.
type perChassis struct {
	one  string
	many map[string]string
}

// UnmarshalJSON takes both forms.
func (p *perChassis) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &p.one); err == nil {
		return nil
	}
	return json.Unmarshal(b, &p.many)
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
	s := &spec{db: filepath.Join(dir, c.DB), profile: c.CTProfile}
	for _, e := range c.Captures {
		s.captures = append(s.captures, capture{filepath.Join(dir, e.File), e.Port, caseChassis(e, &c)})
	}
	files := c.CTZones.many
	if c.CTZones.one != "" {
		files = map[string]string{c.Chassis: c.CTZones.one}
	}
	for chassis, file := range files {
		zones, err := readZones(filepath.Join(dir, file))
		if err != nil {
			return nil, err
		}
		if s.zones == nil {
			s.zones = map[string]map[string]uint16{}
		}
		s.zones[chassis] = zones
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
	f, err := os.Open(name)
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
