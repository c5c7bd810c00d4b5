package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// The image of packaging/Containerfile is the program and nothing else: what it
// copies is where make dist leaves it, and runs in a root where there is nothing
// but that: no libraries, no /etc, no /tmp.
func TestImage(t *testing.T) {
	context, root := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(context, runtime.GOARCH), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(program(t), filepath.Join(context, runtime.GOARCH, "ovn-replay")); err != nil {
		t.Fatal(err)
	}
	if dist := string(read(t, "../../packaging/dist.sh")); !strings.Contains(dist, `"dist/image/$arch/ovn-replay"`) ||
		!strings.Contains(dist, "cp packaging/Containerfile dist/image/") || !strings.Contains(dist, "CGO_ENABLED=0") {
		t.Error("packaging/dist.sh leaves the program elsewhere")
	}
	var from, entry string
	args := strings.NewReplacer()
	for line := range strings.Lines(string(read(t, "../../packaging/Containerfile"))) {
		words := strings.Fields(args.Replace(line))
		switch {
		case len(words) == 0 || strings.HasPrefix(line, "#"):
		case words[0] == "FROM":
			from = words[1]
		case words[0] == "ARG": // its default is that of a machine unlike this one, perhaps
			name, _, _ := strings.Cut(words[1], "=")
			args = strings.NewReplacer("${"+name+"}", runtime.GOARCH)
		case words[0] == "COPY":
			copyInto(t, filepath.Join(context, words[1]), filepath.Join(root, words[2]))
		case words[0] == "ENTRYPOINT":
			entry = strings.Trim(words[1], `["]`)
		default:
			t.Errorf("this test knows nothing of %q", line)
		}
	}
	if from != "scratch" || entry == "" {
		t.Fatalf("the image begins with %q and runs %q", from, entry)
	}
	for args, want := range map[string]string{"--version": "ovn-replay version", "demo": "byte for byte"} {
		cmd := exec.Command(entry, args)
		cmd.Env, cmd.Dir = []string{}, "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
		if os.Geteuid() != 0 {
			cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		}
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s %s: %v: %.500s", entry, args, err, out)
		}
	}
}

func copyInto(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
