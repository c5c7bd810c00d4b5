package store

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// authority is a CA made for a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
}

func newAuthority(t *testing.T, dir, name string) *authority {
	t.Helper()
	a := &authority{dir: dir}
	a.key, a.cert = a.sign(t, name, true)
	return a
}

// sign makes NAME-privkey.pem and NAME-cert.pem, signed by the authority; the
// authority's own when ca.
func (a *authority) sign(t *testing.T, name string, ca bool) (*ecdsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: ca, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	parent, signer := a.cert, a.key
	if ca {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{"privkey": {Type: "PRIVATE KEY", Bytes: pkcs8},
		"cert": {Type: "CERTIFICATE", Bytes: der}} {
		if err := os.WriteFile(filepath.Join(a.dir, name+"-"+file+".pem"), pem.EncodeToMemory(block),
			0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return key, cert
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name+".pem") }

// freePort finds a TCP port nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func awaitPort(t *testing.T, port int) {
	t.Helper()
	for range 500 {
		if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("nobody listens on port %d", port)
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// plainRecorded are the recorded databases that are not compressed, one of
// each OVN version.
func plainRecorded(t *testing.T) []string {
	versions := make(map[string]string)
	var list []string
	for _, p := range recorded(t) {
		if strings.HasSuffix(p, ".db") {
			v := mustOpen(t, p, Options{}).Version
			if versions[v] == "" {
				versions[v] = p
				list = append(list, p)
			}
		}
	}
	return list
}

// A database read from a server, by whatever way, is the one in its file.
func TestOracleServer(t *testing.T) {
	for _, path := range plainRecorded(t) {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "sb.db")
			copyFile(t, path, file)
			ca := newAuthority(t, dir, "ca")
			ca.sign(t, "server", false)
			ca.sign(t, "client", false)
			tcp, ssl := freePort(t), freePort(t)
			startServer(t, dir, "--remote=punix:"+dir+"/sock", fmt.Sprintf("--remote=ptcp:%d:127.0.0.1", tcp),
				fmt.Sprintf("--remote=pssl:%d:127.0.0.1", ssl),
				"--private-key="+ca.path("server-privkey"), "--certificate="+ca.path("server-cert"),
				"--ca-cert="+ca.path("ca-cert"), file)
			awaitPort(t, tcp)
			awaitPort(t, ssl)
			want := contentsOf(mustOpen(t, file, Options{}))
			secure := Options{TLS: TLS{PrivateKey: ca.path("client-privkey"), Certificate: ca.path("client-cert"),
				CACert: ca.path("ca-cert")}}
			for _, c := range []struct {
				source string
				opts   Options
			}{
				{"unix:" + dir + "/sock", Options{}},
				{fmt.Sprintf("tcp:127.0.0.1:%d", tcp), Options{}},
				{fmt.Sprintf("ssl:127.0.0.1:%d", ssl), secure},
				{fmt.Sprintf("tcp:127.0.0.1:1,tcp:127.0.0.1:%d", tcp), Options{}},
			} {
				got := mustOpen(t, c.source, c.opts)
				if diff := cmp.Diff(want, contentsOf(got)); diff != "" {
					t.Errorf("file (-), %s (+):\n%s", c.source, diff)
				}
				if got.Format != "server" || got.Version == "" || len(want["Logical_Flow"]) == 0 {
					t.Errorf("%s: %s, version %s", c.source, got.Format, got.Version)
				}
			}
		})
	}
}

// Why there is no database from a server is said in one line, with advice.
func TestServerErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "test.db")
	run(t, "ovsdb-tool", "create", file, "testdata/kinds.ovsschema")
	ca := newAuthority(t, dir, "ca")
	ca.sign(t, "server", false)
	ca.sign(t, "client", false)
	strange := newAuthority(t, dir, "strange")
	strange.sign(t, "stranger", false)
	tcp, ssl := freePort(t), freePort(t)
	startServer(t, dir, "--remote=punix:"+dir+"/sock", fmt.Sprintf("--remote=ptcp:%d:127.0.0.1", tcp),
		fmt.Sprintf("--remote=pssl:%d:127.0.0.1", ssl),
		"--private-key="+ca.path("server-privkey"), "--certificate="+ca.path("server-cert"),
		"--ca-cert="+ca.path("ca-cert"), file)
	awaitPort(t, tcp)
	awaitPort(t, ssl)
	deaf, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	kinds := func(tls TLS) Options { return Options{Database: "Kinds", TLS: tls, Timeout: 3 * time.Second} }
	ours := TLS{PrivateKey: ca.path("client-privkey"), Certificate: ca.path("client-cert"), CACert: ca.path("ca-cert")}
	for _, c := range []struct {
		name, source string
		opts         Options
		want         string
	}{
		{"no socket", "unix:" + dir + "/none", kinds(TLS{}), "no such socket"},
		{"refused", "tcp:127.0.0.1:1", kinds(TLS{}), "connection refused"},
		{"all refused", "tcp:127.0.0.1:1,tcp:127.0.0.1:2", kinds(TLS{}), "no member can be used"},
		{"no port", "tcp:127.0.0.1", kinds(TLS{}), "no port in the address"},
		{"no address", "tcp:", kinds(TLS{}), "without an address"},
		{"not an address among members", "tcp:127.0.0.1:1,elsewhere", kinds(TLS{}), `"elsewhere" is not unix:`},
		{"no answer", "tcp:" + deaf.Addr().String(), Options{Timeout: time.Second}, "no answer in time"},
		{"another database", fmt.Sprintf("tcp:127.0.0.1:%d", tcp), Options{},
			"has no OVN_Southbound database; it has Kinds"},
		{"no CA", fmt.Sprintf("ssl:127.0.0.1:%d", ssl), kinds(TLS{}), "no CA certificate"},
		{"endless CA", fmt.Sprintf("ssl:127.0.0.1:%d", ssl), kinds(TLS{CACert: "/dev/zero"}), "larger than 1 MiB"},
		{"endless key", fmt.Sprintf("ssl:127.0.0.1:%d", ssl),
			kinds(TLS{CACert: "none", PrivateKey: "/dev/zero", Certificate: ca.path("client-cert")}),
			"larger than 1 MiB"},
		{"endless certificate", fmt.Sprintf("ssl:127.0.0.1:%d", ssl),
			kinds(TLS{CACert: "none", PrivateKey: ca.path("client-privkey"), Certificate: "/dev/zero"}),
			"larger than 1 MiB"},
		{"no such CA", fmt.Sprintf("ssl:127.0.0.1:%d", ssl), kinds(TLS{CACert: dir + "/none.pem"}), "no such file"},
		{"a CA that is none", fmt.Sprintf("ssl:127.0.0.1:%d", ssl), kinds(TLS{CACert: file}), "holds no certificate"},
		{"half a pair", fmt.Sprintf("ssl:127.0.0.1:%d", ssl),
			kinds(TLS{CACert: ca.path("ca-cert"), Certificate: ca.path("client-cert")}), "only together"},
		{"a mixed pair", fmt.Sprintf("ssl:127.0.0.1:%d", ssl),
			kinds(TLS{CACert: ca.path("ca-cert"), Certificate: ca.path("client-cert"),
				PrivateKey: ca.path("stranger-privkey")}), "made for each other"},
		{"a strange CA", fmt.Sprintf("ssl:127.0.0.1:%d", ssl),
			kinds(TLS{CACert: ca.path("strange-cert"), Certificate: ca.path("client-cert"),
				PrivateKey: ca.path("client-privkey")}), "not signed by the CA given"},
		{"no certificate of ours", fmt.Sprintf("ssl:127.0.0.1:%d", ssl), kinds(TLS{CACert: ca.path("ca-cert")}),
			"does not accept our certificate"},
		{"a stranger's certificate", fmt.Sprintf("ssl:127.0.0.1:%d", ssl),
			kinds(TLS{CACert: ca.path("ca-cert"), Certificate: ca.path("stranger-cert"),
				PrivateKey: ca.path("stranger-privkey")}), "does not accept our certificate"},
		{"TLS to a server without", fmt.Sprintf("ssl:127.0.0.1:%d", tcp), kinds(ours), "does not speak TLS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			db, err := Open(context.Background(), c.source, c.opts)
			if err == nil {
				t.Fatalf("no error, but %v", db)
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") ||
				strings.Count(err.Error(), "; ") == 0 {
				t.Errorf("%q, want one line with advice and %q", err, c.want)
			}
			if took := time.Since(start); took > 8*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
	if _, err := Open(context.Background(), fmt.Sprintf("ssl:127.0.0.1:%d", ssl), kinds(ours)); err != nil {
		t.Errorf("what is right fails too: %v", err)
	}
}

// Of a cluster, the leader is read unless any member will do.
func TestOracleClusterServers(t *testing.T) {
	members := startCluster(t, "Kinds", "testdata/kinds.ovsschema")
	run(t, "ovsdb-client", "transact", members[0].remote, kindsTransactions[0])
	var all []string
	followers := 0
	for _, m := range members {
		all = append(all, m.remote)
		role := run(t, "ovs-appctl", "-t", m.dir+"/ctl", "cluster/status", "Kinds")
		_, err := Open(context.Background(), m.remote, Options{Database: "Kinds", Timeout: time.Second})
		if strings.Contains(role, "Role: leader") {
			if err != nil {
				t.Errorf("the leader: %v", err)
			}
			continue
		}
		followers++
		if err == nil || !strings.Contains(err.Error(), "not the leader") ||
			!strings.Contains(err.Error(), "--no-leader-only") {
			t.Errorf("a follower: %v", err)
		}
		if db, err := Open(context.Background(), m.remote, Options{Database: "Kinds", AnyMember: true}); err != nil ||
			db.Table("Every").Len() != 2 {
			t.Errorf("a follower, with any member wanted: %v", err)
		}
	}
	if followers != 2 {
		t.Errorf("%d followers", followers)
	}
	for range 2 {
		all = append(all[1:], all[0])
		if db := mustOpen(t, strings.Join(all, ","), Options{Database: "Kinds"}); db.Table("Every").Len() != 2 {
			t.Errorf("%v: %d rows", all, db.Table("Every").Len())
		}
	}
}
