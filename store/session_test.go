package store

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

func openSession(t testing.TB, path string, write bool) *Session {
	t.Helper()
	s, err := OpenSession(path, write)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// packetOf is what the tests keep as packet n.
func packetOf(n uint64) []byte {
	return fmt.Appendf(nil, "packet %d %s", n, strings.Repeat("x", int(n*7919%300)))
}

func checkPackets(t *testing.T, s *Session, want uint64) {
	t.Helper()
	if s.Len() != want {
		t.Fatalf("%d packets, want %d", s.Len(), want)
	}
	for n := uint64(1); n <= want; n++ {
		if p, err := s.Packet(n); err != nil || !bytes.Equal(p, packetOf(n)) {
			t.Fatalf("packet %d is %.30q, error %v", n, p, err)
		}
	}
}

func TestSession(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.db")
	rnd := rand.New(rand.NewPCG(1, 1))
	var n uint64
	for range 30 {
		s := openSession(t, path, true)
		for range rnd.IntN(700) {
			n++
			if got := s.Append(packetOf(n)); got != n {
				t.Fatalf("packet %d has number %d", n, got)
			}
			if rnd.IntN(300) == 0 {
				if err := s.Commit(); err != nil {
					t.Fatal(err)
				}
			}
		}
		s.Set("state", fmt.Append(nil, n))
		if err := s.Commit(); err != nil {
			t.Fatal(err)
		}
		s.Append([]byte("never committed"))
		s.Set("state", nil)
		s.Close()
		r := openSession(t, path, false)
		checkPackets(t, r, n)
		if v, err := r.Value("state"); err != nil || string(v) != fmt.Sprint(n) {
			t.Fatalf("state %q, error %v", v, err)
		}
		r.Close()
	}
	s := openSession(t, path, true)
	chunks := 0
	s.file.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(packetsBucket).ForEach(func(_, _ []byte) error { chunks++; return nil })
	})
	if most := int(n)/chunkPackets + 2; chunks > most {
		t.Errorf("%d chunks for %d packets, want %d at most", chunks, n, most)
	}
}

func TestSessionPieces(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.db")
	s := openSession(t, path, true)
	piece := func(content string, want uint64) {
		t.Helper()
		if n, err := s.Piece([]byte(content)); err != nil || n != want {
			t.Fatalf("piece %q has number %d, error %v; want %d", content, n, err, want)
		}
	}
	piece("a", 1)
	piece("b", 2)
	piece("a", 1)
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
	piece("c", 3)
	s.Close()
	s = openSession(t, path, true)
	piece("d", 3) // c was never committed
	piece("b", 2)
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
	if got, err := s.GetPiece(3); err != nil || string(got) != "d" {
		t.Errorf("piece 3 is %q, error %v", got, err)
	}
	if _, err := s.GetPiece(4); err == nil {
		t.Error("a piece that is not there: no error")
	}
}

func TestSessionRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"future", "shelf", "empty", "holes"} {
		db, err := bbolt.Open(at(name), 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		db.Update(func(tx *bbolt.Tx) error {
			switch name {
			case "future":
				b, _ := tx.CreateBucket(sessionBucket)
				return b.Put(versionKey, []byte("7"))
			case "shelf":
				b, _ := tx.CreateBucket(formatBucket)
				return b.Put(versionKey, []byte(shelfVersion))
			case "holes":
				b, _ := tx.CreateBucket(sessionBucket)
				return b.Put(versionKey, []byte(sessionVersion))
			}
			return nil
		})
		db.Close()
	}
	os.WriteFile(at("nothing"), nil, 0o600)
	os.WriteFile(at("text"), bytes.Repeat([]byte("not a database\n"), 2000), 0o600)
	for _, test := range []struct {
		name  string
		write bool
		want  string
	}{
		{"future", true, `format "7", which this ovn-replay does not know (it knows 1); name another file with ` +
			`--session, or use the ovn-replay that wrote this one`},
		{"future", false, `format "7"`},
		{"shelf", true, "is not a session of ovn-replay"},
		{"empty", false, "is empty"},
		{"nothing", false, "nothing: is empty; name another file with --session"},
		{"holes", true, "damaged"},
		{"text", true, "is not a session of ovn-replay"},
		{"missing", false, `no such file; make a session with "ovn-replay run --session FILE"`},
	} {
		s, err := OpenSession(at(test.name), test.write)
		if err == nil {
			s.Close()
		}
		var e *SourceError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), test.want) ||
			!strings.HasPrefix(err.Error(), at(test.name)) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
	}
	if _, err := OpenShelf(at("nothing"), false); err == nil || !strings.Contains(err.Error(), "nothing: is empty") {
		t.Errorf("an empty file as a shelf: %v", err)
	}
	if s, err := OpenShelf(at("future"), true); err == nil {
		s.Close()
		t.Error("a session is taken for a shelf")
	}
}

// TestSessionDamaged overwrites parts of a file: what is read is an error or
// what was written.
func TestSessionDamaged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.db")
	s := openSession(t, path, true)
	for n := uint64(1); n <= 3000; n++ {
		s.Append(packetOf(n))
		s.Piece(packetOf(n))
	}
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
	s.Close()
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(5, 5))
	refused := 0
	for i := range 150 {
		bad := slices.Clone(good)
		if i%3 == 0 {
			bad = bad[:rnd.IntN(len(bad))]
		} else {
			at := rnd.IntN(len(bad) - 600)
			for j := range 600 {
				bad[at+j] = byte(rnd.Uint32())
			}
		}
		os.WriteFile(path, bad, 0o600)
		r, err := OpenSession(path, false)
		if err != nil {
			refused++
			continue
		}
		for n := uint64(1); n <= min(r.Len(), 3000); n += 100 {
			if p, err := r.Packet(n); err == nil && !bytes.Equal(p, packetOf(n)) {
				t.Errorf("packet %d is %.40q", n, p)
			}
		}
		r.Close()
	}
	if refused == 0 {
		t.Error("every damaged file opens")
	}
}

// TestSessionHeld opens a session that another process holds.
func TestSessionHeld(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	_, kill := writer(t, path, 1)
	defer kill()
	begin := time.Now()
	_, err := OpenSession(path, true)
	if err == nil || !strings.Contains(err.Error(), "holds this session") ||
		!strings.Contains(err.Error(), "wait until it is done") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begin); took > lockWait+5*time.Second {
		t.Errorf("it took %v to say so", took)
	}
}

// TestSessionKilled kills a writer 50 times at random moments: the file opens
// and holds all that was committed.
func TestSessionKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	rnd := rand.New(rand.NewPCG(50, 9))
	var before uint64
	for i := range 50 {
		out, kill := writer(t, path, uint64(i))
		time.Sleep(time.Duration(rnd.IntN(60)) * time.Millisecond)
		kill()
		committed := before
		for out.Scan() {
			n, err := strconv.ParseUint(out.Text(), 10, 64)
			if err != nil {
				t.Fatalf("the writer says %q", out.Text())
			}
			committed = n
		}
		s, err := OpenSession(path, false)
		if err != nil {
			t.Fatalf("after kill %d: %v", i+1, err)
		}
		if s.Len() < committed {
			t.Fatalf("after kill %d: %d packets, but %d were committed", i+1, s.Len(), committed)
		}
		checkPackets(t, s, s.Len())
		if v, err := s.Value("state"); err != nil || s.Len() > 0 && string(v) != fmt.Sprint(s.Len()) {
			t.Fatalf("after kill %d: %d packets, but the state is that of %q; %v", i+1, s.Len(), v, err)
		}
		before = s.Len()
		s.Close()
	}
	if before == 0 {
		t.Error("no writer lived long enough to commit anything")
	}
	t.Logf("%d packets after 50 kills", before)
}

const writerFile, writerSeed = "SESSION_WRITER_FILE", "SESSION_WRITER_SEED"

// writer starts a process that writes a session and tells the number of the
// last packet after each commit. It returns once that has begun.
func writer(t *testing.T, path string, seed uint64) (*bufio.Scanner, func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), writerFile+"="+path, writerSeed+"="+fmt.Sprint(seed))
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	out := bufio.NewScanner(stdout)
	if !out.Scan() || out.Text() != "open" {
		t.Fatalf("the writer says %q", out.Text())
	}
	killed := false
	return out, func() {
		if !killed {
			killed = true
			cmd.Process.Kill()
			t.Cleanup(func() { cmd.Wait() })
		}
	}
}

// The test binary started by writer is the process that is killed.
func init() {
	path := os.Getenv(writerFile)
	if path == "" {
		return
	}
	seed, _ := strconv.ParseUint(os.Getenv(writerSeed), 10, 64)
	rnd := rand.New(rand.NewPCG(seed, 3))
	s, err := OpenSession(path, true)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("open")
	for {
		for range 1 + rnd.IntN(400) {
			n := s.Append(packetOf(s.Len() + 1))
			s.Piece(packetOf(n % 50))
		}
		s.Set("state", fmt.Append(nil, s.Len()))
		if err := s.Commit(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(s.Len())
	}
}

// What cannot be made leaves nothing that is in the way of the next attempt, neither where bbolt cannot
// begin the file nor where it cannot write to it after.
func TestWhatCannotBeMadeIsNotLeft(t *testing.T) {
	defer func() { openBoltFile = os.OpenFile }()
	readOnly := func(begun bool) func(string, int, os.FileMode) (*os.File, error) {
		return func(path string, flag int, mode os.FileMode) (*os.File, error) {
			if err := os.WriteFile(path, nil, mode); err != nil {
				return nil, err
			}
			if begun {
				db, err := bbolt.Open(path, mode, nil)
				if err != nil {
					return nil, err
				}
				db.Close()
			}
			return os.OpenFile(path, os.O_RDONLY, mode) // no write succeeds
		}
	}
	for what, open := range map[string]func(path string) error{
		"session": func(path string) error { _, err := OpenSession(path, true); return err },
		"store":   func(path string) error { _, err := OpenShelf(path, true); return err },
	} {
		for _, begun := range []bool{false, true} {
			dir := t.TempDir()
			openBoltFile = readOnly(begun)
			if err := open(filepath.Join(dir, "new")); err == nil {
				t.Errorf("a %s is made where nothing can be written", what)
			}
			if left, _ := os.ReadDir(dir); len(left) > 0 {
				t.Errorf("%s, begun %t: leaves %v", what, begun, left)
			}
			os.WriteFile(filepath.Join(dir, "empty"), nil, 0o600)
			if err := open(filepath.Join(dir, "empty")); err == nil {
				t.Errorf("a %s is made where nothing can be written", what)
			}
			if info, err := os.Stat(filepath.Join(dir, "empty")); err != nil || info.Size() != 0 {
				t.Errorf("%s, begun %t: an empty file is not as it was: %v", what, begun, err)
			}
			openBoltFile = os.OpenFile
			for _, name := range []string{"new", "empty"} {
				if err := open(filepath.Join(dir, name)); err != nil {
					t.Errorf("%s, begun %t, again: %v", what, begun, err)
				}
			}
		}
	}
}
