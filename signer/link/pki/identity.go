package pki

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/purserhq/purser/internal/secret"
	"github.com/purserhq/purser/signer/keystore"
)

const (
	// fileBytesMax bounds a file of this package: an honest one has 2 kB.
	fileBytesMax = 64 << 10
	// trustMax bounds the authorities in one trust file: two while they change.
	trustMax = 4

	certificateBlock, keyBlock = "CERTIFICATE", "PRIVATE KEY"
)

// Identity is a certificate and its key. It prints as [redacted].
type Identity struct {
	secret.Hidden
	inner *identity
}

type identity struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// Certificate is the public half.
func (i Identity) Certificate() *x509.Certificate { return i.inner.certificate }

// Create writes a new file and never replaces one.
func (i Identity) Create(path string) error {
	content, err := encodePair(i.inner.certificate, i.inner.key)
	if err != nil {
		return err
	}
	return create(path, content)
}

// Replace writes the file in place of the one there. Whoever opens it meanwhile finds one of the two whole.
func (i Identity) Replace(path string) error {
	content, err := encodePair(i.inner.certificate, i.inner.key)
	if err != nil {
		return err
	}
	return replace(path, content)
}

// OpenIdentity reads an identity. It refuses a file that others may read.
func OpenIdentity(path string) (Identity, error) {
	certificate, key, err := openPair(path)
	if err != nil {
		return Identity{}, err
	}
	if _, err := PeerOf(certificate); err != nil {
		return Identity{}, fmt.Errorf("read identity %s: %w", path, err)
	}
	return Identity{inner: &identity{certificate, key}}, nil
}

func (i Identity) pair() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{i.inner.certificate.Raw}, PrivateKey: i.inner.key, Leaf: i.inner.certificate}
}

// Create writes the authority to a new file and never replaces one.
func (a Authority) Create(path string) error {
	content, err := encodePair(a.inner.certificate, a.inner.key)
	if err != nil {
		return err
	}
	return create(path, content)
}

// OpenAuthority reads an authority. It refuses a file that others may read.
func OpenAuthority(path string) (Authority, error) {
	certificate, key, err := openPair(path)
	if err != nil {
		return Authority{}, err
	}
	if !certificate.IsCA {
		return Authority{}, fmt.Errorf("read authority %s: this certificate may issue nothing", path)
	}
	return Authority{inner: &authority{certificate, key}}, nil
}

// WriteTrust writes the certificates of the authorities to trust, in place of the file there, if any.
func WriteTrust(path string, authorities ...*x509.Certificate) error {
	if len(authorities) == 0 || len(authorities) > trustMax {
		return fmt.Errorf("write trust %s: 1 to %d authorities, not %d", path, trustMax, len(authorities))
	}
	var content []byte
	for _, certificate := range authorities {
		if !certificate.IsCA {
			return fmt.Errorf("write trust %s: %s is no authority", path, certificate.Subject)
		}
		content = append(content, pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: certificate.Raw})...)
	}
	return replace(path, content)
}

// OpenTrust reads the authorities to trust. The file holds no secret, but whoever can write it is trusted: it must be
// as private as a key.
func OpenTrust(path string) ([]*x509.Certificate, error) {
	content, err := keystore.ReadPrivateFile(path, fileBytesMax)
	if err != nil {
		return nil, err
	}
	blocks, err := decodeBlocks(content.Bytes())
	if err != nil {
		return nil, fmt.Errorf("read trust %s: %w", path, err)
	}
	var authorities []*x509.Certificate
	for _, block := range blocks {
		certificate, err := parseCertificate(block)
		if err != nil {
			return nil, fmt.Errorf("read trust %s: %w", path, err)
		}
		if !certificate.IsCA {
			return nil, fmt.Errorf("read trust %s: %.60q is no authority", path, certificate.Subject.CommonName)
		}
		authorities = append(authorities, certificate)
	}
	return authorities, nil
}

func encodePair(certificate *x509.Certificate, key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	content := pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: certificate.Raw})
	return append(content, pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der})...), nil
}

func openPair(path string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	content, err := keystore.ReadPrivateFile(path, fileBytesMax)
	if err != nil {
		return nil, nil, err
	}
	defer content.Wipe()
	certificate, key, err := decodePair(content.Bytes())
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", path, err)
	}
	return certificate, key, nil
}

func decodePair(content []byte) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	blocks, err := decodeBlocks(content)
	if err != nil {
		return nil, nil, err
	}
	if len(blocks) != 2 || blocks[1].Type != keyBlock {
		return nil, nil, errors.New("a certificate and its key belong here, and nothing else")
	}
	certificate, err := parseCertificate(blocks[0])
	if err != nil {
		return nil, nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(blocks[1].Bytes)
	if err != nil {
		return nil, nil, errors.New("the key cannot be read") // the parser's words may quote it
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	public, match := certificate.PublicKey.(*ecdsa.PublicKey)
	if !ok || !match || !key.PublicKey.Equal(public) {
		return nil, nil, errors.New("the key does not belong to the certificate")
	}
	return certificate, key, nil
}

// decodeBlocks reads PEM blocks with nothing before, between or after them, so that what a person reads in the file is
// what is in force.
func decodeBlocks(content []byte) ([]*pem.Block, error) {
	var blocks []*pem.Block
	for rest := content; len(rest) > 0; {
		block, after := pem.Decode(rest)
		if block == nil || len(block.Headers) != 0 || string(pem.EncodeToMemory(block)) != string(rest[:len(rest)-len(after)]) {
			return nil, errors.New("this is not a plain sequence of PEM blocks")
		}
		if len(blocks) == trustMax {
			return nil, fmt.Errorf("more than %d PEM blocks", trustMax)
		}
		blocks, rest = append(blocks, block), after
	}
	if len(blocks) == 0 {
		return nil, errors.New("the file is empty")
	}
	return blocks, nil
}

func parseCertificate(block *pem.Block) (*x509.Certificate, error) {
	if block.Type != certificateBlock {
		return nil, errors.New("a certificate belongs here")
	}
	return x509.ParseCertificate(block.Bytes)
}
