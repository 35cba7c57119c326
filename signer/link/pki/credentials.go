package pki

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/purserhq/purser/abi"
)

const (
	// alarmBefore is how long before a certificate ends the alarm begins, alarmEvery how often it is repeated.
	alarmBefore = 30 * 24 * time.Hour
	alarmEvery  = 6 * time.Hour
)

// CredentialsConfig says where a process's certificates are. Fields without a default are required.
type CredentialsConfig struct {
	// Identity and Trust are paths of files that [Identity.Create] and [WriteTrust] wrote.
	Identity, Trust string
	// Role is the one that Identity must be for: a host that was given another's identity must not start.
	Role Role
	// Now is the clock by which certificates end. Default: the system's.
	Now func() time.Time
	// Log receives rotations and the alarm. Default: discarded.
	Log *slog.Logger
}

// Credentials are a process's certificate and the authorities it trusts, as the files have them now. Safe for
// concurrent use.
type Credentials struct {
	config CredentialsConfig

	mu      sync.Mutex
	view    View
	seen    [2]os.FileInfo // what the files were when they were last read, well or badly
	alarmed time.Time
}

// View is one state of the files.
type View struct {
	// Generation grows with each change.
	Generation uint64
	// Expires is when the first certificate that matters ends: ours or an authority's.
	Expires time.Time

	identity Identity
	trust    []*x509.Certificate
	roots    *x509.CertPool
}

// OpenCredentials reads the files and refuses an identity of another role or one that the trust file does not cover.
func OpenCredentials(config CredentialsConfig) (*Credentials, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	c := &Credentials{config: config}
	view, seen, err := c.read()
	if err != nil {
		return nil, fmt.Errorf("open credentials: %w", err)
	}
	view.Generation = 1
	c.view, c.seen = view, seen
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alarm()
	return c, nil
}

// Role is the one the identity is for.
func (c *Credentials) Role() Role { return c.config.Role }

// Current reads the files again if they changed. Files that cannot be used leave what was there in force, and an error
// in the log: a rotation that went wrong must not stop what works.
func (c *Credentials) Current() View {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changed() {
		view, seen, err := c.read()
		c.seen = seen
		if err != nil {
			c.config.Log.Error("certificates changed and cannot be used: the old ones stay in force", "role", string(c.config.Role), "error", err.Error())
		} else {
			view.Generation = c.view.Generation + 1
			c.view = view
			c.alarmed = time.Time{}
			c.config.Log.Info("certificates changed", "role", string(c.config.Role), "expires", view.Expires)
		}
	}
	c.alarm()
	return c.view
}

func (c *Credentials) changed() bool {
	for i, info := range c.stat() {
		before := c.seen[i]
		if info == nil || before == nil {
			if info != before {
				return true
			}
			continue
		}
		if !os.SameFile(before, info) || before.Size() != info.Size() || !before.ModTime().Equal(info.ModTime()) || before.Mode() != info.Mode() {
			return true
		}
	}
	return false
}

// stat tells what the two files are; nil for one that cannot be looked at, which reading it will explain.
func (c *Credentials) stat() (seen [2]os.FileInfo) {
	for i, path := range []string{c.config.Identity, c.config.Trust} {
		if info, err := os.Lstat(path); err == nil {
			seen[i] = info
		}
	}
	return seen
}

func (c *Credentials) read() (View, [2]os.FileInfo, error) {
	seen := c.stat() // before they are read: a change in between is found the next time
	identity, err := OpenIdentity(c.config.Identity)
	if err != nil {
		return View{}, seen, err
	}
	peer, err := PeerOf(identity.Certificate())
	if err != nil {
		return View{}, seen, err
	}
	if peer.Role != c.config.Role {
		return View{}, seen, &abi.Error{
			Code: CodeUntrusted, Where: c.config.Identity, Message: fmt.Sprintf("this is the identity of a %s, not of a %s", peer.Role, c.config.Role),
			Fix: "give each host the identity of its own role",
		}
	}
	view := View{identity: identity, Expires: identity.Certificate().NotAfter, roots: x509.NewCertPool()}
	if view.trust, err = OpenTrust(c.config.Trust); err != nil {
		return View{}, seen, err
	}
	for _, authority := range view.trust {
		view.roots.AddCert(authority)
		if authority.NotAfter.Before(view.Expires) {
			view.Expires = authority.NotAfter
		}
	}
	// Our own must be good in the others' eyes; whether it has expired is the alarm's matter, not a reason to keep an
	// older one.
	err = view.verify([]*x509.Certificate{identity.Certificate()}, identity.Certificate().NotAfter, x509.ExtKeyUsageClientAuth)
	return view, seen, err
}

func (c *Credentials) alarm() {
	now := c.config.Now()
	left := c.view.Expires.Sub(now)
	if left > alarmBefore || now.Sub(c.alarmed) < alarmEvery {
		return
	}
	c.alarmed = now
	if left <= 0 {
		c.config.Log.Error("a certificate has expired: the other side refuses it", "role", string(c.config.Role), "expired", c.view.Expires)
		return
	}
	c.config.Log.Warn("a certificate expires soon", "role", string(c.config.Role), "expires", c.view.Expires, "days", int64(left/(24*time.Hour)))
}

// Check verifies a chain that a peer presented when its connection began against what is trusted now.
func (v View) Check(chain []*x509.Certificate, now time.Time, usage x509.ExtKeyUsage) (Peer, error) {
	if len(chain) == 0 {
		return Peer{}, untrusted("the other side showed no certificate")
	}
	if err := v.verify(chain, now, usage); err != nil {
		return Peer{}, err
	}
	return PeerOf(chain[0])
}

func (v View) verify(chain []*x509.Certificate, now time.Time, usage x509.ExtKeyUsage) error {
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: v.roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage}})
	if err != nil {
		return &abi.Error{
			Code: CodeUntrusted, Message: "the certificate was not issued by an authority in force here, or its time is over", Retry: abi.RetryLater,
			Fix: "issue the identity anew, or add its authority to the trust file", Cause: err,
		}
	}
	return nil
}

// ServerTLS is TLS 1.3 with a client certificate, by what the files have when a connection begins. admit, which may
// be nil, is told who a connection belongs to and may refuse it. There are no session tickets: each connection is
// checked in full.
func (c *Credentials) ServerTLS(admit func(hello *tls.ClientHelloInfo, peer Peer) error) *tls.Config {
	perConnection := func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		view := c.Current()
		config := c.base(view)
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, view.roots
		config.VerifyConnection = func(state tls.ConnectionState) error {
			peer, err := view.Check(state.PeerCertificates, c.config.Now(), x509.ExtKeyUsageClientAuth)
			if err != nil || admit == nil {
				return err
			}
			return admit(hello, peer)
		}
		return config, nil
	}
	outer := c.base(View{})
	outer.Certificates = nil
	outer.GetConfigForClient = perConnection
	return outer
}

// ClientTLS is TLS 1.3 to a server of the role, with our certificate as the files have it now. The name that was
// dialled must be in the server's certificate too.
func (c *Credentials) ClientTLS(view View, server Role) *tls.Config {
	config := c.base(view)
	config.RootCAs = view.roots
	config.VerifyConnection = func(state tls.ConnectionState) error {
		peer, err := view.Check(state.PeerCertificates, c.config.Now(), x509.ExtKeyUsageServerAuth)
		if err != nil {
			return err
		}
		if peer.Role != server {
			return untrusted(fmt.Sprintf("the other side is a %s, not a %s", peer.Role, server))
		}
		return nil
	}
	return config
}

func (c *Credentials) base(view View) *tls.Config {
	config := &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{"h2"}, Time: c.config.Now,
		SessionTicketsDisabled: true, Renegotiation: tls.RenegotiateNever,
	}
	if view.identity.inner != nil {
		config.Certificates = []tls.Certificate{view.identity.pair()}
	}
	return config
}
