package pki

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"

	"github.com/purserhq/purser/abi"
)

// Role is what the holder of a certificate is to the others. It stands in the certificate as its only URI.
type Role string

// The roles of an installation.
const (
	Runtime  Role = "runtime"
	CoSigner Role = "cosigner"
	Operator Role = "operator"
	Recovery Role = "recovery"
)

// CodeUntrusted: the certificate of the other side, or ours in its eyes, is not one to talk to.
const CodeUntrusted = "link_untrusted"

const roleScheme = "purser"

// URI is how the role is written in a certificate: purser://runtime.
func (r Role) URI() string { return roleScheme + "://" + string(r) }

// Valid reports whether r is one of the four roles.
func (r Role) Valid() bool {
	switch r {
	case Runtime, CoSigner, Operator, Recovery:
		return true
	}
	return false
}

// Peer is an authenticated other side.
type Peer struct {
	Role Role
	// Name is the one it was issued under. It tells operators apart in a log; it grants nothing.
	Name string
	// Key is the SHA-256 of its public key: one identity, whatever its connections.
	Key [sha256.Size]byte
}

// PeerOf reads who a verified certificate is for. One with no role, with two, or with a role among other names is
// nobody's: which of them counts would be a question.
func PeerOf(certificate *x509.Certificate) (Peer, error) {
	if certificate.IsCA {
		return Peer{}, untrusted("the certificate is an authority's")
	}
	if len(certificate.URIs) != 1 {
		return Peer{}, untrusted("the certificate does not name exactly one role")
	}
	written := certificate.URIs[0]
	role := Role(written.Host)
	if !role.Valid() || written.String() != role.URI() {
		return Peer{}, untrusted(fmt.Sprintf("the certificate names no role but %.60q", written))
	}
	return Peer{Role: role, Name: certificate.Subject.CommonName, Key: sha256.Sum256(certificate.RawSubjectPublicKeyInfo)}, nil
}

func untrusted(message string) error {
	return &abi.Error{
		Code: CodeUntrusted, Message: message, Retry: abi.RetryLater, // a rotation that is under way ends
		Fix: "give each host the identity of its own role, issued by an authority in the other's trust file",
	}
}
