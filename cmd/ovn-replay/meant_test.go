package main

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Who mistypes a flag, or one of the words that it takes, is told which is meant, where that is plain.
func TestMeant(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"run --fromat x":                            "did you mean --format?",
		"run --jsno":                                "did you mean --json?",
		"verify --ignroe x":                         "did you mean --ignore?",
		"run CASE --format jsn":                     "did you mean json?",
		"run CASE --format detialed":                "did you mean detailed?",
		"run CASE --format wrong":                   "json or none",
		"run CASE --only droped":                    "did you mean dropped?",
		"run CASE --only natted,droped":             "did you mean dropped?",
		"verify CASE -w x.pcapng --only unxepected": "did you mean unexpected?",
		"verify CASE --ignore ip.tlt":               "did you mean ip.ttl?",
		"connections CASE --sort byts":              "did you mean bytes?",
		"connections CASE --sort wrong":             "retransmissions or drops",
		"run CASE --db-time lsat":                   "did you mean last?",
		"run CASE --ct-profile linx":                "did you mean linux?",
		"conntrack export CASE --format dpclt":      "did you mean dpctl?",
		"show s.db --format detaled":                "did you mean detailed?",
	} {
		status, _, errs := replayed(t, strings.Fields(strings.Replace(args, "CASE", "--case "+cases+"/nodeport", 1))...)
		if status != exitBad || !strings.HasSuffix(strings.TrimSpace(errs), want) {
			t.Errorf("%s: exit status %d, %q, want %q", args, status, errs, want)
		}
	}
}

// Each manual page has a date, the same one whenever it is written.
func TestManualsHaveDates(t *testing.T) {
	dated := regexp.MustCompile(`^\.TH \S+ 1 "\d{4}-\d\d-\d\d" `)
	dir := t.TempDir()
	if status, _, errs := replayed(t, "man", dir); status != exitOK {
		t.Fatal(errs)
	}
	pages, _ := filepath.Glob(filepath.Join(dir, "*.1"))
	for _, page := range pages {
		if text := string(read(t, page)); !dated.MatchString(text) {
			t.Errorf("%s begins with %.80q", page, text)
		}
	}
	if len(pages) < 20 {
		t.Errorf("%d pages", len(pages))
	}
	t.Setenv("SOURCE_DATE_EPOCH", "86400")
	replayed(t, "man", dir)
	if text := string(read(t, filepath.Join(dir, "ovn-replay.1"))); !strings.Contains(text, `"1970-01-02"`) {
		t.Errorf("the packager's date is not the page's: %.80q", text)
	}
	mandoc, err := exec.LookPath("mandoc")
	if err != nil {
		return
	}
	said, _ := exec.Command(mandoc, append([]string{"-T", "lint", "-W", "warning"}, pages...)...).CombinedOutput()
	if strings.Contains(string(said), "date") {
		t.Errorf("mandoc says\n%s", said)
	}
}
