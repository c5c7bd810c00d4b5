package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ovnreplay/testdata/golden"
)

// A transcript is a command after "$ ovn-replay", indented as code, and what it
// prints. A line that ends in … is cut there. Lines may be left out: a line of …
// alone stands for any number of them.
const prompt = "    $ ovn-replay "

// checkTranscripts re-runs every command of a text in dir, a folder of the
// repository, and returns the text with what they print now.
func checkTranscripts(t *testing.T, text, dir string, width int) (now string, commands int) {
	t.Helper()
	t.Chdir(dir)
	lines := strings.Split(text, "\n")
	var out []string
	for i := 0; i < len(lines); i++ {
		out = append(out, lines[i])
		command, ok := strings.CutPrefix(lines[i], prompt)
		if !ok {
			continue
		}
		commands++
		var want []string
		for ; i+1 < len(lines) && strings.HasPrefix(lines[i+1], "    ") && !strings.HasPrefix(lines[i+1], prompt); i++ {
			want = append(want, lines[i+1][4:])
		}
		_, stdout, stderr := replayed(t, words(command)...)
		got := strings.Split(strings.TrimRight(stdout, "\n"), "\n")
		if why := unlike(want, got); why != "" {
			t.Errorf("ovn-replay %s:\n%s\nit prints\n%s%s", command, why, stdout, stderr)
		}
		for _, line := range got {
			if r := []rune(line); len(r) > width {
				line = strings.TrimRight(string(r[:width]), " ") + " …"
			}
			out = append(out, "    "+line)
		}
	}
	return strings.Join(out, "\n"), commands
}

// unlike says where an output is not as it was written down, "" if it is.
func unlike(want, got []string) string {
	for i, j := 0, 0; ; i++ {
		switch {
		case i == len(want) && j == len(got):
			return ""
		case i == len(want):
			return "one line more: " + got[j]
		case want[i] == "…":
			for j < len(got) && (i+1 == len(want) || !alikeLine(want[i+1], got[j])) {
				j++
			}
		case j == len(got):
			return "not there: " + want[i]
		case !alikeLine(want[i], got[j]):
			return fmt.Sprintf("want %s\ngot  %s", want[i], got[j])
		default:
			j++
		}
	}
}

func alikeLine(want, got string) bool {
	if head, cut := strings.CutSuffix(want, " …"); cut {
		return strings.HasPrefix(got, head)
	}
	return want == got
}

// words splits a command line as a shell does, with single and double quotes.
func words(line string) (list []string) {
	var word strings.Builder
	quote, open := rune(0), false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, open = r, true
		case r == ' ':
			if word.Len() > 0 || open {
				list = append(list, word.String())
			}
			word.Reset()
			open = false
		default:
			word.WriteRune(r)
		}
	}
	if word.Len() > 0 || open {
		list = append(list, word.String())
	}
	return list
}

// Each recorded report has the question in its reporter's words, the command
// that answers it, and the answer.
func TestReports(t *testing.T) {
	files, _ := filepath.Glob("../../testdata/reports/*/*/answer.md")
	folders, _ := filepath.Glob("../../testdata/reports/*/*/case.json")
	if len(files) != len(folders) || len(files) < 12 {
		t.Fatalf("%d answers to %d reports", len(files), len(folders))
	}
	for _, file := range files {
		dir, err := filepath.Abs(filepath.Dir(file))
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(dir), func(t *testing.T) {
			name := filepath.Join(dir, "answer.md")
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			const width = 600
			now, n := checkTranscripts(t, string(text), dir, width)
			if n == 0 {
				t.Error("no command")
			}
			if *golden.Update {
				if err := os.WriteFile(name, []byte(now), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// Packets of every kind that the recordings hold, each with what is said of it.
func TestAnswers(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(root, "testdata/questions/answers.md")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	const width = 480
	now, n := checkTranscripts(t, string(text), root, width)
	if n < 90 {
		t.Errorf("only %d packets are told of", n)
	}
	if *golden.Update {
		if err := os.WriteFile(name, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The README's answers are what the program prints.
func TestQuestions(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(root, "README.md")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	const heading = "\n## Questions people ask\n"
	before, rest, found := strings.Cut(string(text), heading)
	section, after, more := strings.Cut(rest, "\n## ")
	if !found || !more {
		t.Fatal("the README has no such section")
	}
	const width = 320
	now, n := checkTranscripts(t, section, root, width)
	if n < 12 {
		t.Errorf("only %d questions are answered", n)
	}
	if *golden.Update {
		if err := os.WriteFile(name, []byte(before+heading+now+"\n## "+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
