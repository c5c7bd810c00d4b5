package store

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"os"
)

// TLS names the files for ssl: servers, as the options of OVN's tools do.
type TLS struct {
	PrivateKey  string // -p, --private-key
	Certificate string // -c, --certificate
	CACert      string // -C, --ca-cert; "none" trusts any server
}

// config reads the files.
func (t TLS) config() (*tls.Config, error) {
	// The tools of OVS verify that the server's certificate is signed by the
	// CA, and not what host it names: members are addressed by IP.
	c := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
	if t.PrivateKey != "" || t.Certificate != "" {
		if t.PrivateKey == "" || t.Certificate == "" {
			return nil, &SourceError{Source: "ssl:", Problem: "a private key and a certificate are of use only " +
				"together",
				Advice: "give both --private-key and --certificate"}
		}
		key, err := readPEM(t.PrivateKey)
		if err != nil {
			return nil, err
		}
		certificate, err := readPEM(t.Certificate)
		if err != nil {
			return nil, err
		}
		pair, err := tls.X509KeyPair(certificate, key)
		if err != nil {
			return nil, &SourceError{Source: t.Certificate, Problem: "cannot be used with " + t.PrivateKey + ": " +
				err.Error(), Advice: "give the certificate and the key made for each other, in PEM"}
		}
		c.Certificates = []tls.Certificate{pair}
	}
	switch t.CACert {
	case "":
		return nil, &SourceError{Source: "ssl:", Problem: "no CA certificate to verify the server with",
			Advice: "give --ca-cert FILE, or --ca-cert none to trust any server"}
	case "none":
		return c, nil
	}
	pem, err := readPEM(t.CACert)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, &SourceError{Source: t.CACert, Problem: "holds no certificate in PEM",
			Advice: "give the CA's certificate, usually cacert.pem"}
	}
	c.VerifyConnection = func(state tls.ConnectionState) error { return verifyChain(state, roots) }
	return c, nil
}

// readPEM reads a key or certificates, of which even all authorities of a system have less than
// the most that is read: what has no end is told so.
func readPEM(path string) ([]byte, error) {
	const most = 1 << 20
	f, err := os.Open(path)
	if err != nil {
		return nil, tlsFileError(path, err)
	}
	defer f.Close()
	pem, err := io.ReadAll(io.LimitReader(f, most+1))
	switch {
	case err != nil:
		return nil, tlsFileError(path, err)
	case len(pem) > most:
		return nil, &SourceError{Source: path, Problem: "is larger than 1 MiB, and no key or certificate",
			Advice: "check the path given for the TLS files"}
	}
	return pem, nil
}

func tlsFileError(path string, err error) error {
	e := openError(path, err).(*SourceError)
	e.Advice = "check the path given for the TLS files"
	return e
}

func verifyChain(state tls.ConnectionState, roots *x509.CertPool) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the server shows no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err
}
