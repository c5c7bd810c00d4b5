package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ovnreplay/sim/printable"
)

// terminal is a terminal of so many columns; what is shown on it comes when it is closed.
func terminal(t *testing.T, columns uint16) (tty *os.File, shown func() string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("*** SKIPPED: this system has no pseudo terminals: %v ***", err)
	}
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: columns})
	}
	if err != nil {
		t.Fatal(err)
	}
	if tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	all := make(chan string)
	go func() {
		text, _ := io.ReadAll(master) // it ends with an error when nobody holds the other end
		all <- strings.ReplaceAll(string(text), "\r\n", "\n")
	}()
	return tty, func() string {
		tty.Close()
		defer master.Close()
		return <-all
	}
}

// What is said on a terminal fits it: results, and what is told of the work and of faults.
func TestTerminalFits(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	t.Setenv("COLUMNS", "")
	dir := t.TempDir()
	args := []string{"--db", filepath.Join(cases, "nodeport/sb.db"), filepath.Join(cases, "nodeport/client.pcap")}
	for i := range 5 {
		file := filepath.Join(dir, fmt.Sprintf("e%d.pcap", i))
		if err := os.WriteFile(file, read(t, cases+"/nodeport/client.pcap")[:24], 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	for _, columns := range []uint16{80, 120} {
		for _, command := range [][]string{
			append([]string{"run"}, args...), append([]string{"verify"}, args...),
			append([]string{"run", "--filter", `inport == "default_client" && ip4.dst == 10.244.1.3`}, args...),
			{"run", "--case", cases + "/cloud-nat-v6-26.03"},
			{"connections", "--case", cases + "/kube-acl-verdicts-26.03"},
			{"why", "client.pcap:1", "--case", cases + "/nodeport"},
			{"db", "info", "--behaviour", cases + "/nodeport/sb.db"}, {"db", "history", cases + "/nodeport/sb.db"},
		} {
			tty, shown := terminal(t, columns)
			run(context.Background(), command, strings.NewReader(""), tty, tty)
			text := shown()
			for line := range strings.Lines(text) {
				line = strings.TrimSuffix(line, "\n")
				if n := printable.Columns(line); n > int(columns) && strings.Contains(strings.TrimSpace(line), " ") {
					t.Errorf("%q: %d of %d columns: %s", command, n, columns, line)
				}
			}
			if strings.TrimSpace(text) == "" {
				t.Errorf("%q shows nothing", command)
			}
		}
	}
	// Of many that are alike it is said once.
	_, _, errs := replayed(t, append([]string{"run"}, args...)...)
	if strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "5 captures hold no packets and are passed over: ") ||
		!strings.HasSuffix(errs, " and 2 more\n") {
		t.Errorf("%q", errs)
	}
}

// What is selected is summed up, and of how much.
func TestSummaryOfWhatIsSelected(t *testing.T) {
	t.Parallel()
	dir := cases + "/cloud-arp-nd"
	file := filepath.Join(t.TempDir(), "out.pcapng")
	for args, want := range map[string]string{
		"":                     "packets entered 31: delivered 2, dropped 20, consumed 9; translated 0\n",
		"--filter arp":         "packets selected 25, of 31 that entered: delivered 1, dropped 18, consumed 6; ",
		"--filter arp -w FILE": "packets selected 25, of 31 that entered: delivered 1, dropped 18, consumed 6; ",
		"--only dropped":       "packets selected 20, of 31 that entered: delivered 0, dropped 20, consumed 0; ",
		"--filter conn==7777":  "packets selected 0, of 31 that entered: delivered 0, dropped 0, consumed 0; ",
	} {
		args := append([]string{"run", "-q", "--case", dir}, strings.Fields(strings.Replace(args, "FILE", file, 1))...)
		if status, out, errs := replayed(t, args...); status != exitOK || !strings.HasPrefix(out, want) {
			t.Errorf("%q: exit status %d, %q, %s, want %q", args, status, out, errs, want)
		}
	}
}

// Files of ours that cannot be made are not databases that could be copied; a small limit is told as it is.
func TestStoresThatCannotBeMade(t *testing.T) {
	t.Parallel()
	db := cases + "/nodeport/sb.db"
	none := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(none, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"db snapshot " + db + " x --store /proc/none/x.db":     "name another file with --store",
		"db snapshot " + db + " x --store " + none + "/x.db":   "name another file with --store",
		"run --case " + cases + "/nodeport --session /proc/s":  "name another file with --session",
		"run --case " + cases + "/nodeport --session /no/s.db": "/no/s.db: cannot be made there; make its folder",
		"db info --max-memory 100K " + db:                      "takes more than 100 KiB of memory",
		"db info --max-memory 0 " + db:                         `"0" is no size; give one such as 4GiB`,
	} {
		status, _, errs := replayed(t, strings.Fields(args)...)
		if status != exitBad || !strings.Contains(errs, want) || strings.Contains(errs, "the database to") {
			t.Errorf("%s: exit status %d, %s, want %q", args, status, errs, want)
		}
	}
}
