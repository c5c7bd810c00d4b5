package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// Captures that nobody places are placed together: an interface has one, or several
// that show the same packets.
func TestCapturesArePlacedTogether(t *testing.T) {
	t.Parallel()
	c := mutated(t, filepath.Join(cases, "cloud-l3-geneve"), "", 1)
	dir := t.TempDir()
	var whole *wildCapture
	for _, x := range c.captures {
		if x.file == "vm1.pcap" {
			whole = x
		}
	}
	file := func(name string, every, first int) string {
		var half wildCapture
		half.link = whole.link
		for i := first; i < len(whole.frames); i += every {
			half.frames = append(half.frames, whole.frames[i])
		}
		half.write(t, filepath.Join(dir, name))
		return filepath.Join(dir, name)
	}
	db := []string{"verify", "-q", "--db", filepath.Join(c.dir, c.json["db"].(string))}
	odd, even, all := file("odd.pcap", 2, 0), file("even.pcap", 2, 1), file("all.pcap", 1, 0)
	for _, x := range []struct {
		files  []string
		status int
	}{
		{[]string{all}, exitOK},
		{[]string{all, odd}, exitOK}, // a bond's member beside it
		{[]string{odd, even}, exitBad},
		{[]string{odd + "@vm1", even + "@vm1"}, exitOK},
	} {
		args := db
		for _, f := range x.files {
			args = append(args, "-r", f)
		}
		status, out, errs := replayed(t, args...)
		if status != x.status {
			t.Errorf("%q: exit status %d, want %d\n%.500s%s", x.files, status, x.status, out, errs)
		}
		if x.status == exitBad &&
			(!strings.Contains(errs, odd) || !strings.Contains(errs, even) || !strings.Contains(errs, "vm1")) {
			t.Errorf("it does not say which captures, and which ports they may be of: %s", errs)
		}
	}
}

// A database that knows none of the packets is another cluster's; the message says
// whose it is.
func TestAnotherClustersDatabase(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"", "@vm1", "@any@5b1f5a1c-9a0e-4f5b-8a43-10c1a0000001"} {
		status, out, errs := replayed(t, "verify", "--db", cases+"/cloud-l3-geneve/sb.db.gz", "-r",
			cases+"/kube-mixed/pod1.pcap"+place)
		if status != exitBad || !strings.Contains(errs, "10.128.1.11") || !strings.Contains(errs, "compute-1") ||
			!strings.Contains(errs, "10.1.0.0/24") {
			t.Errorf("%q: exit status %d, which names not both networks: %s%s", place, status, out, errs)
		}
	}
}
