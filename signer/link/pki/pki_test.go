package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/purserhq/purser/signer/keystore"
)

func newAuthority(t testing.TB, now time.Time) Authority {
	t.Helper()
	authority, err := NewAuthority(now)
	if err != nil {
		t.Fatal(err)
	}
	return authority
}

func issue(t testing.TB, authority Authority, issuance Issuance) Identity {
	t.Helper()
	identity, err := authority.Issue(issuance)
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

func TestWhatWasWrittenIsReadAndIsPrivate(t *testing.T) {
	now := time.Now()
	dir := t.TempDir()
	authority := newAuthority(t, now)
	identity := issue(t, authority, Issuance{Role: CoSigner, Name: "cosigner-1", Hosts: []string{"cosigner.example", "127.0.0.1", "::1"}, Now: now})
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, err := range []error{authority.Create(path("ca.pem")), identity.Create(path("cosigner.pem")), WriteTrust(path("trust.pem"), authority.Certificate())} {
		if err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("%d files: %v", len(entries), err)
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err != nil || info.Mode() != privateMode {
			t.Errorf("%s has mode %s, %v", entry.Name(), info.Mode(), err)
		}
	}
	read, err := OpenIdentity(path("cosigner.pem"))
	if err != nil || !read.Certificate().Equal(identity.Certificate()) || !read.inner.key.Equal(identity.inner.key) {
		t.Errorf("identity: %v", err)
	}
	peer, err := PeerOf(read.Certificate())
	if err != nil || peer.Role != CoSigner || peer.Name != "cosigner-1" {
		t.Errorf("peer %+v, %v", peer, err)
	}
	again, err := OpenAuthority(path("ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	later := issue(t, again, Issuance{Role: Runtime, Now: now})
	trust, err := OpenTrust(path("trust.pem"))
	if err != nil || len(trust) != 1 {
		t.Fatalf("trust: %v", err)
	}
	if err := later.Certificate().CheckSignatureFrom(trust[0]); err != nil {
		t.Error(err)
	}
	if err := identity.Create(path("cosigner.pem")); err == nil {
		t.Error("Create replaced a file")
	}
	if err := later.Replace(path("cosigner.pem")); err != nil {
		t.Error(err)
	}
	if read, err = OpenIdentity(path("cosigner.pem")); err != nil || !read.Certificate().Equal(later.Certificate()) {
		t.Errorf("after Replace: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 3 {
		t.Errorf("temporary files stay behind: %v %v", entries, err)
	}
}

func TestAFileThatOthersCanReadOrThatHoldsAnythingElseIsRefused(t *testing.T) {
	now := time.Now()
	dir := t.TempDir()
	authority, other := newAuthority(t, now), newAuthority(t, now)
	pairOf := func(authority Authority, role Role) []byte {
		identity := issue(t, authority, Issuance{Role: role, Now: now})
		content, err := encodePair(identity.inner.certificate, identity.inner.key)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	good, second := pairOf(authority, Runtime), pairOf(other, Runtime)
	half := bytes.Index(good, []byte("-----BEGIN PRIVATE"))
	ca, err := encodePair(authority.inner.certificate, authority.inner.key)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"empty":                 {},
		"text":                  []byte("hello"),
		"text before":           append([]byte("# mine\n"), good...),
		"text after":            append(bytes.Clone(good), "x"...),
		"a space after":         append(bytes.Clone(good), '\n'),
		"the certificate alone": good[:half],
		"the key alone":         good[half:],
		"the key first":         append(bytes.Clone(good[half:]), good[:half]...),
		"another's key":         append(bytes.Clone(good[:half]), second[bytes.Index(second, []byte("-----BEGIN PRIVATE")):]...),
		"two pairs":             append(bytes.Clone(good), second...),
		"a header":              bytes.Replace(good, []byte("CERTIFICATE-----\n"), []byte("CERTIFICATE-----\nA: b\n\n"), 1),
		"cut":                   good[:len(good)-40],
		"an authority":          ca,
		"too long":              bytes.Repeat(good, 100),
	} {
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		if err := os.WriteFile(path, content, privateMode); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenIdentity(path); err == nil {
			t.Errorf("%s is an identity", name)
		}
		if _, err := OpenTrust(path); err == nil {
			t.Errorf("%s is trusted", name)
		}
	}
	path := filepath.Join(dir, "shared")
	if err := os.WriteFile(path, good, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{func() error { _, err := OpenIdentity(path); return err }(), func() error { _, err := OpenTrust(path); return err }()} {
		if err == nil || !strings.Contains(err.Error(), keystore.CodeExposed) {
			t.Errorf("others can read it: %v", err)
		}
	}
	if err := WriteTrust(filepath.Join(dir, "t"), issue(t, authority, Issuance{Role: Runtime, Now: now}).Certificate()); err == nil {
		t.Error("a runtime's certificate became an authority")
	}
	if err := WriteTrust(filepath.Join(dir, "t")); err == nil {
		t.Error("an empty trust file was written")
	}
}

func TestACertificateIsIssuedForARoleAndPlainHostsOnly(t *testing.T) {
	now := time.Now()
	authority := newAuthority(t, now)
	for name, issuance := range map[string]Issuance{
		"no role":          {},
		"an unknown role":  {Role: "root"},
		"a wildcard":       {Role: CoSigner, Hosts: []string{"*.example"}},
		"an empty host":    {Role: CoSigner, Hosts: []string{""}},
		"a host and port":  {Role: CoSigner, Hosts: []string{"host:1"}},
		"an upper-case":    {Role: CoSigner, Hosts: []string{"Host"}},
		"too many hosts":   {Role: CoSigner, Hosts: make([]string, hostsMax+1)},
		"a long name":      {Role: Operator, Name: strings.Repeat("a", nameBytesMax+1)},
		"a name with bell": {Role: Operator, Name: "a\a"},
		"too long a time":  {Role: Operator, Valid: identityTime + 1},
		"a negative time":  {Role: Operator, Valid: -1},
	} {
		issuance.Now = now
		if _, err := authority.Issue(issuance); err == nil {
			t.Errorf("%s: issued", name)
		}
	}
	dials := issue(t, authority, Issuance{Role: Operator, Now: now}).Certificate()
	if len(dials.ExtKeyUsage) != 1 || dials.ExtKeyUsage[0] != x509.ExtKeyUsageClientAuth || dials.IsCA {
		t.Errorf("one that only dials may also %v", dials.ExtKeyUsage)
	}
	end := authority.Certificate().NotAfter
	if last := issue(t, authority, Issuance{Role: Runtime, Now: end.Add(-time.Hour)}).Certificate(); last.NotAfter.After(end) {
		t.Error("a certificate outlives its authority")
	}
}

func TestKeysAreInNoPrintedText(t *testing.T) {
	now := time.Now()
	authority := newAuthority(t, now)
	identity := issue(t, authority, Issuance{Role: Runtime, Now: now})
	holder := struct {
		A Authority
		i Identity
	}{authority, identity}
	var text strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		fmt.Fprintf(&text, verb+verb+verb, authority, identity, holder)
	}
	slog.New(slog.NewJSONHandler(&text, nil)).Info("x", "a", authority, "i", identity, "h", holder)
	encoded, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	all := text.String() + string(encoded)
	for _, key := range []interface{ Bytes() ([]byte, error) }{authority.inner.key, identity.inner.key} {
		secret, err := key.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{string(secret), fmt.Sprintf("%x", secret), fmt.Sprintf("%v", secret)} {
			if strings.Contains(all, form) {
				t.Fatal("a key was printed")
			}
		}
	}
}

// cabinet is a host's files, its clock and its log.
type cabinet struct {
	dir       string
	authority Authority
	now       time.Time
	log       bytes.Buffer
}

func (c *cabinet) path(name string) string { return filepath.Join(c.dir, name) }

func (c *cabinet) open() (*Credentials, error) {
	return OpenCredentials(CredentialsConfig{
		Identity: c.path("identity"), Trust: c.path("trust"), Role: Runtime,
		Now: func() time.Time { return c.now }, Log: slog.New(slog.NewTextHandler(&c.log, nil)),
	})
}

func newCabinet(t testing.TB) (*cabinet, *Credentials) {
	t.Helper()
	c := &cabinet{dir: t.TempDir(), now: time.Now()}
	c.authority = newAuthority(t, c.now)
	c.replace(t, c.authority, Issuance{Role: Runtime})
	if err := WriteTrust(c.path("trust"), c.authority.Certificate()); err != nil {
		t.Fatal(err)
	}
	credentials, err := c.open()
	if err != nil {
		t.Fatal(err)
	}
	return c, credentials
}

func (c *cabinet) replace(t testing.TB, authority Authority, issuance Issuance) *x509.Certificate {
	t.Helper()
	issuance.Now = c.now
	identity := issue(t, authority, issuance)
	if err := identity.Replace(c.path("identity")); err != nil {
		t.Fatal(err)
	}
	return identity.Certificate()
}

func TestFilesThatCannotBeUsedLeaveTheOldOnesInForce(t *testing.T) {
	c, credentials := newCabinet(t)
	before := credentials.Current()
	stranger := newAuthority(t, c.now)
	for name, spoil := range map[string]func() error{
		"another role":                func() error { c.replace(t, c.authority, Issuance{Role: CoSigner}); return nil },
		"an authority nobody trusts":  func() error { c.replace(t, stranger, Issuance{Role: Runtime}); return nil },
		"garbage":                     func() error { return os.WriteFile(c.path("identity"), []byte("x"), privateMode) },
		"no file":                     func() error { return os.Remove(c.path("identity")) },
		"a trust file of another one": func() error { return WriteTrust(c.path("trust"), stranger.Certificate()) },
		"no trust file":               func() error { return os.Remove(c.path("trust")) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		c.log.Reset()
		if now := credentials.Current(); now.Generation != before.Generation || !now.identity.Certificate().Equal(before.identity.Certificate()) {
			t.Errorf("%s came into force", name)
		}
		if !strings.Contains(c.log.String(), "cannot be used") {
			t.Errorf("%s: the operator learns nothing: %s", name, &c.log)
		}
		c.log.Reset()
		credentials.Current()
		if c.log.Len() != 0 {
			t.Errorf("%s: it is said again at each look: %s", name, &c.log)
		}
		if _, err := c.open(); err == nil {
			t.Errorf("%s: a process starts with it", name)
		}
		c.replace(t, c.authority, Issuance{Role: Runtime})
		if err := WriteTrust(c.path("trust"), c.authority.Certificate()); err != nil {
			t.Fatal(err)
		}
		now := credentials.Current()
		if now.Generation <= before.Generation {
			t.Errorf("%s: good files after it were not picked up: %s", name, &c.log)
		}
		before = now
	}
}

func TestTheAlarmComesBeforeTheEndAndNotAtEachLook(t *testing.T) {
	c, credentials := newCabinet(t)
	end := credentials.Current().Expires
	said := func() string { credentials.Current(); text := c.log.String(); c.log.Reset(); return text }
	c.now = end.Add(-alarmBefore - time.Minute)
	if text := said(); text != "" {
		t.Errorf("too early: %s", text)
	}
	c.now = end.Add(-alarmBefore + time.Minute)
	if text := said(); !strings.Contains(text, "expires soon") || !strings.Contains(text, "days=29") {
		t.Errorf("in time: %s", text)
	}
	c.now = c.now.Add(alarmEvery - time.Minute)
	if text := said(); text != "" {
		t.Errorf("again at once: %s", text)
	}
	c.now = end.Add(time.Minute)
	if text := said(); !strings.Contains(text, "level=ERROR") || !strings.Contains(text, "expired") {
		t.Errorf("after the end: %s", text)
	}
	c.replace(t, c.authority, Issuance{Role: Runtime})
	if text := said(); !strings.Contains(text, "certificates changed") || strings.Contains(text, "ERROR") {
		t.Errorf("after the rotation: %s", text)
	}
}

// FuzzPair reads any bytes as an identity: an error or the pair that would be written the same.
func FuzzPair(f *testing.F) {
	now := time.Now()
	identity := issue(f, newAuthority(f, now), Issuance{Role: Runtime, Now: now})
	content, err := encodePair(identity.inner.certificate, identity.inner.key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		certificate, key, err := decodePair(data)
		if err != nil {
			return
		}
		if _, err := encodePair(certificate, key); err != nil {
			t.Fatal(err)
		}
		_, _ = PeerOf(certificate) // must not panic
	})
}
