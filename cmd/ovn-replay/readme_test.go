package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The transcripts of the three uses that the README opens with are what the
// commands print in an empty folder, where the plugin is installed.
func TestReadmeTranscripts(t *testing.T) {
	t.Parallel()
	needsTool(t, "tshark")
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	home, dir := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(program(t), filepath.Join(dir, "bin", "ovn-replay")); err != nil {
		t.Fatal(err)
	}
	sh := func(command string) string {
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME=", "TZ=UTC",
			"PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
		out, _ := cmd.Output() // what they print is held against the README
		return string(out)
	}
	sh("ovn-replay wireshark install")
	n := 0
	uses, _, _ := strings.Cut(string(text), "\n## Start")
	for _, block := range strings.Split("\n"+uses, "\n    $ ")[1:] {
		block, _, _ = strings.Cut(block, "\n\n")
		command, want, _ := strings.Cut(block, "\n")
		want = strings.ReplaceAll("\n"+want, "\n    ", "\n")
		want = strings.Trim(want, "\n")
		if got := strings.TrimSuffix(sh(command), "\n"); got != want {
			t.Errorf("$ %s\n%q\nthe README has\n%q", command, got, want)
		}
		n++
	}
	if n < 5 {
		t.Errorf("%d transcripts", n)
	}
}

// Every command that the README names works as typed in a folder that was empty, in the order in which
// they are there, once the demo is kept; but for those that name databases and servers of the reader's.
func TestReadmeCommands(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	bin := filepath.Dir(program(t))
	commands := 0
	for _, line := range commandsOf(string(text)) {
		if strings.Contains(line, "--db node1.db") {
			continue
		}
		cmd := exec.Command("sh", "-c", line)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_STATE_HOME=", "XDG_CONFIG_HOME=", "NO_COLOR=1",
			"PATH="+bin+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if err != nil || len(out) == 0 && !strings.Contains(line, " --compare ") && !strings.Contains(line, " -o ") {
			t.Errorf("$ %s\n%v\n%s", line, err, out)
		}
		commands++
	}
	if commands < 18 {
		t.Errorf("%d commands", commands)
	}
}

// commandsOf are the command lines of a text that are no transcripts.
func commandsOf(text string) (list []string) {
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if !strings.HasPrefix(line, "    ovn-replay ") && !strings.HasPrefix(line, "    echo ") {
			continue
		}
		for strings.HasSuffix(line, "\\") || strings.Count(line, "'")%2 == 1 {
			i++
			line += "\n" + lines[i]
		}
		list = append(list, strings.TrimSpace(line))
	}
	return list
}
