package keystore

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/purserhq/purser/abi"
)

const (
	publicKeyBytesMax = 65
	addressBytesMax   = 128
	networksMax       = 32
	networkBytesMax   = 41 // CAIP-2
	recordBytesMax    = 1 + publicKeyBytesMax + 1 + addressBytesMax + 1 + networksMax*(1+networkBytesMax) + 8
)

// Record is the public part of a share. It lies in the file in the clear, authenticated, so that listing wallets
// unwraps nothing.
type Record struct {
	// PublicKey is the wallet's: for ECDSA uncompressed, 65 bytes, first byte 4; for EdDSA 32 bytes.
	PublicKey []byte
	// Address is the account as its networks write it, at most 128 printable ASCII characters. May be empty.
	Address string
	// Networks, when not empty, lists the only networks the wallet may sign for; at most 32.
	Networks []abi.Network
	// Created is when the ceremony ended, kept to the second.
	Created time.Time
}

func (r Record) check(scheme string) error {
	switch {
	case scheme == SchemeECDSA && (len(r.PublicKey) != publicKeyBytesMax || r.PublicKey[0] != 4):
		return inputError("public key", "an uncompressed secp256k1 key has 65 bytes and starts with 4")
	case scheme == SchemeEdDSA && len(r.PublicKey) != 32:
		return inputError("public key", "an ed25519 key has 32 bytes")
	case r.Address != "" && !isMark(r.Address):
		return inputError("address", "an address has at most %d printable characters", addressBytesMax)
	case len(r.Networks) > networksMax:
		return inputError("networks", "a wallet lists at most %d networks", networksMax)
	case r.Created.Unix() < 0:
		return inputError("created", "a wallet was not made before 1970")
	}
	for i, network := range r.Networks {
		if _, err := abi.ParseNetwork(string(network)); err != nil {
			return fmt.Errorf("networks[%d]: %w", i, err)
		}
	}
	return nil
}

// encode: public key(1+n) address(1+n) count(1) networks(1+n each) created(8, unix seconds). Only for checked records.
func (r Record) encode() []byte {
	data := appendText(nil, string(r.PublicKey))
	data = appendText(data, r.Address)
	data = append(data, byte(len(r.Networks))) //nolint:gosec // at most networksMax
	for _, network := range r.Networks {
		data = appendText(data, string(network))
	}
	return binary.BigEndian.AppendUint64(data, uint64(r.Created.Unix())) //nolint:gosec // not before 1970
}

func decodeRecord(data []byte, scheme string) (Record, bool) {
	r := reader{rest: data}
	record := Record{PublicKey: []byte(r.text(publicKeyBytesMax)), Address: r.text(addressBytesMax)}
	for range min(int(r.u8()), networksMax+1) {
		record.Networks = append(record.Networks, abi.Network(r.text(networkBytesMax)))
	}
	created := r.u64()
	if !r.done() || created > 1<<40 { // far beyond any clock, so that a time never wraps
		return Record{}, false
	}
	record.Created = time.Unix(int64(created), 0).UTC() //nolint:gosec // bounded above
	return record, record.check(scheme) == nil
}

func (r Record) clone() Record {
	r.PublicKey, r.Networks = slices.Clone(r.PublicKey), slices.Clone(r.Networks)
	return r
}
