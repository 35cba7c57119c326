package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/purserhq/purser/internal/secret"
)

const (
	// authorityTime is how long an authority's certificate is good, identityTime one that it issues.
	authorityTime = 10 * 365 * 24 * time.Hour
	identityTime  = 365 * 24 * time.Hour
	// backdate lets a host whose clock is a little behind use a new certificate at once.
	backdate = 10 * time.Minute
	// hostsMax and nameBytesMax bound what a certificate names.
	hostsMax, nameBytesMax = 16, 64
	serialBytes            = 16
)

// Authority signs the certificates of one installation. It prints as [redacted]. Its key and those it issues come from
// the operating system's entropy: crypto/ecdsa takes no other since Go 1.26.
type Authority struct {
	secret.Hidden
	inner *authority
}

type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// NewAuthority makes an authority. ECDSA P-256 rather than Ed25519, so that a browser can speak to what it issues.
func NewAuthority(now time.Time) (Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Authority{}, fmt.Errorf("make authority: %w", err)
	}
	serial, err := newSerial()
	if err != nil {
		return Authority{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "purser local authority " + now.UTC().Format("2006-01-02") + " " + serial.Text(16)[:8]},
		NotBefore:    now.Add(-backdate), NotAfter: now.Add(authorityTime),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return Authority{}, fmt.Errorf("make authority: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return Authority{}, fmt.Errorf("make authority: %w", err)
	}
	return Authority{inner: &authority{certificate, key}}, nil
}

// Certificate is the authority's own, for trust files.
func (a Authority) Certificate() *x509.Certificate { return a.inner.certificate }

// Issuance is what a certificate says.
type Issuance struct {
	Role Role
	// Name tells holders of one role apart in logs; default: the role. At most 64 bytes.
	Name string
	// Hosts are the host names and addresses at which others dial the holder; none for one that only dials.
	Hosts []string
	// Now is when it is issued. Valid is for how long: default and at most a year.
	Now   time.Time
	Valid time.Duration
}

// Issue makes a new key and its certificate.
func (a Authority) Issue(issuance Issuance) (Identity, error) {
	template, err := a.template(issuance)
	if err != nil {
		return Identity{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Identity{}, fmt.Errorf("issue %s certificate: %w", issuance.Role, err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.inner.certificate, key.Public(), a.inner.key)
	if err != nil {
		return Identity{}, fmt.Errorf("issue %s certificate: %w", issuance.Role, err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return Identity{}, fmt.Errorf("issue %s certificate: %w", issuance.Role, err)
	}
	return Identity{inner: &identity{certificate, key}}, nil
}

func (a Authority) template(issuance Issuance) (*x509.Certificate, error) {
	if issuance.Name == "" {
		issuance.Name = string(issuance.Role)
	}
	if issuance.Valid == 0 {
		issuance.Valid = identityTime
	}
	switch {
	case !issuance.Role.Valid():
		return nil, fmt.Errorf("issue certificate: %.40q is no role", string(issuance.Role))
	case len(issuance.Name) > nameBytesMax || strings.ContainsFunc(issuance.Name, unprintable):
		return nil, fmt.Errorf("issue certificate: the name must be printable ASCII of at most %d bytes", nameBytesMax)
	case issuance.Valid < 0 || issuance.Valid > identityTime:
		return nil, fmt.Errorf("issue certificate: a certificate is good for at most %s", identityTime)
	case len(issuance.Hosts) > hostsMax:
		return nil, fmt.Errorf("issue certificate: more than %d hosts", hostsMax)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	ends := issuance.Now.Add(issuance.Valid)
	if last := a.inner.certificate.NotAfter; ends.After(last) { // it could not be verified any longer than that
		ends = last
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: issuance.Name}, NotBefore: issuance.Now.Add(-backdate), NotAfter: ends,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		URIs:        []*url.URL{{Scheme: roleScheme, Host: string(issuance.Role)}},
	}
	if len(issuance.Hosts) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	for _, host := range issuance.Hosts {
		if address := net.ParseIP(host); address != nil {
			template.IPAddresses = append(template.IPAddresses, address)
			continue
		}
		if host == "" || strings.ContainsFunc(host, notInHostName) {
			return nil, fmt.Errorf("issue certificate: %.60q is no host name or address", host)
		}
		template.DNSNames = append(template.DNSNames, host)
	}
	return template, nil
}

func unprintable(c rune) bool { return c < ' ' || c > '~' }

// notInHostName also keeps wildcards out: a host is named or it is not.
func notInHostName(c rune) bool {
	return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.'
}

func newSerial() (*big.Int, error) {
	number := make([]byte, serialBytes)
	if _, err := io.ReadFull(rand.Reader, number); err != nil {
		return nil, fmt.Errorf("make serial number: %w", err)
	}
	number[0] = number[0]&0x7f | 0x40 // positive, and always as long: RFC 5280 section 4.1.2.2
	return new(big.Int).SetBytes(number), nil
}
