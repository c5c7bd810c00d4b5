// Package wireshark holds what makes Wireshark and tshark (4.0 and later) show
// an annotated capture: a Lua plugin that makes fields of its comments, a
// profile with columns, colours and filter buttons for them, and the program's
// place among the interfaces (extcap).
//
// Install writes them where one user's Wireshark looks for them, and nothing
// else. The package runs no program but tshark, to ask where that is.
package wireshark

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
)

//go:embed files
var files embed.FS

// Profile is the name of the profile.
const Profile = "OVN"

// widths is the profile's file in which Wireshark keeps the widths that a user gave columns.
const widths = "recent"

// Plugin returns the text of the Lua plugin.
func Plugin() []byte {
	b, err := files.ReadFile("files/ovn-replay.lua")
	if err != nil {
		panic(err) // it is embedded
	}
	return b
}

// Folders are where a user's Wireshark looks.
type Folders struct {
	Plugins       string // for Lua plugins
	Configuration string // holds profiles
	Extcap        string
}

// Find returns the folders of the user who asks: as tshark says where it is
// installed, else those that Wireshark has on this system.
func Find() (Folders, error) {
	f, err := usual()
	if err != nil {
		return f, err
	}
	out, err := exec.Command("tshark", "-G", "folders").Output()
	if err != nil {
		return f, nil
	}
	f.Extcap = "" // Wireshark 4.0 does not say; since 4.2 it is elsewhere
	for line := range strings.Lines(string(out)) {
		name, dir, _ := strings.Cut(line, ":")
		dir = strings.TrimSpace(dir)
		switch {
		case dir == "":
		case name == "Personal configuration":
			f.Configuration = dir
		case name == "Personal Lua Plugins":
			f.Plugins = dir
		case name == "Personal Extcap path":
			f.Extcap = dir
		}
	}
	if f.Extcap == "" {
		f.Extcap = filepath.Join(f.Configuration, "extcap")
	}
	return f, nil
}

// Completed are the folders that are given, and those that Find finds for the others.
func (f Folders) Completed() (Folders, error) {
	if f.Plugins != "" && f.Configuration != "" && f.Extcap != "" {
		return f, nil
	}
	found, err := Find()
	return Folders{
		Plugins:       cmp.Or(f.Plugins, found.Plugins),
		Configuration: cmp.Or(f.Configuration, found.Configuration),
		Extcap:        cmp.Or(f.Extcap, found.Extcap),
	}, err
}

// usual are the folders of Wireshark 4.0 and later (User's Guide, "Files and
// Folders").
func usual() (Folders, error) {
	if runtime.GOOS == "windows" {
		dir := os.Getenv("APPDATA")
		if dir == "" {
			return Folders{}, errors.New("%APPDATA% is not set: name the folders of Wireshark with --plugins, " +
				"--configuration and --extcap")
		}
		dir = filepath.Join(dir, "Wireshark")
		return Folders{filepath.Join(dir, "plugins"), dir, filepath.Join(dir, "extcap")}, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return Folders{}, fmt.Errorf("%w: name the folders of Wireshark with --plugins, --configuration and "+
			"--extcap", err)
	}
	config := os.Getenv("XDG_CONFIG_HOME")
	if config == "" {
		config = filepath.Join(home, ".config")
	}
	lib := filepath.Join(home, ".local", "lib", "wireshark")
	return Folders{filepath.Join(lib, "plugins"), filepath.Join(config, "wireshark"), filepath.Join(lib, "extcap")}, nil
}

// Install writes plugin, profile and extcap with put, over those of before, and
// returns the files written. The extcap runs program.
func (f Folders) Install(program string, put func(name string, text []byte, mode fs.FileMode) error) (written []string,
	err error) {
	write := func(name string, text []byte, mode fs.FileMode) error {
		if err := put(name, text, mode); err != nil {
			return err
		}
		written = append(written, name)
		return nil
	}
	if err := write(filepath.Join(f.Plugins, "ovn-replay.lua"), Plugin(), 0o644); err != nil {
		return written, err
	}
	profile, err := files.ReadDir("files/profile")
	if err != nil {
		return written, err
	}
	for _, e := range profile {
		text, err := files.ReadFile(path.Join("files/profile", e.Name()))
		if err != nil {
			return written, err
		}
		name := filepath.Join(f.Configuration, "profiles", Profile, e.Name())
		if _, err := os.Stat(name); err == nil && e.Name() == widths {
			continue
		}
		if err := write(name, text, 0o644); err != nil {
			return written, err
		}
	}
	name, text := extcap(program)
	return written, write(filepath.Join(f.Extcap, name), []byte(text), 0o755)
}

// extcap is the script that Wireshark runs.
func extcap(program string) (name, text string) {
	if runtime.GOOS == "windows" {
		return "ovn-replay.bat", "@echo off\r\n\"" + program + "\" wireshark extcap %*\r\n"
	}
	return "ovn-replay", "#!/bin/sh\nexec '" + strings.ReplaceAll(program, "'", `'\''`) + "' wireshark extcap \"$@\"\n"
}
