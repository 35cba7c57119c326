package request

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/purserhq/purser/abi"
)

const domain = "purser.request.v1"

// LifeMax is how far ahead a request may expire, by the clock of whoever verifies it. LifeDefault is what clients here
// ask for: long enough for a person to approve within a working day, and far enough from LifeMax for clocks that differ.
const (
	LifeMax     = 24 * time.Hour
	LifeDefault = 12 * time.Hour
)

// Bounds of a request, in bytes.
const (
	bytesMax       = 4096
	originBytesMax = 300
	methodBytesMax = 16
	urlBytesMax    = 2048
	keyBytesMax    = 128
)

// New is an unsigned request for a resource. method is in capitals, amountMax in smallest units of the asset with zero
// for no ceiling, key the idempotency key. Codes: "request_malformed".
func New(method, url string, body []byte, amountMax abi.Amount, key string, expires time.Time) (*abi.AgentRequest, error) {
	origin, err := Origin(url)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	return &abi.AgentRequest{
		Domain: domain, Origin: origin, Method: method, URL: url, BodySHA256: sum[:], AmountMax: amountMax, Key: key,
		ExpiresUnixS: uint64(max(0, expires.Unix())),
	}, nil
}

// Sign writes the agent's public key and its signature into the request. Codes: "request_malformed".
func Sign(r *abi.AgentRequest, key ed25519.PrivateKey) error {
	if len(key) != ed25519.PrivateKeySize {
		return malformed("public_key", "the agent's key is not an Ed25519 private key")
	}
	public, _ := key.Public().(ed25519.PublicKey) // always of that type
	signed := *r
	signed.PublicKey, signed.Signature = public, make([]byte, ed25519.SignatureSize)
	if err := formed(&signed); err != nil {
		return err
	}
	message, err := messageOf(&signed)
	if err != nil {
		return err
	}
	r.PublicKey, r.Signature = public, ed25519.Sign(key, message)
	return nil
}

// Verify checks that the holder of key signed the request and that it holds now: not over, and not open for longer than
// LifeMax. Codes: "request_malformed" for the form, "request_forged" for the signature, "request_expired" for the time.
// What the request asks for is not its business: see Matches.
func Verify(r *abi.AgentRequest, key ed25519.PublicKey, now time.Time) error {
	if err := formed(r); err != nil {
		return err
	}
	message, err := messageOf(r)
	if err != nil {
		return err
	}
	// The key inside is part of what is signed, and only a hint: the one that counts is enrolled.
	if len(key) != ed25519.PublicKeySize || !bytes.Equal(r.PublicKey, key) || !ed25519.Verify(key, message, r.Signature) {
		return forged("signature", "the request is not signed by the agent's enrolled key")
	}
	at := now.Unix()
	if at < 0 || r.ExpiresUnixS <= uint64(at) {
		return expired("the request's time is over")
	}
	if r.ExpiresUnixS-uint64(at) > uint64(LifeMax/time.Second) {
		return expired(fmt.Sprintf("the request is good for more than %d hours", int(LifeMax.Hours())))
	}
	return nil
}

// Matches compares each field with the intent: what the agent signed is what is to be paid for. The intent's origin is
// the one a host connected to. Code "request_forged", with the field in Where.
func Matches(r *abi.AgentRequest, intent *abi.Intent) error {
	for _, field := range []struct {
		name string
		same bool
	}{
		{"origin", r.Origin == intent.Origin},
		{"method", r.Method == intent.Method},
		{"url", r.URL == intent.URL},
		{"body_sha256", bytes.Equal(r.BodySHA256, intent.BodySHA256)},
		{"amount_max", r.AmountMax.Cmp(intent.AmountMax) == 0},
		{"key", r.Key == intent.Key},
	} {
		if !field.same {
			return forged(field.name, "the agent signed another "+field.name+" than the payment has")
		}
	}
	if !r.AmountMax.IsZero() && intent.Amount.Cmp(r.AmountMax) > 0 {
		return forged("amount_max", fmt.Sprintf("the payment is of %s, the agent signed at most %s", intent.Amount, r.AmountMax))
	}
	return nil
}

// Encode is the request as the gateway takes it: its wire bytes in base64.
func Encode(r *abi.AgentRequest) (string, error) {
	if err := formed(r); err != nil {
		return "", err
	}
	encoded, err := r.Marshal()
	if err != nil {
		return "", fmt.Errorf("encode the agent's request: %w", err)
	}
	return base64.StdEncoding.EncodeToString(encoded), nil
}

// Decode reads what Encode returns, and nothing else. The result is a claim: nothing about it is verified but its form.
// Code "request_malformed".
func Decode(text string) (*abi.AgentRequest, error) {
	if len(text) > base64.StdEncoding.EncodedLen(bytesMax) {
		return nil, malformed("signed", fmt.Sprintf("the request has more than %d bytes", bytesMax))
	}
	encoded, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") { // which the decoder would pass over: a second spelling
		return nil, malformed("signed", "the request is not base64")
	}
	r := new(abi.AgentRequest)
	if err := r.Unmarshal(encoded); err != nil {
		return nil, malformed("signed", "the bytes are not an AgentRequest")
	}
	return r, formed(r)
}

// formed checks what needs neither key nor clock.
func formed(r *abi.AgentRequest) error {
	switch {
	case r == nil:
		return malformed("request", "there is no request")
	case r.Domain != domain:
		return malformed("domain", "the domain is not "+domain)
	case len(r.Origin) > originBytesMax, len(r.Method) > methodBytesMax, len(r.URL) > urlBytesMax, len(r.Key) > keyBytesMax:
		return malformed("request", "a field is too long")
	case r.Origin == "" || r.Method == "" || r.URL == "" || r.Key == "":
		return malformed("request", "a field is missing")
	case len(r.BodySHA256) != sha256.Size:
		return malformed("body_sha256", fmt.Sprintf("the hash has %d bytes, want %d", len(r.BodySHA256), sha256.Size))
	case len(r.PublicKey) != ed25519.PublicKeySize || len(r.Signature) != ed25519.SignatureSize:
		return malformed("signature", "the request is not signed with Ed25519")
	case r.ExpiresUnixS > abi.WireIntegerMax:
		return malformed("expires_unix_s", "the time is out of range")
	}
	return nil
}

// messageOf is what the agent signs: the request without its signature.
func messageOf(r *abi.AgentRequest) ([]byte, error) {
	unsigned := *r
	unsigned.Signature = nil
	message, err := unsigned.Marshal()
	if err != nil {
		return nil, malformed("request", "the request cannot be encoded")
	}
	return message, nil
}

func malformed(where, message string) error {
	return &abi.Error{Code: "request_malformed", Where: where, Message: message, Fix: "sign it with this version's client, as docs/api.md says"}
}

func forged(where, message string) error {
	return &abi.Error{Code: "request_forged", Where: where, Message: message, Fix: "nothing was promised; if you did not change the request, somebody between did"}
}

func expired(message string) error {
	return &abi.Error{Code: "request_expired", Where: "expires_unix_s", Message: message, Fix: "sign it again with the same idempotency key: a payment that exists is found by it"}
}
