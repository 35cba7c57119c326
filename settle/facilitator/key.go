package facilitator

import (
	"crypto/ecdsa"
	"strings"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/secret"
	"github.com/purserhq/purser/settle/evm"
)

// Key is the relayer's secp256k1 key. It prints as "[redacted]" everywhere.
type Key struct {
	secret.Hidden
	private *ecdsa.PrivateKey
}

// ParseKey reads 64 hex digits, with or without 0x, and a trailing newline as files
// have it. The text is not part of the error.
func ParseKey(text string) (Key, error) {
	private, err := crypto.HexToECDSA(strings.TrimPrefix(strings.TrimSpace(text), "0x"))
	if err != nil {
		return Key{}, &abi.Error{Code: "key_invalid", Message: "the relayer key is not 64 hex digits of a secp256k1 key"}
	}
	return Key{private: private}, nil
}

// Address is the account of the key.
func (k Key) Address() evm.Address {
	if k.empty() {
		return evm.Address{}
	}
	return evm.Address(crypto.PubkeyToAddress(k.private.PublicKey))
}

func (k Key) empty() bool { return k.private == nil }
