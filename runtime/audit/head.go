package audit

import (
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"

	"github.com/purserhq/purser/abi"
)

// headDomain starts the signed bytes of a Head, so that no other signature of the same key can pass for one.
const headDomain = "purser.head.v1"

// headTextBytesMax bounds tenant and agent in a head.
const headTextBytesMax = 1024

// Head is the end of an agent's chain at a moment. Whoever keeps a signed head can prove later that the log was
// cut or rewritten before it.
type Head struct {
	Tenant, Agent string
	// Sequence is the last entry's, Hash its SHA-256; 0 and zero are the empty chain.
	Sequence uint64
	Hash     [32]byte
	// TimeUnixMS is ledger time in milliseconds when the head was taken.
	TimeUnixMS uint64
}

// SignedHead is a head and an Ed25519 signature (RFC 8032) over its bytes. Its JSON is one flat object of
// lower-case hex, strings and numbers.
type SignedHead struct {
	Head
	Signature []byte
}

// SignHead signs a head. It fails with code head_invalid when a name is too long to be signed unambiguously.
func SignHead(key ed25519.PrivateKey, head Head) (SignedHead, error) {
	message, err := head.bytes()
	if err != nil {
		return SignedHead{}, err
	}
	if len(key) != ed25519.PrivateKeySize {
		return SignedHead{}, badHead("the key is not an Ed25519 private key")
	}
	return SignedHead{Head: head, Signature: ed25519.Sign(key, message)}, nil
}

// Verify checks the signature, or fails with code head_invalid. It says nothing about the log.
func (s SignedHead) Verify(key ed25519.PublicKey) error {
	message, err := s.bytes()
	if err != nil {
		return err
	}
	if len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, message, s.Signature) {
		return badHead("the signature of the head of " + s.Agent + " is not by this key")
	}
	return nil
}

// bytes is domain, then tenant and agent with 4-byte lengths, sequence, hash and time, integers big-endian:
// lengths keep ("a","bc") and ("ab","c") apart.
func (h Head) bytes() ([]byte, error) {
	b := []byte(headDomain)
	for _, text := range []string{h.Tenant, h.Agent} {
		if len(text) > headTextBytesMax {
			return nil, badHead("a name in the head is too long")
		}
		b = binary.BigEndian.AppendUint32(b, uint32(len(text))) //nolint:gosec // bounded above
		b = append(b, text...)
	}
	b = binary.BigEndian.AppendUint64(b, h.Sequence)
	b = append(b, h.Hash[:]...)
	return binary.BigEndian.AppendUint64(b, h.TimeUnixMS), nil
}

type headView struct {
	Tenant     string `json:"tenant"`
	Agent      string `json:"agent"`
	Sequence   uint64 `json:"sequence"`
	Hash       string `json:"hash"`
	TimeUnixMS uint64 `json:"time_unix_ms"`
	Signature  string `json:"signature"`
}

// MarshalJSON writes the head for a file or a page.
func (s SignedHead) MarshalJSON() ([]byte, error) {
	return json.Marshal(headView{
		s.Tenant, s.Agent, s.Sequence, hex.EncodeToString(s.Hash[:]), s.TimeUnixMS,
		hex.EncodeToString(s.Signature),
	})
}

// UnmarshalJSON reads what MarshalJSON wrote. It does not verify.
func (s *SignedHead) UnmarshalJSON(data []byte) error {
	var v headView
	if err := json.Unmarshal(data, &v); err != nil {
		return badHead("the head is not JSON: " + err.Error())
	}
	hash, err := hex.DecodeString(v.Hash)
	if err != nil || len(hash) != len(s.Hash) {
		return badHead("the hash of the head is not 32 bytes of hex")
	}
	signature, err := hex.DecodeString(v.Signature)
	if err != nil || len(signature) != ed25519.SignatureSize {
		return badHead("the signature of the head is not 64 bytes of hex")
	}
	*s = SignedHead{Head{v.Tenant, v.Agent, v.Sequence, [32]byte(hash), v.TimeUnixMS}, signature}
	return nil
}

func badHead(what string) error {
	return &abi.Error{Code: "head_invalid", Message: what, Fix: "take the head from the other side again"}
}
